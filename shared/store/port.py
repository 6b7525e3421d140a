"""The store port: documents with a version, saved one at a time, found over declared indexes.

Both adapters (`local` on SQLite, `mongodb` by motor) pass tests/contract/test_store.py, and nothing
above this port knows which one it has.

A document is a JSON object: `_id` (text), `version` (int, 1 at first), anything else as JSON types
(64-bit integers, no keys with `$` or `.`). Three fields belong to the port:

- `ix`: `{index name: {"e": [equals, ...], "o": order}}`, written by `shared.store.collection`. `e` holds one
  text an element where the indexed field is a list; `o` is one order-preserving text that ends in `_id`.
- `uq`: texts that no other document of the collection may hold (absent where there are none).
- `outbox` and `pending`: events not yet sent; `ix.outbox` stands while `pending` is true.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal, Protocol

Document = dict[str, Any]
Appended = Literal["written", "existed"]

OUTBOX_INDEX = "outbox"
TIMER_INDEX = "timer"


_LEAST, _GREATEST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
_is_uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
REFERENCE_AT_LEAST = 8


def begins_uuid(reference: str) -> bool:
    """Whether some UUID begins with the text, and few enough do: eight characters of it at least."""
    whole = reference + _LEAST[len(reference) :]
    return len(reference) >= REFERENCE_AT_LEAST and len(whole) == len(_LEAST) and _is_uuid(whole) is not None


def beginning_with(reference: str) -> tuple[str, str]:
    """The least and the greatest UUID that begin with the reference. ValueError for what none begins with."""
    if not begins_uuid(reference):
        raise ValueError("no UUID begins so")
    return reference + _LEAST[len(reference) :], reference + _GREATEST[len(reference) :]


class Store(Protocol):
    """One service's documents. Every method may raise `Unavailable`; writes also `UnknownOutcome`."""

    async def start(self) -> None:
        """Opens the store and creates declared collections and indexes; SettingsError where it cannot."""
        ...

    async def stop(self) -> None:
        """Finishes what was begun and closes; the store can be started again."""
        ...

    async def load(self, collection: str, id: str) -> Document | None: ...

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        """Replaces the document whose version is `expected_version` (0: it must not exist) in one atomic write.

        `document["version"]` is the new version. Raises Conflict, UniqueViolated, UnknownOutcome.
        """
        ...

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        """Writes new documents, each for itself, in one group commit; what exists stays as it is.

        Raises UnknownOutcome for the whole batch where any other error came up.
        """
        ...

    async def sent(self, collection: str, id: str, version: int) -> bool:
        """Empties the outbox (`outbox`, `pending`, `ix.outbox`) if the version is still that; never raises it."""
        ...

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
        """Documents with that `equals`, by their order text, strictly after `after`, strictly before `until`."""
        ...

    async def holding(self, collections: Sequence[str], index: str, equals: str, *, until: str) -> list[str]:
        """Those of the collections, in their order, in which `find` may give something: one search where one is enough.

        An adapter that would have to ask each of them gives them all.
        """
        ...

    async def count(self, collection: str, index: str, equals: str, *, at_most: int | None = None) -> int:
        """How many documents have that `equals`; no further than `at_most`, where more need not be told apart."""
        ...

    async def beginning(self, collection: str, reference: str, *, limit: int = 100) -> list[Document]:
        """Documents whose id is a UUID that begins with the reference, eight of its characters or more, by their id.

        ValueError for what no UUID begins with.
        """
        ...

    def scan(self, collection: str) -> AsyncIterator[Document]:
        """Every document, in no order; for checkers, rebuild and restore, never for an answer to a user."""
        ...

    async def truncate(self) -> None:
        """After it no file of an embedded store holds what a save overwrote. Unavailable: a reader was in the way."""
        ...

    async def clock(self) -> str:
        """The store's own time as RFC 3339 text; intake is refused where the process is more than 2 s off."""
        ...

    async def settings(self) -> dict[str, str]:
        """Effective settings, declared indexes and those that nobody declared, by name, for `sankofa doctor`."""
        ...
