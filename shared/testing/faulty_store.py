"""The store port behind a bad wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from shared.errors import UnknownOutcome
from shared.store.collection import Indexed
from shared.store.port import Appended, Document, Store
from shared.testing.faults import FaultPlan, Wire


class FaultyStore:
    """One store as its replicas see it. Whoever made the store starts and stops it."""

    def __init__(self, store: Store, plan: FaultPlan) -> None:
        self._store = store
        self._plan = plan
        self._wire = Wire(plan)

    async def start(self) -> None:
        await self._wire.carry("store.start", _nothing)

    async def stop(self) -> None:
        """Leaves the store open for the other replicas."""

    async def load(self, collection: str, id: str) -> Document | None:
        return await self._wire.ask("store.load", lambda: self._store.load(collection, id))

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        copy = _copied(document)
        await self._wire.carry("store.save", lambda: self._store.save(collection, copy, expected_version), writes=True)

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        copies = [_copied(document) for document in documents]
        return await self._wire.carry("store.append", lambda: self._append(collection, copies), writes=True)

    async def _append(self, collection: str, documents: list[Document]) -> list[Appended]:
        if documents and self._plan.happens("partial"):
            self._plan.counts["partial_appends"] += 1
            self._plan.counts["unknown_outcomes"] += 1
            written = [document for document in documents if self._plan.runtime.rng.random() < 0.5]
            await self._store.append(collection, written)
            raise UnknownOutcome("some of the batch")
        return await self._store.append(collection, documents)

    async def sent(self, collection: str, id: str, version: int) -> bool:
        return await self._wire.carry("store.sent", lambda: self._store.sent(collection, id, version), writes=True)

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
        return await self._wire.ask(
            "store.find",
            lambda: self._store.find(
                collection, index, equals, after=after, until=until, limit=limit, descending=descending
            ),
        )

    async def holding(self, collections: Sequence[str], index: str, equals: str, *, until: str) -> list[str]:
        return await self._wire.ask(
            "store.holding", lambda: self._store.holding(collections, index, equals, until=until)
        )

    async def count(self, collection: str, index: str, equals: str, *, at_most: int | None = None) -> int:
        return await self._wire.ask(
            "store.count", lambda: self._store.count(collection, index, equals, at_most=at_most)
        )

    async def beginning(self, collection: str, reference: str, *, limit: int = 100) -> list[Document]:
        return await self._wire.ask(
            "store.beginning", lambda: self._store.beginning(collection, reference, limit=limit)
        )

    def scan(self, collection: str) -> AsyncIterator[Document]:
        """Without faults: only checkers, rebuild and restore read so."""
        return self._store.scan(collection)

    async def truncate(self) -> None:
        await self._wire.carry("store.truncate", self._store.truncate)

    async def clock(self) -> str:
        return await self._wire.ask("store.clock", self._store.clock)

    async def settings(self) -> dict[str, str]:
        return await self._wire.ask("store.settings", self._store.settings)


async def _nothing() -> None:
    """A connection without a request."""


def _copied(value: Any) -> Any:
    """A copy that keeps what is no JSON type, for the store to refuse."""
    # The caller may change the document after an unknown outcome, while this write is still on its way.
    if type(value) in (dict, Indexed):
        return {key: _copied(item) for key, item in value.items()}
    if type(value) is list:
        return [_copied(item) for item in value]
    return value
