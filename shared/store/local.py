"""The store port on one SQLite file a service, or in memory, where nothing runs beside the caller.

For one process on one machine: another process that opens the file is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from shared.clock import Runtime, text_of
from shared.errors import UniqueViolated, UnknownOutcome
from shared.store import building
from shared.store import local_statements as statements
from shared.store.building import behind, changed_entries, with_entries
from shared.store.collection import Collection
from shared.store.documents import Declared
from shared.store.local_statements import Row, document_of
from shared.store.port import Appended, Document
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
        self._file = GroupCommit(path, statements.SETUP)

    async def start(self) -> None:
        """Raises SettingsError where the file cannot be written or another process has it.

        Brings an older file into today's form, and writes the entries of indexes that were declared since for the
        documents that stand.
        """
        await self._file.start()
        try:
            if lifted := await self._file.submit(statements.lift):
                logger.info("documents_lifted", count=lifted)
            for collection in self._declared.collections.values():
                await self._build(collection)
        except BaseException:
            await self._file.stop()
            raise

    async def _build(self, collection: Collection) -> None:
        """The entries of indexes that this file has not seen in this version."""
        name = collection.name
        missing = behind(collection, dict(self._file.read(lambda c: c.execute(statements.BUILT, (name,)).fetchall())))
        if not missing:
            return
        written, rows = 0, list[Row]()
        async for document in self.scan(name):
            if entries := changed_entries(collection, document, missing):
                rows.append(Row(with_entries(document, entries), collection.passing))
                written += 1
            if len(rows) >= building.BATCH:
                await self._rewrite(name, rows)
                rows = []
        await self._rewrite(name, rows)
        await self._file.submit(lambda c: statements.note_built(c, name, missing))
        if written:
            logger.info("entries_built", collection=name, count=written)

    async def _rewrite(self, name: str, rows: list[Row]) -> None:
        if rows:
            await self._file.submit(lambda c: statements.rewrite_entries(c, name, rows))

    async def stop(self) -> None:
        await self._file.stop()

    async def load(self, collection: str, id: str) -> Document | None:
        self._declared.collection(collection)
        row = self._file.read(lambda c: c.execute(statements.BODY, (collection, id)).fetchone())
        return document_of(*row) if row else None

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        row = self._row(collection, document, expected_version)
        await self._file.submit(lambda c: statements.save(c, collection, row, expected_version))

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        rows = [self._row(collection, document, 0) for document in documents]
        if not rows:
            return []
        try:
            return await self._file.submit(lambda c: statements.append(c, collection, rows))
        except UniqueViolated as error:
            raise UnknownOutcome("a unique key of the batch belongs to another document") from error

    def _row(self, collection: str, document: Document, expected_version: int) -> Row:
        storable = self._declared.storable(collection, document, expected_version)
        return Row(storable, self._declared.collection(collection).passing)

    async def sent(self, collection: str, id: str, version: int) -> bool:
        self._declared.collection(collection)
        return await self._file.submit(lambda c: statements.sent(c, collection, id, version))

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
        bounds = (after or "",) if until is None else (after or "", until)
        statement = statements.FIND[descending, until is not None]
        arguments = (collection, index, equals, *bounds, max(limit, 0))
        rows = self._file.read(lambda c: c.execute(statement, arguments).fetchall())
        return [document_of(*row) for row in rows]

    async def count(self, collection: str, index: str, equals: str, *, at_most: int | None = None) -> int:
        self._declared.index(collection, index)
        # SQLite reads a negative bound as none.
        arguments = (collection, index, equals, -1 if at_most is None else at_most)
        row = self._file.read(lambda c: c.execute(statements.COUNT, arguments).fetchone())
        return int(row[0])

    async def scan(self, collection: str) -> AsyncIterator[Document]:
        self._declared.collection(collection)
        after = ""
        while True:
            arguments = (collection, after, SCAN_PAGE)
            rows = self._file.read(lambda c, a=arguments: c.execute(statements.SCAN, a).fetchall())  # type: ignore[misc]
            for *parts, id in rows:
                yield document_of(*parts)
                after = id
            if len(rows) < SCAN_PAGE:
                return

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
