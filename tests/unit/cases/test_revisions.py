"""The last fact put right, of every case that allows it: at its right time, or as if it had not been said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.matching.domain.assignments import ASSIGNMENT, DRAFT, Drafted
from services.matching.domain.assignments import TERMS as CODED
from services.matching.domain.matches import MATCH, OPEN_TO_ANOTHER
from services.placement.domain import sites, trainings
from services.placement.domain.sites import SITE
from services.placement.domain.trainings import TRAINING
from services.registration.domain import examples
from services.registration.domain.institutions import INSTITUTION
from shared.cases.case import Asked, Case
from shared.cases.opening import Days, Under
from shared.cases.revisions import REVISING, Revision
from shared.cases.trail import REMEMBERED, Trailed
from shared.clock import derived_id
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.frame import Frame
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties
from shared.errors import Refusal
from shared.programmes.sections.results import ResultsSection

NOW = datetime(2011, 3, 7, 9, tzinfo=UTC)
DAY = timedelta(days=1)
FRAME = Frame(country="AZ", sector="water", programme="one", programme_version=1, office="baku", time_zone="Asia/Baku")
KIND = [{"code": "water_system", "name": {"en": "Water system"}}]
SECTION = ResultsSection.model_validate({"site_kinds": KIND, "work_kinds": KIND, "reached": ["families"]})
UNDER = Under(FRAME, SECTION, Days(date(2010, 1, 1), date(2012, 1, 1)))
MISTAKE: Mapping[str, Any] = {"reason": "mistake"}
PARTIES = MatchParties(assignment=derived_id("assignment"), expert=derived_id("expert"), person=derived_id("person"))


def told(case: Case[Any], state: Any, asked: Asked, at: datetime) -> Any:
    for event in case.decide(state, asked, at):
        state = case.evolve(state, event)
    return state


def story(case: Case[Any], *asked: Asked) -> Any:
    """The state after the verbs, a day apart from each other."""
    state = None
    for number, one in enumerate(asked):
        state = told(case, state, one, NOW + number * DAY)
    return state


def putting(case: Case[Any], verb: str, state: Trailed, given: Any = None, **said: Any) -> Asked:
    ids = {past.standing: derived_id(str(past.standing)) for past in state.trail}
    return case.ask(verb, Revision(ids, given), **{**MISTAKE, **said})


def undone(case: Case[Any], state: Any, given: Any = None) -> Any:
    return told(case, state, putting(case, "take-back", state, given), NOW)


def refusal(case: Case[Any], state: Any, asked: Asked, at: datetime = NOW) -> str:
    with pytest.raises(Refusal) as caught:
        case.decide(state, asked, at)
    return caught.value.rule


def facts(state: Any) -> dict[str, Any]:
    """What the state says beside its trail and beside how many events told it."""
    found: dict[str, Any] = state.model_dump(exclude={"told", "trail"})
    return found


HELD = TRAINING.ask("hold", UNDER, sessions=5, participants=[{"sex": "female", "persons": 20}])
ON_OTHER_DAYS = TRAINING.ask("reschedule", UNDER, starts_on="2011-03-01", ends_on="2011-03-12")
ENTRY = MATCH.rows["source"][0].body.model_construct(
    parties=PARTIES,
    terms=Terms.model_validate(CODED),
    assessment=type("Assessed", (), {"failed": (), "score": 1, "components": ()})(),
    previous=None,
    again_reason=None,
)
OFFERED = (
    Asked("source", ENTRY),
    MATCH.ask("put-on-shortlist", rank=1),
    MATCH.ask("allocate"),
    MATCH.ask("offer", 14),
)
STORIES: Mapping[str, tuple[Case[Any], tuple[Asked, ...], Any]] = {
    "trainings": (TRAINING, (TRAINING.ask("create", UNDER, **trainings.EXAMPLE), ON_OTHER_DAYS, HELD), None),
    "sites": (
        SITE,
        (
            SITE.ask("create", UNDER, **sites.EXAMPLE),
            SITE.ask("assess"),
            SITE.ask("begin-works", UNDER, work_kind="water_system"),
            SITE.ask("complete-works", UNDER, work=1, families=120),
            SITE.ask("hand-over"),
            SITE.ask("inspect", condition="working"),
        ),
        None,
    ),
    "assignments": (
        ASSIGNMENT,
        (
            ASSIGNMENT.ask("create", Drafted(1, "Asia/Kabul"), **DRAFT),
            ASSIGNMENT.ask("submit"),
            ASSIGNMENT.ask("request-edits", items=("languages",)),
            ASSIGNMENT.ask("submit"),
            ASSIGNMENT.ask("approve"),
            ASSIGNMENT.ask("publish"),
        ),
        None,
    ),
    "institutions": (
        INSTITUTION,
        (
            INSTITUTION.ask("create", **examples.INSTITUTION),
            *(INSTITUTION.ask(verb) for verb in ("assess", "accept-partner", "activate")),
            INSTITUTION.ask("put-on-hold", reason="relocating"),
            INSTITUTION.ask("close", reason="merged"),
        ),
        None,
    ),
    "matches": (MATCH, OFFERED, 14),
}


@pytest.mark.parametrize("name", STORIES)
def test_taking_back_leaves_the_case_as_if_it_had_not_been_said(name: str) -> None:
    case, asked, given = STORIES[name]
    state = story(case, *asked)
    while refused_none(case, state):
        asked = asked[:-1]
        state = undone(case, state, given)
        assert facts(state) == facts(story(case, *asked))
    # An offer hangs on a seat that is held; elsewhere only the opening is left.
    assert len(asked) == (3 if name == "matches" else 1)


def refused_none(case: Case[Any], state: Any) -> bool:
    return any(row.is_open(state) for row in case.rows["take-back"])


@pytest.mark.parametrize("name", STORIES)
def test_the_time_of_the_last_fact_alone_is_corrected(name: str) -> None:
    case, asked, given = STORIES[name]
    state = story(case, *asked)
    right = state.last.happened_at - timedelta(hours=2)
    (event,) = case.decide(state, putting(case, "correct-time", state, given, happened_at=right), right)
    assert isinstance(event, TimeCorrected)
    assert (event.happened_at, event.fact, event.of) == (right, state.told, state.last.name)
    corrected = case.evolve(state, event)
    assert (corrected.last.happened_at, corrected.last.corrected, corrected.status) == (right, True, state.status)
    taken = undone(case, corrected, given)
    assert facts(taken) == facts(story(case, *asked[:-1]))


def test_every_case_of_things_and_choices_has_the_two_verbs() -> None:
    for case, _, _ in STORIES.values():
        assert set(case.verbs) >= REVISING
        assert any(issubclass(one, FactTakenBack) for one in case.events)


def test_what_was_said_meanwhile_is_not_put_right_by_mistake() -> None:
    case, asked, _ = STORIES["sites"]
    before, state = story(case, *asked[:-1]), story(case, *asked)
    assert refusal(case, state, putting(case, "take-back", before)) == "another_fact_since"


def test_works_do_not_begin_outside_the_programme_when_the_time_is_corrected_either() -> None:
    case, asked, _ = STORIES["sites"]
    begun = case.ask("begin-works", UNDER, work_kind="water_system")
    state = told(case, story(case, *asked[:2]), begun, NOW + 100 * DAY)
    late = datetime(2012, 1, 2, tzinfo=UTC)
    asked_for = putting(case, "correct-time", state, UNDER, happened_at=late)
    assert refusal(case, state, asked_for, late) == "dates_outside_programme"


def test_an_opening_is_no_fact_that_can_be_put_right() -> None:
    for case, asked, _ in STORIES.values():
        state = story(case, asked[0])
        assert refusal(case, state, putting(case, "correct-time", state, happened_at=NOW)) in {
            "fact_not_revisable",
            "illegal_transition",
        }


def test_a_training_is_not_held_before_its_first_day_when_the_time_is_corrected_either() -> None:
    case, asked, _ = STORIES["trainings"]
    state = story(case, asked[0], HELD)
    early = NOW - 2 * DAY
    asked_for = putting(case, "correct-time", state, happened_at=early)
    assert refusal(case, state, asked_for, early) == "held_before_start"


def counted_anew(*persons: int) -> tuple[Asked, ...]:
    return tuple(
        TRAINING.ask("correct-participants", UNDER, participants=[{"sex": "female", "persons": one}], reason="left_out")
        for one in persons
    )


def test_a_training_whose_participants_were_counted_anew_is_taken_back_with_the_counts() -> None:
    case, asked, _ = STORIES["trainings"]
    state = story(case, *asked, *counted_anew(22, 23))
    assert set(case.open_to(state, "officer")) >= REVISING
    (event,) = case.decide(state, putting(case, "take-back", state), NOW)
    assert (event.of, event.fact, event.status) == ("TrainingHeld", 3, "announced")
    assert facts(case.evolve(state, event)) == facts(story(case, *asked[:-1]))


def test_a_training_at_its_right_time_keeps_the_count_that_was_made_anew() -> None:
    case, asked, _ = STORIES["trainings"]
    state = story(case, *asked, *counted_anew(22, 23))
    right = state.held_at - timedelta(hours=2)
    corrected = told(case, state, putting(case, "correct-time", state, happened_at=right), right)
    assert facts(corrected) == {**facts(state), "held_at": right}
    assert facts(undone(case, corrected)) == facts(story(case, *asked[:-1]))
    assert told(case, corrected, *counted_anew(24), NOW).correction == 3


def test_an_offer_stands_as_many_days_from_its_right_time() -> None:
    state = story(MATCH, *OFFERED)
    right = state.last.happened_at - timedelta(hours=5)
    corrected = told(MATCH, state, putting(MATCH, "correct-time", state, 14, happened_at=right), right)
    assert (corrected.offered_at, corrected.expires_at) == (right, right + 14 * DAY)


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ((MATCH.ask("accept", Terms.model_validate(CODED)),), "acted_on"),
        ((MATCH.ask("retract", reason="family"),), "acted_on"),
    ],
    ids=["accepted", "retracted"],
)
def test_a_seat_that_was_given_up_or_taken_for_good_is_not_had_back(more: tuple[Asked, ...], rule: str) -> None:
    state = story(MATCH, *OFFERED, *more)
    assert refusal(MATCH, state, putting(MATCH, "take-back", state, 14)) == rule


def test_whoever_never_declined_has_no_seat_any_more_and_may_stand_in_a_new_round() -> None:
    offered = story(MATCH, *OFFERED)
    state = told(MATCH, offered, MATCH.ask("decline", reason="family"), NOW + len(OFFERED) * DAY)
    (event,) = MATCH.decide(state, putting(MATCH, "take-back", state, 14), NOW)
    assert (event.of, event.status, event.happened_at) == ("OfferDeclined", "retracted", offered.last.happened_at)
    taken = MATCH.evolve(state, event)
    assert (taken.status, taken.reason, taken.status in OPEN_TO_ANOTHER) == ("retracted", None, True)
    # The offer before it does not stand again, so nothing of it can be put right either.
    for verb, said in (("take-back", {}), ("correct-time", {"happened_at": NOW})):
        assert refusal(MATCH, taken, putting(MATCH, verb, taken, 14, **said)) in {"acted_on", "fact_not_revisable"}


def test_an_expiry_that_was_noted_by_mistake_is_taken_back_too() -> None:
    offered = story(MATCH, *OFFERED)
    expired = told(MATCH, offered, MATCH.ask("expire"), offered.expires_at + DAY)
    assert undone(MATCH, expired, 14).status == "retracted"


def test_an_accepted_offer_keeps_its_time_for_a_placement_stands_on_it() -> None:
    state = story(MATCH, *OFFERED, MATCH.ask("accept", Terms.model_validate(CODED)))
    assert refusal(MATCH, state, putting(MATCH, "correct-time", state, 14, happened_at=NOW)) == "acted_on"


def test_a_decline_is_not_moved_behind_the_end_of_its_offer() -> None:
    state = story(MATCH, *OFFERED, MATCH.ask("decline", reason="family"))
    late = state.expires_at + DAY
    asked = putting(MATCH, "correct-time", state, 14, happened_at=late)
    assert refusal(MATCH, state, asked, late) == "offer_expired"


def test_a_shortlist_has_matches_and_what_was_cancelled_has_stopped_them() -> None:
    case, asked, _ = STORIES["assignments"]
    state = story(case, *asked, case.ask("cancel", reason="host_closed"))
    assert refusal(case, state, putting(case, "take-back", state)) == "acted_on"


def test_a_case_of_many_facts_remembers_the_last_ones() -> None:
    case, asked, _ = STORIES["sites"]
    state = story(case, *asked, *(case.ask("inspect", condition="working") for _ in range(2 * REMEMBERED)))
    assert len(state.trail) == REMEMBERED
    for _ in range(REMEMBERED - 1):
        state = undone(case, state)
    assert refusal(case, state, putting(case, "take-back", state)) == "fact_not_revisable"
