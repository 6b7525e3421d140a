"""The collections and documents of the store's contract suite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from shared.store.collection import SEPARATOR, Collection, Index
from shared.store.port import Document, Store

DRIVERS = ["motor", "pymongo"]
CASES = Collection(
    "cases",
    {
        "office": Index(lambda d: [d["office"]] if "office" in d else [], lambda d: f"{d['at']}{SEPARATOR}{d['_id']}"),
        "tag": Index(lambda d: list(d.get("tags", ()))),
    },
    unique=lambda d: list(d.get("numbers", ())),
    passing=("letter", "answer"),
)
OTHERS = Collection("others")
COLLECTIONS = (CASES, OTHERS)

Open = Callable[..., Awaitable[Store]]


def case(id: str, version: int = 1, **fields: Any) -> Document:
    """A document as the kernel would hand it over, before its index entries are written."""
    return {"_id": id, "version": version, "at": "2026-01-01", "outbox": [], "pending": False, **fields}


def unsent(id: str, version: int = 1, **fields: Any) -> Document:
    return case(id, version, outbox=[{"topic": "t", "value": "{}"}], pending=True, **fields)
