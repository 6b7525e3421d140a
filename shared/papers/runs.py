"""Formatted texts as runs: what pages write as markup, for a typesetter that takes text and direction.

A run has a direction of its own where the formatting module or the letters give it one, so that a reference or a date
reads rightly within a sentence of the other direction. Nothing of a text is ever read as markup of the typesetter.
"""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser
from typing import Literal, TypedDict

from markupsafe import escape

Side = Literal["ltr", "rtl"]
# Elements by which the formatting module sets a text apart from the sentence around it.
_APART = ("bdi", "time")
# What is read from left to right in any script: a telephone number, a date, a range, a time, a share.
_FROM_LEFT = re.compile(r"(\+\d[\d ().-]{0,30}\d|\d[\d./:,-]{0,30}\d%?|\d%?)")


class Run(TypedDict):
    """`dir`: None where it runs as what stands around it."""

    text: str
    dir: Side | None


Runs = list[Run]


class Paragraph(TypedDict):
    """A line that somebody wrote, with the direction of the whole."""

    dir: Side
    runs: Runs


def runs_of(text: str) -> Runs:
    """The runs of what `Formats` wrote; plain text is escaped first, and so is one run."""
    reading = _Reading()
    reading.feed(str(escape(text)))
    reading.close()
    return reading.found


def paragraphs_of(text: str) -> list[Paragraph]:
    """A text that somebody wrote: each line that says something, in the direction of its own first letter."""
    return [written_as(line.strip()) for line in text.splitlines() if line.strip()]


def written_as(line: str) -> Paragraph:
    """One line of it. Numbers in what runs from right to left are runs of their own."""
    side = side_of(line)
    if side == "ltr":
        return Paragraph(dir=side, runs=[Run(text=line, dir=None)])
    parts = enumerate(_FROM_LEFT.split(line))
    return Paragraph(dir=side, runs=[Run(text=part, dir="ltr" if place % 2 else None) for place, part in parts if part])


def side_of(text: str) -> Side:
    """The direction of the first letter that has one (UAX 9, P2); from left to right without one."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind == "L":
            return "ltr"
        if kind in ("R", "AL"):
            return "rtl"
    return "ltr"


class _Reading(HTMLParser):
    """Of nested elements the innermost direction counts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: Runs = []
        self._open: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append((tag, dict(attrs).get("dir")))

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.found.append(Run(text=data, dir=self._side(data)))

    def _side(self, data: str) -> Side | None:
        tag, said = self._open[-1] if self._open else ("", None)
        if said == "ltr":
            return "ltr"
        return side_of(data) if tag in _APART and any(not one.isspace() for one in data) else None
