"""A chapter of plain cases: walked along its table, its totals shared out, refused at line and field."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel

from deploy.replay.cases.checks import check_cases
from deploy.replay.cases.model import Cases
from deploy.replay.cases.tables import tables
from deploy.replay.cases.walks import facts_of, walked
from deploy.replay.history import Figure, lint_history
from deploy.replay.planned import counted
from shared.cases.bodies import Change, Reason
from shared.cases.case import NEW, Case, Move
from shared.contracts.base import Event
from shared.contracts.facts import Tells
from shared.programmes.sections.base import Listed
from tests.unit.replay.files import PLAIN, PLAIN_PROGRAMME, check_found, told

ALL = told(PLAIN)
OFFICER: Any = {"officer": "office"}


class Club(BaseModel):
    status: Literal["founded", "met", "ended"]


class ClubFounded(Event):
    """Of this test alone; its topic is one that has a family."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "founded"


class ClubMet(Event):
    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "met"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("met"), Tells("first_met", once=True))


class ClubEnded(Event):
    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "ended"
    reason: str


class Founding(Change):
    office: str
    country: str
    members: int


CLUBS = Case(
    "clubs",
    Club,
    (
        Move("found", frozenset({NEW}), ClubFounded, body=Founding, by=OFFICER),
        Move("meet", frozenset({"founded", "met"}), ClubMet, by=OFFICER, checked_by_another=True),
        Move("end", frozenset({"met"}), ClubEnded, body=Reason, by=OFFICER, reasons=("moved",)),
        Move("forget", frozenset({"ended"}), ClubEnded, body=Reason),
    ),
)
CHAPTER = Cases.model_validate(
    {
        "kind": "cases",
        "of": "anywhere/clubs",
        "count": 3,
        "offices": {"kabul": 2, "nairobi": 1},
        "path": ["found", "meet", "meet", "end"],
        "when": [{"starts": "2007-01-01", "ends": "2007-01-31", "cases": 3}],
        "days": {"meet": 1, "meet-2": 8, "end": 9},
        "fields": {"end": {"reason": "moved"}},
        "each": {"found": {"members": 10}},
        "spread": {"found": {"country": {"AF": 1, "SO": 2}}},
    }
)


def rules(**changes: Any) -> list[tuple[str, str]]:
    found = check_cases(CHAPTER.model_copy(update=changes), {"anywhere/clubs": CLUBS}, None)
    return [(one.pointer, one.rule) for one in found]


def test_a_move_that_opens_goes_to_the_list_and_every_other_one_to_the_case() -> None:
    assert rules() == []
    steps = [one.step for one in walked(CHAPTER, CLUBS, "example", "programme/publish")]
    second = [step for step in steps if step.id.startswith("clubs-0002/")]
    case = "/anywhere/v1/clubs/{clubs-0002/found.id}"
    assert [(step.id, step.path) for step in second] == [
        ("clubs-0002/found", "/anywhere/v1/clubs"),
        ("clubs-0002/meet", f"{case}/meet"),
        ("clubs-0002/meet-2", f"{case}/meet"),
        ("clubs-0002/end", f"{case}/end"),
    ]
    assert [step.needs for step in second] == [
        ("programme/publish",),
        ("clubs-0002/found",),
        ("clubs-0002/meet",),
        ("clubs-0002/meet-2",),
    ]
    # Whoever approves is not the one who wrote.
    assert [step.subject for step in second] == ["officer-kabul", "approver-kabul", "approver-kabul", "officer-kabul"]


def test_bodies_hold_constants_shares_days_and_codes() -> None:
    bodies = [one.step.body for one in walked(CHAPTER, CLUBS, "example", "p") if one.step.id.endswith("/found")]
    assert [body["members"] for body in bodies] == [4, 3, 3]
    assert [body["country"] for body in bodies] == ["AF", "SO", "SO"]
    assert [body["office"] for body in bodies] == ["kabul", "kabul", "nairobi"]
    days = [date.fromisoformat(str(body["happened_at"])[:10]) for body in bodies]
    assert days == [date(2007, 1, 6), date(2007, 1, 16), date(2007, 1, 26)]


def test_facts_are_read_off_what_the_events_declare() -> None:
    facts = list(facts_of(walked(CHAPTER, CLUBS, "example", "p")))
    assert [one.kind for one in facts] == ["met", "first_met", "met"] * 3
    assert {one.fields["country"] for one in facts} == {"AF", "SO"}
    assert [one.fields["placement"] for one in facts][:3] == ["clubs-0001"] * 3


@pytest.mark.parametrize(
    ("changes", "pointer", "rule"),
    [
        ({"of": "anywhere/choirs"}, "/of", "unknown_case"),
        ({"path": ("found", "end")}, "/path/1", "illegal_transition"),
        ({"path": ("found", "dance")}, "/path/1", "unknown_verb"),
        ({"path": ("found", "meet", "end", "forget")}, "/path/3", "unknown_verb"),
        ({"offices": {"kabul": 2}}, "/offices", "marginal_sum"),
        ({"spread": {"found": {"country": {"AF": 4}}}}, "/spread/found/country", "marginal_sum"),
        ({"fields": {"begin": {}, "end": {"reason": "moved"}}}, "/fields/begin", "unknown_step"),
        ({"fields": {"end": {"reason": "moved", "cause": 1}}}, "/fields/end/cause", "unknown_field"),
        ({"fields": {"end": {"happened_at": "2007-01-01T00:00:00Z"}}}, "/fields/end/happened_at", "unknown_field"),
        ({"fields": {}}, "/path/3", "required"),
        ({"fields": {"end": {"reason": 3}}}, "/fields/end/reason", "string_type"),
        ({"days": {"meet": 9, "meet-2": 8, "end": 9}}, "/days/meet-2", "days_backwards"),
    ],
)
def test_what_the_table_does_not_allow_is_found(changes: dict[str, Any], pointer: str, rule: str) -> None:
    assert (pointer, rule) in rules(**changes)


def test_the_services_own_tables_are_found_by_their_path() -> None:
    assert tables()["placement/trainings"].name == "trainings"
    assert {one.split("/")[0] for one in tables()} == {"registration", "matching", "placement"}


@pytest.mark.parametrize("figure", ALL.history.figures, ids=lambda one: f"{one.indicator}-{one.period}-{one.by}")
def test_every_figure_comes_out_of_the_plan(figure: Figure) -> None:
    value = counted(PLAIN_PROGRAMME, ALL.plan.facts, figure.indicator, figure.period, figure.by)
    assert figure.met(value), value


def test_a_row_without_a_number_is_left_out() -> None:
    held = [step.body["participants"] for step in ALL.steps if step.id.endswith("/hold")]
    rows = [row for one in held for row in one if row["sex"] == "male"]  # type: ignore[union-attr, index, call-overload]
    assert [row["persons"] for row in rows] == [1] * 5  # type: ignore[index, call-overload]


@pytest.mark.parametrize(
    ("old", "new", "pointer", "rule"),
    [
        ("of: placement/trainings", "of: placement/training", "of", "unknown_case"),
        ("path: [create, hold]", "path: [hold]", "path/0", "illegal_transition"),
        (
            "{title: Planning of returns, sector",
            "{title: Planning of returns, sectr",
            "fields/create/sectr",
            "unknown_field",
        ),
        ("seminar: 10", "seminar: 11", "spread/create/training_kind", "marginal_sum"),
        ("{sex: male,", "{sex: man,", "each/hold/participants/1/sex", "literal_error"),
        ("sessions: 40", "session: 40", "each/hold/session", "unknown_field"),
        ("        sessions: 40\n", "", "path/1", "required"),
        ("{baku: 7, quito: 5}", "{baku: 7, lima: 5}", "offices/lima", "unknown_code"),
        ("ends: 2011-11-01", "ends: 2012-11-01", "when/1", "outside_programme"),
        ("hold: 3}", "hold: -31}", "days/hold", "days_backwards"),
        ("of: placement/sites", "name: trainings\n    of: placement/sites", "chapters/1/name", "chapter_repeated"),
        (
            "      complete-works-2: {work: 2}",
            "      complete-works-2: {work: two}",
            "chapters/1/fields/complete-works-2/work",
            "int_type",
        ),
        ("visit: 2", "tour: 2", "spread/create/training_kind/tour", "unknown_code"),
        ("EC: 5}, training", "PE: 5}, training", "spread/create/country/PE", "unknown_code"),
        ("sector: governance", "sector: law", "fields/create/sector", "unknown_code"),
        ("category: ministry", "category: ministries", "each/hold/participants/0/category", "unknown_code"),
        ("ends_on: 4", "ends_on: -1", "spread/create/ends_on", "dates_reversed"),
        (
            "{sex: male, persons: 5}",
            "{sex: male, persons: 5}\n          - {sex: female, category: ministry, persons: 12}",
            "each/hold/participants/2",
            "group_repeated",
        ),
        ("site_kind: village", "site_kind: town", "chapters/1/fields/create/site_kind", "unknown_code"),
        (
            "      begin-works-2: {work_kind: water_system}",
            "      begin-works-2: {work_kind: bridge}",
            "chapters/1/fields/begin-works-2/work_kind",
            "unknown_code",
        ),
        (
            "      complete-works-2: {work: 2}",
            "      complete-works-2: {work: 3}",
            "chapters/1/fields/complete-works-2/work",
            "work_unknown",
        ),
        ("complete-works-2: {families: 681}", "complete-works-2: {persons: 681}", "chapters/1/path/5", "required"),
    ],
)
def test_the_linter_finds_what_does_not_hold(old: str, new: str, pointer: str, rule: str) -> None:
    check_found(PLAIN, (old, new), pointer, rule)


def test_a_repeated_group_is_found_once_and_two_institutions_are_two_groups() -> None:
    row = "{sex: male, persons: 5}"
    again = PLAIN.replace(row, f"{row}\n          - {row}")
    assert [one.rule for one in lint_history(again, PLAIN_PROGRAMME)] == ["group_repeated"]
    start, end = PLAIN.index("        participants:"), PLAIN.index("    spread:")
    groups = ", ".join(f"{{sex: male, institution: '{{host-{n}/create.id}}', persons: 5}}" for n in (1, 2))
    hold = f"sector: governance}}\n      hold: {{participants: [{groups}]}}"
    two = f"{PLAIN[:start]}{PLAIN[end:]}".replace("sector: governance}", hold, 1)
    assert lint_history(two, PLAIN_PROGRAMME) == []


def test_what_a_rule_refuses_as_a_whole_is_found_at_the_step() -> None:
    early = PLAIN.replace("starts_on: 0, ends_on: 4", "starts_on: 4, ends_on: 5")
    (found,) = lint_history(early, PLAIN_PROGRAMME)
    assert (found.pointer, found.rule) == ("/chapters/0/path/1", "held_before_start")
    assert lint_history(early.replace("hold: 3}", "hold: 5}"), PLAIN_PROGRAMME) == []


def test_cases_of_a_section_that_the_programme_lacks_are_refused() -> None:
    without = PLAIN_PROGRAMME.model_copy(update={"results": None})
    found = [one for one in lint_history(PLAIN, without) if one.pointer.startswith("/chapters")]
    assert [(one.pointer, one.rule) for one in found] == [("/chapters/1/of", "not_in_programme")]


def test_what_an_area_is_depends_on_the_programme() -> None:
    text = PLAIN.replace("country: AZ, site_kind", "country: AZ, area: sheki, site_kind")
    assert lint_history(text, PLAIN_PROGRAMME) == []
    areas = (Listed(code="guba", name={"en": "Guba"}),)
    (found,) = lint_history(text, PLAIN_PROGRAMME.model_copy(update={"areas": areas}))
    assert (found.pointer, found.rule) == ("/chapters/1/fields/create/area", "unknown_code")
