"""What the rules of an assignment and of a match say; which state allows what stands in tests/states.txt."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.matching.domain.assessment import Assessment
from services.matching.domain.assignments import ASSIGNMENT, Assignment, Drafted, Ranked
from services.matching.domain.matches import MATCH, Match
from services.matching.domain.terms import check_terms
from services.matching.domain.usage import pool_usage, seat_usage
from shared.cases.case import Asked, Case
from shared.clock import derived_id
from shared.contracts.matching.matches import MatchParties, ScoreComponent
from shared.contracts.occupations import occupation_codes
from shared.errors import Refusal
from tests.unit.matching.facts import CODE, DEFINITION, HOST, OFFICE, terms

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
IDS = tuple(derived_id("match", str(n)) for n in range(5))
PARTIES = MatchParties(
    assignment=derived_id("a"), expert=derived_id("e"), person=derived_id("p"), institution=HOST, office=OFFICE
)
PASSED = Assessment(70, (ScoreComponent(component="education", points=70, weight=100),))
FAILED = Assessment(failed=("languages", "education"))
REQUEST = ASSIGNMENT.ask
DRAFT = REQUEST("create", Drafted(1, "Asia/Kabul"), office=OFFICE, programme=CODE, terms=terms(), title="Terms")
TERMS = terms()


def folded(case: Case[Any], state: Any, *commands: Asked, now: datetime = NOW) -> Any:
    for command in commands:
        for event in case.decide(state, command, now):
            # From the exact text, as a rebuild would.
            state = case.evolve(state, type(event).model_validate_json(event.body()))
    return state


def request(*commands: Asked) -> Assignment:
    state = folded(ASSIGNMENT, None, DRAFT, *commands)
    assert isinstance(state, Assignment)
    return state


def stand(*commands: Asked) -> Match:
    state = folded(MATCH, None, MATCH.ask("apply", parties=PARTIES, terms=TERMS, assessment=PASSED), *commands)
    assert isinstance(state, Match)
    return state


def shortlist(*matches: str, least: int = 3, reason: str | None = None) -> Asked:
    return REQUEST("shortlist", Ranked(matches, least), override_reason=reason)


APPROVED = (REQUEST("submit"), REQUEST("approve"))
MATCHING = (*APPROVED, REQUEST("publish"), shortlist(*IDS[:3]))


def test_edits_and_revisions_before_the_approval() -> None:
    asked = (REQUEST("submit"), REQUEST("request-edits", items=("languages",)))
    state = request(*asked, REQUEST("revise", terms=terms(seats=2)))
    assert (state.status, state.items, state.terms.seats) == ("edits_requested", ("languages",), 2)
    assert folded(ASSIGNMENT, state, *APPROVED).status == "approved"


def test_a_case_stays_under_the_version_that_was_the_newest() -> None:
    assert (request().programme_version, ASSIGNMENT.scope(request()).office) == (1, OFFICE)


def test_rounds_are_counted_and_nobody_stands_on_the_shortlist_twice() -> None:
    state = request(*MATCHING, shortlist(IDS[1], IDS[3], reason="few"))
    assert (state.round, state.shortlisted) == (2, (*IDS[:3], IDS[3]))


def test_the_reason_of_a_short_shortlist_is_kept_as_long_as_it_stands() -> None:
    short = request(*APPROVED, REQUEST("publish"), shortlist(IDS[0], reason="few"))
    assert short.override_reason == "few"
    assert folded(ASSIGNMENT, short, shortlist(*IDS[1:4], reason="few")).override_reason is None


@pytest.mark.parametrize("asked", [shortlist(), shortlist(reason="few"), shortlist(*IDS[:2])])
def test_too_short_a_shortlist_needs_a_reason_and_an_empty_one_is_none(asked: Asked) -> None:
    with pytest.raises(Refusal, match="shortlist_too_short"):
        ASSIGNMENT.decide(request(*MATCHING), asked, NOW)


def test_filling_and_reopening_come_late_without_harm() -> None:
    filled = request(*MATCHING, REQUEST("fill"))
    assert filled.status == "filled"
    assert ASSIGNMENT.decide(filled, REQUEST("fill"), NOW) == ()
    assert ASSIGNMENT.decide(request(*MATCHING), REQUEST("reopen"), NOW) == ()
    assert folded(ASSIGNMENT, filled, REQUEST("reopen")).status == "matching"
    assert folded(ASSIGNMENT, filled, REQUEST("cancel", reason="host_closed")).reason == "host_closed"


RANKED = (MATCH.ask("put-on-shortlist", rank=1),)
ALLOCATED = (*RANKED, MATCH.ask("allocate"))
OFFERED = (*ALLOCATED, MATCH.ask("offer", 14))
ACCEPTED = (*OFFERED, MATCH.ask("accept", TERMS))
TAKEN_BACK = MATCH.ask("retract", reason="host_withdrew")
PATHS: dict[str, tuple[Asked, ...]] = {
    "longlisted": (),
    "shortlisted": RANKED,
    "reserve": (*RANKED, MATCH.ask("reserve", position=1)),
    "allocated": ALLOCATED,
    "offered": OFFERED,
    "accepted": ACCEPTED,
    "declined": (*OFFERED, MATCH.ask("decline", reason="family")),
    "retracting": (*ACCEPTED, TAKEN_BACK),
    "retracted": (*OFFERED, TAKEN_BACK),
    "not_selected": (MATCH.ask("stop", reason="assignment_cancelled"),),
}


def test_who_passes_no_filter_is_not_selected_and_the_criteria_are_named() -> None:
    state = folded(MATCH, None, MATCH.ask("source", parties=PARTIES, terms=TERMS, assessment=FAILED))
    assert (state.status, state.criteria, state.score) == ("not_selected", ("languages", "education"), None)
    assert MATCH.scope(state).office == OFFICE


def test_an_expert_stands_on_an_assignment_once() -> None:
    with pytest.raises(Refusal, match="already_matched"):
        MATCH.decide(stand(), MATCH.ask("source", parties=PARTIES, terms=TERMS, assessment=PASSED), NOW)


def test_who_is_allocated_already_is_given_what_stands() -> None:
    assert MATCH.decide(stand(*ALLOCATED), MATCH.ask("allocate"), NOW) == ()


def test_an_offer_ends_at_its_instant() -> None:
    offered = stand(*OFFERED)
    assert offered.expires_at == NOW + timedelta(days=14)
    timer = MATCH.timer(offered)
    assert timer
    assert (timer.at, timer.command) == (offered.expires_at, MATCH.ask("expire"))
    before, at = NOW + timedelta(days=14, microseconds=-1), NOW + timedelta(days=14)
    assert MATCH.decide(offered, MATCH.ask("accept", TERMS), before)
    with pytest.raises(Refusal, match="offer_not_over"):
        MATCH.decide(offered, MATCH.ask("expire"), before)
    answers = (MATCH.ask("accept", TERMS), MATCH.ask("decline", reason="family"))
    expired = folded(MATCH, offered, MATCH.ask("expire"), now=at)
    assert expired.status == "expired"
    for answer in answers:
        for state in (offered, expired):
            with pytest.raises(Refusal, match="offer_expired"):
                MATCH.decide(state, answer, at)


@pytest.mark.parametrize("status", PATHS)
def test_what_follows_from_elsewhere_never_fails(status: str) -> None:
    state = stand(*PATHS[status])
    assert state.status == status

    def after(verb: str, **said: Any) -> Match:
        found: Match = folded(MATCH, state, MATCH.ask(verb, **said))
        return found

    lapsed = after("void", hold="seat", parties=PARTIES).status
    assert lapsed == ("retracted" if seat_usage(state) == "pending" else status)
    assert after("void", hold="pool", parties=PARTIES).status == status
    stopped = after("stop", reason="consent_withdrawn")
    assert (stopped.status == "retracted") == (status in ("allocated", "offered", "retracted"))
    assert pool_usage(stopped) == "spent" or stopped.status == "retracting"
    assert after("release", reason="no_show").status == (
        "retracted" if status in ("accepted", "retracting") else status
    )
    # The paths take back for `host_withdrew`; an answer to another retraction changes nothing.
    asked = after("release", reason="host_withdrew", retraction="host_withdrew").status
    assert asked == ("retracted" if status == "retracting" else status)
    kept = after("keep", reason="return_over", retraction="host_withdrew").status
    assert kept == ("accepted" if status == "retracting" else status)
    assert after("release", reason="family", retraction="family").status == status
    assert after("keep", reason="return_over", retraction="family").status == status
    after("put-on-shortlist", rank=1)
    after("reserve", position=1)


def test_only_a_first_event_names_the_parties() -> None:
    (event,) = MATCH.decide(stand(*ALLOCATED), MATCH.ask("stop", reason="consent_withdrawn", parties=PARTIES), NOW)
    assert "parties" not in event.body()


def test_a_missing_match_is_created_only_so_that_it_can_never_be() -> None:
    stop = MATCH.ask("stop", reason="consent_withdrawn", parties=PARTIES)
    for command in (stop, MATCH.ask("void", hold="pool", parties=PARTIES)):
        state = folded(MATCH, None, command)
        assert (state.status, state.parties) == ("retracted", PARTIES)
    missing = (
        MATCH.ask("stop", reason="consent_withdrawn"),
        MATCH.ask("allocate"),
        MATCH.ask("release", reason="no_show"),
    )
    for command in missing:
        with pytest.raises(Refusal) as refused:
            MATCH.decide(None, command, NOW)
        assert refused.value.status == 404


@pytest.mark.parametrize(
    ("changes", "office", "broken"),
    [
        ({}, OFFICE, []),
        ({"sector": "mining"}, OFFICE, ["/terms/sector"]),
        ({"country": "SO", "host_type": "private"}, OFFICE, ["/terms/country", "/terms/host_type"]),
        ({"modality": "virtual"}, OFFICE, ["/terms/modality"]),
        ({"seats": 11}, OFFICE, ["/terms/seats"]),
        ({"ends_on": "2027-05-01"}, OFFICE, ["/terms/ends_on"]),
        ({}, "nowhere", ["/office"]),
        ({"occupation": "9999"}, OFFICE, ["/terms/occupation"]),
        ({"occupation": "0"}, OFFICE, []),
        ({"languages": ({"language": "qq", "level": "B2"},)}, OFFICE, ["/terms/languages/0/language"]),
        (
            {"languages": [{"language": code, "level": "B2"} for code in ("en", "fr", "eng")]},
            OFFICE,
            ["/terms/languages/2/language"],
        ),
        ({"starts_on": "1999-05-01", "ends_on": "1999-08-01"}, OFFICE, ["/terms/starts_on"]),
        ({"starts_on": "1900-01-01", "ends_on": "2999-12-31"}, OFFICE, ["/terms/starts_on", "/terms/ends_on"]),
    ],
)
def test_terms_fit_the_programme(changes: dict[str, Any], office: str, broken: list[str]) -> None:
    if not broken:
        check_terms(DEFINITION, DEFINITION.office(office), terms(**changes))
        return
    with pytest.raises(Refusal, match="terms_do_not_fit") as refused:
        check_terms(DEFINITION, DEFINITION.office(office), terms(**changes))
    assert [problem.pointer for problem in refused.value.problems] == broken
    # What would be right stands beside each.
    assert all(problem.detail for problem in refused.value.problems)
    assert refused.value.status == 422


def test_the_classification_of_occupations_is_whole() -> None:
    by_length = Counter(len(code) for code in occupation_codes())
    assert [by_length[length] for length in (1, 2, 3, 4)] == [10, 43, 130, 436]
    assert {"0", "01", "011", "0110", "2", "23", "231", "2310", "9629"} <= occupation_codes()


@pytest.mark.parametrize("asked", [REQUEST("submit"), REQUEST("revise", terms=TERMS)])
def test_nobody_goes_on_with_work_that_is_over(asked: Asked) -> None:
    """The last day is 31 July in Kabul, which there is over at 19:30 in UTC."""
    before, after = (datetime(2027, 7, 31, 19, minute, tzinfo=UTC) for minute in (29, 30))
    assert ASSIGNMENT.decide(request(), asked, before)
    with pytest.raises(Refusal, match="work_is_over") as refused:
        ASSIGNMENT.decide(request(), asked, after)
    assert "2027-08-01" in refused.value.detail


def test_terms_of_work_that_is_over_are_not_drafted_approved_published_or_shortlisted() -> None:
    late = datetime(2027, 8, 2, tzinfo=UTC)
    for path, asked in (
        (None, DRAFT),
        ((REQUEST("submit"),), REQUEST("approve")),
        (APPROVED, REQUEST("publish")),
        (MATCHING, shortlist(*IDS[:3])),
    ):
        state = None if path is None else request(*path)
        with pytest.raises(Refusal, match="work_is_over"):
            ASSIGNMENT.decide(state, asked, late)
