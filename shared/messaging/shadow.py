"""A shadow as a document: what is known of a subject, the mark of each topic, what is parked or dropped, the heads.

Pure functions over that document; `shared.messaging.shadows` loads and saves it. `heads` is of owners alone, for
compacted topics of their own: `shared.messaging.heads`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from shared.clock import text_of
from shared.contracts.base import Envelope
from shared.errors import Overloaded, Refusal, TooEarly
from shared.messaging.topics import TOPICS
from shared.store.documents import slot_of, usual_of
from shared.store.port import Document

BACKOFF_FIRST_SECONDS = 1.0
BACKOFF_LAST_SECONDS = 300.0
DROPPED_AT_MOST = 1_000

Position = tuple[str, int, int]


class GapFound(Exception):
    """The subject's event before this one never came: something was lost, and somebody has to look."""


def new_shadow(subject: str) -> Document:
    return {
        "_id": subject,
        "version": 0,
        "slot": slot_of(subject),
        "knowledge": {},
        "marks": {},
        "parked": [],
        "dropped": [],
        "missing": {},
        "heads": {},
        "timed": False,
        "next_at": None,
    }


USUAL = usual_of(new_shadow("new"))


def key_of(topic: str) -> str:
    """A topic's name as a key of a document, where dots may not stand."""
    return topic.replace(".", "/")


def parked_at(entry: Mapping[str, Any]) -> Position:
    return entry["topic"], entry["partition"], entry["offset"]


def is_below_mark(shadow: Document, envelope: Envelope, topic: str) -> bool:
    mark = shadow["marks"].get(key_of(topic))
    return mark is not None and (envelope.epoch, envelope.sequence) <= (mark[0], mark[1])


def has_gap(shadow: Document, envelope: Envelope, topic: str) -> bool:
    """On a topic that keeps everything the sequence grows by one, also over epochs; what was dropped may be missing."""
    if TOPICS[topic].compacted:
        return False
    mark = shadow["marks"].get(key_of(topic))
    expected, missing = (mark[1] if mark else 0) + 1, shadow.get("missing", {}).get(key_of(topic), ())
    while expected in missing and envelope.sequence != expected:
        expected += 1
    return envelope.sequence != expected


def is_dropped(shadow: Document, position: Position) -> bool:
    return any(parked_at(entry) == position for entry in shadow.get("dropped", ()))


def check_first(shadow: Document, position: Position) -> None:
    """Raises Refusal: 422 for a record that is not parked here, 409 for one that has others before it."""
    places = [parked_at(entry) for entry in shadow["parked"]]
    if position not in places:
        raise Refusal("not_parked", at="/offset", status=422)
    if position != places[0]:
        raise Refusal("not_the_first_parked", "only a subject's first parked record can be dropped")


def without_first(shadow: Document, envelope: Envelope | None, said: Mapping[str, Any]) -> Document:
    """The shadow whose first parked record was dropped, and is listed with what was `said` of it.

    The mark goes to its sequence; where that cannot be read, the one that the topic's next record would have had is
    noted as missing, so that the record after it is no gap. Raises Overloaded for a list that is full.
    """
    first, dropped = shadow["parked"][0], shadow.get("dropped", [])
    if len(dropped) >= DROPPED_AT_MOST:
        raise Overloaded("dropped records of a subject", retry_after_seconds=3600)
    topic = key_of(first["topic"])
    marks, missing = shadow["marks"], shadow.get("missing", {})
    mark = marks.get(topic, (1, 0))
    if envelope is not None:
        marks = {**marks, topic: max([envelope.epoch, envelope.sequence], list(mark))}
    elif shadow["_id"] != named_by(parked_at(first)):
        noted = [sequence for sequence in missing.get(topic, ()) if sequence > mark[1]]
        missing = {**missing, topic: [*noted, max([mark[1], *noted]) + 1]}
    place = {"epoch": envelope.epoch, "sequence": envelope.sequence} if envelope else {}
    entry = {**{name: first[name] for name in ("topic", "partition", "offset")}, "parked": first["reason"]}
    listed = [*dropped, {**entry, **place, **said}]
    return {**shadow, "marks": marks, "missing": missing, "parked": shadow["parked"][1:], "dropped": listed}


def named_by(position: Position) -> str:
    """The shadow of a record without a readable subject."""
    return ":".join(map(str, position))


# Why a record is parked, before a colon that more of it may stand after; what else stands there is an exception's name.
REFUSED, FAILED = "refused", "failed"
PARKED_FOR = ("too_early", REFUSED, "gap", "behind", "unreadable", "unregistered_type", "record_missing", FAILED)


def reason_of(error: Exception) -> str:
    """Why a record is parked: `too_early:...`, `refused:<rule>`, `gap`, or the exception's class name.

    Beside these: `behind` another one, `unreadable:...`, `unregistered_type`, `record_missing`.
    """
    if isinstance(error, TooEarly):
        return f"too_early:{error.reason}"
    if isinstance(error, Refusal):
        return f"refused:{error.rule}"
    return "gap" if isinstance(error, GapFound) else type(error).__name__


def pause_after(tries: int) -> timedelta:
    """From one try to the next: 1 s at first, then twice as long each time, 5 minutes at most."""
    return timedelta(seconds=min(BACKOFF_FIRST_SECONDS * 2 ** min(tries, 10), BACKOFF_LAST_SECONDS))


def scheduled(shadow: Document, now: Any) -> Document:
    """The shadow with its timer: the earlier of what is parked and tried by itself, and of heads to be asked about.

    Only what came too early, and what lies before the rest, is tried by itself.
    """
    due = [head["ask_at"] for head in shadow.get("heads", {}).values() if head["ask_at"]]
    first = shadow["parked"][0] if shadow["parked"] else None
    if first is not None and first["reason"].startswith(("too_early", "behind")):
        due.append(text_of(now + pause_after(first["tries"])))
    return {**shadow, "timed": bool(due), "next_at": min(due) if due else None}
