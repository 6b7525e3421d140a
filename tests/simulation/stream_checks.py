"""I8, I9, I10 and the fold: what the documents' format alone promises. Pure functions over evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.clock import short_hash
from shared.contracts.base import Event
from shared.contracts.registry import read as read_event
from shared.messaging.handlers import Handlers
from shared.messaging.port import Record
from shared.store.port import Document
from tests.simulation.evidence import Evidence, Read, Violation, firsts, read_headers, readable


def link(chain: str, event_id: str, body: bytes) -> str:
    """The next link of a subject's hash chain on a topic, stated here apart from the kernel that writes it."""
    return hashlib.sha256(chain.encode() + b"\n" + event_id.encode() + b"\n" + body).hexdigest()


def check_outboxes(evidence: Evidence, service: str) -> Iterator[Violation]:
    """I8: after convergence nothing waits to be sent."""
    for collection, document in evidence.all_of(service):
        if document.get("outbox") or document.get("pending"):
            left = len(document.get("outbox") or [])
            yield Violation("I8", f"{collection}/{document['_id']}", f"{left} events still in the outbox")


def check_streams(evidence: Evidence, service: str, compacted: Collection[str] = ()) -> Iterator[Violation]:
    """I8: each subject's first occurrences give the counts and chains that its document's `emitted` holds.

    Topics in `compacted` are checked by their head. What no document emitted was invented (I2).
    """
    heads = {
        (f"{service}.{aggregate}", document["_id"]): head
        for _, document in evidence.all_of(service)
        for aggregate, head in document.get("emitted", {}).items()
    }
    for topic in evidence.records:
        if topic.split(".", 1)[0] != service:
            continue
        streams = evidence.streams(topic)
        for subject in streams:
            if (topic, subject) not in heads:
                yield Violation("I2", f"{topic}/{subject}", "events of a subject that no document emitted")
        for subject in (subject for at, subject in heads if at == topic):
            check = check_head if topic in compacted else check_chain
            yield from check(topic, subject, streams.get(subject, []), heads[topic, subject])


def check_head(topic: str, subject: str, reads: Sequence[Read], head: Mapping[str, Any]) -> Iterator[Violation]:
    """I8 on a compacted topic: the last record of the subject is its document's newest."""
    expected = (head["epoch"], head["count"])
    if not reads:
        yield Violation("I8", f"{topic}/{subject}", f"no record where {expected} is the head")
    elif reads[-1].place != expected:
        yield Violation("I8", f"{topic}/{subject}", f"head {reads[-1].place} where {expected} was emitted")


def check_chain(topic: str, subject: str, reads: Sequence[Read], head: Mapping[str, Any]) -> Iterator[Violation]:
    """I8 on a topic that keeps everything: sequence without gaps, count and chain for each epoch."""
    name = f"{topic}/{subject}"
    yield from _check_repetitions(name, reads)
    chains = [""]
    epochs = {count: epoch for epoch, count, _ in head["began"]}
    epoch = 0
    for expected, read in enumerate(firsts(reads), 1):
        epoch = epochs.get(expected - 1, epoch)
        if read.place != (epoch, expected):
            yield Violation("I8", name, f"first occurrence of {read.place} where {(epoch, expected)} follows")
            return
        chains.append(link(chains[-1], read.envelope.id, read.record.value or b""))
    if len(chains) - 1 != head["count"]:
        yield Violation("I8", name, f"{len(chains) - 1} events on the topic, {head['count']} emitted")
        return
    if chains[-1] != head["chain"]:
        yield Violation("I8", name, "the hash chain differs")
    for began, count, chain in head["began"]:
        if chains[count] != chain:
            yield Violation("I8", name, f"the hash chain at the beginning of epoch {began} differs")


def _check_repetitions(name: str, reads: Sequence[Read]) -> Iterator[Violation]:
    known: dict[str, Read] = {}
    for read in reads:
        first = known.setdefault(read.envelope.id, read)
        if (first.record.value, first.record.headers) != (read.record.value, read.record.headers):
            yield Violation("I8", name, f"event {read.envelope.id} was sent with two contents")
        if first.record.partition != read.record.partition:
            yield Violation("I8", name, "the subject is on two partitions")


# Who is a reserve follows from the assignment as it stands, whichever round it is looked at for: a request gives its
# round the ranks before the events are read, and an earlier round that is heard of late counts these too. What is
# answered to a match's event is in the order of that match.
COUNTED_AT_ONCE = frozenset({("MatchReserved", "AssignmentMatchingStarted")})


def check_causes(evidence: Evidence) -> Iterator[Violation]:
    """I9: what a document emitted in answer to another subject's events follows that subject's order."""
    causes = {read.envelope.id: read for topic in evidence.records for read in evidence.reads(topic)}
    last: dict[tuple[str, str, str, str], tuple[int, int]] = {}
    for topic in evidence.records:
        for subject, reads in evidence.streams(topic).items():
            for read in sorted(firsts(reads), key=lambda read: read.place):
                # Two foreign subjects share no order; only answers to the same one are compared.
                cause = causes.get(read.envelope.causation_id or "")
                if cause is None or (read.name, cause.name) in COUNTED_AT_ONCE:
                    continue
                key = (topic, subject, cause.record.topic, cause.envelope.subject)
                if cause.place < last.get(key, cause.place):
                    detail = f"{read.name} answers {cause.name} {cause.place} after a later one of the same subject"
                    yield Violation("I9", f"{topic}/{subject}", detail)
                last[key] = max(cause.place, last.get(key, cause.place))


@dataclass(frozen=True)
class Consequence:
    """What an event must have led to: a command under this id, accepted by a document of the collection."""

    collection: str
    command_id: str


Consequences = Callable[[Read], Sequence[Consequence]]


def _nothing_follows(_read: Read) -> Sequence[Consequence]:
    return ()


@dataclass(frozen=True)
class Reader:
    """A group: the service whose shadows it keeps, its topics, the types that it handles, what follows from them.

    `handled`: its table, for what its shadows have to know.
    """

    service: str
    topics: Sequence[str]
    ignored: Collection[str] = ()
    shadows: str = "shadows"
    consequences: Consequences = _nothing_follows
    handled: Handlers = field(default_factory=dict)


def check_reader(evidence: Evidence, reader: Reader) -> Iterator[Violation]:
    """I10: below the group's position each event is at or below the mark, parked, dropped and listed, or ignored."""
    shadows = {shadow["_id"]: shadow for shadow in evidence.documents[reader.service].get(reader.shadows, [])}
    positions = evidence.positions.get(reader.service, {})
    parked = Held(evidence, reader, shadows.values(), "parked")
    dropped = Held(evidence, reader, shadows.values(), "dropped")
    for topic in reader.topics:
        for record in evidence.records.get(topic, []):
            if record.offset < positions.get((topic, record.partition), 0):
                yield from _check_record(record, shadows, (parked, dropped), reader.ignored)
    yield from _check_marks(evidence, reader, shadows)
    yield from _check_consequences(evidence, reader, shadows, dropped)


class Held:
    """What is parked, or dropped, by position and, since any copy of an event may be the one, by event id."""

    def __init__(self, evidence: Evidence, reader: Reader, shadows: Iterable[Document], what: str) -> None:
        entries = (entry for shadow in shadows for entry in shadow.get(what, []))
        self.positions = {(entry["topic"], entry["partition"], entry["offset"]) for entry in entries}
        reads = (read for topic in reader.topics for read in readable(evidence.records.get(topic, [])))
        self.ids = {read.envelope.id for read in reads if read.position in self.positions}


def _check_record(
    record: Record, shadows: Mapping[str, Document], held: tuple[Held, Held], ignored: Collection[str]
) -> Iterator[Violation]:
    parked, dropped = held
    position = (record.topic, record.partition, record.offset)
    envelope = read_headers(record)
    if envelope is None:
        if position not in parked.positions | dropped.positions:
            yield Violation("I10", ":".join(map(str, position)), "an unreadable record is neither parked nor dropped")
        return
    if envelope.type in ignored:
        return
    shadow = shadows.get(envelope.subject)
    marked = shadow is not None and mark_of(shadow, record.topic) >= (envelope.epoch, envelope.sequence)
    name = f"{record.topic}/{envelope.subject}"
    if envelope.id in parked.ids & dropped.ids:
        yield Violation("I10", name, f"event {envelope.sequence} is both parked and dropped")
    if not marked and envelope.id not in parked.ids | dropped.ids:
        yield Violation("I10", name, f"event {envelope.sequence} is neither marked nor parked")
    if marked and envelope.id in parked.ids:
        yield Violation("I10", name, f"event {envelope.sequence} is both marked and parked")


def mark_of(shadow: Document, topic: str) -> tuple[int, int]:
    """The last (epoch, sequence) of the topic that the shadow's service applied; (0, 0) for none."""
    epoch, sequence = shadow["marks"].get(topic.replace(".", "/"), (0, 0))
    return epoch, sequence


def _check_marks(evidence: Evidence, reader: Reader, shadows: Mapping[str, Document]) -> Iterator[Violation]:
    for topic in reader.topics:
        streams = evidence.streams(topic)
        for subject, shadow in shadows.items():
            mark = mark_of(shadow, topic)
            if mark > max((read.place for read in streams.get(subject, [])), default=(0, 0)):
                yield Violation("I10", f"{topic}/{subject}", f"the mark {mark} is above every event")


def _check_consequences(
    evidence: Evidence, reader: Reader, shadows: Mapping[str, Document], dropped: Held
) -> Iterator[Violation]:
    applied = {
        collection: {short for document in documents for short in document.get("applied", {})}
        for collection, documents in evidence.documents[reader.service].items()
    }
    for topic in reader.topics:
        for read in evidence.reads(topic):
            shadow = shadows.get(read.envelope.subject)
            if shadow is None or mark_of(shadow, topic) < read.place or read.envelope.id in dropped.ids:
                continue
            for consequence in reader.consequences(read):
                if short_hash(consequence.command_id) not in applied.get(consequence.collection, set()):
                    detail = f"{read.name} {read.place} is marked, its effect in {consequence.collection} is missing"
                    yield Violation("I10", f"{topic}/{read.envelope.subject}", detail)


def check_known(evidence: Evidence, reader: Reader) -> Iterator[Violation]:
    """I10: what a shadow knows follows from the events at or below its marks but the dropped ones, topic by topic in
    their order, and from what stops people wherever it waits."""
    shadows = {shadow["_id"]: shadow for shadow in evidence.documents[reader.service].get(reader.shadows, [])}
    dropped = Held(evidence, reader, shadows.values(), "dropped")
    known: dict[str, dict[str, Any]] = {subject: {} for subject in shadows}
    for topic in reader.topics:
        for read in sorted(evidence.reads(topic), key=lambda read: read.place):
            event = read_event(read.envelope, read.record.value or b"")
            handler, shadow = reader.handled.get(type(event)), shadows.get(read.envelope.subject)
            if handler is None or shadow is None or read.envelope.id in dropped.ids:
                continue
            if handler.stops or mark_of(shadow, topic) >= read.place:
                known[shadow["_id"]] = handler.known(known[shadow["_id"]], event, read.envelope)
    for subject, shadow in shadows.items():
        if known[subject] != shadow["knowledge"]:
            yield Violation("I10", f"{reader.service} shadow/{subject}", "knows something else than its events say")


def check_past(evidence: Evidence, service: str, collection: str, topic: str) -> Iterator[Violation]:
    """What a document tells of its past is what its topic has: all of it, or after an erasure the end of it."""
    streams = evidence.streams(topic)
    for document in evidence.documents[service].get(collection, []):
        reads = sorted(firsts(streams.get(document["_id"], [])), key=lambda read: read.place)
        happened = [(read.name, read.envelope.time) for read in reads]
        names = {name for name, _ in happened}
        told = [(one["fact"], one["at"]) for one in document.get("past", ()) if one["fact"] in names]
        missing = len(happened) - len(told)
        emitted = sum(head["count"] for head in document.get("emitted", {}).values())
        whole = emitted == len(document.get("past", ()))
        if told != happened[max(missing, 0) :] or (whole and missing):
            yield Violation("past", f"{collection}/{document['_id']}", "tells something else than its topic")


def check_fold(
    evidence: Evidence,
    service: str,
    collection: str,
    topics: Sequence[str],
    evolve: Callable[[Any, Event], Any],
) -> Iterator[Violation]:
    """State is the fold of the document's events, over its topics in the order in which a command emits them."""
    streams = {topic: evidence.streams(topic) for topic in topics}
    for document in evidence.documents[service].get(collection, []):
        reads = [
            (read.envelope.recorded_time or "", topics.index(topic), read.place, read)
            for topic in topics
            for read in firsts(streams[topic].get(document["_id"], []))
        ]
        # Two topics share no order, but one command emits on them in a fixed one and at one instant.
        state = None
        try:
            for *_, read in sorted(reads, key=lambda entry: entry[:3]):
                state = evolve(state, read_event(read.envelope, read.record.value or b""))
        except (TypeError, ValueError) as error:
            yield Violation("fold", f"{collection}/{document['_id']}", f"its events have no fold: {error}")
            continue
        folded = None if state is None else state.model_dump(mode="json", exclude_none=True)
        if folded != document.get("state"):
            yield Violation("fold", f"{collection}/{document['_id']}", "the state is not the fold of its events")
