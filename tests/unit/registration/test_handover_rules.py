"""What decides on a handover, asked alone: in time, by somebody else, and nothing of the case with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from services.registration.domain.examples import INSTITUTION as EXAMPLE
from services.registration.domain.handover import (
    ACCEPT,
    DECLINE,
    LAPSE,
    PROPOSE,
    STANDS,
    WITHDRAW,
    AccountAssignment,
)
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.persons import PERSON, Person
from services.registration.store import INSTITUTIONS
from shared.cases.case import Asked
from shared.clock import derived_id, text_of
from shared.errors import Refusal
from shared.store.documents import new_document
from shared.store.timers import programme_timer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOLDER, OTHER = derived_id("holder"), derived_id("other")


def told(case: Any, state: Any, command: Asked, now: datetime = NOW) -> Any:
    for event in case.decide(state, command, now):
        state = case.evolve(state, event)
    return state


def institution(*verbs: str) -> Any:
    state = told(INSTITUTION, None, INSTITUTION.ask("create", HOLDER, **EXAMPLE))
    for verb in verbs:
        said = {"reason": "relocating"} if verb == "put-on-hold" else {}
        state = told(INSTITUTION, state, INSTITUTION.ask(verb, **said))
    return state


def offered(state: Any, reason: str = "contact_left") -> Any:
    return told(INSTITUTION, state, INSTITUTION.ask(PROPOSE, reason=reason))


def refused(case: Any, state: Any, command: Asked, now: datetime = NOW) -> str:
    with pytest.raises(Refusal) as raised:
        case.decide(state, command, now)
    return raised.value.rule


def test_the_last_instant_is_the_first_that_is_too_late() -> None:
    state, end = offered(institution()), NOW + STANDS
    assert timedelta(days=14) == STANDS
    for verb, given, said in ((ACCEPT, OTHER, {}), (DECLINE, None, {"reason": "not_meant"})):
        command = INSTITUTION.ask(verb, given, **said)
        assert refused(INSTITUTION, state, command, end) == "handover_not_proposed"
        assert told(INSTITUTION, state, command, end - timedelta(microseconds=1)).handover is None


def test_why_an_institution_is_on_hold_stays_and_what_is_right_of_it_can_still_be_put_right() -> None:
    held = institution("assess", "accept-partner", "activate", "put-on-hold")
    state = offered(held)
    assert (state.reason, state.status, state.trail, state.told) == ("relocating", "on_hold", held.trail, held.told + 1)
    lapsed = told(INSTITUTION, state, INSTITUTION.ask(LAPSE))
    assert (lapsed.reason, lapsed.handover, lapsed.account) == ("relocating", None, HOLDER)
    after = told(INSTITUTION, state, INSTITUTION.ask(ACCEPT, OTHER))
    assert (after.reason, after.handover, after.account) == ("relocating", None, OTHER)


def test_what_ends_it_ends_it_once() -> None:
    state = offered(institution())
    for command in (
        INSTITUTION.ask(WITHDRAW),
        INSTITUTION.ask("assign-account", OTHER, account="somebody@example.org", reason="contact_left"),
        INSTITUTION.ask("close", reason="dissolved"),
    ):
        after = told(INSTITUTION, state, command)
        assert after.handover is None
    assert refused(INSTITUTION, told(INSTITUTION, state, INSTITUTION.ask(WITHDRAW)), INSTITUTION.ask(WITHDRAW))
    # The timer may fire on what has ended meanwhile.
    with pytest.raises(Refusal):
        INSTITUTION.decide(told(INSTITUTION, state, INSTITUTION.ask(WITHDRAW)), INSTITUTION.ask(LAPSE), NOW)
    closed = told(INSTITUTION, state, INSTITUTION.ask("close", reason="dissolved"))
    assert INSTITUTION.decide(closed, INSTITUTION.ask(LAPSE), NOW) == ()
    assert refused(INSTITUTION, closed, INSTITUTION.ask(PROPOSE, reason="contact_left")) == "illegal_transition"


def test_an_account_is_not_taken_over_by_itself() -> None:
    state = Person(account=HOLDER)
    state = told(PERSON, state, PERSON.ask(PROPOSE, reason="applied_for_another"))
    assert refused(PERSON, state, PERSON.ask(ACCEPT, HOLDER)) == "account_unchanged"
    assert told(PERSON, state, PERSON.ask(ACCEPT, OTHER)).account == OTHER


def test_what_is_recorded_late_of_the_case_changes_nothing_of_when_it_lapses() -> None:
    state = offered(institution())
    document = {**new_document("x"), "state": state.model_dump(mode="json", exclude_none=True), "late": True}
    document["last_recorded_at"] = text_of(NOW + 2 * STANDS)
    due = programme_timer(INSTITUTIONS, document)
    assert due is not None
    assert (due.at, due.command.verb, due.happened_at) == (NOW + STANDS, LAPSE, None)


@pytest.mark.parametrize("account", [" expert@example.org", "expert@example.org ", "expert@example.org\u00a0", " "])
def test_an_account_is_the_whole_subject_and_no_space_beside_it(account: str) -> None:
    with pytest.raises(ValidationError):
        AccountAssignment(reason="wrong_account", account=account)
    assert AccountAssignment(reason="wrong_account", account="auth0|first last").account == "auth0|first last"
