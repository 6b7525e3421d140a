"""In whose time a page speaks: one rule, and no way of showing an instant beside it."""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path

from services.registration.domain.examples import DEFINITION
from shared.identity.tokens import Principal
from shared.messaging.local import LocalLog
from shared.messaging.topics import PROGRAMMES
from shared.programmes.definitions import Definitions
from shared.programmes.loader import definition_of
from shared.web.pages.offices import Times, office_names, times_for
from shared.zones import zone
from tests.unit.web.service import Clock

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted([*ROOT.glob("shared/web/pages/templates/*.html"), *ROOT.glob("services/*/templates/*.html")])
CODE = sorted([*ROOT.glob("shared/web/**/*.py"), *ROOT.glob("services/**/*.py")])
KABUL, FREETOWN = zone("Asia/Kabul"), zone("Africa/Freetown")
# Whatever a template could make of an instant without its zone.
WITHOUT_ZONE = re.compile(r"strftime|isoformat|astimezone|<time|\.(?:date|time)\(\)|\|string\b.*_at|\.\w+_at\s*\}\}")
SAID = re.compile(r"formats\.(?:instant|day_of)\(([^()]+)\)")


def test_the_own_office_s_time_goes_before_the_case_s_and_that_before_utc() -> None:
    assert Times().zone() is UTC
    assert Times(case=KABUL).zone() is KABUL
    assert Times(case=KABUL).zone("Africa/Freetown") == FREETOWN, "a row of a list is of another case"
    assert Times(own=FREETOWN, case=KABUL).zone("Asia/Kabul") is FREETOWN


def test_whose_office_it_is_follows_from_the_newest_definition() -> None:
    first = definition_of(DEFINITION)
    office = first.offices[0]
    moved = first.model_copy(
        update={"offices": (office.model_copy(update={"code": "moved", "time_zone": "Africa/Freetown"}),)}
    )
    clock = Clock()
    known = Definitions(LocalLog(None, [PROGRAMMES], clock), clock)
    officer = Principal("a" * 32, "officer", office.code)
    assert times_for(known, officer).zone() is UTC, "nothing is known while the replica starts"
    vars(known).update(_versions={first.code: {1: first, 2: moved}}, _end_at_start=0)
    assert times_for(known, officer, KABUL).zone() == office.zone, "one that is gone keeps its time"
    assert times_for(known, Principal("a" * 32, "officer", "moved"), KABUL).zone() == FREETOWN
    assert times_for(known, Principal("a" * 32, "expert"), KABUL).zone() is KABUL
    assert times_for(known, None).zone() is UTC
    assert office_names(known, "en")[office.code] == office.name["en"]


def test_templates_say_every_instant_in_the_page_s_zone() -> None:
    said, wrong = 0, []
    for file in TEMPLATES:
        text = file.read_text()
        found = SAID.findall(text)
        said += len(found)
        assert len(found) == len(re.findall(r"\.(?:instant|day_of)\(", text)), file
        wrong += [(file.name, one) for one in found if not re.fullmatch(r"[\w.]+, zone", one)]
        wrong += [(file.name, one.group()) for one in WITHOUT_ZONE.finditer(text)]
    assert wrong == []
    assert said >= 10


def test_code_says_an_instant_by_the_rule_alone() -> None:
    """Mails and papers have one reader each, whose zone they are given."""
    # What a definition says of an instant is no office's, nor is as of when a statement counts: both are shown in the
    # zone in which their files have them.
    by_the_rule = {"shown.py", "formatting.py", "mailing", "papers", "definition_pages.py", "exports"}
    # What these write of a case has no instant: a paper says its own in the zone that it is given.
    without = {"paper_words.py", "meaning.py", "vacancy_pages.py", "shown.py"}
    for file in CODE:
        text = file.read_text()
        assert {file.name, file.parent.name} & by_the_rule or ".instant(" not in text, file
        assert file.name in without or not re.search(r"\bShown\(", text) or "web/pages" not in text, file
        assert file.name == "formatting.py" or not re.search(r"strftime|babel\.dates", text), file
