"""Cases passed on to another office, of every kind that is: who asks, who answers, and what stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.generate import GROUPS, cases_of
from services.matching.domain.assessment import Assessment
from services.matching.domain.assignments import ASSIGNMENT, DRAFT, Drafted
from services.matching.domain.assignments import TERMS as CODED
from services.matching.domain.matches import MATCH
from services.placement.domain.sites import EXAMPLE, SITE
from services.registration.domain.institutions import INSTITUTION
from shared.cases.case import Asked, Case, scope_of
from shared.cases.movable import Transfer
from shared.cases.transfers import ACCEPT, ASK, DECLINE, TRANSFERS, WITHDRAW
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties
from shared.contracts.transfers import CaseTransferred
from shared.errors import Refusal
from tests.unit.cases.test_revisions import PARTIES, UNDER, putting, refusal, told

NOW = datetime(2011, 3, 7, 9, tzinfo=UTC)
DAY = timedelta(days=1)
OFFICES = {"kabul": "Asia/Kabul", "baku": "Asia/Baku", "tbilisi": "Asia/Tbilisi"}
CASES: tuple[Case[Any], ...] = tuple(one for service in GROUPS for one in cases_of(service))
PASSED_ON = tuple(one for one in CASES if set(one.verbs) >= TRANSFERS)


def assignment() -> Any:
    draft = {**DRAFT, "terms": Terms.model_validate(CODED)}
    return told(ASSIGNMENT, None, ASSIGNMENT.ask("create", Drafted(1, "Asia/Kabul"), **draft), NOW)


def site() -> Any:
    return told(SITE, None, SITE.ask("create", UNDER, **EXAMPLE), NOW)


def asked(case: Case[Any], state: Any, to_office: str = "tbilisi") -> Any:
    command = case.ask(ASK, OFFICES, to_office=to_office, reason="office_closes")
    return told(case, state, command, NOW + DAY)


def accepted(case: Case[Any], state: Any) -> Any:
    return told(case, state, case.ask(ACCEPT, OFFICES), NOW + 2 * DAY)


def test_every_kind_that_an_office_opens_is_passed_on_or_follows_one_that_is() -> None:
    """A case without an office of its own, and those that hang on another one, have no verbs of it."""
    assert {one.name for one in PASSED_ON} == {"experts", "institutions", "assignments", "trainings", "sites"}
    follows = {case.name for case in CASES if "follow" in case.rows}
    assert follows == {"persons", "matches", "placements"}


@pytest.mark.parametrize("case", PASSED_ON, ids=lambda case: case.name)
def test_the_case_itself_stands_as_it_stood(case: Case[Any]) -> None:
    for verb in TRANSFERS:
        for row in case.rows[verb]:
            assert all(row.leads_to(status) == {status} for status in row.before)
    assert {case.rows[verb][0].by["officer"] for verb in (ASK, WITHDRAW)} == {"office"}
    assert {case.rows[verb][0].by["officer"] for verb in (ACCEPT, DECLINE)} == {"receiving"}


@pytest.mark.parametrize(("case", "opened"), [(ASSIGNMENT, assignment), (SITE, site)], ids=["assignments", "sites"])
def test_one_office_asks_and_the_other_one_takes_it(case: Case[Any], opened: Any) -> None:
    before = opened()
    asks = asked(case, before)
    assert asks.transfer == Transfer(to_office="tbilisi", reason="office_closes", asked_at=NOW + DAY)
    assert scope_of(asks) == scope_of(before)
    after = accepted(case, asks)
    assert (scope_of(after).office, after.transfer) == ("tbilisi", None)
    assert scope_of(after).programme_version == scope_of(before).programme_version
    zoned = getattr(after, "frame", after)
    assert zoned.time_zone == "Asia/Tbilisi"
    # Nothing else is another one, and what was recorded last of the case itself can still be put right.
    named = {"told", "office", "time_zone", "frame"}
    assert after.model_dump(exclude=named) == before.model_dump(exclude=named)
    assert after.told == before.told + 2


def test_who_asks_asks_one_other_office_that_there_is() -> None:
    state = assignment()
    for to_office, rule in (("kabul", "transfer_to_itself"), ("herat", "office_unknown")):
        command = ASSIGNMENT.ask(ASK, OFFICES, to_office=to_office, reason="office_closes")
        with pytest.raises(Refusal) as caught:
            ASSIGNMENT.decide(state, command, NOW)
        assert (caught.value.rule, caught.value.status) == (rule, 422)
        assert caught.value.problems[0].pointer == "/to_office"
    again = ASSIGNMENT.ask(ASK, OFFICES, to_office="baku", reason="workload")
    assert refusal(ASSIGNMENT, asked(ASSIGNMENT, state), again) == "transfer_asked"
    for verb, said in ((WITHDRAW, {}), (ACCEPT, {}), (DECLINE, {"reason": "no_capacity"})):
        assert refusal(ASSIGNMENT, state, ASSIGNMENT.ask(verb, OFFICES, **said)) == "transfer_not_asked"


@pytest.mark.parametrize("verb", [WITHDRAW, DECLINE])
def test_without_the_other_offices_consent_the_case_stays(verb: str) -> None:
    state = asked(ASSIGNMENT, assignment())
    said = {"reason": "no_capacity"} if verb == DECLINE else {}
    after = told(ASSIGNMENT, state, ASSIGNMENT.ask(verb, **said), NOW + 2 * DAY)
    assert (after.office, after.transfer) == ("kabul", None)
    # Another one may be asked then.
    assert asked(ASSIGNMENT, after, "baku").transfer.to_office == "baku"


def test_an_office_that_went_meanwhile_takes_nothing() -> None:
    gone = {name: zone for name, zone in OFFICES.items() if name != "tbilisi"}
    assert refusal(ASSIGNMENT, asked(ASSIGNMENT, assignment()), ASSIGNMENT.ask(ACCEPT, gone)) == "office_unknown"


def test_the_new_office_puts_right_what_the_other_one_recorded_last() -> None:
    submitted = told(ASSIGNMENT, assignment(), Asked("submit"), NOW)
    moved = accepted(ASSIGNMENT, asked(ASSIGNMENT, submitted))
    undone = told(ASSIGNMENT, moved, putting(ASSIGNMENT, "take-back", moved), NOW + 3 * DAY)
    assert (undone.status, undone.office) == ("draft", "tbilisi")


def test_why_an_institution_is_on_hold_is_not_why_it_is_passed_on() -> None:
    state = INSTITUTION.state(
        office="kabul",
        country="AF",
        sector="health",
        host_type="public",
        registered_at=NOW,
        status="on_hold",
        reason="relocating",
    )
    after = accepted(INSTITUTION, asked(INSTITUTION, state))
    assert (after.reason, after.office) == ("relocating", "tbilisi")


def test_what_hangs_on_it_follows_once_and_wherever_it_stands() -> None:
    parties = MatchParties.model_validate({**PARTIES.model_dump(), "office": "kabul", "programme": "one"})
    entry: Any = {"parties": parties, "terms": Terms.model_validate(CODED)}
    entry["assessment"] = Assessment(failed=("education",))
    state = told(MATCH, None, MATCH.ask("source", **entry), NOW)
    assert state.status == "not_selected"
    place = {"after_epoch": 1, "after_sequence": 8}
    follow = MATCH.ask("follow", office="tbilisi", time_zone="Asia/Tbilisi", **place)
    (event,) = MATCH.decide(state, follow, NOW)
    assert isinstance(event, CaseTransferred)
    assert (event.office, event.left, event.time_zone) == ("tbilisi", "kabul", "Asia/Tbilisi")
    after = MATCH.evolve(state, event)
    assert after.parties == parties.model_copy(update={"office": "tbilisi"})
    assert MATCH.decide(after, follow, NOW) == []
    # What comes late of an earlier move changes nothing, wherever the match has gone on to.
    back = MATCH.ask("follow", office="kabul", time_zone="Asia/Kabul", after_epoch=1, after_sequence=13)
    home = MATCH.evolve(after, MATCH.decide(after, back, NOW)[0])
    assert (home.parties.office, MATCH.decide(home, follow, NOW)) == ("kabul", [])
