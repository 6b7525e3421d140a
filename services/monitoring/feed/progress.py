"""How far the messages of a subscription have come: a document beside the case, which deliveries alone write.

It stands apart, since each delivery changes it: a person's `If-Match` names the case as they saw it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from services.monitoring.feed.cursors import Positions
from services.monitoring.store import DELIVERIES
from shared.clock import text_of
from shared.contracts.base import Code, Instant
from shared.messaging.port import Position
from shared.store.documents import new_document
from shared.store.port import Document

RECENT_AT_MOST = 20
# Seconds from a failure to the next try, by how many failed in a row; from the last one on it stays so.
PAUSES = (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 86_400)
# So long nothing arrived, and whoever keeps the subscription is told that it has stopped.
GIVES_UP_AFTER = timedelta(days=5)


class Sent(BaseModel):
    """One try. `id`, `type`: of the message; `status`: of what was answered, where anything was."""

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    at: Instant
    outcome: Code
    status: int | None = None


class Progress(BaseModel):
    """`positions`: topic, partition and offset behind the last message that arrived. `failures`: how many tries failed
    in a row, `failing_since`: since when. `tests`, `resends`: of those that were asked for, how many were done.
    `claim`: of the round under way. `recent`: the last tries, the newest first."""

    model_config = ConfigDict(frozen=True)

    positions: tuple[tuple[str, int, int], ...]
    failures: int = 0
    failing_since: Instant | None = None
    tests: int = 0
    resends: int = 0
    claim: str | None = None
    delivered: int = 0
    recent: tuple[Sent, ...] = ()

    @property
    def place(self) -> Positions:
        return {(topic, number): offset for topic, number, offset in self.positions}

    def at(self, place: Mapping[Position, int]) -> Progress:
        return self.model_copy(update={"positions": packed(place)})

    def arrived(self, sent: Sent, place: Mapping[Position, int]) -> Progress:
        done = {"failures": 0, "failing_since": None, "delivered": self.delivered + 1}
        return self.tried(sent).at(place).model_copy(update=done)

    def failed(self, sent: Sent) -> Progress:
        since = self.failing_since or sent.at
        return self.tried(sent).model_copy(update={"failures": self.failures + 1, "failing_since": since})

    def tried(self, sent: Sent) -> Progress:
        return self.model_copy(update={"recent": (sent, *self.recent)[:RECENT_AT_MOST]})

    @property
    def pause_seconds(self) -> int:
        return PAUSES[min(self.failures, len(PAUSES)) - 1] if self.failures else 0

    def gives_up(self, now: datetime) -> bool:
        return self.failing_since is not None and now - self.failing_since >= GIVES_UP_AFTER


def packed(place: Mapping[Position, int]) -> tuple[tuple[str, int, int], ...]:
    return tuple((topic, number, offset) for (topic, number), offset in sorted(place.items()))


def read(document: Document) -> Progress:
    return Progress.model_validate(document["state"])


def begun(id: str, place: Mapping[Position, int], now: datetime) -> Document:
    """The first document, from that place on."""
    return written({**new_document(id)}, Progress(positions=packed(place)), now)


def written(document: Document, progress: Progress, next_at: datetime | None) -> Document:
    """The next version. `next_at`: when it is looked at again; None: never."""
    draft = dict(document)
    draft["version"] += 1
    draft["state"] = progress.model_dump(mode="json")
    draft["timed"] = next_at is not None
    draft["next_at"] = None if next_at is None else text_of(next_at)
    return DELIVERIES.indexed(draft)
