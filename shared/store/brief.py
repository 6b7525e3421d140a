"""Ids and texts of indexes as they lie in a local store's file: shorter, and found and ordered as the texts are.

Most ids are UUIDs or digests in hexadecimal, and most orders a time and an id. All runs several times a save.
"""

from __future__ import annotations

import re

from shared.store.collection import SEPARATOR

Brief = str | bytes

# By the number of characters: the number of bytes, as a byte.
_NUMBER = {36: b"\x10", 64: b"\x20"}
_UUID_BYTES = 16
_is_hexadecimal = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_bytes = bytes.fromhex


def brief(text: str) -> Brief:
    """Another value for every text: the text itself, or bytes where its last part is a UUID or a digest of 32 bytes.

    The bytes are their number, they themselves, and what stands before them.
    """
    length = len(text)
    if length in _NUMBER and _is_hexadecimal(text):
        return _NUMBER[length] + _bytes(text.replace("-", ""))
    if length < 36 or SEPARATOR not in text:
        return text
    head, separator, last = text.rpartition(SEPARATOR)
    if len(last) in _NUMBER and _is_hexadecimal(last):
        return _NUMBER[len(last)] + _bytes(last.replace("-", "")) + (head + separator).encode()
    return text


def whole(value: Brief) -> str:
    """The text that `brief` made the value of."""
    if isinstance(value, str):
        return value
    end = 1 + value[0]
    last = value[1:end].hex()
    if value[0] == _UUID_BYTES:
        last = f"{last[:8]}-{last[8:12]}-{last[12:16]}-{last[16:20]}-{last[20:]}"
    return value[end:].decode() + last


# In five bits each, in the order of their code points, from 1 on. Zero is no character's, so a text that goes on comes
# after the one that ends there. Any other character is five bits for the gap that it lies in and five times five.
_COMMON = f"{SEPARATOR}-.0123456789:TZabcdef"
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_BITS = 5
_OTHER = b"!"


def _codes() -> tuple[dict[int, str], list[tuple[int, str]]]:
    """The digit of base 32 by common code point; the gaps with theirs, each by the code point that ends it."""
    common, gaps, code, before = dict[int, str](), list[tuple[int, str]](), 0, -1
    for point in map(ord, _COMMON):
        if point > before + 1:
            code += 1
            gaps.append((point, _DIGITS[code]))
        code += 1
        common[point] = _DIGITS[code]
        before = point
    return common, [*gaps, (0x110000, _DIGITS[code + 1])]


_common, _gaps = _codes()
_table = bytes(ord(_common.get(point, _OTHER.decode())) for point in range(256))


def ordered(text: str) -> bytes:
    """Bytes that compare as the texts do by code point, five eighths as long for times and hexadecimal ids.

    There is no way back: an order is compared and never read.
    """
    digits = text.encode("ascii", "replace").translate(_table)
    if _OTHER in digits:
        digits = "".join(map(_spelled, text)).encode()
    bits = _BITS * len(digits)
    return (int(digits, 32) << -bits % 8).to_bytes((bits + 7) // 8, "big") if bits else b""


def _spelled(character: str) -> str:
    point = ord(character)
    if point in _common:
        return _common[point]
    gap = next(digit for end, digit in _gaps if point < end)
    return gap + "".join(_DIGITS[point >> place & 31] for place in (20, 15, 10, 5, 0))
