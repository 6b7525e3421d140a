"""Headers as one blob: decoding is on every consumer's hot path, so names are decoded once a set of names."""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from shared.messaging.port import Headers

_PLAIN = b"\x01"
_SIZED = b"\x02"
_LENGTH = Struct(">I")


def packed(headers: Headers) -> bytes:
    """Empty for no headers; values parted by NUL where none holds one, else each with its length before it."""
    if not headers:
        return b""
    names = "\n".join(name for name, _ in headers).encode()
    values = [value for _, value in headers]
    if any(b"\0" in value for value in values) or any("\n" in name or "\0" in name for name, _ in headers):
        parts = [part for name, value in headers for part in (name.encode(), value)]
        return _SIZED + b"".join(_LENGTH.pack(len(part)) + part for part in parts)
    return _PLAIN + names + b"\0" + b"\0".join(values)


def unpacked(blob: bytes) -> Headers:
    """What `packed` made a blob of."""
    if not blob:
        return ()
    if blob[0] == _PLAIN[0]:
        parts = iter(blob.split(b"\0"))
        return tuple(zip(_names(next(parts)), parts, strict=True))
    sized = []
    place = 1
    while place < len(blob):
        (length,) = _LENGTH.unpack_from(blob, place)
        place += _LENGTH.size + length
        sized.append(blob[place - length : place])
    names_of = (part.decode() for part in sized[0::2])
    return tuple(zip(names_of, sized[1::2], strict=True))


def named(blob: bytes) -> dict[str, bytes]:
    """`dict(unpacked(blob))`, without the pairs in between."""
    if blob[:1] != _PLAIN:
        return dict(unpacked(blob))
    names, *values = blob.split(b"\0")
    return dict(zip(_names(names), values, strict=True))


@lru_cache(maxsize=4096)
def _names(blob: bytes) -> tuple[str, ...]:
    return tuple(blob[1:].decode().split("\n"))
