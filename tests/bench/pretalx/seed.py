"""Fills an empty pretalx with an open call and its submissions by fewer speakers, and signs its organiser in.

Writes as JSON to standard output the name and the value of the organiser's session cookie.
"""

from __future__ import annotations

import datetime as dt
import json
import sys

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils.timezone import now  # noqa: E402
from django_scopes import scope, scopes_disabled  # noqa: E402
from pretalx.event.domain.event import create_event  # noqa: E402
from pretalx.event.domain.organiser import create_organiser_with_team  # noqa: E402
from pretalx.event.models import Team  # noqa: E402
from pretalx.person.domain.user import create_user  # noqa: E402
from pretalx.person.models import User  # noqa: E402
from pretalx.submission.domain.submission import create_submission  # noqa: E402
from pretalx.submission.models import Submission  # noqa: E402

SUBMISSIONS, SPEAKERS = 200, 150
ABSTRACT = "What was built, by whom and for whom, what went wrong on the way, and what others can take from it. " * 3


EMAIL, ZONE = "organiser@example.org", {"locale": "en", "timezone": "UTC"}


def main(slug: str) -> None:
    organiser = User.objects.filter(email=EMAIL).first() or filled(slug)
    browser = Client()
    browser.force_login(organiser)
    name = settings.SESSION_COOKIE_NAME
    print(json.dumps({"name": name, "value": browser.cookies[name].value}))


def filled(slug: str) -> User:
    """The organiser of a call with its submissions."""
    organiser: User = create_user(email=EMAIL, name="Organiser", password="of-the-bench", **ZONE)
    of, _ = create_organiser_with_team(name="Organisation", slug="organisation", users=[organiser])
    starts = (now() + dt.timedelta(days=60)).date()
    with scopes_disabled():
        event = create_event(
            organiser=of,
            locales=["en"],
            name="Conference",
            slug=slug,
            is_public=True,
            date_from=starts,
            date_to=starts + dt.timedelta(days=2),
            timezone="UTC",
            email="event@example.org",
            locale="en",
        )
    with scope(event=event):
        for team in Team.objects.filter(organiser=of):
            team.all_events = team.can_change_event_settings = team.can_change_submissions = True
            team.save()
        event.cfp.deadline = now() + dt.timedelta(days=30)
        event.cfp.save()
        users = [create_user(email=f"speaker{n}@example.org", name=f"Speaker {n}", **ZONE) for n in range(SPEAKERS)]
        kind = event.submission_types.first()
        for number in range(SUBMISSIONS):
            user = users[number % SPEAKERS]
            talk = Submission(event=event, title=f"Talk number {number}", submission_type=kind, abstract=ABSTRACT)
            talk.content_locale = "en"
            create_submission(submission=talk, user=user, speakers=[user])
    return organiser


main(sys.argv[1])
