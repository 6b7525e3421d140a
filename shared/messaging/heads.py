"""Heads of compacted topics: their owner sees to it that the last record of a subject is its newest.

What stands last is what compaction keeps, and any replica may append an outbox that it slept over. So the owner
follows its own topic and notes in the subject's shadow which record is the last (kernel.md, section 2, decision 0006):
`heads` has for each such topic `offset` and `last` (epoch, sequence) of that record, and while it is older than the
mark, `ask_at` and `tries` of a timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from shared.clock import derived_id, text_of
from shared.contracts.base import Envelope
from shared.messaging.shadow import Position, key_of, pause_after
from shared.store.aggregates import Aggregate, Cause, Kernel
from shared.store.port import Document
from shared.telemetry.observability import count
from shared.telemetry.tracing import step

NOT_READ: Mapping[str, Any] = {"offset": -1, "last": [0, 0], "tries": 0, "ask_at": None}


@dataclass(frozen=True)
class Reissue:
    """How an owner says the current record of a subject once more: `command`, by which `aggregate` emits it."""

    aggregate: Aggregate[Any]
    command: Any


def noted(shadow: Document, envelope: Envelope, position: Position, now: datetime) -> Document:
    """The shadow, its mark moved already, after one more record of a compacted topic was read.

    The last record is the last by position: a member that slept reads again what lies before it, and must not end
    the timer with that.
    """
    key, offset = key_of(position[0]), position[2]
    head = dict(shadow.get("heads", {}).get(key, NOT_READ))
    if offset > head["offset"]:
        head |= {"offset": offset, "last": [envelope.epoch, envelope.sequence]}
    if head["last"] >= shadow["marks"][key]:
        head |= {"tries": 0, "ask_at": None}
    elif head["ask_at"] is None:
        head["ask_at"] = text_of(now + pause_after(0))
    return {**shadow, "heads": {**shadow.get("heads", {}), key: head}}


def due(shadow: Document, topic: str, now: datetime) -> bool:
    """Whether an older record stands last on the topic, and the time to ask about it has come."""
    ask_at = shadow.get("heads", {}).get(key_of(topic), NOT_READ)["ask_at"]
    return ask_at is not None and ask_at <= text_of(now)


def asked(shadow: Document, topic: str, now: datetime) -> Document:
    """The shadow with that head's next time to ask; nothing but a record at the mark ends the asking."""
    key = key_of(topic)
    head = shadow["heads"][key]
    later = {"tries": head["tries"] + 1, "ask_at": text_of(now + pause_after(head["tries"] + 1))}
    return {**shadow, "heads": {**shadow["heads"], key: {**head, **later}}}


def may_reissue(shadow: Document, topic: str, document: Document) -> bool:
    """Whether the document's current record has to follow itself: everything that it emitted was read, nothing of the
    topic is on its way, and what was read last is older.

    While a record is still to be sent or to be read, it may itself be the one that follows; and a new one would move
    the version, so that the outbox could never be emptied, is sent again and leaves more old records behind.
    """
    key, emitted = key_of(topic), document["emitted"].get(topic.split(".", 1)[1])
    if emitted is None or any(entry["topic"] == topic for entry in document["outbox"]):
        return False
    mark = shadow["marks"][key]
    return bool(mark >= [emitted["epoch"], emitted["count"]] and shadow["heads"][key]["last"] < mark)


class Heads:
    """What one service owns of compacted topics, by topic, and how it says a current record again."""

    def __init__(self, kernel: Kernel, reissues: Mapping[str, Reissue]) -> None:
        self._kernel = kernel
        self._reissues = reissues

    def noted(self, shadow: Document, envelope: Envelope, position: Position) -> Document:
        """The shadow after the record was read; the same one where nothing is to be noted."""
        if position[0] not in self._reissues:
            return shadow
        changed = noted(shadow, envelope, position, self._kernel.runtime.now())
        return shadow if changed["heads"] == shadow.get("heads") else changed

    def due(self, shadow: Document) -> list[str]:
        """The topics on which the subject's head is to be asked about now."""
        return [topic for topic in self._reissues if due(shadow, topic, self._kernel.runtime.now())]

    def asked(self, shadow: Document, topics: list[str]) -> Document:
        for topic in topics:
            shadow = asked(shadow, topic, self._kernel.runtime.now())
        return shadow

    async def mend(self, shadow: Document, topics: list[str]) -> None:
        """Says the subject's current records again, each only if that is right in the very save.

        The shadow may be older than that save. Its mark only grows and never passes what was emitted, so it is as true
        at that version; a record at the mark that was read meanwhile makes this one more copy, no harm.
        """
        for topic in topics:
            reissue, right = self._reissues[topic], partial(may_reissue, shadow, topic)
            with step("reissue", None, service=self._kernel.service, topic=topic) as trace:
                cause = Cause(derived_id(shadow["_id"], "reissue", topic), traceparent=trace)
                if await self._kernel.fire(reissue.aggregate, shadow["_id"], reissue.command, cause, right):
                    count("reissued")
