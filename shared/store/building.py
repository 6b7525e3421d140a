"""Entries of an index that is declared anew, for the documents that stand already.

At its start a store compares each declared index with those whose entries it has built, by name and version, and
writes what is missing in batches; only then it notes the index as built. A crash before that begins anew, and what
was written stays. Whoever saves a document writes all entries that its own code declares. So a replica of older
code has to be stopped before one that declares more is started, or what it still saves is not found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.store.collection import Collection
from shared.store.port import Document

BATCH = 500
Entries = dict[str, dict[str, Any] | None]


def behind(collection: Collection, built: Mapping[str, int]) -> dict[str, int]:
    """The declared indexes whose entries do not stand for every document, with their versions.

    `built`: name and version of those that were noted. One that newer code built is left as it is.
    """
    return {name: index.version for name, index in collection.all_indexes.items() if built.get(name, 0) < index.version}


def changed_entries(collection: Collection, document: Document, names: Iterable[str]) -> Entries:
    """Of these indexes the entries that stand otherwise in the document, as they have to be (None: not at all)."""
    standing = document.get("ix", {})
    wanted = {name: collection.entry(name, document) for name in names}
    return {name: entry for name, entry in wanted.items() if entry != standing.get(name)}


def with_entries(document: Document, entries: Entries) -> Document:
    """The document with these entries and otherwise as it is."""
    ix = {**document.get("ix", {}), **entries}
    return {**document, "ix": {name: entry for name, entry in ix.items() if entry is not None}}
