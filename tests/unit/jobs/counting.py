"""A kind of job that counts to a number, with an effect a row: what the tests of jobs move."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from shared.clock import derived_id, text_of
from shared.errors import Conflict, UnknownOutcome
from shared.identity.keys import Keys
from shared.identity.tokens import Principal
from shared.jobs.documents import JOB_PIECES, JOBS
from shared.jobs.kinds import JobKind, Offered, RowProblem, Step, Work
from shared.jobs.running import Jobs
from shared.store.aggregates import Cause
from shared.store.collection import Collection
from shared.store.documents import slot_of
from shared.store.local import LocalStore
from shared.store.port import Document, Store
from tests.unit.kernel.case import Clock

AT_ONCE = 3
FILE = "numbers.txt"
EFFECTS = Collection("effects")
OFFICER = Principal("acc", "officer", "kabul")


class Numbers(BaseModel):
    """`wrong`: every so manyth row has a problem; `previewed`: it waits before its first row."""

    to: int
    wrong: int = 0
    previewed: bool = False
    note: str = ""


class Counting:
    """Counts three at a time. `effects`: what each attempt at a row found; `raises`: what the next chunks raise."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.effects: list[str] = []
        self.raises: list[Exception] = []
        self.kind = JobKind(
            "count",
            Numbers,
            self.chunk,
            "counts",
            "create",
            {"officer": "office", "evaluator": "all", "administrator": "all"},
            kept=timedelta(days=3),
            waits=True,
            counts=("rows",),
            media_types=("text/plain",),
        )

    async def chunk(self, work: Work[Numbers]) -> Step:
        if self.raises:
            raise self.raises.pop(0)
        start, body = int(str(work.cursor.get("next", 0))), work.body
        if body.previewed and not work.confirmed:
            return Step({}, 0, body.to, counts={"rows": 0}, then="wait")
        rows = range(start, min(start + AT_ONCE, body.to))
        for row in rows:
            id = work.cause.step(f"row {row}").command_id
            self.effects += await self._store.append(EFFECTS.name, [{"_id": id, "version": 1, "slot": slot_of(id)}])
        await work.content.append(FILE, "".join(f"{row}\n" for row in rows).encode())
        found = tuple(RowProblem("not_a_row", row, "n") for row in rows if body.wrong and row % body.wrong == 0)
        ends = rows.stop >= body.to
        files = (Offered(FILE, "text/plain"),) if ends else ()
        counts = {"rows": rows.stop}
        return Step({"next": rows.stop}, rows.stop, body.to, found, counts, files=files, then="end" if ends else "more")


class Falling:
    """The store, which fails as it is told: before the save of a job's document takes effect, or after."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.before: list[int] = []
        self.after: list[int] = []
        self._saves = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        if collection == JOBS.name:
            self._saves += 1
            if self._saves in self.before:
                raise UnknownOutcome("before")
        await self._inner.save(collection, document, expected_version)
        if collection == JOBS.name and self._saves in self.after:
            raise UnknownOutcome("after")


class Desk:
    """Two replicas over one store, of which none is started: what their timers do is done when a test asks."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = LocalStore(None, [JOBS, JOB_PIECES, EFFECTS], self.clock)
        self.keys = Keys.in_memory(random.Random(1))
        self.falling = Falling(self.store)
        self.counting = Counting(self.store)
        self.jobs, self.other = self.replica(), self.replica()

    def replica(self) -> Jobs:
        store: Any = self.falling
        return Jobs("monitoring", store, self.clock, self.keys, [self.counting.kind])

    async def __aenter__(self) -> Desk:
        await self.store.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.store.stop()
        self.clock.close()

    async def ask(self, name: str = "k", digest: str = "d", files: Any = None, **body: Any) -> str:
        cause = Cause(derived_id(name), digest=digest, account=OFFICER.account)
        document = await self.jobs.ask("count", Numbers(**{"to": 7, **body}), cause, OFFICER, files)
        return str(document["_id"])

    async def stored(self, id: str) -> Document:
        document = await self.store.load(JOBS.name, id)
        assert document
        return document

    async def swept(self, jobs: Jobs, id: str) -> None:
        """What a sweep of that replica does with the job, if its timer is due."""
        document = await self.stored(id)
        if document["timed"] and document["next_at"] <= text_of(self.clock.now()):
            await jobs.take_up(document)

    async def finished(self, id: str, jobs: Jobs | None = None) -> Document:
        """Moved by one replica for as long as there is more to do at once, whatever the store answers."""
        more = True
        while more:
            try:
                more = await (jobs or self.jobs).move(id)
            except (UnknownOutcome, Conflict):
                return await self.stored(id)
        return await self.stored(id)

    async def pieces(self) -> list[Document]:
        return [one async for one in self.store.scan(JOB_PIECES.name) if one["sealed"]]

    async def text(self, id: str) -> str:
        content = await self.jobs.content(await self.stored(id))
        return b"".join([part async for part in content.read(FILE)]).decode()
