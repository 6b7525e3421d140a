"""The events that all of them read: whole matches on some assignments, on the topics that ours declares."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from shared.contracts.matching.matches import (
    ApplicationReceived,
    AssignmentMatched,
    MatchParties,
    OfferAccepted,
    OfferMade,
)
from shared.messaging.kafka import KafkaLog
from shared.messaging.port import Message, Record
from tests.unit.monitoring.story import START, Story, id_of, terms

TOPIC = "matching.matches"
ASSIGNMENTS = 200
EVENTS_A_MATCH = 4
MONTHS = 12
OFFICES = ("kabul", "bogota")
APPENDED_AT_ONCE = 500
# What every event that follows a request has besides; the tale leaves them out.
CAUSE = (
    ("ce_correlationid", id_of("correlation").encode()),
    ("ce_causationid", id_of("causation").encode()),
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)


def told(events: int) -> Iterator[Record]:
    """The programme, approved assignments, then so many events of matches; in the order of a log."""
    story = Story()
    story.published()
    for number in range(ASSIGNMENTS):
        story.assignment(str(number))
    yield from _taken(story)
    for number in range(events // EVENTS_A_MATCH):
        _match(story, number)
        yield from _taken(story)


def _match(story: Story, number: int) -> None:
    at = START + timedelta(days=30 * (number % MONTHS))
    office = OFFICES[number % len(OFFICES)]
    assignment = id_of("assignment", str(number % ASSIGNMENTS))
    person, expert = id_of("person", str(number)), id_of("expert", str(number))
    parties = MatchParties(assignment=assignment, expert=expert, person=person)
    for event in (
        ApplicationReceived(happened_at=at, parties=parties, terms=terms()),
        AssignmentMatched(happened_at=at, parties=parties),
        OfferMade(happened_at=at, expires_at=at + timedelta(days=14)),
        OfferAccepted(happened_at=at, parties=parties, terms=terms()),
    ):
        story.tell(id_of("match", str(number)), event, office=office)


def _taken(story: Story) -> list[Record]:
    records, story.records = story.records, []
    return records


async def fill(log: KafkaLog, events: int) -> tuple[int, float]:
    """Appends them; how many records there are on all topics, and the mean size of the topic's with headers."""
    records, total, size = told(events), 0, 0
    while batch := list(islice(records, APPENDED_AT_ONCE * 6)):
        parts: dict[tuple[str, int], list[Message]] = {}
        for record in batch:
            message = Message((record.key or b"").decode(), record.value or b"", record.headers + CAUSE)
            parts.setdefault((record.topic, record.partition), []).append(message)
            if record.topic == TOPIC:
                size += len(message.value) + sum(len(name) + len(value) for name, value in message.headers)
        for (topic, partition), messages in parts.items():
            await log.append(topic, partition, messages)
        total += len(batch)
    return total, size / events
