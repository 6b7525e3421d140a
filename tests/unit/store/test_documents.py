"""What a document may hold: one quick look over all of it, and the walk that says what is wrong and where."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.store.documents import PLAIN_DEPTH, NotStorable, check, is_plain


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Name(str):
    __slots__ = ()


WRONG = [
    (1,),
    b"bytes",
    {1},
    Colour.RED,
    Level.LOW,
    Name("name"),
    2**63,
    -(2**63) - 1,
    float("nan"),
    float("-inf"),
    "half \ud83d",
]
WRONG_KEYS = ["$a", "a.b", "a\0", 1, Colour.RED, "half \ud83d"]
TEXTS = st.text(max_size=4)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.sampled_from(WRONG)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(WRONG_KEYS), inner, max_size=3),
    max_leaves=12,
)


def is_refused(document: dict[Any, Any]) -> bool:
    try:
        check(document)
    except NotStorable:
        return True
    return False


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_the_quick_look_and_the_walk_agree(document: dict[str, Any]) -> None:
    assert is_plain(document) is not is_refused(document)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: type(wrong).__name__)
def test_the_quick_look_finds_every_wrong_value(wrong: Any) -> None:
    for document in ({"a": wrong}, {"a": [{"b": [None, wrong]}]}):
        assert is_refused(document)
        assert not is_plain(document)


@pytest.mark.parametrize("key", WRONG_KEYS, ids=ascii)
def test_the_quick_look_finds_every_wrong_key(key: Any) -> None:
    for document in ({key: 1}, {"a": [{"b": {"good": 1, key: {}}}]}):
        assert is_refused(document)
        assert not is_plain(document)


def test_what_lies_deeper_than_the_quick_look_is_left_to_the_walk() -> None:
    for wrong in (None, Colour.RED):
        deep: Any = [wrong]
        for _ in range(PLAIN_DEPTH):
            deep = [deep]
        assert not is_plain({"deep": deep})
        assert is_refused({"deep": deep}) is (wrong is Colour.RED)
