"""What a decider gets of a stored submission, and what the submission keeps of its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.clock import instant_of, text_of
from shared.store.aggregates import Cause
from shared.store.port import Document


@dataclass(frozen=True)
class Submission:
    """What a decider gets: the opened body, under which ids it acts, and as whom."""

    id: str
    kind: str
    subject: str
    body: Mapping[str, Any]
    cause: Cause
    office: str | None
    channel: str


def submission_of(document: Document, body: Mapping[str, Any], traceparent: str | None = None) -> Submission:
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
    )
    return Submission(
        document["_id"], document["kind"], document["subject"], body, cause, document["office"], document["channel"]
    )


def cause_fields(cause: Cause) -> dict[str, Any]:
    """What `submission_of` makes the cause of again; the rest of it stands in the document itself."""
    return {
        "correlation_id": cause.correlation_id,
        "traceparent": cause.traceparent,
        "happened_at": text_of(cause.happened_at) if cause.happened_at else None,
        "recorded_late": cause.recorded_late,
    }
