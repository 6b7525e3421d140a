"""The report: read back as a viewer does, in each language; the same bytes for the same statements."""

from __future__ import annotations

import re

import pypdfium2
import pytest

from services.monitoring.exports.report import paper
from shared.papers.runs import side_of
from shared.web.pages.languages import LANGUAGES
from tests.unit.exports.samples import cell, sample, signed, stated, statement, table, written
from tests.unit.papers.read_back import text_of

NOT_SHOWN = {
    "en": "Withheld, to protect people",
    "fr": "Non communiqué, pour protéger des personnes",
    "ar": "محجوب",
}
TITLES = {"en": "Published figures", "fr": "Chiffres publiés", "ar": "الأرقام المنشورة"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_figures_what_is_withheld_and_what_was_restated(language: str) -> None:
    pdf = written("report", sample(language))
    assert pdf == written("report", sample(language))
    assert re.search(rb"/Lang ?\(" + language.encode(), pdf)
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    found = re.sub(r"\s+", " ", text_of(pdf))
    digest = " ".join(["f" * 32] * 2)
    for said in (TITLES[language], NOT_SHOWN[language].replace("\u202f", " "), digest, "2026.6"):
        assert said in found
    for number in ("57", "55", "25", "32", "30", "21"):
        assert re.search(rf"(?<!\d){number}(?!\d)", found), number


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_stands_outside_the_margins(language: str) -> None:
    for page in pypdfium2.PdfDocument(written("report", sample(language))):
        text = page.get_textpage()
        boxes = [text.get_charbox(n) for n in range(text.count_chars())]
        margin = 2.4 * 72 / 2.54
        assert min(box[0] for box in boxes if box[0]) >= margin - 2
        assert max(box[2] for box in boxes) <= page.get_width() - margin + 2


def test_in_arabic_a_word_parts_the_share_from_its_sides() -> None:
    """Two numbers with nothing but a mark between them are drawn as one, from left to right."""
    (period,) = paper(sample("ar")).texts["periods"]
    total = period["indicators"][1]["total"]
    sides = [run["text"] for run in total if run["dir"] == "ltr"]
    assert sides == ["45.0%", "25", "57"]
    between = [run["text"] for run in total if run["dir"] is None]
    assert all(any(side_of(letter) == "rtl" for letter in one) for one in between)


def test_a_plot_has_its_figures_in_words() -> None:
    (period,) = paper(sample()).texts["periods"]
    assignments, share, persons, _ = period["indicators"]
    assert assignments["parts"][0]["plot"]["alt"] == "Bars of =Assignments. Women: 25. Men: 32"
    assert ". Djibouti, Women: 12 (" in persons["parts"][0]["plot"]["alt"]
    assert share["parts"] == []
    lengths = [bar["length"] for bar in assignments["parts"][0]["plot"]["bars"]]
    assert lengths == [78.12, 100.0]
    assert written("report").count(b"/Alt") >= 2


def test_only_what_differs_is_restated() -> None:
    restated = paper(sample()).texts["restated"]["rows"]
    said = ["|".join("".join(run["text"] for run in cell) for cell in row) for row in restated]
    assert said == [
        "=Assignments|First quarter of 2026|55|57|Something was recorded late",
        "=Assignments: Men|First quarter of 2026|30|32|Something was recorded late",
        "Share of women|First quarter of 2026|45.0%: 25 out of 55|45.0%: 25 out of 57|Something was recorded late",
    ]
    assert paper(sample(statements=stated()[1:])).texts["restated"]["rows"] == []


def test_what_stands_as_it_was_told_before_says_so_even_where_there_is_no_value() -> None:
    nothing = statement(tables=(table("women_share", "percent", "", cell(withheld="change_withheld")),))
    (period,) = paper(sample(statements=(signed(nothing),))).texts["periods"]
    said = "".join(run["text"] for run in period["indicators"][0]["total"])
    assert said == "No data yet (As published before; a change, if there is one, is withheld)"


def test_a_later_statement_makes_another_document() -> None:
    assert written("report") != written("report", sample(statements=stated()[:1]))
