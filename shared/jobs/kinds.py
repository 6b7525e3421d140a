"""What a kind of job is, what a chunk of it gets, and what it says of what it has done (docs/jobs.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, JsonValue

from shared.identity.rights import Rights
from shared.identity.roles import ROLES, By, Relation, Role
from shared.identity.tokens import Principal
from shared.store.aggregates import Cause

if TYPE_CHECKING:
    from shared.jobs.content import Content

B = TypeVar("B", bound=BaseModel)

JOBS = "jobs"
# What is done with any job, whatever its kind.
READ, LIST, CANCEL, CONFIRM, DOWNLOAD = "read", "list", "cancel", "confirm", "download"
# An officer goes on with the work of a colleague; a file, which may have people in it, is for whoever asked alone,
# unless its kind says otherwise.
_SEEN_BY: Mapping[Role, Relation] = {"officer": "office", "administrator": "all"}
_CONFIRMED_BY: Mapping[Role, Relation] = {"officer": "office"}
# Whatever a kind asks for: the key of a day is then destroyed too.
KEPT_AT_MOST = timedelta(days=30)


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with a row of a file: the rule, never a value.

    `row`: as whoever wrote the file counts it, None for what is wrong with all of it; `column`: by the name that the
    kind gives it; `cell`: such as `C7`, where the file has cells of such names.
    """

    rule: str
    row: int | None = None
    column: str = ""
    cell: str = ""


@dataclass(frozen=True)
class Offered:
    """A file of the job's content that whoever asked may fetch. `name`: with its ending, `[a-z0-9-]+\\.[a-z0-9]+`."""

    name: str
    media_type: str


@dataclass(frozen=True)
class Work(Generic[B]):
    """What a chunk gets. `cursor`: as the chunk before left it, empty at first; `counts`: so far, by name.

    `cause`: the job's own; each effect takes `cause.step(...)` with what tells it from the others, so that a chunk
    that is done again finds what it did. `confirmed`: whoever waited for the preview has said to go on.
    """

    body: B
    cursor: Mapping[str, JsonValue]
    done: int
    total: int | None
    counts: Mapping[str, int]
    confirmed: bool
    principal: Principal
    asked_at: datetime
    cause: Cause
    content: Content


@dataclass(frozen=True)
class Step:
    """What a chunk has done. `done`, `total`: as they are then; `cursor`: codes and numbers, for the store holds it in
    clear; `problems`: those that the chunk found.

    `counts`, `said`: what the kind tells of the result, by names that it declares; each replaces what stood under its
    name. `files`: those that are whole. `then`: `wait` for a confirmation, or the `end`, which with a `rule` is that it
    failed.
    """

    cursor: Mapping[str, JsonValue]
    done: int
    total: int | None = None
    problems: tuple[RowProblem, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    said: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Offered, ...] = ()
    then: Literal["more", "wait", "end"] = "more"
    rule: str | None = None


Chunk = Callable[[Work[B]], Awaitable[Step]]


@dataclass(frozen=True)
class JobKind(Generic[B]):
    """One kind of long work of a service.

    `resource`, `verb`, `by`: the policy's row of the route that asks for it. `kept`: how long after it was asked its
    content stands, 30 days at most; what is not finished by then has failed (`job_expired`). `waits`: it waits for a
    confirmation. `counts`, `says`: names of what a step may tell; pages have words for `code:counted:<name>` and
    `field:<name>`, of the `columns` in which a row may be wrong, and of `rules` that nothing else names.
    `media_types`: those of files that it offers; `files_to`: to which roles more of them than each one's own.

    `chunk` takes some seconds at most and raises Refusal for what will never be possible, which ends the job; what
    else it raises is tried again. It is done again after a crash, or by a second replica: what it wrote to `content`
    is then forgotten, and every other effect has to be a command of an id of its own.
    """

    name: str
    body: type[B]
    chunk: Chunk[B]
    resource: str
    verb: str
    by: By
    kept: timedelta = timedelta(days=7)
    waits: bool = False
    counts: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ()
    files_to: By = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not timedelta() < self.kept <= KEPT_AT_MOST:
            raise ValueError(f"{self.name}: content is kept for {KEPT_AT_MOST.days} days at most")

    def check(self, step: Step) -> None:
        """ValueError for what the kind does not declare."""
        if strange := {*step.counts} - {*self.counts} | {*step.said} - {*self.says}:
            raise ValueError(f"{self.name} tells of {', '.join(sorted(strange))}")
        if strange := {one.media_type for one in step.files} - {*self.media_types}:
            raise ValueError(f"{self.name} offers {', '.join(sorted(strange))}")
        if step.then == "wait" and not self.waits:
            raise ValueError(f"{self.name} waits for nobody")


def _files_to(kinds: Iterable[JobKind[Any]]) -> By:
    """ValueError for kinds that say otherwise, for a file is fetched by one row of the policy."""
    said = [kind.files_to for kind in kinds if kind.media_types]
    if any(one != said[0] for one in said):
        raise ValueError("the kinds of a service give their files to the same roles")
    return said[0]


def rights_of(kinds: Iterable[JobKind[Any]]) -> tuple[Rights, ...]:
    """The policy's rows: who asks for each kind, and what becomes of jobs by whoever may ask for any of them."""
    kinds = tuple(kinds)
    asked: dict[tuple[str, str], By] = {}
    for kind in kinds:
        if asked.setdefault((kind.resource, kind.verb), kind.by) != kind.by:
            raise ValueError(f"{kind.name}: {kind.resource} {kind.verb} is another role's too")
    roles = [role for role in ROLES if any(role in by for by in asked.values())]
    seen: By = {role: _SEEN_BY.get(role, "own") for role in roles}
    rows: list[Rights] = [(JOBS, f"{READ} {LIST} {CANCEL}", seen)]
    if any(kind.waits for kind in kinds):
        rows.append((JOBS, CONFIRM, {role: _CONFIRMED_BY.get(role, "own") for role in roles}))
    if any(kind.media_types for kind in kinds):
        rows.append((JOBS, DOWNLOAD, {**dict.fromkeys(roles, "own"), **_files_to(kinds)}))
    return (*((resource, verb, by) for (resource, verb), by in asked.items()), *rows)
