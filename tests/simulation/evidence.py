"""What checkers look at: documents, records and positions, read through the ports' scan and read alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shared.contracts.base import Envelope
from shared.messaging.port import Position, Record
from shared.store.port import Document


@dataclass(frozen=True)
class Violation:
    """A broken invariant: its id in docs/faults.md, whose, and what is wrong."""

    invariant: str
    subject: str
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.detail}"


@dataclass(frozen=True)
class Read:
    """A record whose headers can be read."""

    record: Record
    envelope: Envelope

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order of its subject's events on the topic."""
        return self.envelope.epoch, self.envelope.sequence

    @property
    def position(self) -> tuple[str, int, int]:
        return self.record.topic, self.record.partition, self.record.offset

    @property
    def name(self) -> str:
        """The event's name without its owner."""
        return self.envelope.type.rsplit(".", 1)[1]


@dataclass(frozen=True)
class Evidence:
    """All that a run left behind.

    `documents`: by service and collection. `records`: by topic, by partition and offset. `positions`: by group.
    """

    documents: Mapping[str, Mapping[str, list[Document]]] = field(default_factory=dict)
    records: Mapping[str, list[Record]] = field(default_factory=dict)
    positions: Mapping[str, Mapping[Position, int]] = field(default_factory=dict)
    _streams: dict[str, dict[str, list[Read]]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def all_of(self, service: str) -> Iterator[tuple[str, Document]]:
        """Each document of a service with its collection."""
        for collection, documents in self.documents.get(service, {}).items():
            for document in documents:
                yield collection, document

    def streams(self, topic: str) -> dict[str, list[Read]]:
        """The readable records of a topic by subject, each in the order of its partition."""
        if topic not in self._streams:
            by_subject: dict[str, list[Read]] = defaultdict(list)
            for read in readable(self.records.get(topic, [])):
                by_subject[read.envelope.subject].append(read)
            self._streams[topic] = dict(by_subject)
        return self._streams[topic]

    def reads(self, topic: str) -> list[Read]:
        """The first occurrence of each readable event of a topic."""
        return [read for reads in self.streams(topic).values() for read in firsts(reads)]


def read_headers(record: Record) -> Envelope | None:
    """The envelope; None for a record that is no event of this project."""
    try:
        envelope = Envelope.of({name: raw.decode() for name, raw in record.headers})
    except (ValueError, KeyError, IndexError):
        return None
    return envelope if record.key is not None and record.key == envelope.subject.encode() else None


def readable(records: Iterable[Record]) -> list[Read]:
    read = ((record, read_headers(record)) for record in records)
    return [Read(record, envelope) for record, envelope in read if envelope is not None]


def firsts(reads: Iterable[Read]) -> list[Read]:
    """The first occurrence of each event, in the order of arrival."""
    by_id: dict[str, Read] = {}
    for read in reads:
        by_id.setdefault(read.envelope.id, read)
    return list(by_id.values())
