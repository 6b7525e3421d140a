"""An import: a table is read, each row is held to the rules of the edge, and what is right is recorded once confirmed.

A row is a command of its own, whose id follows from what the row says under a key of registration: whoever sends the
same row again, in whichever file, finds what came of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from services.registration.domain.experts import ExpertRegistration
from services.registration.domain.imports import (
    COLUMNS_AT_MOST,
    NO_ROWS,
    OF_COLUMNS,
    PROBLEM,
    ROW_REPEATED,
    ROWS_AT_MOST,
    TABLES,
    WRONG_COLUMNS,
    ImportAsked,
    Kind,
    Table,
    body_of,
    folded,
    header_of,
    placed,
)
from services.registration.domain.institutions import InstitutionRegistration
from services.registration.identifiers import SERVICE
from services.registration.store import INSTITUTIONS
from services.registration.work.proposing import Proposing
from services.registration.work.registering import Registering
from shared.canonical import canonical_json
from shared.clock import derived_id
from shared.errors import Problem, Refusal, UnknownOutcome
from shared.identity.digests import Digests, derived_key, keyed_digest
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.roles import By
from shared.identity.tokens import Principal
from shared.intake.submissions import SUBMISSIONS
from shared.jobs.content import Content
from shared.jobs.kinds import JobKind, Offered, RowProblem, Step, Work
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.tables.reading import TableRow, cell_of, rows_of
from shared.tables.reading_process import OF_CELLS, OF_TABLES
from shared.web import bodies
from shared.web.pages.formatting import Formats
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.words import called, rule_words
from shared.web.spreadsheet import csv_of, inert

IMPORTS, CREATE = "imports", "create"
BY: By = {"officer": "office", "administrator": "all"}
# Names of files in the job's content; the last one is offered.
FILE, HEADER, ROWS, RIGHT, REJECTED = "file", "header", "rows", "right", "rejected.csv"
CSV = "text/csv"
CHECKED_AT_ONCE, RECORDED_AT_ONCE, REJECTED_AT_ONCE = 200, 20, 50
COUNTS = ("rows", "right", "wrong", "known", "recorded")
# What is longer is cut, and wrong wherever it stands; a piece with so many characters has room for their bytes.
CELL_CHARACTERS, PIECE_CHARACTERS = 1_000, 65_536
TOO_LONG = "string_too_long"
# As a submission says it of a person who was erased.
ERASED = "erased"
# What a cell began with that a spreadsheet would have reckoned with, in a file that was offered to be mended.
_MADE_INERT = "'"

# A row as the content keeps it: its number, its cells, what is wrong with each by place, and whether it stood before.
Kept = tuple[int, Sequence[str], Mapping[str, str], bool]
Wrong = list[tuple[str, str]]


@dataclass(frozen=True)
class Read:
    """A row that is held to the rules. `id`: of its command and of what comes of it; `digest`: of what it says."""

    id: str
    digest: str
    body: Any


class Importing:
    """The kinds of import. A repetition of any chunk finds what it did."""

    def __init__(self, replica: Replica, proposing: Proposing, registering: Registering) -> None:
        self._replica = replica
        self._store = replica.ports.store
        self._proposing = proposing
        self._registering = registering

    def kinds(self) -> tuple[JobKind[ImportAsked], ...]:
        return tuple(self._kind(table) for table in TABLES.values())

    def _kind(self, table: Table) -> JobKind[ImportAsked]:
        async def chunk(work: Work[ImportAsked]) -> Step:
            return await self._chunk(table, work)

        return JobKind(
            kind_of(table.kind),
            ImportAsked,
            chunk,
            IMPORTS,
            CREATE,
            BY,
            waits=True,
            counts=COUNTS,
            columns=tuple(one.name for one in table.columns),
            rules=(*OF_CELLS, *OF_TABLES, *OF_COLUMNS),
            media_types=(CSV,),
        )

    async def _chunk(self, table: Table, work: Work[ImportAsked]) -> Step:
        if not work.cursor:
            return await self._read(table, work)
        if not work.confirmed:
            return await self._check(table, work, int(str(work.cursor["piece"])))
        place = (int(str(work.cursor[name])) if work.cursor["stage"] == "record" else 0 for name in ("piece", "row"))
        return await self._record(table, work, *place)

    async def _read(self, table: Table, work: Work[ImportAsked]) -> Step:
        """The whole table, in rows of which a piece has as many as are checked at once."""
        raw = b"".join([part async for part in work.content.read(FILE)])
        rows = [row async for row in rows_of(work.body.form, raw, rows=ROWS_AT_MOST + 1, columns=COLUMNS_AT_MOST)]
        if len(rows) < 2:
            raise Refusal(NO_ROWS, "a row of names, and rows below it", status=422)
        header, *rest = rows
        found = header_of(table, header.cells, names_of(table.kind))
        if found.wrong:
            wrong = tuple(
                RowProblem(rule, header.number, column, "" if place is None else header.cell(place))
                for place, column, rule in found.wrong
            )
            return Step({}, 0, problems=wrong, then="end", rule=WRONG_COLUMNS)
        await work.content.append(HEADER, _json({"cells": header.cells, "places": found.places}))
        await self._keep(rest, work.content)
        return Step({"stage": "check", "piece": 0}, 0, len(rest), counts={"rows": len(rest)})

    async def _keep(self, rows: Sequence[TableRow], content: Content) -> None:
        """So many rows a piece as are checked at once, fewer of long ones."""
        seen, kept, size = set[tuple[str, ...]](), list[Kept](), 0
        for row in rows:
            cut = tuple(cell[:CELL_CHARACTERS] for cell in row.cells)
            long = {place: TOO_LONG for place, cell in enumerate(row.cells) if len(cell) > CELL_CHARACTERS}
            wrong = {str(place): rule for place, rule in {**long, **row.wrong}.items()}
            # Cells that are wrong read as empty ones, in which rows differ.
            kept.append((row.number, cut, wrong, not wrong and row.cells in seen))
            seen.add(row.cells)
            size += sum(map(len, cut))
            if len(kept) == CHECKED_AT_ONCE or size > PIECE_CHARACTERS:
                await content.append(ROWS, _json(kept))
                kept, size = [], 0
        if kept:
            await content.append(ROWS, _json(kept))

    async def _check(self, table: Table, work: Work[ImportAsked], piece: int) -> Step:
        """Holds the rows of a piece to the rules; nothing is recorded."""
        header, kept = await _header(work.content), await _rows(work.content, piece)
        right, known, rejected, problems = list[int](), 0, list[tuple[Kept, Wrong]](), list[RowProblem]()
        for place, (read, wrong) in enumerate(await self._looked_at(table, work, kept, header)):
            row = kept[place]
            if read is None:
                rejected.append((row, wrong))
                problems += _problems(row, wrong, header)
            else:
                right.append(place)
                known += await self._is_known(table, read.id)
        await work.content.append(RIGHT, _json(right))
        await self._reject(work, header, rejected)
        counts = {
            "right": work.counts.get("right", 0) + len(right),
            "wrong": work.counts.get("wrong", 0) + len(rejected),
            "known": work.counts.get("known", 0) + known,
        }
        ends = piece + 1 == work.content.pieces(ROWS)
        return Step(
            {"stage": "check", "piece": piece + 1},
            work.done + len(kept),
            work.total,
            tuple(problems),
            counts,
            files=_offered(work.content),
            then="more" if not ends else "wait" if counts["right"] else "end",
        )

    async def _record(self, table: Table, work: Work[ImportAsked], piece: int, start: int) -> Step:
        """Records some of the rows that were right when they were looked at; one that is so no more is rejected."""
        header, kept = await _header(work.content), await _rows(work.content, piece)
        right: list[int] = json.loads(await work.content.piece(RIGHT, piece))
        chosen = right[start : start + RECORDED_AT_ONCE]
        rejected, problems, recorded = list[tuple[Kept, Wrong]](), list[RowProblem](), 0
        rows = [kept[place] for place in chosen]
        for row, (read, wrong) in zip(rows, await self._looked_at(table, work, rows, header), strict=True):
            wrong = wrong if read is None else await self._recorded(table, work, read)
            if wrong:
                rejected.append((row, wrong))
                problems += _problems(row, wrong, header)
            else:
                recorded += 1
        await self._reject(work, header, rejected)
        last = start + len(chosen) >= len(right)
        ends = last and piece + 1 == work.content.pieces(ROWS)
        counts = {
            "recorded": work.counts.get("recorded", 0) + recorded,
            "wrong": work.counts.get("wrong", 0) + len(rejected),
        }
        cursor: dict[str, Any] = {"stage": "record", "piece": piece + last, "row": 0 if last else start + len(chosen)}
        begun = 0 if work.cursor["stage"] == "check" else work.done
        return Step(
            cursor,
            begun + len(chosen),
            work.counts["right"],
            tuple(problems),
            counts,
            files=_offered(work.content),
            then="end" if ends else "more",
        )

    async def _looked_at(
        self, table: Table, work: Work[ImportAsked], rows: Sequence[Kept], header: Mapping[str, Any]
    ) -> list[tuple[Read | None, Wrong]]:
        """Each row as a body that may be recorded; else what is wrong with it, by column and rule."""
        found = await self._replica.ports.runtime.in_pool(
            lambda: [self._as_body(table, work, row, header) for row in rows]
        )
        return [await self._allowed(table, work, one) for one in found]

    async def _allowed(
        self, table: Table, work: Work[ImportAsked], found: tuple[Read | None, Wrong]
    ) -> tuple[Read | None, Wrong]:
        read, _ = found
        if read is None:
            return found
        try:
            await self._checked(table, read.body, _cause(work, read.id, read.digest), work.principal)
        except Refusal as refusal:
            return None, placed(table, refusal.problems)
        return found

    def _as_body(
        self, table: Table, work: Work[ImportAsked], row: Kept, header: Mapping[str, Any]
    ) -> tuple[Read | None, Wrong]:
        _, cells, wrong, again = row
        places: Mapping[str, int] = header["places"]
        found = [(name, wrong[str(place)]) for name, place in places.items() if str(place) in wrong]
        if again:
            found.append(("", ROW_REPEATED))
        if found:
            return None, found
        said = {name: text for name, place in places.items() if place < len(cells) and (text := _said(cells[place]))}
        try:
            body = bodies.body_of(table.model, _json(body_of(table, said, work.body, work.principal.office))).model
        except Refusal as refusal:
            return None, placed(table, refusal.problems)
        # What the rules read as the same is the same row, however it was typed.
        digest = hashlib.sha256(canonical_json(body.model_dump(mode="json", exclude_none=True))).hexdigest()
        return Read(self._id_of(table, digest), digest, body), []

    def _id_of(self, table: Table, digest: str) -> str:
        key = derived_key(self._replica.ports.keys.command_key(SERVICE), "imported rows")
        return derived_id("imported", table.kind, keyed_digest(key, digest))

    async def _checked(self, table: Table, body: Any, cause: Cause, principal: Principal) -> None:
        if table.kind == "institutions":
            await self._proposing.check(body, principal)
        else:
            await self._registering.check(body, cause, principal)

    async def _is_known(self, table: Table, id: str) -> bool:
        collection = INSTITUTIONS.name if table.kind == "institutions" else SUBMISSIONS.name
        return await self._store.load(collection, id) is not None

    async def _recorded(self, table: Table, work: Work[ImportAsked], read: Read) -> Wrong:
        """Nothing where it stands by now; else why not."""
        cause = _cause(work, read.id, read.digest)
        records: Callable[[Any, Cause, Principal], Awaitable[Sequence[Problem]]] = (
            self._proposed if table.kind == "institutions" else self._registered
        )
        try:
            return placed(table, await records(read.body, cause, work.principal))
        except Refusal as refusal:
            return placed(table, refusal.problems)
        except KeyDestroyed:
            return [("", ERASED)]

    async def _proposed(self, body: InstitutionRegistration, cause: Cause, principal: Principal) -> Sequence[Problem]:
        keyed = replace(cause, digest=await Digests(SERVICE, self._replica.ports.keys).of(cause.digest))
        await self._proposing.propose(cause.command_id, body, keyed, principal)
        return ()

    async def _registered(self, body: ExpertRegistration, cause: Cause, principal: Principal) -> Sequence[Problem]:
        """Taken in as a submission, and decided before the next row: of a person whom two rows are about the second is
        held to what the first one has recorded."""
        await self._registering.take_in(body, cause, principal)
        await self._replica.submissions.decide(cause.command_id)
        submission = await self._store.load(SUBMISSIONS.name, cause.command_id)
        if submission is None or submission["status"] == "pending":
            raise UnknownOutcome("submission")
        return [Problem(one["rule"], one["pointer"]) for one in submission["problems"]]

    async def _reject(
        self, work: Work[ImportAsked], header: Mapping[str, Any], rejected: Iterable[tuple[Kept, Wrong]]
    ) -> None:
        """The rows as they came, with what is wrong in the reader's language: to be mended and sent again."""
        language = work.body.language
        without = _without_problem(header["cells"])
        lines = []
        for (_, cells, _, _), wrong in rejected:
            row = [inert(cells[place]) if place < len(cells) else "" for place in without]
            lines.append([*row, inert(_in_words(language, wrong))])
        for start in range(0, len(lines), REJECTED_AT_ONCE):
            part = lines[start : start + REJECTED_AT_ONCE]
            if work.content.pieces(REJECTED):
                # A file has its mark and its names once.
                await work.content.append(REJECTED, csv_of(part, marked=False))
            else:
                names = [inert(header["cells"][place]) for place in without]
                await work.content.append(REJECTED, csv_of([[*names, PROBLEM], *part]))


def kind_of(kind: str) -> str:
    return f"import-{kind}"


@cache
def names_of(kind: Kind) -> Mapping[str, str]:
    """What pages call the columns, in each of their languages and folded, to the columns' names; what two are called
    by names neither."""
    found: dict[str, str] = {}
    for language in LANGUAGES:
        for column in TABLES[kind].columns:
            name = folded(called(language, column.name))
            found[name] = column.name if found.get(name, column.name) == column.name else ""
    return {name: column for name, column in found.items() if column}


def _cause(work: Work[ImportAsked], id: str, digest: str) -> Cause:
    """What a table says was so when it was sent, whenever its row is recorded: it is recorded late, so that nobody is
    written to of it before an officer has looked."""
    return replace(work.cause, command_id=id, digest=digest, happened_at=work.asked_at, recorded_late=True)


def _said(cell: str) -> str:
    """The cell as it was before it was made harmless to spreadsheets."""
    bare = cell.removeprefix(_MADE_INERT)
    return bare if inert(bare) == cell else cell


def _problems(row: Kept, wrong: Wrong, header: Mapping[str, Any]) -> Iterable[RowProblem]:
    places: Mapping[str, int] = header["places"]
    for column, rule in wrong:
        yield RowProblem(rule, row[0], column, cell_of(places[column], row[0]) if column in places else "")


def _in_words(language: str, wrong: Wrong) -> str:
    formats, said = Formats(language), list[str]()
    for column, rule in wrong:
        words = rule_words(language, rule, f"/{column}")
        said.append(formats.labelled(called(language, column), words).unescape() if column else words)
    return " · ".join(said)


def _without_problem(names: Sequence[str]) -> list[int]:
    return [place for place, name in enumerate(names) if folded(name) != PROBLEM]


def _offered(content: Content) -> tuple[Offered, ...]:
    return (Offered(REJECTED, CSV),) if content.pieces(REJECTED) else ()


async def _header(content: Content) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(await content.piece(HEADER, 0))
    return found


async def _rows(content: Content, piece: int) -> Sequence[Kept]:
    found: Sequence[Kept] = json.loads(await content.piece(ROWS, piece))
    return found


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
