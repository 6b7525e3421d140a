"""Facts follow from events: which there are, what takes them back, what they carry."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.monitoring.domain.derivation import NEVER_MS
from services.monitoring.domain.rows import microseconds_of
from shared.clock import derived_id as id_of
from shared.contracts.matching.assignments import (
    AssignmentCancelled,
    AssignmentEditsRequested,
    AssignmentFilled,
    AssignmentReopened,
    AssignmentRevised,
    AssignmentSubmitted,
)
from shared.contracts.matching.matches import MatchRetracted, OfferDeclined
from shared.contracts.placement.placements import (
    NoShowReported,
    PlacementCancelled,
    PlacementContractCorrected,
    PlacementEndedEarly,
    PlacementExtended,
    PlacementFactTakenBack,
    PlacementRefused,
    PlacementTimeCorrected,
    PlacementTransferred,
    ReturnCompleted,
    ReturnStarted,
    TravelStarted,
)
from shared.contracts.registration.experts import AppealUpheld, ExpertDeclaredIneligible, ExpertScreeningReopened
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionPutOnHold
from shared.messaging.port import Record
from tests.unit.monitoring.story import START, Story, derived, terms


def kinds(records: Any, *, open_only: bool = False) -> Counter[str]:
    rows = derived(records)
    return Counter(row["kind"] for row in rows if not open_only or row["known_to"] == NEVER_MS)


def one(records: Any, kind: str) -> dict[str, Any]:
    (row,) = [row for row in derived(records) if row["kind"] == kind]
    return row


def test_a_whole_return_gives_each_fact_once() -> None:
    story = Story()
    story.published()
    story.host()
    story.person("a", sex="female")
    story.accepted("a")
    story.returned("a")
    expected = "expert_registered expert_eligible screened_eligible institution_activated assignment_requested "
    expected += (
        "assignment_approved assignment_published application_received expert_matched offer_made offer_accepted "
    )
    expected += "placement_contracted contract return_started return_completed"
    assert kinds(story.records) == Counter(expected.split())


def test_a_fact_carries_its_case_and_its_programme() -> None:
    story = Story()
    story.published()
    story.person("a", sex="female", birth_year=1980)
    story.accepted("a")
    offer = one(story.records, "offer_made")
    assert (offer["person"], offer["assignment"]) == (id_of("person", "a"), id_of("assignment", "a"))
    assert (offer["office"], offer["programme"], offer["programme_version"]) == ("kabul", "example-1", 1)
    assert (offer["country"], offer["sector"], offer["host_type"]) == ("AF", "health", "public")
    assert (offer["sex_at_now"], offer["birth_year_at_event"], offer["local_year"]) == ("female", 1980, 2026)


def test_terms_sent_back_and_submitted_again_are_one_request() -> None:
    story = Story()
    assignment = id_of("assignment", "a")
    story.assignment("a")
    story.tell(assignment, AssignmentEditsRequested(happened_at=START, items=("dates",)))
    story.tell(assignment, AssignmentRevised(happened_at=START, terms=terms(sector="education")))
    story.tell(assignment, AssignmentSubmitted(happened_at=START))
    assert kinds(story.records)["assignment_requested"] == 1


def test_an_institution_back_from_a_pause_is_one_active_institution() -> None:
    story = Story()
    host = story.host()
    story.tell(host, InstitutionPutOnHold(happened_at=START, reason="moved"))
    story.tell(host, InstitutionActivated(happened_at=START))
    assert kinds(story.records) == {"institution_activated": 1}


def test_a_later_screening_ends_the_earlier_one() -> None:
    story = Story()
    person = story.person("a")
    declared = ExpertDeclaredIneligible(happened_at=START, person=person, criteria=("degree",))
    at = story.tell(id_of("expert", "a"), declared).appended_ms
    decided = {"screened_eligible": 1, "screened_ineligible": 1}
    assert kinds(story.records, open_only=True) == {"expert_registered": 1, "expert_ineligible": 1, **decided}
    assert one(story.records, "expert_eligible")["known_to"] == at


def test_screening_anew_ends_what_was_found_and_leaves_that_it_was_decided() -> None:
    for anew in (ExpertScreeningReopened, AppealUpheld):
        story = Story()
        person = story.person("a")
        at = story.tell(id_of("expert", "a"), anew(happened_at=START, person=person, reason="mistaken")).appended_ms
        assert one(story.records, "expert_eligible")["known_to"] == at
        assert one(story.records, "screened_eligible")["known_to"] == NEVER_MS


def test_a_reopened_assignment_is_filled_no_more_and_can_be_filled_again() -> None:
    story = Story()
    story.assignment("a")
    for event in (AssignmentFilled(happened_at=START), AssignmentReopened(happened_at=START)):
        story.tell(id_of("assignment", "a"), event)
    assert kinds(story.records, open_only=True)["assignment_filled"] == 0
    story.tell(id_of("assignment", "a"), AssignmentFilled(happened_at=START))
    assert kinds(story.records, open_only=True)["assignment_filled"] == 1
    story.tell(id_of("assignment", "a"), AssignmentCancelled(happened_at=START, reason="funds"))
    assert kinds(story.records, open_only=True)["assignment_filled"] == 0
    assert kinds(story.records, open_only=True)["assignment_requested"] == 1


def test_a_declined_offer_is_neither_placed_nor_cancelled() -> None:
    story = Story()
    story.person("a")
    story.accepted("a")
    story.tell(id_of("match", "a", "a"), OfferDeclined(happened_at=START, reason="family"))
    found = kinds(story.records, open_only=True)
    assert (found["offer_declined"], found["expert_matched"]) == (1, 1)
    assert found["placement_cancelled"] == found["contract"] == 0
    assert one(story.records, "offer_declined")["reason"] == "family"


def test_a_retracted_match_is_no_allocation_and_no_acceptance() -> None:
    story = Story()
    story.person("a")
    story.accepted("a")
    story.tell(id_of("match", "a", "a"), MatchRetracted(happened_at=START, reason="refused"))
    found = kinds(story.records, open_only=True)
    assert (found["expert_matched"], found["offer_accepted"]) == (0, 0)
    assert (found["application_received"], found["offer_made"]) == (1, 1)


def test_a_cancelled_placement_takes_its_contracts_out_of_past_periods() -> None:
    story = Story()
    placement = story.opened("a")
    story.tell(placement, PlacementCancelled(happened_at=START, match=id_of("match", "a", "a"), reason="visa"))
    assert kinds(story.records, open_only=True) == {"placement_cancelled": 1}
    assert kinds(story.records) == {"placement_cancelled": 1, "placement_contracted": 1, "contract": 1}


def test_no_show_and_early_end_add_facts_and_take_none_back() -> None:
    story = Story()
    first, second = story.opened("a"), story.opened("b")
    story.tell(first, NoShowReported(happened_at=START))
    story.tell(second, ReturnStarted(happened_at=START))
    story.tell(second, PlacementEndedEarly(happened_at=START, party="host", reason="closed"))
    found = kinds(story.records, open_only=True)
    assert (found["no_show"], found["placement_ended_early"], found["contract"]) == (1, 1, 2)
    assert one(story.records, "placement_ended_early")["party"] == "host"


def test_an_extension_is_a_contract_of_its_own_with_its_own_days() -> None:
    story = Story()
    placement = story.opened("a")
    for ends in (date(2026, 5, 11), date(2026, 6, 1)):
        story.tell(placement, PlacementExtended(happened_at=START, ends_on=ends))
    found = [(r["contract_number"], r["days"]) for r in derived(story.records) if r["kind"] == "contract"]
    assert found == [(1, 89), (2, 10), (3, 21)]
    assert one(story.records, "placement_contracted")["days"] == 89


def test_a_refused_placement_is_no_fact() -> None:
    story = Story()
    parties = story.accepted("a")
    refused = PlacementRefused(happened_at=START, match=id_of("match", "a", "a"), parties=parties, reason="overlap")
    story.tell(id_of("placement", "a", "1"), refused)
    assert kinds(story.records)["placement_cancelled"] == 0
    assert not any(row.get("placement") for row in derived(story.records))


def test_a_placement_cancelled_before_it_was_opened_is_no_fact() -> None:
    story = Story()
    parties = story.accepted("a")
    cancelled = PlacementCancelled(
        happened_at=START, match=id_of("match", "a", "a"), parties=parties, reason="withdrawn"
    )
    story.tell(id_of("placement", "a", "1"), cancelled)
    assert kinds(story.records)["placement_cancelled"] == 0


def test_a_completion_that_arrives_before_the_opening_waits_for_it() -> None:
    story = Story()
    story.returned("a")
    opening, *rest = story.records
    early = [r for r in rest if b"ReturnCompleted" in dict(r.headers)["ce_type"]]
    assert derived(early) == []
    assert one([*early, opening], "return_completed")["placement"] == id_of("placement", "a", "1")


def test_a_match_needs_its_own_events_alone() -> None:
    story = Story()
    story.accepted("a", sector="education")
    matches = [r for r in story.records if r.topic == "matching.matches"]
    assert [row for row in derived(story.records) if "match" in row] == derived(matches)
    applied = one(matches, "application_received")
    assert (applied["sector"], applied["institution"], applied["framed"]) == ("education", id_of("host"), True)
    assert applied["known_from"] == matches[0].appended_ms


def test_a_match_of_an_older_opening_has_its_parties_and_its_terms_once_they_are_said() -> None:
    """Version 1 of an application named no terms; the accepted offer does."""
    story = Story()
    story.accepted("a", sector="education")
    matches = [r for r in story.records if r.topic == "matching.matches"]
    old = [as_version_1(matches[0]), *matches[1:]]
    applied, accepted = one(old, "application_received"), one(old, "offer_accepted")
    assert (applied["sector"], applied["framed"], applied["person"]) == (None, False, id_of("person", "a"))
    assert (accepted["sector"], accepted["framed"]) == ("education", True)


def as_version_1(record: Record) -> Record:
    body = {name: value for name, value in json.loads(record.value or b"").items() if name != "terms"}
    told = {**dict(record.headers), "ce_dataschema": b"urn:sankofa:schema:matching.ApplicationReceived:1"}
    return record._replace(value=json.dumps(body).encode(), headers=tuple(told.items()))


def test_days_worked_are_those_from_the_arrival_to_the_end_both_counted() -> None:
    story = Story()
    placement = story.opened("a", starts_on=date(2026, 1, 1), ends_on=date(2026, 2, 1))
    story.tell(placement, ReturnStarted(happened_at=START))
    story.tell(placement, PlacementEndedEarly(happened_at=START + timedelta(days=4), party="host", reason="closed"))
    assert one(story.records, "contract")["days"] == 31
    assert one(story.records, "placement_ended_early")["days_worked"] == 5
    assert one(story.records, "return_started")["days_worked"] is None


def test_nobody_works_after_the_contracts_last_day() -> None:
    """Recorded as complete on the first day after it, or weeks later; an extension adds its days."""
    for later, extended, worked in ((31, False, 31), (45, False, 31), (45, True, 41)):
        story = Story()
        placement = story.opened("a", starts_on=date(2026, 1, 1), ends_on=date(2026, 2, 1))
        story.tell(placement, ReturnStarted(happened_at=datetime(2026, 1, 1, 9, tzinfo=UTC)))
        if extended:
            story.tell(placement, PlacementExtended(happened_at=START, ends_on=date(2026, 2, 11)))
        end = datetime(2026, 1, 1, 9, tzinfo=UTC) + timedelta(days=later)
        story.tell(placement, ReturnCompleted(happened_at=end))
        assert one(story.records, "return_completed")["days_worked"] == worked


def test_days_worked_are_days_of_the_office() -> None:
    """In UTC both are one day; Kabul is four and a half hours ahead."""
    story = Story()
    story.published()
    placement = story.opened("a")
    story.tell(placement, ReturnStarted(happened_at=START.replace(hour=19)))
    story.tell(placement, ReturnCompleted(happened_at=START.replace(hour=20)))
    assert one(story.records, "return_completed")["days_worked"] == 2


def test_a_fact_is_of_the_office_whose_case_it_was_in_that_offices_calendar() -> None:
    """Late on the last day of January in Kabul it is still that day in Bogota; what was told before does not move."""
    story = Story()
    story.published()
    placement = story.opened("a")
    night = datetime(2026, 1, 31, 20, 30, tzinfo=UTC)
    story.tell(placement, ReturnStarted(happened_at=night))
    before = derived(story.records)
    place = {"after_epoch": 1, "after_sequence": 9}
    said = {"office": "bogota", "left": "kabul", "time_zone": "America/Bogota"}
    moved = PlacementTransferred(happened_at=night, **said, **place)
    story.tell(placement, moved, office="bogota")
    assert derived(story.records) == before
    story.tell(placement, ReturnCompleted(happened_at=night), office="bogota")
    began, completed = one(story.records, "return_started"), one(story.records, "return_completed")
    assert (began["office"], completed["office"]) == ("kabul", "bogota")
    assert began["local_day"] == completed["local_day"] + 1
    # An arrival that is put right is still of the office that recorded it.
    put_right(story, placement, 3, night - timedelta(days=1))
    again = [row for row in derived(story.records) if row["kind"] == "return_started"][-1]
    assert (again["office"], again["local_day"]) == ("kabul", began["local_day"] - 1)


def test_124_persons_hold_172_contracts() -> None:
    """Persons, contracts and extensions are three counts (docs/domain.md, section 4)."""
    story = Story()
    for number in range(124):
        placement = story.opened(str(number))
        story.tell(placement, ReturnStarted(happened_at=START))
        if number < 30:
            story.tell(placement, PlacementExtended(happened_at=START, ends_on=date(2026, 6, 1)))
        if number < 18:
            story.tell(placement, ReturnCompleted(happened_at=START + timedelta(days=1)))
            story.opened(str(number), number=2)
    contracts = [row for row in derived(story.records) if row["kind"] == "contract"]
    assert len(contracts) == 172
    assert len({row["person"] for row in contracts}) == 124


def put_right(story: Story, placement: str, fact: int, at: datetime) -> None:
    named: dict[str, Any] = {"fact": fact, "of": "Fact", "replaces": id_of("event"), "reason": "wrong_date"}
    story.tell(placement, PlacementTimeCorrected(happened_at=at, **named))


def taken_back(story: Story, placement: str, fact: int, at: datetime, **says: Any) -> None:
    named: dict[str, Any] = {"fact": fact, "of": "Fact", "replaces": id_of("event"), "reason": "mistake"}
    story.tell(placement, PlacementFactTakenBack(happened_at=at, status="active", **named, **says))


def test_a_corrected_fact_counts_at_the_right_instant_from_when_that_is_known_and_before_as_it_was() -> None:
    story = Story()
    placement = story.opened("p")
    began, right = START + timedelta(days=40), START + timedelta(days=9)
    story.tell(placement, ReturnStarted(happened_at=began))
    put_right(story, placement, 3, right)
    first, second = (row for row in derived(story.records) if row["kind"] == "return_started")
    assert (first["happened_us"], second["happened_us"]) == (microseconds_of(began), microseconds_of(right))
    assert (first["sequence"], second["sequence"]) == (3, 4)
    assert first["known_to"] == second["known_from"]
    assert second["known_to"] == NEVER_MS
    # Days are counted from the right arrival.
    story.tell(placement, ReturnCompleted(happened_at=right + timedelta(days=2)))
    assert one(story.records, "return_completed")["days_worked"] == 3


def test_a_fact_that_was_taken_back_counts_no_more_and_may_be_told_again() -> None:
    story = Story()
    placement = story.opened("p")
    story.tell(placement, ReturnStarted(happened_at=START + timedelta(days=1)))
    taken_back(story, placement, 3, START)
    assert kinds(story.records, open_only=True)["return_started"] == 0
    assert kinds(story.records)["return_started"] == 1
    story.tell(placement, ReturnStarted(happened_at=START + timedelta(days=5)))
    assert kinds(story.records, open_only=True)["return_started"] == 1


def test_an_extension_after_one_that_was_taken_back_is_the_second_contract_and_adds_its_own_days() -> None:
    story = Story()
    placement = story.opened("p")
    ends_on = terms().ends_on
    story.tell(placement, ReturnStarted(happened_at=START))
    story.tell(placement, PlacementExtended(happened_at=START, ends_on=ends_on + timedelta(days=60)))
    taken_back(story, placement, 4, START, ends_on=ends_on)
    story.tell(placement, PlacementExtended(happened_at=START, ends_on=ends_on + timedelta(days=10)))
    found = [row for row in derived(story.records) if row["kind"] == "contract" and row["known_to"] == NEVER_MS]
    assert [(row["contract_number"], row["days"]) for row in found][-1] == (2, 10)
    assert len(found) == 2


def test_a_contract_on_its_right_days_counts_when_it_was_signed() -> None:
    story = Story()
    placement = story.opened("p")
    story.tell(placement, TravelStarted(happened_at=START + timedelta(days=30)))
    named: dict[str, Any] = {"fact": 2, "of": "PlacementContracted", "replaces": id_of("e"), "reason": "mistake"}
    days = {"starts_on": date(2026, 3, 1), "ends_on": date(2026, 3, 21)}
    story.tell(placement, PlacementContractCorrected(happened_at=START + timedelta(days=31), **named, **days))
    found = [row for row in derived(story.records) if row["kind"] == "contract" and row["known_to"] == NEVER_MS]
    assert [(row["happened_us"], row["days"], row["contract_number"]) for row in found] == [
        (microseconds_of(START), 20, 1)
    ]
