from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from shared.canonical import EXACT_INTEGER, canonical_json

NUMBERS = st.integers(-EXACT_INTEGER - 1, EXACT_INTEGER + 1) | st.floats()
PLAIN = st.none() | st.booleans() | NUMBERS | st.text(st.characters())
KEYS = st.text(st.characters(codec="ascii"), max_size=3) | st.text(st.characters(), max_size=3)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def by_the_library(value: Any) -> bytes | None:
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        return None


@given(VALUES)
def test_the_quick_form_is_the_canonical_one(value: Any) -> None:
    expected = by_the_library(value)
    if expected is None:
        with pytest.raises(rfc8785.CanonicalizationError):
            canonical_json(value)
    else:
        assert canonical_json(value) == expected


def test_what_only_looks_plain_goes_to_the_library() -> None:
    for value in ({"\U0001f600": 1, "\ufb33": 2}, [1e21, 6.0], {"a": "\x7f\u2028\b\x1f"}):
        assert canonical_json(value) == rfc8785.dumps(value)
