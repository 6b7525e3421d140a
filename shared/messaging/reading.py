"""A record of the log as an event of this project."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.base import Envelope, Event
from shared.contracts.registry import UnreadableBody, UnregisteredType
from shared.contracts.registry import read as read_event
from shared.messaging.local_record import StoredRecord
from shared.messaging.port import Record
from shared.messaging.shadow import named_by
from shared.messaging.topics import TOPICS

# The services of one process follow the same topics of the local log: what one of them has just read, the others find
# here. Nothing of a compacted topic, whose records are a person's attributes and have to go with an erasure.
KEPT = frozenset(name for name, topic in TOPICS.items() if not topic.compacted)
RECENT_AT_MOST, SMALL_BYTES = 512, 4_096


@dataclass(frozen=True)
class Unreadable:
    """A record that is no event of this project; without a readable subject its position names its shadow.

    `envelope`: what its headers say, where they can be read.
    """

    subject: str
    reason: str
    envelope: Envelope | None = None


Read = tuple[Envelope, Event] | Unreadable
_recent: dict[tuple[object, ...], tuple[Envelope, Event]] = {}


def parse(record: Record) -> Read:
    """Reads headers and body; never raises."""
    if not isinstance(record, StoredRecord) or len(record.value or b"") > SMALL_BYTES or record.topic not in KEPT:
        return _parsed(record)
    exact = record.raw_headers, record.key, record.value
    found = _recent.get(exact)
    if found is None:
        read = _parsed(record)
        if isinstance(read, Unreadable):
            return read
        if len(_recent) >= RECENT_AT_MOST:
            del _recent[next(iter(_recent))]
        found = _recent[exact] = read
    return found


def _parsed(record: Record) -> Read:
    subject = named_by((record.topic, record.partition, record.offset))
    try:
        envelope = Envelope.of({name: raw.decode() for name, raw in record.named.items()})
        if record.key is None or record.key.decode() != envelope.subject:
            return Unreadable(subject, "unreadable:subject")
    except (ValueError, KeyError, IndexError):
        return Unreadable(subject, "unreadable:headers")
    try:
        return envelope, read_event(envelope, record.value or b"")
    except UnregisteredType:
        return Unreadable(envelope.subject, "unregistered_type", envelope)
    except UnreadableBody:
        return Unreadable(envelope.subject, "unreadable:body", envelope)


def envelope_of(read: Read) -> Envelope | None:
    """What the headers of the record say, also where its body cannot be read."""
    return read.envelope if isinstance(read, Unreadable) else read[0]
