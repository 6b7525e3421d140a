"""What the headers of many records have in common, kept once: names, types and codes that a thousand records repeat.

A shape is found by its digest, in whichever file it was first written; a file holds every shape that its records name.
Only headers of this project's own names are taken apart, so that nothing of a foreign record is kept beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from shared.messaging.port import Headers

FORM = b"\x03"
DIGEST_BYTES = 8
SHAPES_AT_MOST = 1_000
# Differs from record to record, and so stands in each.
OWN = frozenset(
    {
        "ce_id",
        "ce_subject",
        "ce_time",
        "ce_recordedtime",
        "ce_sequence",
        "ce_correlationid",
        "ce_causationid",
        "ce_traceparent",
        "traceparent",
    }
)
COMMON = frozenset(
    {
        "ce_specversion",
        "ce_type",
        "ce_source",
        "ce_dataschema",
        "ce_epoch",
        "ce_office",
        "ce_programme",
        "ce_programmeversion",
        "ce_byrole",
        "ce_byoffice",
        "content-type",
    }
)

_known: dict[bytes, Shape] = {}


@dataclass(frozen=True)
class Shape:
    """For each header, in order, its name and what it is: `=` and a text, `own`, `key`, or `as` and an earlier name."""

    parts: tuple[tuple[str, str, str], ...]

    @cached_property
    def text(self) -> str:
        return json.dumps(self.parts, separators=(",", ":"))

    @cached_property
    def digest(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()[:DIGEST_BYTES]

    @cached_property
    def common(self) -> Mapping[str, bytes]:
        return {name: text.encode() for name, kind, text in self.parts if kind == "="}

    @cached_property
    def own(self) -> tuple[str, ...]:
        return tuple(name for name, kind, _ in self.parts if kind == "own")

    @cached_property
    def follow(self) -> tuple[tuple[str, str], ...]:
        """The headers that repeat another one, or the record's key where that is an empty name."""
        return tuple((name, of) for name, kind, of in self.parts if kind in ("as", "key"))

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self.parts)

    def named(self, values: bytes, key: bytes | None) -> dict[str, bytes]:
        """The headers by name."""
        found = dict(self.common)
        if self.own:
            found.update(zip(self.own, values.split(b"\0"), strict=True))
        for name, of in self.follow:
            found[name] = found[of] if of else key or b""
        return found


def taken_apart(headers: Headers, key: bytes | None) -> tuple[Shape, bytes] | None:
    """The shape of the headers and what stands in the record; None for headers that are not this project's own."""
    parts: list[tuple[str, str, str]] = []
    values: list[bytes] = []
    before: dict[str, bytes] = {}
    for name, value in headers:
        if name in before or b"\0" in value:
            return None
        if name in COMMON:
            try:
                parts.append((name, "=", value.decode()))
            except UnicodeDecodeError:
                return None
        elif name not in OWN:
            return None
        elif value == key:
            parts.append((name, "key", ""))
        elif name == "traceparent" and value == before.get("ce_traceparent"):
            parts.append((name, "as", "ce_traceparent"))
        else:
            parts.append((name, "own", ""))
            values.append(value)
        before[name] = value
    return _shape_of(tuple(parts)), b"\0".join(values)


@lru_cache(maxsize=SHAPES_AT_MOST)
def _shape_of(parts: tuple[tuple[str, str, str], ...]) -> Shape:
    """One object a shape: its digest is worked out once."""
    return Shape(parts)


def remember(text: str) -> Shape:
    """The shape of that text, from now on found by its digest."""
    shape = Shape(tuple((name, kind, said) for name, kind, said in json.loads(text)))
    return _known.setdefault(shape.digest, shape)


def unknown(blobs: Iterable[bytes]) -> bool:
    """Whether one of these headers names a shape that is not remembered here."""
    at = slice(len(FORM), len(FORM) + DIGEST_BYTES)
    return any(blob[at] not in _known for blob in blobs if blob[: len(FORM)] == FORM)


def packed_with(shape: Shape, values: bytes) -> bytes:
    """What stands in a record whose file holds the shape."""
    _known.setdefault(shape.digest, shape)
    return FORM + shape.digest + values


def named_with(blob: bytes, key: bytes | None) -> dict[str, bytes]:
    """The headers by name of what `packed_with` gave. KeyError for a shape that the file does not hold."""
    end = len(FORM) + DIGEST_BYTES
    return _known[blob[len(FORM) : end]].named(blob[end:], key)


def ordered_with(blob: bytes, key: bytes | None) -> Headers:
    """The headers in their order."""
    found = named_with(blob, key)
    return tuple((name, found[name]) for name in _known[blob[len(FORM) : len(FORM) + DIGEST_BYTES]].names)
