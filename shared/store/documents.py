"""What a document is before its first save, and what it may hold, so that both adapters keep and digest it alike."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785

from shared.clock import short_hash
from shared.errors import SankofaError
from shared.store.collection import Collection, Index, Indexed
from shared.store.port import Document

MAX_DEPTH = 80
MAX_INTEGER = 2**63 - 1
EXACT_INTEGER = 2**53 - 1
SLOTS = 64
TEXT = frozenset({str})


class NotStorable(SankofaError):
    """A document that is not what the port takes: `rule` and the JSON pointer of the field, never its value."""

    def __init__(self, rule: str, pointer: str = "") -> None:
        super().__init__(rule, pointer)
        self.rule = rule
        self.pointer = pointer

    def __str__(self) -> str:
        return f"{self.rule} at {self.pointer or '/'}"


class Undeclared(SankofaError):
    """A collection or an index that the service did not declare."""


def new_document(id: str) -> Document:
    """A document before its first save."""
    return {
        "_id": id,
        "version": 0,
        "slot": slot_of(id),
        "state": None,
        "private": {},
        "outbox": [],
        "pending": False,
        "applied": {},
        "emitted": {},
        "holds": {},
        "closed": None,
        "late": False,
        "timed": False,
        "next_at": None,
        "last_recorded_at": None,
        "last_happened_at": None,
    }


def slot_of(id: str) -> int:
    """Where the sweeper looks for the document: replicas visit slots in random order."""
    return int(short_hash(id)[:4], 16) % SLOTS


def check(value: Any, depth: int = 0) -> None:
    """Raises NotStorable unless the value is JSON with finite numbers, 64-bit integers and plain keys.

    Only the exact built-in types pass: an enum or a tuple would come back as something else.
    """
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value)
    elif kind is dict:
        _check_keys(value)
        _check_items(value.items(), depth)
    elif kind is list:
        _check_items(enumerate(value), depth)
    elif kind is int:
        if not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
            raise NotStorable("integer_beyond_64_bits")
    elif kind is float:
        if not math.isfinite(value):
            raise NotStorable("number_not_finite")
    elif kind is not bool and value is not None:
        raise NotStorable("not_json")


def _check_text(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotStorable("lone_surrogate") from None


def _check_keys(value: dict[Any, Any]) -> None:
    if not TEXT.issuperset(map(type, value)):
        raise NotStorable("key_not_text")
    # All keys at once: this runs on every save, and one by one it would cost as much as the write.
    keys = "".join(value)
    # MongoDB reads the first two as operators and paths, and ends a key at the third.
    if "$" in keys or "." in keys or "\0" in keys:
        raise NotStorable("key_with_dollar_dot_or_nul")
    if not keys.isascii():
        for key in value:
            _check_text(key)


def _check_items(items: Iterable[tuple[str | int, Any]], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotStorable("too_deep")
    place: str | int = ""
    try:
        for place, item in items:  # noqa: B007 - the handler below says where it was
            kind = type(item)
            # Most of what a document holds; a call for each would cost as much as encoding it.
            if (kind is str and item.isascii()) or item is None or kind is bool:
                continue
            check(item, depth + 1)
    except NotStorable as error:
        name = str(place).replace("~", "~0").replace("/", "~1")
        error.pointer = f"/{name}{error.pointer}"
        raise


def _exact(value: Any) -> Any:
    """The value with integers that no double holds written as `{"$integer": digits}`, a key no document has."""
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if type(value) is list:
        return [_exact(item) for item in value]
    if type(value) is int and abs(value) > EXACT_INTEGER:
        return {"$integer": str(value)}
    return value


def digest(document: Document) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON (RFC 8785): the same whichever adapter gave the document."""
    try:
        canonical = rfc8785.dumps(document)
    except rfc8785.IntegerDomainError:
        canonical = rfc8785.dumps(_exact(document))
    return hashlib.sha256(canonical).hexdigest()


class Declared:
    """The collections of one store; what both adapters ask before they touch anything."""

    def __init__(self, collections: Sequence[Collection]) -> None:
        self.collections: Mapping[str, Collection] = {c.name: c for c in collections}
        if len(self.collections) != len(collections):
            raise ValueError("two collections have one name")

    def collection(self, name: str) -> Collection:
        try:
            return self.collections[name]
        except KeyError:
            raise Undeclared(f"collection {name}") from None

    def index(self, collection: str, name: str) -> Index:
        try:
            return self.collection(collection).all_indexes[name]
        except KeyError:
            raise Undeclared(f"index {name} of {collection}") from None

    def storable(self, collection: str, document: Document, expected_version: int) -> Document:
        """The document with its index entries and unique keys written anew; raises NotStorable, Undeclared."""
        declared = self.collection(collection)
        if type(document.get("_id")) is not str or not document["_id"]:
            raise NotStorable("id_not_text", "/_id")
        version = document.get("version")
        if type(version) is not int or version <= expected_version:
            raise NotStorable("version_not_raised", "/version")
        # What a caller wrote as index entries is replaced; what replaces it is checked below.
        check({name: value for name, value in document.items() if name not in ("ix", "uq")})
        indexed = document if isinstance(document, Indexed) and document.by is declared else declared.indexed(document)
        for name, entry in indexed["ix"].items():
            # Two documents with one order text would hide one another at the edge of a page.
            if not entry["o"].endswith(document["_id"]):
                raise NotStorable("order_without_id", f"/ix/{name}/o")
        check(indexed["ix"])
        check(indexed.get("uq"))
        return dict(indexed)
