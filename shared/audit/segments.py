"""Segments of an audit trail as documents: each says by events how far it has come, so that a cut shows on the log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.cases.bodies import Change, Input
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.clock import instant_of, text_of
from shared.contracts.registration.audit import AuditHeadAnchored, AuditSegmentClosed, AuditSegmentOpened, Link
from shared.store.aggregates import Aggregate
from shared.store.collection import SEPARATOR, Collection, Index
from shared.store.port import Document

# No process waits so long between two entries and goes on in the same segment.
IDLE = timedelta(days=1)
# An entry's place in lists, the newest first: a number of microseconds that falls.
_BEYOND = 10**17


class Segment(BaseModel):
    """`count`, `link`: the last entry that was anchored; 0 and nothing before the first."""

    model_config = ConfigDict(frozen=True)

    status: Literal["open", "closed"] = "open"
    opened_at: str = ""
    anchored_at: str = ""
    count: int = 0
    link: str = ""


class Head(Input):
    """How far a segment has come."""

    count: Annotated[int, Field(ge=1)]
    link: Link


def further_than_before(turn: Turn[Segment, Head]) -> Told:
    """An anchor only goes on: what another replica has seen later stands."""
    return {} if turn.body.count > turn.state.count else ()


def fold(state: Segment | None, event: object) -> dict[str, str]:
    """When it was opened, and anchored last."""
    if isinstance(event, AuditSegmentOpened | AuditHeadAnchored):
        at = text_of(event.happened_at)
        return {"anchored_at": at} if state else {"opened_at": at}
    return {}


SEGMENT = Case(
    "audit_segments",
    Segment,
    (
        Move("open", states(NEW), AuditSegmentOpened),
        Move("anchor", states("open", "closed"), AuditHeadAnchored, body=Head, rule=further_than_before),
        Move("close", states("open"), AuditSegmentClosed, body=Change),
    ),
    fold,
)


def is_idle(segment: Segment, now: datetime) -> bool:
    """Whether nothing was written into it for so long that nothing will be."""
    last = segment.anchored_at or segment.opened_at
    return bool(last) and instant_of(last) + IDLE < now


SEGMENTS: Aggregate[Segment] = Aggregate.of(
    SEGMENT,
    Collection(SEGMENT.name, {"status": Index(lambda d: [d["state"]["status"]] if d["state"] else [])}),
)


def _newest_first(document: Document) -> str:
    microseconds = round(instant_of(document["reading"]["at"]).timestamp() * 1_000_000)
    return f"{_BEYOND - microseconds:018d}{SEPARATOR}{document['_id']}"


READINGS = Collection(
    "readings",
    {
        "all": Index(lambda d: ["all"], _newest_first),
        "account": Index(lambda d: [d["reading"]["account"]], _newest_first),
        "subject": Index(lambda d: d["reading"]["subjects"], _newest_first),
        "purpose": Index(lambda d: [d["reading"]["purpose"]], _newest_first),
        "day": Index(lambda d: [d["reading"]["at"][:10]], _newest_first),
        # In the order of their numbers: an id ends in one of a fixed length.
        "segment": Index(lambda d: [d["segment"]]),
    },
)
AUDIT_COLLECTIONS = (SEGMENTS.collection, READINGS)
