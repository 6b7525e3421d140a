from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import EXACT_INTEGER
from shared.errors import Refusal
from shared.web.strict_json import DEPTH_AT_MOST, parsed

PLAIN = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00$."), max_size=6)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-EXACT_INTEGER, EXACT_INTEGER)
    | st.floats(-EXACT_INTEGER, EXACT_INTEGER)
    | st.text(PLAIN, max_size=10)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


def rules(raw: bytes) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as error:
        parsed(raw)
    assert error.value.status == 422
    assert error.value.__cause__ is None
    return [(problem.rule, problem.pointer) for problem in error.value.problems]


@given(VALUES)
def test_plain_json_is_read_as_json(value: Any) -> None:
    assert parsed(json.dumps(value).encode()) == value
    assert parsed(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    status = 422
    try:
        parsed(raw)
    except Refusal as refusal:
        status = refusal.status
    assert status == 422


@pytest.mark.parametrize(
    ("raw", "rule", "pointer"),
    [
        (b"", "not_json", ""),
        (b"{", "not_json", ""),
        (b"{} {}", "not_json", ""),
        (b"\xff\xfe{\x00}\x00", "not_utf8", ""),
        (b"\xef\xbb\xbf{}", "not_json", ""),
        (b'{"a": 1, "a": 2}', "duplicate_key", ""),
        (b'[{"a": 1, "\\u0061": 2}]', "duplicate_key", ""),
        (b'{"a": NaN}', "number_not_finite", ""),
        (b'{"a": -Infinity}', "number_not_finite", ""),
        (b'{"a": 1e999}', "number_not_finite", ""),
        (b'{"a": 9007199254740992}', "integer_out_of_range", ""),
        (b'{"a": -9007199254740992}', "integer_out_of_range", ""),
        (b'{"a": 1e17}', "integer_out_of_range", ""),
        (b'{"a": -9007199254740992.0}', "integer_out_of_range", ""),
        (b"1" * 5000, "integer_out_of_range", ""),
        (b'{"a": {"b": ["x", "\\ud800"]}}', "character_not_allowed", "/a/b/1"),
        (b'{"a": "\\u0000"}', "character_not_allowed", "/a"),
        (b'{"a": {"$ne": 1}}', "key_not_allowed", "/a"),
        (b'{"a.b": 1}', "key_not_allowed", ""),
        (b'{"Amina Example": {"$x": 1}}', "key_not_allowed", ""),
        (b'{"\\ud800": 1}', "key_not_allowed", ""),
    ],
)
def test_what_is_refused(raw: bytes, rule: str, pointer: str) -> None:
    assert rules(raw) == [(rule, pointer)]


def test_the_depth_has_a_bound_that_brackets_in_texts_do_not_touch() -> None:
    deep = DEPTH_AT_MOST
    assert parsed(b"[" * deep + b"]" * deep)
    assert rules(b"[" * (deep + 1) + b"]" * (deep + 1)) == [("too_deep", "")]
    assert rules(b'{"a":' * 100_000) == [("too_deep", "")]
    assert parsed(json.dumps(["[" * 500, '\\"' + "{" * 500]).encode())


@pytest.mark.parametrize("raw", [b'"\\' * 500_000, b'\\"' * 500_000, b'"a' * 500_000, b"," * 1_000_000])
def test_hostile_megabytes_take_no_long_time(raw: bytes) -> None:
    began = time.perf_counter()
    rules(raw)
    assert time.perf_counter() - began < 2
