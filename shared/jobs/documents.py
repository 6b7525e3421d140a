"""Jobs as documents, and the pieces of what is in their files. No decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from shared.clock import text_of
from shared.intake.submission import cause_fields
from shared.jobs.kinds import JOBS as NAME
from shared.jobs.kinds import JobKind, RowProblem
from shared.store.aggregates import Cause
from shared.store.collection import SEPARATOR, Collection, Index
from shared.store.documents import slot_of
from shared.store.port import Document

Status = Literal["queued", "running", "waiting", "done", "failed", "cancelled"]
# What a timer moves; and what has not ended.
MOVING: frozenset[str] = frozenset({"queued", "running"})
OPEN: frozenset[str] = MOVING | {"waiting"}
WAITING = "waiting"
# The rows that are told; of more it is told how many there are.
PROBLEMS_KEPT = 200
# The newest ones, of which account and instant are told.
FETCHES_KEPT = 100


def _by_asking(document: Document) -> str:
    return f"{document['asked_at']}{SEPARATOR}{document['_id']}"


def _of_office(document: Document) -> list[str]:
    """What officers asked for: other roles of the same office may have asked for what officers never see."""
    return [document["office"]] if document["office"] and document["role"] == "officer" else []


def moving_of(account: str) -> str:
    """The text under which the index `open` has what moves of an account."""
    return f"moving{SEPARATOR}{account}"


def waiting_under(relation: str, equals: str) -> str:
    """The text under which the index `waiting` has what waits for a confirmation, of the list of that relation."""
    return f"{relation}{SEPARATOR}{equals}"


def _waiting(document: Document) -> list[str]:
    if document["status"] != "waiting":
        return []
    office = [waiting_under("office", office) for office in _of_office(document)]
    return [waiting_under("own", document["account"]), *office]


def _open(document: Document) -> list[str]:
    moves = [moving_of(document["account"])] if document["status"] in MOVING else []
    return [document["account"], *moves] if document["status"] in OPEN else []


JOBS = Collection(
    NAME,
    {
        "all": Index(lambda d: ["all"], _by_asking),
        "office": Index(_of_office, _by_asking),
        "own": Index(lambda d: [d["account"]], _by_asking),
        # By account what has not ended, and of that what moves; and all that moves.
        "open": Index(_open),
        WAITING: Index(_waiting),
        "moving": Index(lambda d: ["all"] if d["status"] in MOVING else []),
        # By the day whose key opens what is still kept.
        "day": Index(lambda d: [d["day"]] if d["held"] else []),
    },
    passing=("body",),
)
# Each a part of a file, sealed; no piece is written before its job's document, whose timer ends it.
JOB_PIECES = Collection("job_pieces", {"job": Index(lambda d: [d["job"]] if d["sealed"] else [])}, passing=("sealed",))


def new_job(
    kind: JobKind[Any], sealed: str, cause: Cause, role: str, office: str | None, asked_at: datetime, due: datetime
) -> Document:
    """`sealed`: the body. `due`: when any replica may begin it that has not been asked for it."""
    return {
        "_id": cause.command_id,
        "version": 1,
        "slot": slot_of(cause.command_id),
        "kind": kind.name,
        "account": cause.account or "",
        "role": role,
        "office": office,
        "digest": cause.digest,
        "cause": cause_fields(cause),
        "asked_at": text_of(asked_at),
        "until": text_of(asked_at + kind.kept),
        "day": text_of(asked_at)[:10],
        "held": True,
        "arrived": True,
        "body": sealed,
        "pieces": [],
        "files": [],
        "status": "queued",
        "rule": None,
        "confirmed_by": None,
        "cursor": {},
        "done": 0,
        "total": None,
        "problems": [],
        "problem_count": 0,
        "counts": {},
        "said": {},
        "fetches": [],
        "fetch_count": 0,
        "tries": 0,
        "holder": None,
        "ended_at": None,
        "timed": True,
        "next_at": text_of(due),
    }


def cause_of(document: Document) -> Cause:
    """The job's own, whose steps its effects take; as what somebody asked for it, with the office."""
    fields = document["cause"]
    return Cause(
        document["_id"],
        "",
        fields["correlation_id"],
        None,
        fields["traceparent"],
        account=document["account"] or None,
        by=fields.get("by"),
    )


def row_of(problem: RowProblem) -> dict[str, Any]:
    """A problem as the document keeps it."""
    return {"row": problem.row, "column": problem.column, "cell": problem.cell, "rule": problem.rule}
