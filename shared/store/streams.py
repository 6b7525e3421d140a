"""A document as a stream: its events in the outbox, a count and a hash chain for each topic (kernel.md, section 1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.clock import derived_id, text_of
from shared.contracts.base import Envelope, Event, Scope
from shared.errors import Overloaded, Refusal
from shared.store.port import Document

if TYPE_CHECKING:
    from shared.store.aggregates import Cause

OUTBOX_AT_MOST = 1_000
# Half of what MongoDB takes as one document: the outbox of a log that is away must never be what cannot be saved.
OUTBOX_BYTES_AT_MOST = 8_000_000
EVENT_BYTES_AT_MOST = 900_000
# With more than its headers ever take: a few entries are below the bound without being measured.
ENTRY_BYTES_AT_MOST = EVENT_BYTES_AT_MOST + 100_000


@dataclass(frozen=True)
class Emitter:
    """Whose events they are, in which epoch of the store, for which office and programme, and why."""

    service: str
    epoch: int
    scope: Scope
    cause: Cause


def emit(draft: Document, emitter: Emitter, events: Sequence[Event], now: datetime) -> None:
    """Adds the events to the draft's outbox as the exact text that is sent, counts and chains them for each topic.

    An event without a topic is told to nobody: the document's state is all that is left of it.
    Raises Overloaded for an outbox that is past its bound, Refusal for an event above 900 kB.
    """
    if len(draft["outbox"]) + len(events) > OUTBOX_AT_MOST:
        raise Overloaded("outbox", retry_after_seconds=30)
    # The owner's clock may step back between two decisions or differ between replicas.
    recorded = max(text_of(now), draft.get("last_recorded_at") or "")
    emitted, outbox = dict(draft["emitted"]), list(draft["outbox"])
    for event in (one for one in events if one.topic):
        body = event.body()
        if len(body.encode()) > EVENT_BYTES_AT_MOST:
            raise Refusal("event_too_large", status=422)
        aggregate_name = event.topic.split(".", 1)[1]
        head = next_head(emitted.get(aggregate_name), emitter.epoch)
        head["count"] += 1
        envelope = _envelope(emitter, draft["_id"], event, head["count"], recorded)
        head["chain"] = chained(head["chain"], envelope.id, body)
        emitted[aggregate_name] = head
        outbox.append({"topic": event.topic, "value": body, "headers": envelope.headers()})
    # What one command emits into an empty outbox is bounded by its events alone, and could wait for nothing.
    could_be_past = draft["outbox"] and len(outbox) * ENTRY_BYTES_AT_MOST > OUTBOX_BYTES_AT_MOST
    if could_be_past and bytes_of(outbox) > OUTBOX_BYTES_AT_MOST:
        raise Overloaded("outbox", retry_after_seconds=30)
    draft |= {"emitted": emitted, "outbox": outbox, "pending": bool(outbox), "last_recorded_at": recorded}


def _envelope(emitter: Emitter, subject: str, event: Event, sequence: int, recorded: str) -> Envelope:
    cause, scope = emitter.cause, emitter.scope
    by = cause.by or {}
    return Envelope(
        id=event_id(event.topic, subject, emitter.epoch, sequence),
        type=event.type_name(),
        version=event.version,
        source=f"/{emitter.service}",
        subject=subject,
        time=text_of(event.happened_at),
        epoch=emitter.epoch,
        sequence=sequence,
        recorded_time=recorded,
        scope=scope,
        by_role=by.get("role"),
        by_office=by.get("office") if by.get("office") != scope.office else None,
        correlation_id=cause.correlation_id,
        causation_id=cause.causation_id,
        traceparent=cause.traceparent,
    )


def event_id(topic: str, subject: str, epoch: int, sequence: int) -> str:
    """The CloudEvents id, which follows from the event's place."""
    return derived_id("event", topic, subject, str(epoch), str(sequence))


def id_at(document: Document, topic: str, sequence: int) -> str:
    """The id of the event that the document emitted there as its `sequence`th."""
    began = document["emitted"][topic.split(".", 1)[1]]["began"]
    epoch = max(epoch for epoch, count, _ in began if count < sequence)
    return event_id(topic, document["_id"], epoch, sequence)


def bytes_of(outbox: Sequence[Mapping[str, Any]]) -> int:
    """The bytes of an outbox: bodies as UTF-8, and headers."""
    headers = sum(len(name) + len(text) for entry in outbox for name, text in entry["headers"].items())
    return headers + sum(len(entry["value"].encode()) for entry in outbox)


def next_head(head: Mapping[str, Any] | None, epoch: int) -> dict[str, Any]:
    """A topic's count and chain, with a note where a newer epoch begins."""
    if head is None:
        return {"epoch": epoch, "count": 0, "chain": "", "began": [[epoch, 0, ""]]}
    copied = dict(head)
    if head["epoch"] != epoch:
        copied |= {"epoch": epoch, "began": [*head["began"], [epoch, head["count"], head["chain"]]]}
    return copied


def chained(chain: str, event_id: str, body: str) -> str:
    """The next link of the hash chain over a subject's events on one topic."""
    return hashlib.sha256(f"{chain}\n{event_id}\n{body}".encode()).hexdigest()
