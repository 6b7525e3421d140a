"""What a decider gets of a stored submission, and what the submission keeps of its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from shared.clock import instant_of, text_of
from shared.store.aggregates import Cause
from shared.store.port import Document

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Opened:
    """A submission's body, and where this replica has just taken it in: `read`, the body as the edge read it; the
    `receipt`; `first`, that the edge found nothing there yet of whom it is about."""

    body: Mapping[str, Any]
    read: BaseModel | None = None
    receipt: Mapping[str, Any] | None = None
    first: bool = False


@dataclass(frozen=True)
class Submission:
    """What a decider gets: the opened body, under which ids it acts, and as whom."""

    id: str
    kind: str
    subject: str
    opened: Opened
    cause: Cause
    office: str | None
    channel: str

    @property
    def body(self) -> Mapping[str, Any]:
        return self.opened.body

    def as_model(self, model: type[M]) -> M:
        """The body as that model. ValidationError for a stored one that is none."""
        read = self.opened.read
        return read if isinstance(read, model) else model.model_validate(self.opened.body)


def submission_of(document: Document, opened: Opened, traceparent: str | None = None) -> Submission:
    """What a decider gets of the document and its opened body."""
    fields = document["cause"]
    cause = Cause(
        document["_id"],
        # What follows from it has ids of its own, and whoever sends another body under its key was told so before.
        "",
        fields["correlation_id"],
        None,
        traceparent,
        instant_of(fields["happened_at"] or document["received_at"]),
        fields["recorded_late"],
        document["account"] or None,
        acknowledged=True,
        # Those that were taken before it was kept have none.
        by=fields.get("by"),
    )
    return Submission(
        document["_id"], document["kind"], document["subject"], opened, cause, document["office"], document["channel"]
    )


def cause_fields(cause: Cause) -> dict[str, Any]:
    """What `submission_of` makes the cause of again; the rest of it stands in the document itself."""
    return {
        "correlation_id": cause.correlation_id,
        "traceparent": cause.traceparent,
        "happened_at": text_of(cause.happened_at) if cause.happened_at else None,
        "recorded_late": cause.recorded_late,
        "by": None if cause.by is None else dict(cause.by),
    }
