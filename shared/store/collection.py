"""Declared collections and indexes, and the two strings that an index is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Document

Equals = Callable[[Document], list[str]]
Order = Callable[[Document], str]
SEPARATOR = "\x1f"


def by_id(document: Document) -> str:
    """The order of lists that have no better one."""
    return str(document["_id"])


@dataclass(frozen=True)
class Index:
    """`equals` gives the texts under which a document is found (several for a list), `order` its place.

    An order text never changes for a document, or a page would miss or repeat it; outboxes and timers
    are the exception, and only the sweeper reads those. `version` is raised with any change of the two functions:
    the next start then writes the entries of the documents that stand (`shared.store.building`).
    """

    equals: Equals
    order: Order = by_id
    version: int = 1


def _outbox(document: Document) -> list[str]:
    return ["pending"] if document.get("pending") else []


def _timer(document: Document) -> list[str]:
    return ["timed"] if document.get("timed") else []


KERNEL_INDEXES: Mapping[str, Index] = {
    OUTBOX_INDEX: Index(_outbox, lambda d: f"{d.get('last_recorded_at') or ''}{SEPARATOR}{d['_id']}"),
    TIMER_INDEX: Index(_timer, lambda d: f"{d.get('next_at') or ''}{SEPARATOR}{d['_id']}"),
}


class Indexed(dict[str, Any]):
    """A document as `Collection.indexed` gave it. Whoever changes it makes another dictionary of it."""

    by: Collection


@dataclass(frozen=True)
class Collection:
    """A collection of one service: its name, its indexes by name, its unique keys.

    `passing`: fields that are long while they stand and soon become None for good. An adapter may keep them apart, so
    that their room is used again; a document is the same either way. `usual`: what most of its documents have in these
    fields, which an adapter need not write for each; None for what new documents of the kernel have.
    """

    name: str
    indexes: Mapping[str, Index] = field(default_factory=dict)
    unique: Equals | None = None
    passing: tuple[str, ...] = ()
    usual: Mapping[str, Any] | None = None

    @cached_property
    def all_indexes(self) -> Mapping[str, Index]:
        return {**self.indexes, **KERNEL_INDEXES}

    def entry(self, name: str, document: Document) -> dict[str, Any] | None:
        """What stands under `ix` for that index; None for a document that it does not find."""
        index = self.all_indexes[name]
        equals = index.equals(document)
        return {"e": equals, "o": index.order(document)} if equals else None

    def indexed(self, document: Document) -> Document:
        """The document with `ix` and `uq` written anew from its other fields."""
        entries = {
            name: {"e": equals, "o": index.order(document)}
            for name, index in self.all_indexes.items()
            if (equals := index.equals(document))
        }
        indexed = Indexed(document)
        indexed["ix"] = entries
        indexed.pop("uq", None)
        if self.unique and (keys := self.unique(document)):
            indexed["uq"] = keys
        indexed.by = self
        return indexed


def belongs(document: Document, index: str, equals: str) -> bool:
    """Whether `find` over that index would give the document: the predicate of a policy row after `load`."""
    return equals in document.get("ix", {}).get(index, {}).get("e", [])
