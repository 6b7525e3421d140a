"""Tables of figures read back by other software than wrote them: nothing is lost, and what is withheld is no 0."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import openpyxl
import pytest
import python_calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitoring.exports import hxl, xlsx
from services.monitoring.exports.columns import FIXED
from services.monitoring.exports.stated import Export, plain
from shared.contracts.monitoring.statements import StatedCell
from shared.errors import Refusal
from shared.programmes.loader import definition_of
from shared.programmes.model import Definition
from shared.web.pages.languages import LANGUAGES
from tests.unit.exports.samples import (
    BIG,
    VERSION,
    cell,
    data,
    definition,
    sample,
    signed,
    stated,
    statement,
    table,
    texts,
    written,
)

DIMENSIONS = ("sex", "office", "value")


def expected(export: Export) -> Iterator[dict[str, Any]]:
    """What each row has to say, straight from the statements."""
    for one in export.statements:
        for part in one.statement.tables:
            for figure in part.cells:
                classes = dict(zip(part.by, figure.classes, strict=False))
                yield {
                    "indicator": part.indicator,
                    "breakdown": " ".join(part.by),
                    "value": figure.value,
                    "numerator": figure.numerator,
                    "denominator": figure.denominator,
                    "withheld": figure.withheld,
                    "statement": one.statement.number,
                    "digest": one.digest,
                    **{f"by_{code}": classes.get(code) for code in DIMENSIONS},
                }


def as_text(value: Any) -> str:
    return "" if value is None else str(value)


def named(rows: Sequence[Sequence[Any]], columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    head, *body = rows
    return [dict(zip(columns or head, row, strict=True)) for row in body]


def assert_says(found: list[dict[str, Any]], export: Export) -> None:
    wanted = list(expected(export))
    assert len(found) == len(wanted) == 24
    for row, want in zip(found, wanted, strict=True):
        assert {name: as_text(row[name]) for name in want} == {name: as_text(value) for name, value in want.items()}


def shares_in_words(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a spreadsheet holds of a share is a number; its digits are the cell's format."""
    return [row | {"value": f"{row['value']:.1f}"} if row["unit"] == "percent" else row for row in rows]


def in_duckdb(path: Path, question: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as base:
        return base.execute(question, [str(path)]).fetchall()


@pytest.mark.parametrize("language", LANGUAGES)
def test_csv_says_every_cell_to_python_and_to_duckdb(language: str, tmp_path: Path) -> None:
    export = sample(language)
    content = written("csv", export)
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert tuple(rows[0]) == (*FIXED, "by_sex", "by_office", "by_value")
    assert_says(named(rows), export)
    path = tmp_path / "figures.csv"
    path.write_bytes(content)
    assert_says(named([tuple(rows[0]), *in_duckdb(path, "FROM read_csv(?, all_varchar=true)")]), export)
    typed = "SELECT sum(value), count(value) FROM read_csv(?) WHERE indicator = 'assignments'"
    assert in_duckdb(path, typed) == [(3 * 55 + 3 * 57, 8)]


def test_nothing_in_a_csv_begins_a_formula() -> None:
    rows = csv.reader(io.StringIO(written("csv").decode("utf-8-sig")))
    cells = [cell for row in rows for cell in row]
    assert "'=Assignments" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_each_statement_is_in_the_words_of_the_version_that_it_names() -> None:
    before = data()
    before["indicators"][0]["name"] = texts("Missions")
    before["periods"][0]["ends"] = "2026-03-01"
    first, second = stated()
    first = signed(first.statement.model_copy(update={"definition_version": 2}), first.digest)
    export = Export((first, second), {2: definition_of(before), VERSION: definition()}, VERSION, "en")
    rows = named(list(csv.reader(io.StringIO(written("csv", export).decode("utf-8-sig")))))
    said = {(row["definition_version"], row["indicator_name"], row["ends"]) for row in rows if row["by_sex"] == "male"}
    assert said == {("2", "Missions", "2026-03-01"), ("3", "'=Assignments", "2026-04-01")} | {
        ("2", "Persons", "2026-03-01"),
        ("3", "Persons", "2026-04-01"),
    }
    definitions = openpyxl.load_workbook(io.BytesIO(written("xlsx", export))).worksheets[1]
    told = {(row[0].value, row[2].value, row[3].value) for row in definitions.iter_rows()}
    assert {(2, "assignments", "Missions"), (3, "assignments", "=Assignments")} <= told


def test_a_column_keeps_its_place_when_breakdowns_change() -> None:
    """What the definition has no more, statements name still."""
    export = sample()
    gone = replace(export, versions={VERSION: export.definition.model_copy(update={"dimensions": ()})})
    head = written("csv", gone).decode("utf-8-sig").splitlines()[0].replace('"', "").split(",")
    assert tuple(head) == (*FIXED, "by_sex", "by_office")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_workbook_says_every_cell_to_openpyxl_and_to_calamine(language: str, tmp_path: Path) -> None:
    export = sample(language)
    content = written("xlsx", export)
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert [len(name) <= 31 for name in book.sheetnames] == [True] * 3
    figures, definitions, statements = book.worksheets
    assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    assert_says(shares_in_words(named([[cell.value for cell in row] for row in figures.iter_rows()])), export)
    assert {bool(sheet.sheet_view.rightToLeft) for sheet in book} == {language == "ar"}
    told = {cell.value for row in definitions.iter_rows() for cell in row}
    assert {"assignments", "sex: female", "change_withheld"} <= told
    assert export.named[VERSION].meaning.of(export.definition.indicators[0]).striptags() in told
    shown = [[cell.value for cell in row] for row in statements.iter_rows()][1:]
    assert [row[0] for row in shown] == [1, 2]
    assert [shown[1][place] for place in (4, 5, 7, 11)] == [
        "2026-07-02T06:30:00.000000Z",
        "2026-07-03T08:00:00.000000Z",
        "2026.6",
        "b" * 64,
    ]
    other = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    whole = [[int(cell) if isinstance(cell, float) and cell.is_integer() else cell for cell in row] for row in other]
    assert_says(shares_in_words(named(whole)), export)


def test_a_workbook_keeps_digits_and_has_numbers_as_numbers() -> None:
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx")))
    head, *body = book.worksheets[0].iter_rows()
    rows = [dict(zip((cell.value for cell in head), row, strict=True)) for row in body]
    values = {(row["indicator"].value, row["by_sex"].value): row["value"] for row in rows}
    assert values["persons", None].value == str(BIG)
    assert (values["women_share", None].value, values["women_share", None].number_format) == (45, "0.0")
    assert values["assignments", "not_stated"].value is None
    assert values["assignments", "female"].data_type == "n"
    assert {row["starts"].value for row in rows} == {"2026-01-01"}


def test_a_line_end_of_another_system_is_one_line_end_and_what_xml_cannot_hold_goes() -> None:
    periods = [{**data()["periods"][0], "name": texts("one\r\ntwo")}]
    # As one that was published before such a text was refused.
    lenient = Definition.model_validate(data(periods=periods))
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", Export(stated(), {VERSION: lenient}, VERSION, "en"))))
    rows = named([[cell.value for cell in row] for row in book.worksheets[0].iter_rows()])
    assert rows[0]["period_name"] == "one\ntwo"
    assert plain("a\rb\r\n\ufffe\x0b\ud800\U0001f600\t") == "a\nb\n\U0001f600\t"


def test_a_workbook_bears_no_time_of_its_own() -> None:
    content = written("xlsx")
    assert {info.date_time for info in zipfile.ZipFile(io.BytesIO(content)).infolist()} == {(1980, 1, 31, 0, 0, 0)}
    assert openpyxl.load_workbook(io.BytesIO(content)).properties.created.isoformat() == "2026-07-03T08:00:00"


@pytest.mark.parametrize("language", LANGUAGES)
def test_hxl_has_a_tag_for_every_column(language: str) -> None:
    export = sample(language)
    head, tags, *body = csv.reader(io.StringIO(written("hxl", export).decode()))
    assert {len(row) for row in (head, tags, *body)} == {len(head)}
    tag = re.compile(r"#[a-z][a-z0-9_]*( *\+[a-z][a-z0-9_]*)*")
    assert all(tag.fullmatch(one) for one in tags)
    assert f"#indicator+name+i_{language}" in tags
    assert tags[head.index("by_value")] == "#country+by_value+code"
    assert tags[head.index("by_office")] == "#org+by_office+code"
    rows = [dict(zip(head, row, strict=True)) for row in body]
    assert [row["value"] for row in rows] == [as_text(one["value"]) for one in expected(export)]
    assert {(row["starts"], row["last_day"]) for row in rows} == {("2026-01-01", "2026-03-31")}
    assert {row["as_of_day"] for row in rows} == {"2026-04-02", "2026-07-02"}


def test_a_dimension_becomes_an_attribute_of_letters() -> None:
    assert hxl.tag_of(None, "Age-Band_2") == "#group+by_age_band_2+code"


def test_parquet_says_every_cell_with_types_that_last(tmp_path: Path) -> None:
    export = sample()
    path = tmp_path / "figures.parquet"
    path.write_bytes(written("parquet", export))
    types = {name: type for name, type, *_ in in_duckdb(path, "DESCRIBE FROM read_parquet(?)")}
    assert types["value"] == types["numerator"] == types["statement"] == "BIGINT"
    assert (types["share"], types["share_text"], types["starts"]) == ("DECIMAL(36,6)", "VARCHAR", "DATE")
    assert types["as_of"] == "TIMESTAMP WITH TIME ZONE"
    assert types["digest"] == types["by_value"] == types["definition_version"].replace("BIGINT", "VARCHAR")
    question = (
        "SELECT indicator, breakdown, coalesce(value::varchar, share_text) AS value, numerator, denominator, withheld,"
        " statement, digest, by_sex, by_office, by_value FROM read_parquet(?)"
    )
    columns = ("indicator", "breakdown", "value", "numerator", "denominator", "withheld", "statement", "digest")
    rows = in_duckdb(path, question)
    assert_says(named([(), *rows], (*columns, *(f"by_{code}" for code in DIMENSIONS))), export)
    assert in_duckdb(path, "SELECT max(value), max(share) FROM read_parquet(?)") == [(BIG, Decimal("45.000000"))]
    instants = in_duckdb(path, "SELECT DISTINCT epoch_ms(as_of) FROM read_parquet(?) ORDER BY 1")
    assert instants == [(1_775_111_400_000,), (1_782_973_800_000,)]


def test_a_figure_beyond_64_bits_is_refused_and_not_cut() -> None:
    huge = statement(tables=(table("persons", "persons", "", cell(value=2**63)),))
    with pytest.raises(Refusal) as refused:
        written("parquet", sample(statements=(signed(huge),)))
    assert (refused.value.rule, refused.value.status) == ("export_too_large", 422)


def test_a_form_holds_so_many_figures_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "ROWS_AT_MOST", 23)
    with pytest.raises(Refusal) as refused:
        written("xlsx")
    assert "24" in refused.value.detail
    assert written("xlsx", sample(statements=stated()[:1]))


CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True)
SHARES = st.decimals(-(10**29), 10**29, places=3, allow_nan=False).map(lambda one: f"{one:f}")
CELLS = st.builds(
    lambda code, value, rule: StatedCell(classes=(code,), value=value, withheld=rule),
    CODES,
    st.none() | st.integers(-(2**63), 2**63 - 1) | SHARES,
    st.sampled_from([None, "withheld", "change_withheld"]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=8))
def test_whatever_a_statement_holds_every_table_says_it(cells: list[StatedCell]) -> None:
    said = statement(tables=(table("persons", "persons", "sex", *cells),))
    export = sample(statements=(signed(said),))
    wanted = [(one.classes[0], as_text(one.value), as_text(one.withheld)) for one in cells]
    rows = named(list(csv.reader(io.StringIO(written("csv", export).decode("utf-8-sig")))))
    assert [(row["by_sex"], row["value"], row["withheld"]) for row in rows] == wanted
    with TemporaryDirectory() as folder:
        path = Path(folder) / "figures.parquet"
        path.write_bytes(written("parquet", export))
        question = (
            "SELECT by_sex, coalesce(value::varchar, share_text, ''), coalesce(withheld, '') FROM read_parquet(?)"
        )
        assert in_duckdb(path, question) == wanted
    book = openpyxl.load_workbook(io.BytesIO(written("xlsx", export)))
    in_book = named([[cell.value for cell in row] for row in book.worksheets[0].iter_rows()])
    assert [row["by_sex"] for row in in_book] == [one[0] for one in wanted]
    for row, (_, value, _) in zip(in_book, wanted, strict=True):
        assert Decimal(str(row["value"] or 0)) == Decimal(value or 0)
