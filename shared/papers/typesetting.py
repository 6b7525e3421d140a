"""Sets papers with typst: one compiler a process, data as JSON, PDF/UA-1, the fonts of this folder and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from shared.clock import Runtime
from shared.errors import Refusal, SankofaError
from shared.papers.runs import Runs

if TYPE_CHECKING:
    import typst

# What a template may import: the packages of this project.
ROOT = Path(__file__).resolve().parents[2]
FONTS = Path(__file__).parent / "fonts"
STANDARD: Literal["ua-1"] = "ua-1"
WITHOUT_FONT = "letters_without_font"
# As typst says that a letter is in none of the fonts; the letter itself stands in the sentence, so it goes nowhere.
_NO_GLYPH = "could not be displayed"
# A compiler takes one paper at a time.
_TURN = Lock()


class PaperBroken(SankofaError):
    """The template cannot be set. It says no more: typst's own sentence quotes the data."""


@dataclass(frozen=True)
class Paper:
    """A template's path and what it is filled with.

    `title`: of the document; `dated`: its date, which together with the data makes the bytes. `texts`: what the
    template asks for by name: runs, and lists of runs.
    """

    template: Path
    language: str
    title: str
    reference: str
    dated: date
    texts: Mapping[str, Any]

    def data(self) -> str:
        said = {
            "language": self.language,
            "title": self.title,
            "reference": self.reference,
            "dated": [self.dated.year, self.dated.month, self.dated.day],
        }
        return json.dumps({**said, **self.texts}, ensure_ascii=False)


Row = Mapping[str, Runs]


def row(label: Runs, value: Runs) -> Row:
    """A line of a paper's table."""
    return {"label": label, "value": value}


async def typeset(paper: Paper, runtime: Runtime) -> bytes:
    """The PDF; the same paper gives the same bytes.

    Refusal `letters_without_font` (409) where a text has letters that none of the fonts has. Raises PaperBroken.
    """
    return await runtime.in_pool(lambda: set_now(paper))


def set_now(paper: Paper, form: Literal["pdf", "png"] = "pdf") -> bytes:
    """As `typeset`, here and now. `form`: "png" gives the first page as a picture."""
    import typst

    dated = datetime.combine(paper.dated, time(), UTC)
    with _TURN:
        try:
            found, warnings = _compiler().compile_with_warnings(
                str(paper.template),
                format=form,
                sys_inputs={"data": paper.data()},
                pdf_standards=[STANDARD] if form == "pdf" else [],
                timestamp=dated,
            )
        except typst.TypstError as error:
            if _NO_GLYPH in error.message:
                raise Refusal(WITHOUT_FONT, "a paper is set in the letters that its fonts have") from None
            raise PaperBroken from None
    # An unknown font is no more than a warning, and then nothing looks as it should.
    if warnings or found is None:
        raise PaperBroken
    return found if isinstance(found, bytes) else found[0]


@cache
def _compiler() -> typst.Compiler:
    # Read when the first paper is set: whoever never sets one needs neither the library nor the fonts.
    import typst

    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)])
    return typst.Compiler(root=str(ROOT), font_paths=fonts)
