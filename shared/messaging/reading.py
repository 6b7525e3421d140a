"""A record of the log as an event of this project."""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts.base import Envelope, Event
from shared.contracts.registry import UnreadableBody, UnregisteredType
from shared.contracts.registry import read as read_event
from shared.messaging.port import Record
from shared.messaging.shadow import named_by


@dataclass(frozen=True)
class Unreadable:
    """A record that is no event of this project; without a readable subject its position names its shadow.

    `envelope`: what its headers say, where they can be read.
    """

    subject: str
    reason: str
    envelope: Envelope | None = None


def parse(record: Record) -> tuple[Envelope, Event] | Unreadable:
    """Reads headers and body; never raises."""
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


def envelope_of(read: tuple[Envelope, Event] | Unreadable) -> Envelope | None:
    """What the headers of the record say, also where its body cannot be read."""
    return read.envelope if isinstance(read, Unreadable) else read[0]
