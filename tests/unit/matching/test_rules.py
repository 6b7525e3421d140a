"""Which commands a state allows, and what each of them says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from services.matching.domain import assignment, match, match_state
from services.matching.domain.assignment import (
    ApproveAssignment,
    Assignment,
    CancelAssignment,
    DraftAssignment,
    FillAssignment,
    PublishAssignment,
    RejectAssignment,
    ReopenAssignment,
    RequestEdits,
    ReviseAssignment,
    StartMatching,
    SubmitAssignment,
)
from services.matching.domain.match import (
    AcceptOffer,
    AllocateMatch,
    DeclineOffer,
    ExpireOffer,
    KeepMatch,
    MakeOffer,
    ReceiveApplication,
    ReleaseMatch,
    ReserveMatch,
    RetractMatch,
    ShortlistExpert,
    SourceExpert,
    StopMatch,
    VoidHold,
)
from services.matching.domain.match_state import Match, pool_usage, seat_usage
from services.matching.domain.scoring import Assessment
from services.matching.domain.terms import check_terms
from shared.clock import derived_id
from shared.contracts.matching import MatchParties, ScoreComponent
from shared.errors import Refusal
from tests.unit.matching.facts import CODE, DEFINITION, HOST, OFFICE, terms

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
DRAFT = DraftAssignment(OFFICE, CODE, 1, terms())
IDS = tuple(derived_id("match", str(n)) for n in range(5))
PARTIES = MatchParties(
    assignment=derived_id("a"), expert=derived_id("e"), person=derived_id("p"), institution=HOST, office=OFFICE
)
PASSED = Assessment(70, (ScoreComponent(component="education", points=70, weight=100),))
FAILED = Assessment(failed=("languages", "education"))


def folded(state: Any, module: Any, evolve: Any, *commands: Any, now: datetime = NOW) -> Any:
    for command in commands:
        for event in module.decide(state, command, now):
            # From the exact text, as a rebuild would.
            state = evolve(state, type(event).model_validate_json(event.body()))
    return state


def request(*commands: Any) -> Assignment:
    state = folded(None, assignment, assignment.evolve, DRAFT, *commands)
    assert isinstance(state, Assignment)
    return state


def stand(*commands: Any) -> Match:
    state = folded(None, match, match_state.evolve, ReceiveApplication(PARTIES, terms(), PASSED), *commands)
    assert isinstance(state, Match)
    return state


APPROVED = (SubmitAssignment(), ApproveAssignment())
MATCHING = (*APPROVED, PublishAssignment(), StartMatching(IDS[:3]))
PATHS: dict[str, tuple[Any, ...]] = {
    "draft": (),
    "submitted": (SubmitAssignment(),),
    "edits_requested": (SubmitAssignment(), RequestEdits(("languages",))),
    "approved": APPROVED,
    "rejected": (SubmitAssignment(), RejectAssignment("no_funds")),
    "published": (*APPROVED, PublishAssignment()),
    "matching": MATCHING,
    "filled": (*MATCHING, FillAssignment()),
    "cancelled": (CancelAssignment("host_withdrew"),),
}
COMMANDS: dict[type[Any], Any] = {
    SubmitAssignment: SubmitAssignment(),
    RequestEdits: RequestEdits(("seats",)),
    ReviseAssignment: ReviseAssignment(terms(seats=2)),
    ApproveAssignment: ApproveAssignment(),
    RejectAssignment: RejectAssignment("no_funds"),
    PublishAssignment: PublishAssignment(),
    StartMatching: StartMatching(IDS[3:]),
    CancelAssignment: CancelAssignment("host_withdrew"),
}


def test_every_status_of_an_assignment_can_be_reached() -> None:
    assert set(PATHS) == set(get_args(assignment.Status))
    assert {request(*path).status for path in PATHS.values()} == set(PATHS)


@pytest.mark.parametrize("status", PATHS)
@pytest.mark.parametrize("command", COMMANDS)
def test_an_assignment_takes_what_is_legal_and_nothing_else(status: str, command: type[Any]) -> None:
    state = request(*PATHS[status])
    if status in assignment.LEGAL[command]:
        assert len(assignment.decide(state, COMMANDS[command], NOW)) == 1
    else:
        with pytest.raises(Refusal, match="illegal_transition"):
            assignment.decide(state, COMMANDS[command], NOW)


def test_an_assignment_is_drafted_once_and_nothing_comes_before() -> None:
    with pytest.raises(Refusal, match="already_exists"):
        assignment.decide(request(), DRAFT, NOW)
    with pytest.raises(Refusal) as refused:
        assignment.decide(None, SubmitAssignment(), NOW)
    assert refused.value.status == 404
    with pytest.raises(ValueError, match="draft"):
        assignment.evolve(None, assignment.decide(request(), SubmitAssignment(), NOW)[0])


def test_edits_and_revisions_before_the_approval() -> None:
    state = request(*PATHS["edits_requested"], ReviseAssignment(terms(seats=2)))
    assert (state.status, state.items, state.terms.seats) == ("edits_requested", ("languages",), 2)
    assert folded(state, assignment, assignment.evolve, *APPROVED).status == "approved"


def test_rounds_are_counted_and_nobody_stands_on_the_shortlist_twice() -> None:
    state = request(*MATCHING, StartMatching((IDS[1], IDS[3]), "few"))
    assert (state.round, state.shortlisted) == (2, (*IDS[:3], IDS[3]))


def test_filling_and_reopening_come_late_without_harm() -> None:
    assert assignment.decide(request(*PATHS["filled"]), FillAssignment(), NOW) == []
    assert assignment.decide(request(*MATCHING), ReopenAssignment(), NOW) == []
    assert request(*PATHS["filled"], ReopenAssignment()).status == "matching"
    assert request(*PATHS["filled"], CancelAssignment("host_closed")).reason == "host_closed"


SHORTLISTED = (ShortlistExpert(1),)
ALLOCATED = (*SHORTLISTED, AllocateMatch())
OFFERED = (*ALLOCATED, MakeOffer(14))
ACCEPTED = (*OFFERED, AcceptOffer(terms()))
MATCH_PATHS: dict[str, tuple[Any, ...]] = {
    "longlisted": (),
    "shortlisted": SHORTLISTED,
    "reserve": (*SHORTLISTED, ReserveMatch(1)),
    "allocated": ALLOCATED,
    "offered": OFFERED,
    "accepted": ACCEPTED,
    "declined": (*OFFERED, DeclineOffer("family")),
    "retracting": (*ACCEPTED, RetractMatch("host_withdrew")),
    "retracted": (*OFFERED, RetractMatch("host_withdrew")),
    "not_selected": (StopMatch("assignment_cancelled"),),
}
OF_PEOPLE: dict[str, tuple[Any, set[str]]] = {
    "allocate": (AllocateMatch(), {"shortlisted", "reserve", "allocated"}),
    "offer": (MakeOffer(14), {"allocated"}),
    "accept": (AcceptOffer(terms()), {"offered"}),
    "decline": (DeclineOffer("family"), {"offered"}),
    "retract": (RetractMatch("host_withdrew"), {"allocated", "offered", "accepted"}),
}


@pytest.mark.parametrize("status", MATCH_PATHS)
@pytest.mark.parametrize("verb", OF_PEOPLE)
def test_a_match_takes_what_is_legal_and_nothing_else(status: str, verb: str) -> None:
    state = stand(*MATCH_PATHS[status])
    assert state.status == status
    command, legal = OF_PEOPLE[verb]
    if status in legal:
        assert len(match.decide(state, command, NOW)) == (0 if status == "allocated" == f"{verb}d" else 1)
    else:
        with pytest.raises(Refusal, match="illegal_transition"):
            match.decide(state, command, NOW)


def test_who_passes_no_filter_is_not_selected_and_the_criteria_are_named() -> None:
    state = folded(None, match, match_state.evolve, SourceExpert(PARTIES, terms(), FAILED))
    assert (state.status, state.criteria, state.score) == ("not_selected", ("languages", "education"), None)
    assert match_state.scope(state).office == OFFICE


def test_an_expert_stands_on_an_assignment_once() -> None:
    with pytest.raises(Refusal, match="already_matched"):
        match.decide(stand(), SourceExpert(PARTIES, terms(), PASSED), NOW)


def test_an_offer_ends_at_its_instant() -> None:
    offered = stand(*OFFERED)
    assert offered.expires_at == NOW + timedelta(days=14)
    before, at = NOW + timedelta(days=14, microseconds=-1), NOW + timedelta(days=14)
    assert match.decide(offered, AcceptOffer(terms()), before)
    assert match.decide(offered, ExpireOffer(), before) == []
    for command in (AcceptOffer(terms()), DeclineOffer("family")):
        with pytest.raises(Refusal, match="offer_expired"):
            match.decide(offered, command, at)
    expired = folded(offered, match, match_state.evolve, ExpireOffer(), now=at)
    assert expired.status == "expired"
    with pytest.raises(Refusal, match="offer_expired"):
        match.decide(expired, AcceptOffer(terms()), at)


@pytest.mark.parametrize("status", MATCH_PATHS)
def test_what_follows_from_elsewhere_never_fails(status: str) -> None:
    state = stand(*MATCH_PATHS[status])
    after_void = folded(state, match, match_state.evolve, VoidHold("seat", PARTIES)).status
    assert after_void == ("retracted" if seat_usage(state) == "pending" else status)
    assert folded(state, match, match_state.evolve, VoidHold("pool", PARTIES)).status == status
    stopped = folded(state, match, match_state.evolve, StopMatch("consent_withdrawn"))
    assert (stopped.status == "retracted") == (status in ("allocated", "offered", "retracted"))
    assert pool_usage(stopped) == "spent" or stopped.status == "retracting"
    released = folded(state, match, match_state.evolve, ReleaseMatch("no_show")).status
    assert released == ("retracted" if status in ("accepted", "retracting") else status)
    # The paths take back for `host_withdrew`; an answer to another retraction changes nothing.
    asked = folded(state, match, match_state.evolve, ReleaseMatch("host_withdrew", "host_withdrew")).status
    assert asked == ("retracted" if status == "retracting" else status)
    kept = folded(state, match, match_state.evolve, KeepMatch("return_over", "host_withdrew")).status
    assert kept == ("accepted" if status == "retracting" else status)
    for other in (ReleaseMatch("family", "family"), KeepMatch("return_over", "family")):
        assert folded(state, match, match_state.evolve, other).status == status
    for command in (ShortlistExpert(1), ReserveMatch(1)):
        folded(state, match, match_state.evolve, command)


def test_a_missing_match_is_created_only_so_that_it_can_never_be() -> None:
    for command in (StopMatch("consent_withdrawn", PARTIES), VoidHold("pool", PARTIES)):
        state = folded(None, match, match_state.evolve, command)
        assert (state.status, state.parties) == ("retracted", PARTIES)
    for command in (StopMatch("consent_withdrawn"), AllocateMatch(), ReleaseMatch("no_show")):
        with pytest.raises(Refusal) as refused:
            match.decide(None, command, NOW)
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
    ],
)
def test_terms_fit_the_programme(changes: dict[str, Any], office: str, broken: list[str]) -> None:
    if not broken:
        check_terms(DEFINITION, office, terms(**changes))
        return
    with pytest.raises(Refusal, match="terms_do_not_fit") as refused:
        check_terms(DEFINITION, office, terms(**changes))
    assert [problem.pointer for problem in refused.value.problems] == broken
    assert refused.value.status == 422
