"""Bodies of one length that differ from one of them in nothing but their values, looked at all at once.

A pattern goes through a body letter by letter. Of a body that it knows it also says where the values stand; whatever
has the same letters around them, and in the place of each value another one of the same kind, it knows too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from shared.messaging.columns import Texts, Whole

Letters = NDArray[np.uint8]
Rows = NDArray[np.bool_]
Span = tuple[int, int]
# A class of letters or a letter, and how many of them.
_STEP = re.compile(r"(?:\[((?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_.:])+)\]|([A-Za-z0-9_:-]))(?:\{([0-9]+)\})?")
_RANGES = re.compile(r"(.)-(.)|(.)")
_REMEMBERED = 4096


class Kind:
    """What may stand in the place of a value: the texts that a pattern matches."""

    def __init__(self, pattern: str) -> None:
        match = re.compile(pattern.encode()).fullmatch
        self.knows = lru_cache(_REMEMBERED)(lambda text: match(text) is not None)
        # For each letter the two ranges that it may be in; None where one letter depends on another.
        self.ranges = _ranges(pattern)


def _ranges(pattern: str) -> Letters | None:
    if not re.fullmatch(f"(?:{_STEP.pattern})+", pattern):
        return None
    found: list[list[int]] = []
    for some, letter, times in _STEP.findall(pattern):
        bounds = [(ord(low or one), ord(high or one)) for low, high, one in _RANGES.findall(some or letter)]
        if len(bounds) > 2:
            return None
        (low, high), (other_low, other_high) = bounds[0], bounds[-1]
        found += [[low, high - low, other_low, other_high - other_low]] * int(times or 1)
    return np.array(found, np.uint8).T


class Likeness:
    """A body that its pattern knows, as the example of others of its length. `kinds`: by the name of a group, the kind
    of the value that it holds."""

    def __init__(self, match: re.Match[bytes], kinds: Mapping[str, Kind]) -> None:
        self._letters = np.frombuffer(match[0], np.uint8)
        fixed = np.zeros_like(self._letters)
        self._ranges = np.array([self._letters, fixed, self._letters, fixed])
        self._looked_up: list[tuple[Span, Kind]] = []
        for name, kind in kinds.items():
            start, end = match.span(name)
            if start == end:
                continue
            if kind.ranges is None:
                self._ranges[:, start:end] = [[0], [255], [0], [255]]
                self._looked_up.append(((start, end), kind))
            else:
                self._ranges[:, start:end] = kind.ranges

    def alike(self, table: Letters) -> Whole:
        """Which rows of letters are like the example."""
        low, width, other_low, other_width = self._ranges
        fits = ((table - low <= width) | (table - other_low <= other_width)).all(axis=1)
        rows: Whole = np.flatnonzero(fits)
        table = table if len(rows) == len(table) else table[rows]
        # Most of what may be another text is the same one in all of them.
        differs = (table != self._letters).any(axis=0)
        known: Rows = np.ones(len(rows), bool)
        for (start, end), kind in self._looked_up:
            if differs[start:end].any():
                encoded = fixed_texts(table[:, start:end]).dictionary_encode()
                of_kind = np.array([kind.knows(text) for text in encoded.dictionary.to_pylist()], bool)
                known &= of_kind[encoded.indices.to_numpy()]
        return rows[known]


def by_length(texts: Texts) -> Iterator[tuple[Whole, Letters]]:
    """Which of the texts have the same length, and their letters, a row for each."""
    for length in np.unique(texts.length).tolist():
        rows = np.flatnonzero(texts.length == length)
        if length:
            # As one thing of that length each, which is copied at once.
            things = np.ndarray(len(texts.content) - length + 1, f"V{length}", texts.content, strides=(1,))
            yield rows, things[texts.at[rows]].view(np.uint8).reshape(len(rows), length)
        else:
            yield rows, np.empty((len(rows), 0), np.uint8)


def fixed_texts(letters: Letters) -> Any:
    """Rows of letters as an Arrow array of byte strings of one length."""
    many, length = letters.shape
    return pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(length), many, [None, pa.py_buffer(np.ascontiguousarray(letters))]
    )


def texts_of(letters: Letters) -> Any:
    """Rows of letters, ASCII all of them, as an Arrow array of texts."""
    many, length = letters.shape
    ends = np.arange(many + 1, dtype=np.int32) * np.int32(length)
    return pa.Array.from_buffers(
        pa.string(), many, [None, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(letters))]
    )


def cut(table: Letters, spans: Sequence[Span]) -> Letters:
    """What stands at these places of every row, one after the other."""
    if len(spans) == 1:
        ((start, end),) = spans
        return table[:, start:end]
    return np.concatenate([table[:, start:end] for start, end in spans], axis=1)
