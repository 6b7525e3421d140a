"""JSON as the edge takes it: one reading for every reader, bounded, and nothing that a store would not hold."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from shared.canonical import EXACT_INTEGER
from shared.errors import Problem, Refusal

DEPTH_AT_MOST = 32
# Texts, brackets and commas: several times what the largest definition has. Whatever is broken in a body is broken at
# one of them, so this also bounds what a validator can find.
TOKENS_AT_MOST = 20_000
INTEGER_DIGITS_AT_MOST = 16

# A whole string, even one that is never closed, a bracket or a comma: possessive, so that it stays linear.
_TOKENS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")


def parsed(raw: bytes) -> Any:
    """The value. Raises Refusal 422 with the broken rule and, where there is one, the pointer; never a value.

    Refused: what is not UTF-8 or not JSON, deeper than 32, of too many parts, duplicate or dotted keys and keys with
    `$`, NaN and infinities, numbers beyond 53 bits, lone surrogates and NUL.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        refuse("not_utf8")
    _check_shape(text)
    try:
        value = _decode(text)
    except (ValueError, RecursionError):
        refuse("not_json")
    _check_texts(value, "")
    return value


def refuse(rule: str, pointer: str = "", detail: str = "") -> NoReturn:
    """Raises the refusal of bad input. `detail`: what would be right, in words."""
    raise Refusal(rule, problems=(Problem(rule, pointer, detail),), status=422) from None


def pointer_to(parts: tuple[str | int, ...]) -> str:
    """The JSON pointer of a field. A key that is no plain name may be a value in the wrong place: it ends there."""
    pointer = ""
    for part in parts:
        if isinstance(part, str) and not _PLAIN_KEY.fullmatch(part):
            return pointer
        pointer += f"/{part}"
    return pointer


def _check_shape(text: str) -> None:
    opened = text.count("[") + text.count("{")
    # What has too few brackets to be deep and too few parts to be many needs no second look.
    if opened <= DEPTH_AT_MOST and 2 * opened + text.count('"') + text.count(",") <= TOKENS_AT_MOST:
        return
    depth = 0
    for number, token in enumerate(_TOKENS.finditer(text)):
        if number == TOKENS_AT_MOST:
            refuse("too_many_values")
        character = text[token.start()]
        if character in "[{":
            depth += 1
            if depth > DEPTH_AT_MOST:
                refuse("too_deep")
        elif character in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        refuse("duplicate_key")
    return found


def _integer(text: str) -> int:
    if len(text) > INTEGER_DIGITS_AT_MOST + 1 or abs(number := int(text)) > EXACT_INTEGER:
        refuse("integer_out_of_range")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        refuse("number_not_finite")
    # Above 53 bits every number is whole, however it is written.
    if abs(number) > EXACT_INTEGER:
        refuse("integer_out_of_range")
    return number


_decode = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_float,
    parse_constant=lambda _: refuse("number_not_finite"),
).decode


def _check_texts(value: Any, pointer: str) -> None:
    if isinstance(value, str):
        if _UNFIT.search(value):
            refuse("character_not_allowed", pointer)
    elif isinstance(value, list):
        for position, element in enumerate(value):
            _check_texts(element, f"{pointer}/{position}")
    elif isinstance(value, dict):
        for key, element in value.items():
            if _UNFIT.search(key) or "$" in key or "." in key:
                refuse("key_not_allowed", pointer)
            _check_texts(element, f"{pointer}/{key}" if _PLAIN_KEY.fullmatch(key) else pointer)
