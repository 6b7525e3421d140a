"""The rules of a placement and of a calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.placement.domain import calendars
from services.placement.domain.dates import still_to_do
from services.placement.domain.placements import PLACEMENT
from services.placement.domain.revisions import PlacementRevision
from services.placement.domain.standing import Placement, Preparation
from shared.cases.case import Asked
from shared.cases.opening import Days
from shared.clock import derived_id
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties
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
PROGRAMME = Days(date(2006, 4, 1), date(2008, 7, 1))


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


def opening(modality: Any = "temporary", time_zone: str | None = None) -> Asked:
    return PLACEMENT.ask("open", match=MATCH, parties=PARTIES, terms=terms(modality), time_zone=time_zone)


def refusing(reason: str) -> Asked:
    return PLACEMENT.ask("refuse", match=MATCH, parties=PARTIES, reason=reason)


def retracting(reason: str, *, running: bool = True) -> Asked:
    return PLACEMENT.ask("retract", match=MATCH, parties=PARTIES, reason=reason, running=running)


def dated(starts_on: date, ends_on: date, **said: Any) -> Asked:
    return PLACEMENT.ask("contract", PROGRAMME, starts_on=starts_on, ends_on=ends_on, **said)


def prepare(verb: str, steps: tuple[Any, ...] = STEPS, days: int = 0, **said: Any) -> Asked:
    """A verb that hangs on the obligatory steps; an arrival may be so many days early."""
    return PLACEMENT.ask(verb, Preparation(steps, days), **said)


def run(state: Placement | None, *commands: tuple[str, Any]) -> Placement:
    """The state after the commands, each on its day."""
    for day, command in commands:
        for event in PLACEMENT.decide(state, command, at(day)):
            state = PLACEMENT.evolve(state, event)
    assert state is not None
    return state


def opened(modality: Any = "temporary", time_zone: str | None = None) -> Placement:
    return run(None, ("2007-03-01", opening(modality, time_zone)))


def contracted(modality: Any = "temporary", time_zone: str | None = None) -> Placement:
    return run(opened(modality, time_zone), ("2007-03-05", dated(date(2007, 5, 1), date(2007, 8, 1))))


def active() -> Placement:
    return run(
        contracted(),
        ("2007-04-01", prepare("complete-step", STEPS, step="training")),
        ("2007-04-02", prepare("complete-step", STEPS, step="insurance")),
        ("2007-04-30", prepare("depart", STEPS)),
        ("2007-05-01", prepare("confirm-arrival", STEPS)),
    )


def refused(state: Placement | None, day: str, command: Any) -> str:
    with pytest.raises(Refusal) as raised:
        PLACEMENT.decide(state, command, at(day))
    return raised.value.rule


def test_from_the_offer_to_the_completion() -> None:
    extended = run(active(), ("2007-07-20", PLACEMENT.ask("extend", ends_on=date(2007, 9, 1))))
    done = run(extended, ("2007-09-01", PLACEMENT.ask("complete")))
    assert (done.status, done.contracts, done.ends_on) == ("completed", 2, date(2007, 9, 1))
    assert done.steps == STEPS


def test_a_step_of_the_journey_that_does_not_apply_is_settled_as_that() -> None:
    """A programme asks for a visa, and somebody travels to the country of the own passport."""
    asked = ("training", "visa", "ticket")
    state = run(contracted(), ("2007-04-01", prepare("complete-step", asked, step="training")))
    assert refused(state, "2007-04-02", prepare("complete-step", asked, step="security", settled="not_needed")) == (
        "step_always_needed"
    )
    told = PLACEMENT.decide(state, prepare("complete-step", asked, step="visa", settled="not_needed"), at("2007-04-02"))
    assert [(one.step, one.settled) for one in told] == [("visa", "not_needed")]
    without = run(state, ("2007-04-02", prepare("complete-step", asked, step="visa", settled="not_needed")))
    assert (without.steps, without.steps_not_needed) == (("training",), ("visa",))
    assert still_to_do(Preparation(asked), without) == ("ticket",)
    assert refused(without, "2007-04-03", prepare("complete-step", asked, step="visa")) == "step_completed_before"
    assert refused(without, "2007-04-30", prepare("depart", asked)) == "preparation_incomplete"
    ready = run(without, ("2007-04-04", prepare("complete-step", asked, step="ticket", settled="done")))
    assert run(ready, ("2007-04-30", prepare("depart", asked))).status == "travelling"


def test_nobody_departs_before_the_obligatory_steps() -> None:
    state = run(contracted(), ("2007-04-01", prepare("complete-step", STEPS, step="training")))
    assert refused(state, "2007-04-30", prepare("depart", STEPS)) == "preparation_incomplete"
    assert refused(state, "2007-04-30", prepare("complete-step", STEPS, step="training")) == "step_completed_before"
    assert refused(opened(), "2007-04-30", prepare("complete-step", STEPS, step="training")) == "illegal_transition"


def test_virtual_work_has_no_travel() -> None:
    state = contracted("virtual")
    assert refused(state, "2007-04-30", prepare("depart", ())) == "virtual_has_no_travel"
    assert refused(state, "2007-05-01", prepare("confirm-arrival", ("training",))) == "preparation_incomplete"
    trained = run(state, ("2007-04-01", prepare("complete-step", ("training",), step="training")))
    assert run(trained, ("2007-05-01", prepare("confirm-arrival", ("training",)))).status == "active"


def test_dates_fit_what_is_said_of_them() -> None:
    assert refused(opened(), "2007-03-05", dated(date(2007, 8, 1), date(2007, 5, 1))) == "dates_reversed"
    assert refused(contracted(), "2007-04-20", PLACEMENT.ask("report-no-show")) == "no_show_before_start"
    assert refused(active(), "2007-07-01", PLACEMENT.ask("extend", ends_on=date(2007, 8, 1))) == "extension_not_later"
    on_the_way = run(contracted(), ("2007-04-30", prepare("depart", ())))
    assert refused(on_the_way, "2007-08-01", prepare("confirm-arrival", ())) == "arrival_after_end"
    assert refused(on_the_way, "2007-04-30", prepare("confirm-arrival", ())) == "arrival_before_start"
    early = run(on_the_way, ("2007-04-30", prepare("confirm-arrival", (), days=1)))
    assert refused(early, "2007-04-30", PLACEMENT.ask("complete")) == "completed_before_start"


def test_an_arrival_for_next_year_is_refused_and_the_refusal_names_the_first_day() -> None:
    on_the_way = run(contracted(), ("2007-04-20", prepare("depart", ())))
    with pytest.raises(Refusal, match="arrival_before_start") as raised:
        PLACEMENT.decide(on_the_way, prepare("confirm-arrival", (), days=14), at("2007-04-16"))
    assert "2007-05-01" in str(raised.value.detail)
    assert PLACEMENT.decide(on_the_way, prepare("confirm-arrival", (), days=14), at("2007-04-17"))


def test_nobody_departs_long_before_the_arrival_may_be_nor_after_the_contracts_end() -> None:
    for day, early, rule in (("2007-04-16", 0, "departure_too_early"), ("2007-04-06", 10, "departure_too_early")):
        assert refused(contracted(), day, prepare("depart", (), days=early)) == rule
    for day, early in (("2007-04-17", 0), ("2007-04-07", 10), ("2007-07-31", 0)):
        assert run(contracted(), (day, prepare("depart", (), days=early))).status == "travelling"
    assert refused(contracted(), "2007-08-01", prepare("depart", ())) == "departure_after_end"


def test_the_right_time_of_a_departure_keeps_its_days_too() -> None:
    on_the_way = run(contracted(), ("2007-04-30", prepare("depart", ())))
    given = PlacementRevision({past.standing: MATCH for past in on_the_way.trail}, Preparation())
    for day, rule in (("2007-04-10", "departure_too_early"), ("2007-08-02", "departure_after_end")):
        command = PLACEMENT.ask("correct-time", given, happened_at=at(day), reason="wrong_date")
        assert refused(on_the_way, day, command) == rule


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "rule", "pointers"),
    [
        (date(2007, 3, 1), date(2007, 4, 30), "departure_after_end", ["/ends_on"]),
        (date(2007, 5, 15), date(2007, 8, 1), "departure_too_early", ["/starts_on"]),
        (date(2007, 5, 14), date(2007, 8, 1), "", []),
        (date(2007, 4, 1), date(2007, 5, 1), "", []),
    ],
)
def test_a_contract_is_not_corrected_to_days_that_exclude_the_departure(
    starts_on: date, ends_on: date, rule: str, pointers: list[str]
) -> None:
    on_the_way = run(contracted(), ("2007-04-30", prepare("depart", ())))
    given = PlacementRevision({past.standing: MATCH for past in on_the_way.trail}, Preparation())
    days = {"starts_on": starts_on, "ends_on": ends_on, "override_reason": "host_asked"}
    command = PLACEMENT.ask("correct-contract", given, reason="typing_error", **days)
    if not rule:
        assert run(on_the_way, ("2007-05-02", command)).starts_on == starts_on
        return
    with pytest.raises(Refusal) as raised:
        PLACEMENT.decide(on_the_way, command, at("2007-05-02"))
    assert (raised.value.rule, [one.pointer for one in raised.value.problems]) == (rule, pointers)
    assert "2007-04-30" in raised.value.problems[0].detail


@pytest.mark.parametrize(
    ("starts_on", "ends_on", "rule", "pointers"),
    [
        ("0001-01-01", "9999-12-31", "dates_too_far_apart", ["/ends_on"]),
        ("2207-05-01", "2207-08-01", "dates_outside_terms", ["/ends_on"]),
        ("1999-05-01", "1999-08-01", "dates_outside_terms", ["/starts_on"]),
        ("2007-04-30", "2007-08-02", "dates_outside_terms", ["/starts_on", "/ends_on"]),
    ],
)
def test_a_contract_keeps_within_the_terms_and_the_programme_or_says_why(
    starts_on: str, ends_on: str, rule: str, pointers: list[str]
) -> None:
    days = (date.fromisoformat(starts_on), date.fromisoformat(ends_on))
    with pytest.raises(Refusal) as raised:
        PLACEMENT.decide(opened(), dated(*days), at("2007-03-05"))
    assert (raised.value.rule, [one.pointer for one in raised.value.problems]) == (rule, pointers)


def test_other_days_stand_with_their_reason_and_a_reason_without_need_is_not_kept() -> None:
    other, within = (date(2007, 4, 30), date(2007, 8, 2)), (date(2007, 5, 1), date(2007, 8, 1))
    (event,) = PLACEMENT.decide(opened(), dated(*other, override_reason="host_asked"), at("2007-03-05"))
    assert (event.override_reason, event.starts_on) == ("host_asked", other[0])  # type: ignore[attr-defined]
    (event,) = PLACEMENT.decide(opened(), dated(*within, override_reason="host_asked"), at("2007-03-05"))
    assert event.override_reason is None  # type: ignore[attr-defined]


def test_an_extension_keeps_within_the_programme_or_says_why() -> None:
    def extending(day: date, **said: Any) -> Asked:
        return PLACEMENT.ask("extend", PROGRAMME, ends_on=day, **said)

    assert PLACEMENT.decide(active(), extending(date(2008, 7, 1)), at("2007-07-20"))
    assert refused(active(), "2007-07-20", extending(date(2008, 7, 2))) == "dates_outside_programme"
    assert PLACEMENT.decide(active(), extending(date(2008, 7, 2), override_reason="funds_left"), at("2007-07-20"))
    assert (
        refused(active(), "2007-07-20", extending(date(9999, 1, 1), override_reason="delayed")) == "dates_too_far_apart"
    )


def test_days_are_those_of_the_office() -> None:
    """The last evening in Bogota is the next day in UTC; the first night in Kabul is the day before."""
    instant = datetime(2007, 8, 1, 1, tzinfo=UTC)
    west = run(contracted(time_zone="America/Bogota"), ("2007-07-30", prepare("depart", ())))
    assert PLACEMENT.decide(west, prepare("confirm-arrival", ()), instant)
    east = run(contracted(time_zone="Asia/Kabul"), ("2007-07-30", prepare("depart", ())))
    with pytest.raises(Refusal, match="arrival_after_end"):
        PLACEMENT.decide(east, prepare("confirm-arrival", ()), instant)
    evening = datetime(2007, 4, 30, 20, tzinfo=UTC)
    assert PLACEMENT.decide(contracted(time_zone="Asia/Kabul"), PLACEMENT.ask("report-no-show"), evening)
    with pytest.raises(Refusal, match="no_show_before_start"):
        PLACEMENT.decide(contracted(time_zone="America/Bogota"), PLACEMENT.ask("report-no-show"), evening)


def test_an_early_end_at_night_keeps_the_day_that_was_worked() -> None:
    begun = run(
        contracted(time_zone="Asia/Kabul"),
        ("2007-05-01", prepare("depart", ())),
        ("2007-05-02", prepare("confirm-arrival", ())),
    )
    for event in PLACEMENT.decide(
        begun, PLACEMENT.ask("end-early", party="expert", reason="family"), datetime(2007, 6, 15, 20, tzinfo=UTC)
    ):
        begun = PLACEMENT.evolve(begun, event)
    assert begun.ends_on == date(2007, 6, 16)


def test_an_early_end_cuts_the_dates() -> None:
    ended = run(active(), ("2007-06-15", PLACEMENT.ask("end-early", party="expert", reason="family")))
    assert (ended.status, ended.party, ended.ends_on) == ("ended_early", "expert", date(2007, 6, 15))
    assert refused(ended, "2007-06-16", PLACEMENT.ask("complete")) == "illegal_transition"


@pytest.mark.parametrize("command", [dated(date(2007, 5, 1), date(2007, 8, 1)), prepare("depart", ())])
def test_what_is_not_there_is_not_found(command: Any) -> None:
    assert refused(None, "2007-05-01", command) == "not_found"


def test_the_first_answer_of_a_placement_stays() -> None:
    no = run(None, ("2007-03-01", refusing("placement_overlaps")))
    assert run(no, ("2007-03-01", opening())).status == "refused"
    yes = opened()
    assert run(yes, ("2007-03-02", refusing("hold_expired"))) == yes


def test_a_retraction_cancels_ends_or_finds_nothing_to_do() -> None:
    command = retracting("host_withdrew")
    assert run(None, ("2007-03-01", command)).status == "cancelled"
    assert run(contracted(), ("2007-03-10", command)).status == "cancelled"
    ended = run(active(), ("2007-06-01", command))
    assert (ended.status, ended.party) == ("ended_early", "programme")
    consent = retracting("consent_withdrawn", running=False)
    assert run(active(), ("2007-06-01", consent)).status == "active"
    done = run(active(), ("2007-08-01", PLACEMENT.ask("complete")))
    assert run(done, ("2007-08-02", command)).status == "completed"


def test_only_what_has_not_begun_is_cancelled() -> None:
    assert run(opened(), ("2007-03-02", PLACEMENT.ask("cancel", reason="host_closed"))).reason == "host_closed"
    assert refused(active(), "2007-06-01", PLACEMENT.ask("cancel", reason="host_closed")) == "illegal_transition"


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


def reported() -> Placement:
    """Work is done, and the expert has reported."""
    report = PLACEMENT.ask("submit-report", text="Eighteen teachers were trained.")
    return run(active(), ("2007-08-01", PLACEMENT.ask("call-for-reports")), ("2007-08-03", report))


def test_where_reports_are_due_nothing_is_complete_before_them() -> None:
    assert refused(reported(), "2007-08-04", PLACEMENT.ask("complete")) == "report_not_accepted"
    accepted = run(reported(), ("2007-08-05", PLACEMENT.ask("accept-report")))
    assert accepted.accepted_report == 1
    assert refused(accepted, "2007-08-05", PLACEMENT.ask("accept-report")) == "no_report_waits"
    assert refused(accepted, "2007-08-05", PLACEMENT.ask("complete")) == "certificate_missing"
    certified = run(accepted, ("2007-08-06", PLACEMENT.ask("certify")))
    assert refused(certified, "2007-08-06", PLACEMENT.ask("certify")) == "certified_before"
    assert run(certified, ("2007-08-06", PLACEMENT.ask("complete"))).status == "completed"


def test_a_text_stays_off_the_log() -> None:
    report = PLACEMENT.ask("submit-report", text="Nobody is to read this.")
    (event,) = PLACEMENT.decide(active(), report, at("2007-06-01"))
    assert "Nobody" not in event.body()


def test_what_is_open_follows_from_the_state() -> None:
    assert set(PLACEMENT.open_to(contracted(), "host")) == {"report-no-show"}
    assert "depart" in PLACEMENT.open_to(contracted(), "officer")
    assert "confirm-arrival" not in PLACEMENT.open_to(contracted(), "officer")
    assert "depart" not in PLACEMENT.open_to(contracted("virtual"), "officer")
    assert "confirm-arrival" in PLACEMENT.open_to(contracted("virtual"), "host")
    assert set(PLACEMENT.open_to(active(), "expert")) == {"submit-report", "end-early"}
