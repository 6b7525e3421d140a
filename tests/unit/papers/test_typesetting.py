"""Setting a paper: PDF/UA-1 in each language, the same bytes twice, texts as data, letters in their order and place."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from shared.errors import Refusal
from shared.papers.runs import paragraphs_of, runs_of
from shared.papers.typesetting import FONTS, Paper, PaperBroken, row, set_now
from shared.web.pages.formatting import Formats, reference
from shared.web.pages.languages import LANGUAGES
from tests.unit.papers.read_back import drawn, runs_left_to_right, text_of

# The sentence by which a font is known to read back rightly (ligatures, marks, lam-alif).
SENTENCE = "اسم الأطراف في الاتفاق يقبض"
TEMPLATE = Path(__file__).resolve().parents[3] / "services/matching/papers/terms.typ"


def paper(language: str = "en", **said: Any) -> Paper:
    texts = {"programme": [], "named": [], "rows": [], "described": runs_of("About"), "description": [], **said}
    return Paper(TEMPLATE, language, "A title", "0123abcd", date(2026, 3, 4), texts)


def rows(*values: str) -> list[Any]:
    return [row(runs_of("Field"), runs_of(value)) for value in values]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_a_tagged_pdf_of_its_language_and_the_same_twice(language: str) -> None:
    one = paper(language, rows=rows("1"), description=paragraphs_of(SENTENCE))
    pdf = set_now(one)
    assert b"/StructTreeRoot" in pdf
    assert re.search(rb"/Lang ?\(" + language.encode(), pdf)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert pdf == set_now(one) != set_now(replace(one, dated=date(2026, 3, 5)))


def test_arabic_reads_back_as_it_was_written() -> None:
    assert SENTENCE in text_of(set_now(paper("ar", description=paragraphs_of(SENTENCE))))
    assert SENTENCE in text_of(set_now(paper("en", description=paragraphs_of(SENTENCE))))


@pytest.mark.parametrize("said", ["2026-03-04", "+252 61 512 3456", "12%", "09:30"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_are_drawn_from_left_to_right_whoever_wrote_them(language: str, said: str) -> None:
    """In a text that somebody typed, and as the formatting module writes a reference."""
    typed = paper(language, description=paragraphs_of(f"من {said} إلى هناك"))
    assert _is_drawn_so(set_now(typed), said)
    sentence = Markup("من {} إلى" if language == "ar" else "from {} on")
    formatted = runs_of(sentence.format(reference(said)))
    assert _is_drawn_so(set_now(paper(language, rows=[row([], formatted)])), said)


def _is_drawn_so(pdf: bytes, said: str) -> bool:
    """Whether each part of it stands right of the one before: a viewer gives the parts in an order of its own."""
    parts = said.split(" ")
    lefts = [drawn(pdf, part)[0] for part in parts]
    return lefts == sorted(lefts) and all(runs_left_to_right(pdf, part) for part in parts)


def test_a_number_alone_stands_where_other_values_begin() -> None:
    """A run of the other direction that is all there is would turn its line (findings/typst-lone-run-...)."""
    said = "2026-03-04"
    alone, beside = (
        drawn(set_now(paper("ar", rows=[row(runs_of("Field"), runs_of(Markup(text).format(reference(said))))])), said)
        for text in ("{}", "{} من")
    )
    assert alone[0] == pytest.approx(beside[0], abs=1)


def test_what_reads_like_markup_is_text() -> None:
    typed = '#import "x" $a$ *b* <label> @ref \\ `raw` // no'
    found = text_of(set_now(paper(rows=rows(typed), named=paragraphs_of(typed))))
    assert found.count(typed) == 2


def test_long_texts_go_on_below_and_overleaf() -> None:
    pdf = set_now(paper(rows=rows("Long " * 60), description=paragraphs_of("word " * 2_000)))
    found = text_of(pdf)
    assert (found.count("Long"), found.count("word")) == (60, 2_000)
    assert "2 / 4" in found


@pytest.mark.parametrize("text", ["ሰላም ኢትዮጵያ", "Đặng Thị Ñandú", "Ελένη", "Ольга", "محمد"])
def test_names_of_many_letters_are_set(text: str) -> None:
    assert text in text_of(set_now(paper(rows=rows(text))))


def test_letters_that_no_font_has_are_refused_and_not_repeated() -> None:
    with pytest.raises(Refusal) as refused:
        set_now(paper(rows=rows("漢字")))
    assert refused.value.rule == "letters_without_font"
    assert "漢" not in f"{refused.value.detail}{refused.value.__cause__}"


def test_a_template_that_fails_says_nothing_of_the_data() -> None:
    with pytest.raises(PaperBroken) as broken:
        set_now(replace(paper(), texts={"programme": "Zqanary"}))
    assert "Zqanary" not in f"{broken.value!r}{broken.value.__cause__}"


def test_runs_keep_what_the_formatting_module_sets_apart() -> None:
    found = runs_of(Formats("ar").days(date(2026, 3, 1), date(2026, 4, 1)))
    assert [one["dir"] for one in found if one["dir"]] == ["rtl", "rtl"]
    assert runs_of("a <b> & c") == [{"text": "a <b> & c", "dir": None}]
    assert json.dumps(runs_of(reference("A-1"))) == '[{"text": "A-1", "dir": "ltr"}]'


def test_the_fonts_are_those_that_were_looked_at() -> None:
    """With their licence, and small: what a clone costs."""
    fonts = sorted(FONTS.glob("*.ttf"))
    licences = {path.name: path.read_text() for path in FONTS.glob("OFL-*.txt")}
    assert [f"OFL-{path.stem.partition('-')[0]}.txt" in licences for path in fonts] == [True] * 3
    assert all("SIL Open Font License, Version 1.1" in text for text in licences.values())
    assert sum(path.stat().st_size for path in fonts) < 1_500_000
