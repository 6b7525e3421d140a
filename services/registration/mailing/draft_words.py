"""What mails about an application say that was begun without an account: nothing of what was typed, and nobody's name.

A reminder holds no code. The mail with a new link holds one, for that is what was asked for; it opens nothing by itself
(docs/decisions/0062-a-way-back-by-mail.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from services.registration.domain.drafts import Reminder
from services.registration.mailing.wording import REFERENCE_CHARACTERS, Words, closing, filled, plain
from shared.web.pages.formatting import Formats
from shared.web.pages.words import translations


@dataclass(frozen=True)
class About:
    """Which draft, for whom. `zone`: of its office, in which instants are said."""

    id: str
    language: str
    zone: tzinfo


def of_reminder(
    about: About, reminder: Reminder, until: datetime, lost: str, stop: str, *, first_of_several: bool = False
) -> Words:
    """`lost`, `stop`: the addresses at which a new link is asked for, and at which reminders end. `first_of_several`:
    the programme closes then at one of its offices, and later at others."""
    _ = translations(about.language).gettext
    if reminder == "moved":
        subject = _("The closing day has moved")
        said = _("The programme closes then, and not on the day that stood here before. Go on with your link or code.")
    elif reminder == "closing" and first_of_several:
        subject = _("Your application is not sent yet")
        said = _("The first of the programme's offices closes then. Go on with your link or your code.")
    elif reminder == "closing":
        subject = _("Your application is not sent yet")
        said = _("The programme closes then, and nobody can apply any more. Go on with your link or your code.")
    else:
        subject = _("Your application will be deleted")
        said = _("It was not sent, and nobody changed it for a while. Go on with your link or your code to keep it.")
    lines = [*_head(about, subject, until), said, "", _("Ask for a new link if you lost it:"), lost]
    lines += ["", _("No more reminders to this address:"), stop]
    return _words(about, subject, lines)


@dataclass(frozen=True)
class Link:
    """`link`: to the page that asks for one more thing which was typed; `until`: it opens the application till then."""

    about: About
    link: str
    until: datetime


def of_links(links: Sequence[Link]) -> Words:
    """The new links to all applications of one address, at least one; in the language of the first."""
    first, *others = links
    _ = translations(first.about.language).gettext
    if others:
        subject = _("The new links to your applications")
        lines = [
            subject,
            "",
            _("Somebody asked for new links to the applications in which this address was typed:"),
            "",
        ]
        for one in links:
            lines += [*_which(one.about, one.until), one.link, ""]
        said = _("Each asks for one thing that was typed there. Once it is used, the one from before opens nothing.")
    else:
        subject = _("The new link to your application")
        said = _(
            "Somebody asked for a new link to an application in which this address was typed. It opens the application:"
        )
        lines = [*_head(first.about, subject, first.until), said, first.link, ""]
        said = _(
            "It asks for one thing that was typed there. Once it is used, the link from before opens nothing any more."
        )
    lines += [said, _("If you did not ask for it, you need do nothing.")]
    return _words(first.about, subject, lines)


def _head(about: About, subject: str, until: datetime) -> list[str]:
    return [subject, "", *_which(about, until), ""]


def _which(about: About, until: datetime) -> list[str]:
    _, formats = translations(about.language).gettext, Formats(about.language)
    reference = plain(formats.reference(about.id[:REFERENCE_CHARACTERS]), about.language)
    at = plain(formats.instant(until, about.zone), about.language)
    return [filled(_("Reference: %(reference)s"), reference=reference), filled(_("Until: %(until)s"), until=at)]


def _words(about: About, subject: str, lines: list[str]) -> Words:
    return Words(subject, "\n".join([*lines, "", closing(about.language)]) + "\n")
