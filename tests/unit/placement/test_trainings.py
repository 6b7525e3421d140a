"""The rules of trainings, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.placement.domain.trainings import EXAMPLE, TRAINING, Training
from shared.cases.opening import Days, Under
from shared.clock import derived_id
from shared.contracts.frame import Frame
from shared.contracts.placement.trainings import TrainingHeld, TrainingParticipantsCorrected
from shared.errors import Refusal
from shared.programmes.sections.trainings import TrainingsSection

# Half past eight in the evening of the day before the training begins, in UTC; in Kabul it has begun.
EVE = datetime(2011, 3, 6, 20, 30, tzinfo=UTC)
FRAME = Frame(
    country="AF",
    sector="governance",
    programme="institution-capacity",
    programme_version=3,
    office="kabul",
    time_zone="Asia/Kabul",
)
SECTION = TrainingsSection.model_validate({"kinds": [{"code": "workshop", "name": {"en": "Workshop"}}]})
UNDER = Under(FRAME, SECTION, Days(date(2010, 1, 1), date(2012, 1, 1)))
WOMEN = {"sex": "female", "persons": 20}
MEN = {"sex": "male", "persons": 40}


def after(state: Training | None, verb: str, now: datetime = EVE, **said: Any) -> Training:
    for event in TRAINING.decide(state, TRAINING.ask(verb, UNDER, **said), now):
        state = TRAINING.evolve(state, event)
    assert state is not None
    return state


def announced(**said: Any) -> Training:
    return after(None, "create", EVE - timedelta(days=20), **{**EXAMPLE, **said})


def refused(state: Training | None, verb: str, now: datetime = EVE, **said: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        after(state, verb, now, **said)
    return caught.value


def test_an_announced_training_runs_in_its_frame_and_says_no_title() -> None:
    (event,) = TRAINING.decide(None, TRAINING.ask("create", UNDER, **EXAMPLE), EVE)
    assert "title" not in event.body()
    assert EXAMPLE["title"] not in event.body()
    state = announced()
    assert (state.status, state.frame, state.opened_at) == ("announced", FRAME, EVE - timedelta(days=20))
    scope = TRAINING.scope(state)
    assert (scope.office, scope.programme, scope.programme_version) == ("kabul", "institution-capacity", 3)


@pytest.mark.parametrize("verb", ["create", "reschedule"])
def test_a_training_ends_after_it_begins(verb: str) -> None:
    state = None if verb == "create" else announced()
    days = {**(EXAMPLE if state is None else {}), "starts_on": "2011-03-08", "ends_on": "2011-03-08"}
    refusal = refused(state, verb, **days)
    assert (refusal.rule, refusal.status, refusal.problems[0].pointer) == ("dates_reversed", 422, "/ends_on")


@pytest.mark.parametrize("verb", ["create", "reschedule"])
@pytest.mark.parametrize(
    ("starts_on", "ends_on", "wrong"),
    [
        ("1900-01-01", "1900-01-05", ["/starts_on"]),
        ("2009-12-31", "2010-01-05", ["/starts_on"]),
        ("2011-12-30", "2012-01-02", ["/ends_on"]),
        ("2012-01-01", "2012-01-02", ["/starts_on", "/ends_on"]),
        ("2999-12-30", "2999-12-31", ["/starts_on", "/ends_on"]),
    ],
)
def test_a_training_lies_within_the_days_of_its_programme_or_says_why(
    verb: str, starts_on: str, ends_on: str, wrong: list[str]
) -> None:
    state = None if verb == "create" else announced()
    days = {**(EXAMPLE if state is None else {}), "starts_on": starts_on, "ends_on": ends_on}
    refusal = refused(state, verb, **days)
    assert (refusal.rule, refusal.status) == ("dates_outside_programme", 422)
    assert [one.pointer for one in refusal.problems] == wrong
    assert all("2010-01-01" in one.detail and "2012-01-01" in one.detail for one in refusal.problems)
    assert after(state, verb, override_reason="programme_extended", **days).override_reason == "programme_extended"


def test_a_reason_that_is_not_needed_is_not_kept() -> None:
    first = announced(override_reason="delayed")
    assert first.override_reason is None
    outside = after(first, "reschedule", starts_on="2012-03-01", ends_on="2012-03-05", override_reason="delayed")
    assert outside.override_reason == "delayed"
    assert after(outside, "reschedule", starts_on="2011-03-01", ends_on="2011-03-05").override_reason is None
    last = after(None, "create", **{**EXAMPLE, "starts_on": "2010-01-01", "ends_on": "2012-01-01"})
    assert last.override_reason is None


def test_it_is_held_from_its_first_day_on_in_the_offices_time_zone() -> None:
    held = {"sessions": 5, "participants": [WOMEN, MEN]}
    assert refused(announced(), "hold", EVE - timedelta(hours=2), **held).rule == "held_before_start"
    state = after(announced(), "hold", EVE, **held)
    assert (state.status, state.sessions, state.held_at) == ("held", 5, EVE)
    assert [one.persons for one in state.participants] == [20, 40]


def test_a_training_that_was_rescheduled_is_held_on_its_new_days() -> None:
    later = after(announced(), "reschedule", starts_on="2011-04-05", ends_on="2011-04-10")
    assert refused(later, "hold", sessions=5, participants=[WOMEN]).rule == "held_before_start"


@pytest.mark.parametrize("verb", ["hold", "correct-participants"])
def test_a_group_of_participants_stands_once(verb: str) -> None:
    state = announced() if verb == "hold" else after(announced(), "hold", sessions=1, participants=[WOMEN])
    said = {"sessions": 5} if verb == "hold" else {"reason": "attendance_list"}
    refusal = refused(state, verb, participants=[WOMEN, MEN, {**WOMEN, "persons": 3}], **said)
    assert (refusal.rule, refusal.status, refusal.problems[0].pointer) == ("group_repeated", 422, "/participants/2")
    other = {**WOMEN, "institution": derived_id("ministry")}
    assert (
        len(after(state, verb, participants=[WOMEN, other, {**WOMEN, "category": "staff"}], **said).participants) == 3
    )


def test_a_correction_counts_when_the_training_was_held_and_replaces_the_one_before() -> None:
    state = after(announced(), "hold", sessions=1, participants=[WOMEN, MEN])
    for number in (1, 2):
        said = {"participants": [{**WOMEN, "persons": 20 + number}], "reason": f"list_{number}"}
        asked = TRAINING.ask("correct-participants", UNDER, **said)
        (event,) = TRAINING.decide(state, asked, EVE + timedelta(days=number))
        assert isinstance(event, TrainingParticipantsCorrected)
        assert (event.happened_at, event.correction) == (EVE, number)
        state = TRAINING.evolve(state, event)
        assert ([one.persons for one in state.participants], state.reason) == ([20 + number], f"list_{number}")
        assert (state.status, state.sessions) == ("held", 1)


def test_a_count_that_says_what_stands_is_no_correction() -> None:
    state = after(announced(), "hold", sessions=1, participants=[WOMEN, MEN])
    refusal = refused(state, "correct-participants", participants=[MEN, WOMEN], reason="attendance_list")
    assert (refusal.rule, refusal.problems[0].pointer) == ("participants_unchanged", "/participants")


def test_a_cancelled_training_says_why() -> None:
    state = after(announced(), "cancel", reason="trainer_ill")
    assert (state.status, state.reason) == ("cancelled", "trainer_ill")


@pytest.mark.parametrize(
    "groups",
    [
        [],
        [{"sex": "female", "persons": 0}],
        [{"sex": "female", "persons": 100_001}],
        [{"sex": "woman", "persons": 1}],
        [{"sex": "female", "persons": 1}] * 201,
    ],
)
def test_lists_and_their_numbers_are_bounded(groups: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="participants"):
        TRAINING.ask("hold", UNDER, sessions=1, participants=groups)
    with pytest.raises(ValueError, match="participants"):
        TrainingHeld.model_validate({"happened_at": EVE, "sessions": 1, "participants": groups})
