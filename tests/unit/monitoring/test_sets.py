"""Facts are a function of the set of events: no order, no repetition and no batching changes them, and what is
known as of an instant is what the events before it say."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitoring.store import ReadModel
from shared.clock import derived_id as id_of
from shared.contracts.base import Event
from shared.contracts.frame import Frame
from shared.contracts.matching.assignments import AssignmentFilled, AssignmentReopened
from shared.contracts.matching.matches import MatchRetracted, OfferDeclined
from shared.contracts.placement.placements import (
    PlacementCancelled,
    PlacementContractCorrected,
    PlacementExtended,
    PlacementFactTakenBack,
    PlacementTimeCorrected,
    ReturnCompleted,
    ReturnStarted,
)
from shared.contracts.placement.trainings import (
    Group,
    TrainingAnnounced,
    TrainingCancelled,
    TrainingFactTakenBack,
    TrainingHeld,
    TrainingParticipantsCorrected,
    TrainingTimeCorrected,
)
from shared.contracts.registration.experts import ExpertDeclaredIneligible
from shared.messaging.port import Record
from tests.unit.monitoring.story import PROGRAMME, START, Story, batch_of, derived, entry, model_of, stored

SEEDS = st.integers(0, 10_000)
VERSION = ("known_from", "known_to")
FRAME = Frame(
    country="AF", sector="health", programme=PROGRAMME, programme_version=1, office="kabul", time_zone="Asia/Kabul"
)


def random_story(seed: int) -> Story:
    """Some persons on their way, with corrections, retractions and cancellations; some instants coincide.

    The last fact of a placement is put right now and then, and so are a contract's days.
    """
    dice = random.Random(seed)
    story = Story(office=dice.choice(["kabul", "bogota"]))
    story.published()
    names = ["a", "b", "c"][: dice.randint(1, 3)]
    entries = {name: [entry(name, "first", sex="male", birth_year=1980, country_of_residence="NL")] for name in names}
    for name in names:
        story.person(name, sex="male", birth_year=1980, country_of_residence="NL")
    placements: dict[str, str] = {}
    trails: dict[str, list[int]] = {}

    def on_placement(name: str, event: Event, pause: int, *, last: bool = False) -> None:
        story.tell(placements[name], event, step_ms=pause)
        trails[name] = [] if last else [*trails[name], story.sequences[event.topic, placements[name]]]

    for step in range(dice.randint(0, 14)):
        name = dice.choice(names)
        happened = START + timedelta(days=step)
        pause = dice.choice([0, 1, 500])
        match dice.randint(0, 15):
            case 0:
                newer = entry(
                    name,
                    f"entry {step}",
                    dice.choice([date(2025, 1, 1), date(2026, 1, 15)]),
                    hours=step,
                    sex=dice.choice(["male", "female"]),
                    birth_year=1980,
                    country_of_residence=dice.choice(["NL", "DE"]),
                )
                entries[name].append(newer)
                story.profile(name, entries[name])
            case 1 | 2 if name not in placements:
                story.accepted(name, at=happened)
                placements[name] = story.opened(name, at=happened)
                trails[name] = [2]
            case (3 | 4 | 5) as number if name in placements:
                on_placement(name, running(number, happened, step), pause)
            case 6 if name in placements:
                match = id_of("match", name, name)
                cancelled = PlacementCancelled(happened_at=happened, match=match, reason="visa")
                on_placement(name, cancelled, pause, last=True)
                story.tell(match, MatchRetracted(happened_at=happened, reason="cancelled"), step_ms=pause)
            case 7:
                for event in (AssignmentFilled(happened_at=happened), AssignmentReopened(happened_at=happened)):
                    story.tell(id_of("assignment", name), event, step_ms=pause)
            case 8:
                ineligible = ExpertDeclaredIneligible(
                    happened_at=happened, person=id_of("person", name), criteria=("age",)
                )
                story.tell(id_of("expert", name), ineligible, step_ms=pause)
            case (9 | 10 | 11 | 12) as number if trails.get(name):
                story.tell(placements[name], revising(number, trails[name], happened, dice), step_ms=pause)
            case _:
                elsewhere(story, name, dice, happened, pause)
    return story


def elsewhere(story: Story, name: str, dice: random.Random, at: datetime, pause: int) -> None:
    """What concerns no placement."""
    if dice.random() < 0.3:
        story.tell(id_of("match", name, name), OfferDeclined(happened_at=at, reason="no"), step_ms=pause)
    else:
        on_training(story, dice, at, pause)


def on_training(story: Story, dice: random.Random, at: datetime, pause: int) -> None:
    """A training is held, or its last fact is put right, or its participants are counted anew."""
    training, place = id_of("training"), ("placement.trainings", id_of("training"))
    if place not in story.sequences:
        days = {"starts_on": date(2026, 2, 1), "ends_on": date(2026, 2, 5)}
        story.tell(training, TrainingAnnounced(happened_at=at, frame=FRAME, training_kind="workshop", **days))
    fact = dice.randint(2, 1 + max(1, story.sequences[place]))
    named: dict[str, Any] = {"of": "Fact", "replaces": id_of("event"), "reason": "mistake", "fact": fact}
    groups = tuple(Group(sex=sex, persons=dice.randint(1, 9)) for sex in ("female", "male")[: dice.randint(1, 2)])
    event: Event = dice.choice(
        (
            TrainingHeld(happened_at=at, sessions=2, participants=groups),
            TrainingCancelled(happened_at=at, reason="mistake"),
            TrainingParticipantsCorrected(happened_at=at, correction=1, participants=groups, reason="left_out"),
            TrainingTimeCorrected(happened_at=at - timedelta(days=dice.randint(0, 3)), **named),
            TrainingFactTakenBack(happened_at=at, status="announced", **named),
        )
    )
    story.tell(training, event, step_ms=pause)


def running(number: int, at: datetime, step: int) -> Event:
    """What happens to a placement under its contract."""
    extended = PlacementExtended(happened_at=at, ends_on=date(2026, 6, 1) + timedelta(days=step))
    return {3: ReturnStarted(happened_at=at), 4: ReturnCompleted(happened_at=at), 5: extended}[number]


def revising(number: int, trail: list[int], at: datetime, dice: random.Random) -> Event:
    """Puts the last fact of the trail right, or takes it back, or the contract's days."""
    named: dict[str, Any] = {"of": "Fact", "replaces": id_of("event"), "reason": "mistake"}
    ends_on = date(2026, 4, 1) + timedelta(days=dice.randint(0, 9))
    if number == 11:
        return PlacementFactTakenBack(happened_at=at, status="active", fact=trail.pop(), ends_on=ends_on, **named)
    if number == 12:
        named |= {"starts_on": date(2026, 2, 1), "ends_on": ends_on}
        return PlacementContractCorrected(happened_at=at, fact=2, **named)
    return PlacementTimeCorrected(happened_at=at - timedelta(days=dice.randint(0, 3)), fact=trail[-1], **named)


def mixed(story: Story, dice: random.Random) -> list[Record]:
    """All records and some of them twice, in any order; the later copy was appended later."""
    copies = [story.again(record) for record in list(story.records) if dice.random() < 0.3]
    records = [*story.records[: len(story.records) - len(copies)], *copies]
    dice.shuffle(records)
    return records


def visible(rows: list[dict[str, Any]], as_of_ms: int) -> list[dict[str, Any]]:
    """What counts as of that instant, without since when it is known."""
    found = [row for row in rows if row["known_from"] < as_of_ms <= row["known_to"]]
    return [{column: value for column, value in row.items() if column not in VERSION} for row in found]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_the_facts(seed: int, dice: random.Random) -> None:
    story = random_story(seed)
    expected = derived(story.records)
    assert derived(mixed(story, dice)) == expected


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0, 1))
def test_as_of_an_instant_counts_what_the_events_before_it_say(seed: int, place: float) -> None:
    story = random_story(seed)
    first = story.records[0].appended_ms + 1
    as_of = first + round(place * (story.now_ms + 2 - first))
    before = [record for record in story.records if record.appended_ms < as_of]
    assert visible(derived(story.records), as_of) == visible(derived(before), as_of)


@settings(max_examples=12, deadline=None)
@given(SEEDS, st.randoms(use_true_random=False))
def test_any_batches_in_any_order_give_the_model_that_one_batch_gives(seed: int, dice: random.Random) -> None:
    story = random_story(seed)
    whole = model_of(story.records)
    # Duplicates come after their first occurrence, as the log gives them; subjects come in any order.
    records = sorted(mixed(story, dice), key=lambda r: (crc32(f"{seed}/{r.topic}/{r.partition}".encode()), r.offset))
    model, least = ReadModel(None), len(records) // 5 + 1
    while records:
        size = dice.randint(least, 2 * least)
        model.apply(batch_of(records[:size]))
        records = records[size:]
    assert stored(model) == stored(whole) == derived(story.records)
    assert model.digests() == whole.digests()
    model.close()
    whole.close()
