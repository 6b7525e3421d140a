"""A PDF as a viewer has it: its text in reading order, and where each letter is drawn."""

from __future__ import annotations

from typing import Any

import pypdfium2


def text_of(pdf: bytes) -> str:
    """All pages; lines end with \\n."""
    document = pypdfium2.PdfDocument(pdf)
    return "\n".join(page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document)


def drawn(pdf: bytes, text: str) -> list[float]:
    """The left edges, in points, of the text's letters where it stands first. AssertionError where it does not."""
    page: Any = pypdfium2.PdfDocument(pdf)[0].get_textpage()
    whole = "".join(page.get_text_range(n, 1) or "\0" for n in range(page.count_chars()))
    at = whole.find(text)
    assert at >= 0, text
    return [page.get_charbox(at + n)[0] for n, letter in enumerate(text) if letter != " "]


def runs_left_to_right(pdf: bytes, text: str) -> bool:
    places = drawn(pdf, text)
    return places == sorted(places)
