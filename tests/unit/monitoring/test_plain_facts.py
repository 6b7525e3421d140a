"""Facts of trainings and sites: an item each, a recount that takes back what was said, and numbers of things."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.monitoring.domain.derivation import NEVER_MS, fields_of
from services.monitoring.domain.facts import Fact, facts_of
from services.monitoring.domain.rows import EventRow, microseconds_of, payload_of
from services.monitoring.store import ReadModel
from shared.clock import derived_id as id_of
from shared.contracts.base import Event
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.frame import Frame
from shared.contracts.placement.sites import SITE_FACTS, SiteProposed, WorksBegun, WorksCompleted
from shared.contracts.placement.trainings import (
    TRAINING_FACTS,
    Group,
    TrainingAnnounced,
    TrainingFactTakenBack,
    TrainingHeld,
    TrainingParticipantsCorrected,
    TrainingTimeCorrected,
    TrainingTransferred,
)
from tests.unit.monitoring.story import START, Story, batch_of, stored
from tests.unit.monitoring.test_deriving import anew_in

INSTITUTION, MINISTRY = id_of("institution"), id_of("ministry")
FRAME = Frame(
    country="AF",
    area="kabul",
    sector="governance",
    institution=INSTITUTION,
    programme="example-1",
    programme_version=1,
    office="kabul",
    time_zone="Asia/Kabul",
)
WOMEN = Group(sex="female", category="ministry", institution=MINISTRY, persons=20)
MEN = Group(sex="male", persons=40)
ANNOUNCED = TrainingAnnounced(
    happened_at=START,
    frame=FRAME,
    training_kind="workshop",
    training_topic="planning",
    starts_on=date(2026, 1, 5),
    ends_on=date(2026, 1, 6),
)
HELD = TrainingHeld(happened_at=START + timedelta(days=1), sessions=5, participants=(WOMEN, MEN))
CORRECTED = TrainingParticipantsCorrected(
    happened_at=HELD.happened_at, correction=1, participants=(WOMEN,), reason="attendance_list"
)


def told(*events: Event) -> list[Fact]:
    rows = [
        EventRow(
            *(event.topic, id_of("case"), 1, number, type(event).__name__),
            *(microseconds_of(event.happened_at), 1_000 + number, "kabul", "example-1", 1),
            *payload_of(type(event))(event),
        )
        for number, event in enumerate(events, 1)
    ]
    return facts_of(rows, lambda _: "Asia/Kabul")


def named(fact: Fact) -> dict[str, Any]:
    return dict(zip(fields_of(CATALOGUE.kinds[fact.kind].family), fact.values, strict=True))


def test_a_group_of_participants_is_a_fact_in_the_trainings_frame() -> None:
    announced, held, women, men = told(ANNOUNCED, HELD)
    assert [one.kind for one in (announced, held, women, men)] == [
        "training_announced",
        "training_held",
        "training_participants",
        "training_participants",
    ]
    assert (named(held)["sessions"], named(held)["participants"], named(held)["institution"]) == (5, None, INSTITUTION)
    said = named(women)
    assert (said["sex"], said["participant_category"], said["participants"]) == ("female", "ministry", 20)
    assert (said["institution"], said["country"], said["training_topic"]) == (MINISTRY, "AF", "planning")
    # Whose institution is not said belongs to the one for which the training was held.
    assert (named(men)["institution"], named(men)["participant_category"]) == (INSTITUTION, None)


def test_a_correction_takes_back_every_group_and_counts_on_the_day_of_the_training() -> None:
    facts = told(ANNOUNCED, HELD, CORRECTED)
    groups = [one for one in facts if one.kind == "training_participants"]
    assert [(one.known_from, one.known_to) for one in groups] == [(1_002, 1_003), (1_002, 1_003), (1_003, None)]
    assert len({one.local_day for one in groups}) == 1
    assert [one.known_to for one in facts if one.kind == "training_held"] == [None]


REVISED: dict[str, Any] = {"fact": 2, "of": "TrainingHeld", "replaces": id_of("event"), "reason": "mistake"}


def test_a_training_that_is_taken_back_is_counted_no_more_as_told_anew_either() -> None:
    again = CORRECTED.model_copy(update={"correction": 2, "participants": (MEN,)})
    gone = TrainingFactTakenBack(happened_at=START, status="announced", **REVISED)
    facts = told(ANNOUNCED, HELD, CORRECTED, again, gone)
    assert [one.kind for one in facts if one.known_to is None] == ["training_announced"]
    assert {one.known_to for one in facts if one.sequence == 4} == {1_005}


def test_the_count_made_anew_counts_at_the_right_time_of_its_training_and_the_first_one_no_more() -> None:
    right = HELD.happened_at - timedelta(days=40)
    facts = told(ANNOUNCED, HELD, CORRECTED, TrainingTimeCorrected(happened_at=right, **REVISED))
    standing = [one for one in facts if one.known_to is None and one.kind != "training_announced"]
    assert [(one.kind, named(one)["participants"]) for one in standing] == [
        ("training_held", None),
        ("training_participants", 20),
    ]
    assert {one.happened_us for one in standing} == {microseconds_of(right)}


def test_works_tell_their_kind_and_whom_they_reach() -> None:
    proposed, begun, completed = told(
        SiteProposed(happened_at=START, frame=FRAME, site_kind="village"),
        WorksBegun(happened_at=START, work=1, work_kind="water_system"),
        WorksCompleted(happened_at=START, work=1, work_kind="water_system", families=64),
    )
    assert named(proposed)["site_kind"] == named(begun)["site_kind"] == "village"
    assert (named(begun)["work_kind"], named(begun)["families"]) == ("water_system", None)
    assert (named(completed)["families"], named(completed)["persons"]) == (64, None)


def test_trainings_and_sites_are_things() -> None:
    assert (TRAINING_FACTS.unit, SITE_FACTS.unit) == ("thing", "thing")
    assert (TRAINING_FACTS.person, SITE_FACTS.person) == (False, False)


def test_participants_counted_anew_after_the_training_moved_count_at_the_office_that_held_it() -> None:
    """Kabul's training of the last hours of a year, which another office has had since and counts anew."""
    story, training = Story(office="kabul"), id_of("case")
    story.published()
    night = datetime(2026, 12, 31, 21, tzinfo=UTC)
    held = HELD.model_copy(update={"happened_at": night})
    moved = TrainingTransferred(
        happened_at=night + timedelta(hours=2), office="bogota", left="kabul", time_zone="America/Bogota"
    )
    story.tell(training, ANNOUNCED)
    story.tell(training, held)
    story.tell(training, moved, office="bogota")
    for number in (1, 2):
        anew = {"happened_at": night, "correction": number, "participants": (WOMEN,)[: number % 2] or (MEN,)}
        story.tell(training, CORRECTED.model_copy(update=anew), office="bogota")
    model = ReadModel(None)
    model.apply(batch_of(story.records))
    found = stored(model)
    counted = [row for row in found if row["kind"] == "training_participants"]
    assert len(counted) == 4
    in_kabul = (date(2027, 1, 1) - date(1970, 1, 1)).days
    assert {(row["office"], row["local_day"]) for row in counted} == {("kabul", in_kabul)}
    assert anew_in(model) == found


def test_both_readings_agree_on_a_training_that_was_counted_anew_and_put_right_at_another_office() -> None:
    story, training = Story(office="kabul"), id_of("case")
    story.published()
    later = HELD.happened_at + timedelta(days=3)
    moved = TrainingTransferred(happened_at=later, office="bogota", left="kabul", time_zone="America/Bogota")
    story.tell(training, ANNOUNCED)
    story.tell(training, HELD)
    story.tell(training, moved, office="bogota")
    story.tell(training, CORRECTED, office="bogota")
    right = TrainingTimeCorrected(happened_at=HELD.happened_at - timedelta(days=1), **REVISED)
    story.tell(training, right, office="bogota")
    model = ReadModel(None)
    model.apply(batch_of(story.records))
    found = stored(model)
    counted = [row for row in found if row["kind"] == "training_participants" and row["known_to"] == NEVER_MS]
    assert [(row["office"], row["participants"], row["happened_us"]) for row in counted] == [
        ("kabul", 20, microseconds_of(right.happened_at))
    ]
    assert anew_in(model) == found
