"""What a batch changes: facts that later events only add to stay as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.monitoring.domain.changes import Change, change_of
from services.monitoring.domain.derivation import Known, fact_rows
from services.monitoring.domain.rows import EventRow
from services.monitoring.domain.zones import Zones
from services.monitoring.held import groups_of
from shared.contracts.matching.assignments import AssignmentDrafted, AssignmentPublished
from shared.contracts.placement.placements import PlacementCancelled, ReturnCompleted, ReturnStarted
from shared.messaging.topics import PLACEMENTS
from tests.unit.monitoring.story import START, Story, batch_of, id_of, terms

NOTHING_KNOWN = Known({}, Zones())
TABLE = "facts_placements"


def placement(*, cancelled: bool = False) -> list[EventRow]:
    """The events of one placement, in their order."""
    story = Story()
    subject = story.opened("a")
    story.tell(subject, ReturnStarted(happened_at=START))
    story.tell(subject, ReturnCompleted(happened_at=START + timedelta(days=20)))
    if cancelled:
        story.tell(subject, PlacementCancelled(happened_at=START, match=id_of("match", "a", "a"), reason="visa"))
    return batch_of(story.records).events


def change(held: Sequence[EventRow], told: Sequence[EventRow], *restated: str) -> Change:
    return change_of(groups_of(held), groups_of(told), NOTHING_KNOWN, restated)


def test_a_later_event_adds_its_own_facts_alone() -> None:
    events = placement()
    found = change(events[:-1], events)
    assert not found.stale
    assert [row[0] for row in found.rows[TABLE]] == ["return_completed"]


def test_what_came_before_others_or_takes_them_back_writes_the_case_anew() -> None:
    events = placement(cancelled=True)
    whole = fact_rows(groups_of(events), NOTHING_KNOWN)
    for held in (events[:2] + events[3:], events[:-1]):
        found = change(held, events)
        assert found.stale == {PLACEMENTS.name: [events[0].subject]}
        assert found.rows[TABLE] == whole[TABLE]


def test_a_person_of_whom_something_new_is_known_has_the_case_written_anew() -> None:
    events = placement()
    assert change(events, events).rows[TABLE] == []
    assert change(events, events, id_of("person", "b")).stale == {}
    assert change(events, events, id_of("person", "a")).stale == {PLACEMENTS.name: [events[0].subject]}
    days_changed = change_of(groups_of(events), groups_of(events), NOTHING_KNOWN, None)
    assert days_changed.stale == {PLACEMENTS.name: [events[0].subject]}


def test_nothing_is_removed_where_nothing_was_told() -> None:
    story = Story()
    story.tell(id_of("assignment", "a"), AssignmentDrafted(happened_at=START, terms=terms()))
    story.tell(id_of("assignment", "a"), AssignmentPublished(happened_at=START))
    events = batch_of(story.records).events
    found = change(events[:1], events)
    assert not found.stale
    assert found.rows == fact_rows(groups_of(events), NOTHING_KNOWN)
