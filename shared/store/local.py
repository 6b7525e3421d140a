"""The store port on one SQLite file a service, or in memory, where nothing runs beside the caller.

For one process on one machine: another process that opens the file is refused.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import cast

from shared.clock import Runtime, text_of
from shared.errors import Unavailable, UniqueViolated, UnknownOutcome
from shared.store import building, former_form
from shared.store import local_statements as statements
from shared.store.brief import Brief, brief, ordered
from shared.store.building import behind, changed_entries, with_entries
from shared.store.collection import Collection
from shared.store.documents import Declared
from shared.store.local_statements import Kept, Row, document_of
from shared.store.port import Appended, Document, beginning_with
from shared.store.sqlite import GroupCommit
from shared.telemetry.observability import logger

# Documents of half a megabyte are among them.
SCAN_PAGE = 100


class LocalStore:
    """`path` None keeps everything in memory, without threads: the simulation's and the unit tests' store.

    Reads answer at once on the caller's loop (about 20 us a document); writes wait for the group commit.
    """

    def __init__(self, path: Path | None, collections: Sequence[Collection], runtime: Runtime) -> None:
        self._declared = Declared(collections)
        self._runtime = runtime
        self._file = GroupCommit(path, statements.SETUP, statements.FORMAT, former_form.LIFTS)
        self._kept: dict[str, Kept] = {}

    async def start(self) -> None:
        """Raises SettingsError where the file cannot be written, has another form or another process has it.

        Writes the entries of indexes that were declared since for the documents that stand.
        """
        await self._file.start()
        try:
            collections = self._declared.collections.values()
            self._kept = await self._file.submit(lambda c: {one.name: statements.keep(c, one) for one in collections})
            for collection in collections:
                await self._build(collection)
        except BaseException:
            await self._file.stop()
            raise

    async def _build(self, collection: Collection) -> None:
        """The entries of indexes that this file has not seen in this version."""
        kept = self._kept[collection.name]
        missing = behind(collection, kept.built)
        if not missing:
            return
        written, rows = 0, list[Row]()
        async for document in self.scan(kept.name):
            if entries := changed_entries(collection, document, missing):
                rows.append(Row(with_entries(document, entries), kept))
                written += 1
            if len(rows) >= building.BATCH:
                await self._rewrite(kept, rows)
                rows = []
        await self._rewrite(kept, rows)
        await self._file.submit(lambda c: statements.note_built(c, kept, missing))
        if written:
            logger.info("entries_built", collection=kept.name, count=written)

    async def _rewrite(self, kept: Kept, rows: list[Row]) -> None:
        if rows:
            await self._file.submit(lambda c: statements.rewrite_entries(c, kept, rows))

    async def stop(self) -> None:
        await self._file.stop()

    def _of(self, collection: str) -> Kept:
        """Raises Undeclared, and Unavailable before the first start."""
        name = self._declared.collection(collection).name
        if name not in self._kept:
            raise Unavailable("the file is closed")
        return self._kept[name]

    async def load(self, collection: str, id: str) -> Document | None:
        kept = self._of(collection)
        row = self._file.read(lambda c: c.execute(statements.BODY, (kept.number, brief(id))).fetchone())
        return document_of(kept, row) if row else None

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        storable = self._declared.storable(collection, document, expected_version)
        kept = self._of(collection)
        row = Row(storable, kept)
        await self._file.submit(lambda c: statements.save(c, kept, row, expected_version))

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        storable = [self._declared.storable(collection, document, 0) for document in documents]
        if not storable:
            return []
        kept = self._of(collection)
        rows = [Row(document, kept) for document in storable]
        try:
            return await self._file.submit(lambda c: statements.append(c, kept, rows))
        except UniqueViolated as error:
            raise UnknownOutcome("a unique key of the batch belongs to another document") from error

    async def sent(self, collection: str, id: str, version: int) -> bool:
        kept = self._of(collection)
        return await self._file.submit(lambda c: statements.sent(c, kept, id, version))

    async def find(
        self,
        collection: str,
        index: str,
        equals: str,
        *,
        after: str | None = None,
        until: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> list[Document]:
        self._declared.index(collection, index)
        kept = self._of(collection)
        bounds = [ordered(bound) for bound in (after or "", until) if bound is not None]
        statement = statements.FIND[descending, until is not None]
        arguments = (kept.numbers[index], brief(equals), *bounds, max(limit, 0))
        rows = self._file.read(lambda c: c.execute(statement, arguments).fetchall())
        return [document_of(kept, row) for row in rows]

    async def holding(self, collections: Sequence[str], index: str, equals: str, *, until: str) -> list[str]:
        numbers: dict[str, int] = {}
        for name in collections:
            self._declared.index(name, index)
            numbers[name] = self._of(name).numbers[index]
        arguments = (json.dumps([*numbers.values()]), brief(equals), ordered(until))
        rows = self._file.read(lambda c: c.execute(statements.HOLDING, arguments).fetchall())
        found = {number for (number,) in rows}
        return [name for name, number in numbers.items() if number in found]

    async def count(self, collection: str, index: str, equals: str, *, at_most: int | None = None) -> int:
        self._declared.index(collection, index)
        # SQLite reads a negative bound as none.
        arguments = (self._of(collection).numbers[index], brief(equals), -1 if at_most is None else at_most)
        row = self._file.read(lambda c: c.execute(statements.COUNT, arguments).fetchone())
        return int(row[0])

    async def beginning(self, collection: str, reference: str, *, limit: int = 100) -> list[Document]:
        kept, (first, last) = self._of(collection), beginning_with(reference)
        arguments = (kept.number, brief(first), brief(last), max(limit, 0))
        rows = self._file.read(lambda c: c.execute(statements.BETWEEN, arguments).fetchall())
        return [document_of(kept, row) for row in rows]

    async def scan(self, collection: str) -> AsyncIterator[Document]:
        kept, after = self._of(collection), cast(Brief, "")
        while True:
            arguments = (kept.number, after, SCAN_PAGE)
            rows = self._file.read(lambda c, a=arguments: c.execute(statements.SCAN, a).fetchall())  # type: ignore[misc]
            for row in rows:
                after = row[0]
                yield document_of(kept, row)
            if len(rows) < SCAN_PAGE:
                return

    def packed_texts(self, collection: str) -> Iterator[bytes]:
        """What lies packed in each row of a collection, for training a dictionary."""
        kept = self._of(collection)
        rows = self._file.read(lambda c: c.execute(statements.PACKED, (kept.number,)).fetchall())
        return (kept.unpacked(*row) for row in rows)

    async def clock(self) -> str:
        """The process's own time: the store is in it."""
        return text_of(self._runtime.now())

    async def settings(self) -> dict[str, str]:
        """The file's effective pragmas and the declared indexes by collection."""
        declared = {
            f"indexes of {name}": ", ".join(sorted(c.all_indexes)) for name, c in self._declared.collections.items()
        }
        return {"adapter": "local", **self._file.settings(), **declared}

    async def truncate(self) -> None:
        """Empties the WAL, so that what an erasure overwrote is in no file any more."""
        await self._file.truncate()
