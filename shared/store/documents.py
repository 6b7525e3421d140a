"""What a document is before its first save, and what it may hold, so that both adapters keep and digest it alike."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rfc8785

from shared.canonical import EXACT_INTEGER, canonical_json
from shared.clock import short_hash
from shared.errors import SankofaError
from shared.store.collection import Collection, Index, Indexed
from shared.store.port import Document

MAX_DEPTH = 80
# As deep as `is_plain` looks.
PLAIN_DEPTH = 40
MAX_INTEGER = 2**63 - 1
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


def usual_of(new: Document) -> Document:
    """What such a document has before its first save in fields that many keep; an outbox the adapters keep apart."""
    return {name: value for name, value in new.items() if name not in ("_id", "version", "slot", "outbox", "pending")}


USUAL = usual_of(new_document("new"))


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


def is_plain(document: dict[str, Any]) -> bool:
    """Whether `check` surely passes: in one pass that knows no places, since this runs on every save.

    False says nothing: the document is deeper than most, or something in it is wrong, and `check` says what and where.
    """
    keys: list[Any] = []
    level: list[Any] = [document]
    for _ in range(PLAIN_DEPTH):
        below: list[Any] = []
        for held in level:
            items = held
            if type(held) is dict:
                keys += held
                items = held.values()
            for item in items:
                kind = type(item)
                if kind is str:
                    if not (item.isascii() or _is_encodable(item)):
                        return False
                elif kind is dict or kind is list:
                    if item:
                        below.append(item)
                elif item is not None and kind is not bool and not _is_number(kind, item):
                    return False
        if not below:
            return TEXT.issuperset(map(type, keys)) and _are_plain_keys("".join(keys))
        level = below
    return False


def _is_number(kind: type, value: Any) -> bool:
    if kind is int:
        return bool(-MAX_INTEGER - 1 <= value <= MAX_INTEGER)
    return kind is float and math.isfinite(value)


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _are_plain_keys(keys: str) -> bool:
    # MongoDB reads the first two as operators and paths, and ends a key at the third.
    return not ("$" in keys or "." in keys or "\0" in keys) and (keys.isascii() or _is_encodable(keys))


def _check_text(value: str) -> None:
    if not _is_encodable(value):
        raise NotStorable("lone_surrogate")


def _check_keys(value: dict[Any, Any]) -> None:
    if not TEXT.issuperset(map(type, value)):
        raise NotStorable("key_not_text")
    for key in value:
        _check_text(key)
    if not _are_plain_keys("".join(value)):
        raise NotStorable("key_with_dollar_dot_or_nul")


def _check_items(items: Iterable[tuple[str | int, Any]], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotStorable("too_deep")
    place: str | int = ""
    try:
        for place, item in items:  # noqa: B007 - the handler below says where it was
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
        canonical = canonical_json(document)
    except rfc8785.IntegerDomainError:
        canonical = canonical_json(_exact(document))
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
        has_entries = isinstance(document, Indexed) and document.by is declared
        plain = has_entries and is_plain(dict(document))
        if not plain:
            # What a caller wrote as index entries is replaced; what replaces it is checked below.
            check({name: value for name, value in document.items() if name not in ("ix", "uq")})
        indexed = document if has_entries else declared.indexed(document)
        for name, entry in indexed["ix"].items():
            # Two documents with one order text would hide one another at the edge of a page.
            if not entry["o"].endswith(document["_id"]):
                raise NotStorable("order_without_id", f"/ix/{name}/o")
        if not plain:
            check(indexed["ix"])
            check(indexed.get("uq"))
        return dict(indexed)
