"""Facts of a family that only this test declares: items, amounts, dates; and what the catalogue refuses."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import pytest

from services.monitoring.domain.derivation import fields_of
from services.monitoring.domain.facts import Fact, facts_of
from services.monitoring.domain.rows import EventRow, day_of, payload_of
from services.monitoring.domain.zones import UTC_ZONE
from shared.contracts.base import Code, Contract, Event
from shared.contracts.catalogue import Catalogue
from shared.contracts.facts import FactField, Family, Ordinal, Subject, Tells, said
from tests.unit.monitoring.story import START, id_of

TOPIC = "placement.courses"


class Price(Contract):
    amount: int
    currency: Code


class Participants(Contract):
    sex: Code
    persons: int


class CourseAnnounced(Event):
    """A test's own opening."""

    topic: ClassVar[str] = TOPIC
    sector: Code
    opens_on: date
    cost: Price | None = None


class CourseHeld(Event):
    """A test's own event with a list of items."""

    topic: ClassVar[str] = TOPIC
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("course_held", once=True),
        Tells("participants", each="groups", ended_by=frozenset({"CourseVoided"})),
    )
    groups: tuple[Participants, ...] = ()


class CourseVoided(Event):
    """A test's own end."""

    topic: ClassVar[str] = TOPIC


COURSES = Family(
    "courses",
    TOPIC,
    fields=(
        FactField("course", "id", Subject()),
        said("sector", "code"),
        said("opens_on", "date"),
        said("cost", "money"),
        said("sex", "code", "item.sex"),
        said("persons", "number", "item.persons"),
        FactField("number", "number", Ordinal()),
    ),
    frame=("sector", "opens_on", "cost"),
    opened="sector",
    framed="sector",
    unit="thing",
)
EVENTS = (CourseAnnounced, CourseHeld, CourseVoided)
TESTED = Catalogue(EVENTS, (COURSES,))
HELD = CourseHeld(
    happened_at=START, groups=(Participants(sex="female", persons=20), Participants(sex="male", persons=40))
)
ANNOUNCED = CourseAnnounced(
    happened_at=START, sector="health", opens_on=date(2026, 2, 1), cost=Price(amount=12_550, currency="EUR")
)


def rows(*events: Event) -> list[EventRow]:
    return [
        EventRow(
            *(TOPIC, id_of("course"), 1, number, type(event).__name__, 0, 1_000 + number, "kabul", None, None),
            *payload_of(type(event), TESTED)(event),
        )
        for number, event in enumerate(events, 1)
    ]


def told(*events: Event) -> list[Fact]:
    return facts_of(rows(*events), lambda _: UTC_ZONE, TESTED)


def named(fact: Fact) -> dict[str, Any]:
    return dict(zip(fields_of(COURSES), fact.values, strict=True))


def test_each_item_is_a_fact_of_its_own_with_the_frame_and_what_the_item_says() -> None:
    held, *groups = told(ANNOUNCED, HELD)
    assert [(fact.kind, fact.item) for fact in (held, *groups)] == [
        ("course_held", 0),
        ("participants", 0),
        ("participants", 1),
    ]
    found = [named(fact) for fact in groups]
    assert [(one["sex"], one["persons"], one["sector"]) for one in found] == [
        ("female", 20, "health"),
        ("male", 40, "health"),
    ]
    assert (named(held)["sex"], named(held)["number"], found[0]["number"]) == (None, None, 1)


def test_an_amount_has_its_currency_beside_it_and_a_date_is_a_day() -> None:
    values = named(told(ANNOUNCED, HELD)[0])
    assert (values["cost"], values["cost_currency"]) == (12_550, "EUR")
    assert values["opens_on"] == day_of(date(2026, 2, 1))


def test_an_end_takes_every_item_back() -> None:
    ends = [fact.known_to for fact in told(ANNOUNCED, HELD, CourseVoided(happened_at=START))]
    assert ends == [None, 1_003, 1_003]


def test_nothing_is_told_of_a_case_that_is_not_opened() -> None:
    assert told(HELD) == []


def test_a_kind_carries_what_its_event_can_say() -> None:
    held, participants = TESTED.kinds["course_held"].fields, TESTED.kinds["participants"].fields
    assert participants - held == {"sex", "persons", "number"}
    assert held == {"course", "sector", "opens_on", "cost"}


@pytest.mark.parametrize(
    ("topic", "fields", "frame"),
    [
        ("placement.another", COURSES.fields, COURSES.frame),
        (TOPIC, COURSES.fields[1:], COURSES.frame),
        (TOPIC, COURSES.fields, ("cost",)),
        (TOPIC, (*COURSES.fields, said("person", "id", "item.person")), COURSES.frame),
        (TOPIC, (*COURSES.fields, said("sex", "number", "item.sex")), COURSES.frame),
    ],
)
def test_a_family_that_does_not_fit_its_events_is_refused(
    topic: str, fields: tuple[FactField, ...], frame: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"family|frame|subject|types"):
        Catalogue(EVENTS, (Family("courses", topic, fields, frame, "sector", "sector"),))


def test_ends_that_the_topic_does_not_have_and_kinds_told_in_two_ways_are_refused() -> None:
    class CourseEnded(Event):
        """Names an end that nobody declared."""

        topic: ClassVar[str] = TOPIC
        tells: ClassVar[tuple[Tells, ...]] = (Tells("course_ended", ended_by=frozenset({"NeverDeclared"})),)

    class CourseRepeated(Event):
        """Tells a kind otherwise than `CourseHeld`."""

        topic: ClassVar[str] = TOPIC
        tells: ClassVar[tuple[Tells, ...]] = (Tells("course_held"),)

    for event in (CourseEnded, CourseRepeated):
        with pytest.raises(ValueError, match=r"ended by|two ways"):
            Catalogue((*EVENTS, event), (COURSES,))
