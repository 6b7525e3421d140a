"""The rules of a placement and of a calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.placement.domain import calendars, placement_state, placements
from services.placement.domain.placement_state import Placement
from services.placement.domain.placements import (
    CancelPlacement,
    CompletePlacement,
    CompleteStep,
    ConfirmArrival,
    ContractPlacement,
    Depart,
    EndEarly,
    ExtendPlacement,
    OpenPlacement,
    RefusePlacement,
    ReportNoShow,
    RetractPlacement,
)
from shared.clock import derived_id
from shared.contracts.matching import MatchParties, Terms
from shared.errors import Refusal

MATCH = derived_id("match")
PARTIES = MatchParties(
    assignment=derived_id("assignment"),
    expert=derived_id("expert"),
    person=derived_id("person"),
    office="kabul",
    programme="example-1",
    programme_version=1,
)
STEPS = ("training", "insurance")


def terms(modality: Any = "temporary") -> Terms:
    return Terms(
        institution=derived_id("institution"),
        country="AF",
        sector="education",
        host_type="public",
        occupation="2310",
        modality=modality,
        starts_on=date(2007, 5, 1),
        ends_on=date(2007, 8, 1),
    )


def at(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00").replace(tzinfo=UTC)


def run(state: Placement | None, *commands: tuple[str, Any]) -> Placement:
    """The state after the commands, each on its day."""
    for day, command in commands:
        for event in placements.decide(state, command, at(day)):
            state = placement_state.evolve(state, event)
    assert state is not None
    return state


def opened(modality: Any = "temporary", time_zone: str | None = None) -> Placement:
    return run(None, ("2007-03-01", OpenPlacement(MATCH, PARTIES, terms(modality), time_zone)))


def contracted(modality: Any = "temporary", time_zone: str | None = None) -> Placement:
    return run(opened(modality, time_zone), ("2007-03-05", ContractPlacement(date(2007, 5, 1), date(2007, 8, 1))))


def active() -> Placement:
    return run(
        contracted(),
        ("2007-04-01", CompleteStep("training", STEPS)),
        ("2007-04-02", CompleteStep("insurance", STEPS)),
        ("2007-04-30", Depart(STEPS)),
        ("2007-05-01", ConfirmArrival(STEPS)),
    )


def refused(state: Placement | None, day: str, command: Any) -> str:
    with pytest.raises(Refusal) as raised:
        placements.decide(state, command, at(day))
    return raised.value.rule


def test_from_the_offer_to_the_completion() -> None:
    extended = run(active(), ("2007-07-20", ExtendPlacement(date(2007, 9, 1))))
    done = run(extended, ("2007-09-01", CompletePlacement()))
    assert (done.status, done.contracts, done.ends_on) == ("completed", 2, date(2007, 9, 1))
    assert done.steps == STEPS


def test_nobody_departs_before_the_obligatory_steps() -> None:
    state = run(contracted(), ("2007-04-01", CompleteStep("training", STEPS)))
    assert refused(state, "2007-04-30", Depart(STEPS)) == "preparation_incomplete"
    assert refused(state, "2007-04-30", CompleteStep("training", STEPS)) == "step_completed_before"
    assert refused(opened(), "2007-04-30", CompleteStep("training", STEPS)) == "illegal_transition"


def test_virtual_work_has_no_travel() -> None:
    state = contracted("virtual")
    assert refused(state, "2007-04-30", Depart(())) == "virtual_has_no_travel"
    assert refused(state, "2007-05-01", ConfirmArrival(("training",))) == "preparation_incomplete"
    trained = run(state, ("2007-04-01", CompleteStep("training", ("training",))))
    assert run(trained, ("2007-05-01", ConfirmArrival(("training",)))).status == "active"


def test_dates_fit_what_is_said_of_them() -> None:
    assert refused(opened(), "2007-03-05", ContractPlacement(date(2007, 8, 1), date(2007, 5, 1))) == "dates_reversed"
    assert refused(contracted(), "2007-04-20", ReportNoShow()) == "no_show_before_start"
    assert refused(active(), "2007-07-01", ExtendPlacement(date(2007, 8, 1))) == "extension_not_later"
    on_the_way = run(contracted(), ("2007-04-30", Depart(())))
    assert refused(on_the_way, "2007-08-01", ConfirmArrival(())) == "arrival_after_end"
    early = run(on_the_way, ("2007-04-20", ConfirmArrival(())))
    assert refused(early, "2007-04-25", CompletePlacement()) == "completed_before_start"


def test_days_are_those_of_the_office() -> None:
    """The last evening in Bogota is the next day in UTC; the first night in Kabul is the day before."""
    instant = datetime(2007, 8, 1, 1, tzinfo=UTC)
    west = run(contracted(time_zone="America/Bogota"), ("2007-07-30", Depart(())))
    assert placements.decide(west, ConfirmArrival(()), instant)
    east = run(contracted(time_zone="Asia/Kabul"), ("2007-07-30", Depart(())))
    with pytest.raises(Refusal, match="arrival_after_end"):
        placements.decide(east, ConfirmArrival(()), instant)
    evening = datetime(2007, 4, 30, 20, tzinfo=UTC)
    assert placements.decide(contracted(time_zone="Asia/Kabul"), ReportNoShow(), evening)
    with pytest.raises(Refusal, match="no_show_before_start"):
        placements.decide(contracted(time_zone="America/Bogota"), ReportNoShow(), evening)


def test_an_early_end_at_night_keeps_the_day_that_was_worked() -> None:
    begun = run(contracted(time_zone="Asia/Kabul"), ("2007-05-01", Depart(())), ("2007-05-02", ConfirmArrival(())))
    for event in placements.decide(begun, EndEarly("expert", "family"), datetime(2007, 6, 15, 20, tzinfo=UTC)):
        begun = placement_state.evolve(begun, event)
    assert begun.ends_on == date(2007, 6, 16)


def test_an_early_end_cuts_the_dates() -> None:
    ended = run(active(), ("2007-06-15", EndEarly("expert", "family")))
    assert (ended.status, ended.party, ended.ends_on) == ("ended_early", "expert", date(2007, 6, 15))
    assert refused(ended, "2007-06-16", CompletePlacement()) == "illegal_transition"


@pytest.mark.parametrize("command", [ContractPlacement(date(2007, 5, 1), date(2007, 8, 1)), Depart(())])
def test_what_is_not_there_is_not_found(command: Any) -> None:
    assert refused(None, "2007-05-01", command) == "not_found"


def test_the_first_answer_of_a_placement_stays() -> None:
    no = run(None, ("2007-03-01", RefusePlacement(MATCH, PARTIES, "placement_overlaps")))
    assert run(no, ("2007-03-01", OpenPlacement(MATCH, PARTIES, terms()))).status == "refused"
    yes = opened()
    assert run(yes, ("2007-03-02", RefusePlacement(MATCH, PARTIES, "hold_expired"))) == yes


def test_a_retraction_cancels_ends_or_finds_nothing_to_do() -> None:
    command = RetractPlacement(MATCH, PARTIES, "host_withdrew")
    assert run(None, ("2007-03-01", command)).status == "cancelled"
    assert run(contracted(), ("2007-03-10", command)).status == "cancelled"
    ended = run(active(), ("2007-06-01", command))
    assert (ended.status, ended.party) == ("ended_early", "programme")
    consent = RetractPlacement(MATCH, PARTIES, "consent_withdrawn", running=False)
    assert run(active(), ("2007-06-01", consent)).status == "active"
    done = run(active(), ("2007-08-01", CompletePlacement()))
    assert run(done, ("2007-08-02", command)).status == "completed"


def test_only_what_has_not_begun_is_cancelled() -> None:
    assert run(opened(), ("2007-03-02", CancelPlacement("host_closed"))).reason == "host_closed"
    assert refused(active(), "2007-06-01", CancelPlacement("host_closed")) == "illegal_transition"


def claim(starts_on: str, ends_on: str, modality: str = "temporary") -> dict[str, Any]:
    return {"starts_on": starts_on, "ends_on": ends_on, "modality": modality}


def admitted(new: dict[str, Any], *standing: dict[str, Any]) -> bool:
    try:
        calendars.admit(new, {str(n): {"claim": one} for n, one in enumerate(standing)})
    except Refusal:
        return False
    return True


def test_on_site_placements_never_share_a_day() -> None:
    held = claim("2007-05-01", "2007-08-01")
    with pytest.raises(Refusal, match="placement_overlaps"):
        calendars.admit(held, {"other": {"claim": held}})
    assert admitted(claim("2007-08-01", "2007-09-01"), held)
    assert admitted(claim("2007-04-01", "2007-05-01"), held)
    assert not admitted(claim("2007-07-31", "2007-09-01"), held)
    assert not admitted(claim("2007-06-01", "2007-06-02"), claim("2007-01-01", "2007-02-01"), held)
    assert admitted(claim("2007-06-01", "2007-06-01"), held)
    assert admitted(claim("2007-06-01", "2007-07-01", "virtual"), held)
    assert admitted(held, claim("2007-06-01", "2007-07-01", "virtual"))


def test_a_claim_widens_and_is_cut() -> None:
    held = claim("2007-05-01", "2007-08-01")
    wide = calendars.widened(held, date(2007, 6, 1), date(2007, 9, 1), "asked")
    assert (wide["starts_on"], wide["ends_on"]) == ("2007-05-01", "2007-09-01")
    assert calendars.cut(held, date(2007, 6, 15))["ends_on"] == "2007-06-15"
    assert calendars.cut(held, date(2007, 4, 1))["ends_on"] == "2007-05-01"


def test_days_of_a_promise_on_its_way_are_not_given_back() -> None:
    """The contract was for May; an extension to September has widened the claim and is not saved yet."""
    offered = claim("2007-04-01", "2007-08-01")
    contracted = calendars.widened(offered, date(2007, 5, 1), date(2007, 6, 1), "contract")
    assert (contracted["starts_on"], contracted["ends_on"]) == ("2007-04-01", "2007-08-01")
    exact = calendars.promised(contracted, date(2007, 5, 1), date(2007, 6, 1), {"contract"})
    assert (exact["starts_on"], exact["ends_on"]) == ("2007-05-01", "2007-06-01")
    within = calendars.widened(contracted, date(2007, 7, 1), date(2007, 7, 1), "extension")
    assert calendars.promised(within, date(2007, 5, 1), date(2007, 6, 1), {"contract"}) == within
    both = {"contract", "extension"}
    assert calendars.promised(within, date(2007, 5, 1), date(2007, 7, 1), both)["ends_on"] == "2007-07-01"
    assert calendars.promised(offered, date(2007, 5, 1), date(2007, 6, 1), both) == offered
