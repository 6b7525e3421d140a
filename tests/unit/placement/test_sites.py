"""The rules of sites and of the works at them, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.placement.domain.sites import EXAMPLE, SITE, Site
from services.placement.domain.works import WORKS_AT_MOST
from shared.cases.opening import Days, Under
from shared.contracts.frame import Frame
from shared.errors import Problem, Refusal
from shared.programmes.sections.results import ResultsSection

NOW = datetime(2008, 5, 5, 9, tzinfo=UTC)
FRAME = Frame(
    country="AZ",
    sector="water",
    programme="coswa-nar",
    programme_version=1,
    office="nakhchivan",
    time_zone="Asia/Baku",
)


def under(*units: str) -> Under:
    listed = {name: [{"code": code, "name": {"en": code}}] for name, code in KINDS.items()}
    section = ResultsSection.model_validate({**listed, "reached": list(units or ("families",))})
    return Under(FRAME, section, Days(date(2007, 11, 1), date(2010, 11, 1)))


KINDS = {"site_kinds": "village", "work_kinds": "water_system"}


def after(state: Site | None, verb: str, *units: str, now: datetime = NOW, **said: Any) -> Site:
    for event in SITE.decide(state, SITE.ask(verb, under(*units), **said), now):
        state = SITE.evolve(state, event)
    assert state is not None
    return state


def assessed() -> Site:
    return after(after(None, "create", **EXAMPLE), "assess")


def begun(works: int = 1) -> Site:
    state = assessed()
    for _ in range(works):
        state = after(state, "begin-works", work_kind="water_system")
    return state


def refused(state: Site | None, verb: str, *units: str, **said: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        after(state, verb, *units, **said)
    return caught.value


# In Baku, where it is four hours later, the programme's first day has begun at eight in the evening before.
@pytest.mark.parametrize(
    ("verb", "now"),
    [
        ("create", datetime(1900, 1, 1, tzinfo=UTC)),
        ("create", datetime(2007, 10, 31, 19, 59, tzinfo=UTC)),
        ("begin-works", datetime(2007, 10, 31, 19, 59, tzinfo=UTC)),
        ("begin-works", datetime(2010, 10, 31, 20, tzinfo=UTC)),
    ],
)
def test_a_site_is_proposed_and_works_begin_while_the_programme_runs_or_it_is_said_why(
    verb: str, now: datetime
) -> None:
    state, said = (None, EXAMPLE) if verb == "create" else (assessed(), {"work_kind": "water_system"})
    refusal = refused(state, verb, now=now, **said)
    assert (refusal.rule, refusal.status) == ("dates_outside_programme", 422)
    assert [one.pointer for one in refusal.problems] == ["/happened_at"]
    begun = after(state, verb, now=now, override_reason="begun_before", **said)
    said_of = begun if verb == "create" else begun.works[-1]
    assert said_of.override_reason == "begun_before"
    # The reason of the works is none of the proposal's.
    assert begun.override_reason == (None if begun.works else "begun_before")


def test_on_the_first_day_and_the_last_one_no_reason_is_needed() -> None:
    first, last = datetime(2007, 10, 31, 20, tzinfo=UTC), datetime(2010, 10, 31, 19, 59, tzinfo=UTC)
    state = after(None, "create", now=first, **{**EXAMPLE, "override_reason": "begun_before"})
    assert state.override_reason is None
    works = after(after(state, "assess"), "begin-works", now=last, work_kind="water_system").works
    assert [one.override_reason for one in works] == [None]


def test_from_the_proposal_to_the_handing_over() -> None:
    state = begun(2)
    assert (state.status, state.opened_at, [one.completed for one in state.works]) == ("under_works", NOW, [False] * 2)
    state = after(state, "complete-works", work=2, families=64)
    assert refused(state, "hand-over").rule == "works_not_completed"
    state = after(after(state, "complete-works", work=1, families=0), "hand-over")
    assert state.status == "handed_over"
    assert [(one.completed, one.families, one.persons) for one in state.works] == [(True, 0, None), (True, 64, None)]


def test_works_are_completed_once_under_their_own_number() -> None:
    refusal = refused(begun(), "complete-works", work=2, families=1)
    assert (refusal.rule, refusal.status, refusal.problems) == (
        "work_unknown",
        422,
        (Problem("work_unknown", "/work", "from 1 to 1, as the works of the site are numbered"),),
    )
    done = after(begun(), "complete-works", work=1, families=1)
    assert refused(done, "complete-works", work=1, families=1).rule == "work_completed_before"


@pytest.mark.parametrize(
    ("units", "said", "problems"),
    [
        (("families",), {}, [("required", "/families")]),
        (("families",), {"families": 3, "persons": 12}, [("not_in_programme", "/persons")]),
        (("persons",), {"families": 3}, [("not_in_programme", "/families"), ("required", "/persons")]),
        (("families", "persons"), {"persons": 12}, [("required", "/families")]),
    ],
)
def test_a_reach_is_stated_in_the_units_of_the_programme(
    units: tuple[str, ...], said: dict[str, int], problems: list[tuple[str, str]]
) -> None:
    refusal = refused(begun(), "complete-works", *units, work=1, **said)
    assert (refusal.rule, refusal.status) == ("reach_stated_otherwise", 422)
    assert [(one.rule, one.pointer) for one in refusal.problems] == problems


def test_the_works_of_a_site_are_bounded() -> None:
    assert refused(begun(WORKS_AT_MOST), "begin-works", work_kind="water_system").rule == "too_many_works"


def test_a_site_with_works_under_way_can_be_dropped_and_says_why() -> None:
    state = after(begun(), "drop", reason="spring_dried_up")
    assert (state.status, state.reason) == ("dropped", "spring_dried_up")


@pytest.mark.parametrize(
    "said", [{"work": 0}, {"work": 101}, {"work": 1, "families": -1}, {"work": 1, "persons": 10**8}]
)
def test_numbers_are_bounded(said: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"work|families|persons"):
        SITE.ask("complete-works", under(), **said)
