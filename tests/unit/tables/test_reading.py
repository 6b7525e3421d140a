"""Tables are read as the sheet has them, in a process that has little and opens nothing."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from shared.errors import Refusal
from shared.tables import reading
from shared.tables.reading import Form, TableRow, cell_of, rows_of
from shared.tables.reading_process import delimiter, lettered, written


async def read(form: Form, raw: bytes, **how: Any) -> list[TableRow]:
    return [row async for row in rows_of(form, raw, **{"rows": 100, "columns": 20, **how})]


async def refused(form: Form, raw: bytes, **how: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        await read(form, raw, **how)
    assert refusal.value.status == 422
    return refusal.value.rule


def workbook(cells: dict[str, Any], formats: dict[str, str] | None = None, *, old: bool = False) -> bytes:
    book = Workbook()
    book.epoch = CALENDAR_MAC_1904 if old else book.epoch
    for place, value in cells.items():
        book.active[place] = value
    for place, said in (formats or {}).items():
        book.active[place].number_format = said
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


def changed(raw: bytes, part: str, old: str, new: str) -> bytes:
    """The workbook with a text of one of its parts changed; `old` is a pattern."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as before, zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as after:
        for one in before.infolist():
            content = before.read(one).decode()
            assert one.filename != part or re.search(old, content)
            after.writestr(one.filename, re.sub(old, new, content) if one.filename == part else content)
    return found.getvalue()


def with_much(raw: bytes) -> bytes:
    """The workbook with a part that is unpacked to more than a reader takes."""
    found = io.BytesIO(raw)
    with zipfile.ZipFile(found, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as book, book.open("much", "w") as part:
        for _ in range(270):
            part.write(bytes(1_000_000))
    assert len(found.getvalue()) < 2_000_000
    return found.getvalue()


async def test_of_a_csv_file_all_is_text_and_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    raw = '\ufeffname;n\r\n\r\n"two\nlines; one cell";007\r\nNA; 1,5 \r\n'.encode()
    rows = await read("csv", raw)
    assert [(row.number, row.cells) for row in rows] == [
        (1, ("name", "n")),
        (3, ("two\nlines; one cell", "007")),
        (4, ("NA", "1,5")),
    ]


def test_the_delimiter_is_what_the_first_line_has_outside_of_quotes() -> None:
    for text, found in (("a,b;c\n;;;", ","), ("a;b", ";"), ('"x;y;z",b', ","), ("", ","), ("\n\na;b;c,d", ";")):
        assert delimiter(text) == found, text


@pytest.mark.parametrize("old", [False, True])
async def test_a_workbook_says_days_numbers_and_empty_rows_as_the_sheet_has_them(old: bool) -> None:
    cells = {"B3": "n", "C3": "day", "B5": 7, "C5": date(2026, 1, 5), "B6": 7.5, "C6": datetime(2026, 1, 5, 10, 30)}
    rows = await read(
        "xlsx", workbook({**cells, "B7": True, "C7": "05/01/2026"}, {"C5": "[$-ar-SA]dd/mm/yyyy"}, old=old)
    )
    assert [(row.number, row.cells[1:], dict(row.wrong)) for row in rows] == [
        (3, ("n", "day"), {}),
        (5, ("7", "2026-01-05"), {}),
        (6, ("7.5", "2026-01-05"), {}),
        (7, ("true", "05/01/2026"), {}),
    ]
    assert rows[1].cell(2) == "C5"


async def test_what_a_spreadsheet_has_wrong_names_its_cell() -> None:
    cells = {"A1": "#N/A", "B1": "=1+1", "C1": 60, "D1": 59, "E1": 61, "F1": 10**15, "G1": datetime.min.time()}
    raw = workbook(cells, {"C1": "yyyy-mm-dd", "D1": "yyyy-mm-dd", "E1": "yyyy-mm-dd", "G1": "[h]:mm"})
    (row,) = await read("xlsx", raw)
    assert row.cells == ("", "", "", "", "1900-03-01", "", "")
    assert {row.cell(place): rule for place, rule in row.wrong.items()} == {
        "A1": "cell_error",
        "B1": "formula_not_computed",
        "C1": "date_before_1900_03",
        "D1": "date_before_1900_03",
        "F1": "number_too_long",
        "G1": "cell_is_a_duration",
    }
    # Saved by a spreadsheet, a formula has its value beside it; a text that is empty is one.
    sheet = "xl/worksheets/sheet1.xml"
    (computed,) = await read("xlsx", changed(workbook({"A1": "=1+1"}), sheet, "<v ?/>|<v></v>", "<v>2</v>"))
    assert (computed.cells, dict(computed.wrong)) == (("2",), {})


async def test_cells_without_their_names_are_where_they_stand() -> None:
    raw = workbook({"A1": "x", "B1": "#REF!"})
    for name in ('r="A1" ', 'r="B1" ', 'r="1"'):
        raw = changed(raw, "xl/worksheets/sheet1.xml", name, "")
    (row,) = await read("xlsx", raw)
    assert dict(row.wrong) == {1: "cell_error"}


async def test_of_several_sheets_the_first_that_is_seen_is_read() -> None:
    book = Workbook()
    book.active["A1"], book.active.sheet_state = "hidden", "hidden"
    book.create_sheet("seen")["A1"] = "seen"
    raw = io.BytesIO()
    book.save(raw)
    (row,) = await read("xlsx", raw.getvalue())
    assert row.cells == ("seen",)


@pytest.mark.parametrize("raw", [b"", b"PK\x05\x06" + bytes(18), b"\xd0\xcf\x11\xe0 of old", b"<html>"])
async def test_what_is_no_workbook_is_refused(raw: bytes) -> None:
    assert await refused("xlsx", raw) == "table_unreadable"


async def test_what_is_made_to_break_a_reader_breaks_its_process_alone() -> None:
    sheet, plain = "xl/worksheets/sheet1.xml", workbook({"A1": "x"})
    # A cell in the last place: a reader that makes room for all that lie before it has none left.
    far = changed(plain, sheet, "</row>", '</row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    assert await refused("xlsx", far) == "table_too_large"
    assert await refused("xlsx", with_much(plain)) == "table_too_large"
    entity = '<!DOCTYPE x [<!ENTITY a "b">]><worksheet '
    assert await refused("xlsx", changed(plain, sheet, "<worksheet ", entity)) == "table_unreadable"
    assert await refused("csv", b"a\0b") == "table_unreadable"
    assert await refused("csv", b"a,b\n" * 101) == "table_too_large"
    assert await refused("csv", b"a," * 30 + b"b") == "table_too_large"


TRYING = """
import socket, sys
from shared.tables import reading_process as process
sys.stdin.buffer.read()
process._limit()
for what in (lambda: socket.socket(), lambda: open("/etc/hostname"), lambda: open("/tmp/sankofa-import", "w")):
    try:
        what()
        process._say({"refused": "opened"})
    except OSError:
        pass
process._say({"end": True})
"""


async def test_the_process_opens_neither_a_socket_nor_a_file() -> None:
    assert await read("csv", b"", command=(sys.executable, "-c", TRYING)) == []


async def test_a_process_that_takes_too_long_or_dies_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS_AT_MOST", 0.3)
    sleeping = "import sys, time; sys.stdin.buffer.read(); time.sleep(60)"
    assert await refused("csv", b"x", command=(sys.executable, "-c", sleeping)) == "table_too_large"
    dying = "import os, sys; sys.stdin.buffer.read(); sys.stdout.write('{\"row'); sys.stdout.flush(); os.abort()"
    assert await refused("csv", b"x", command=(sys.executable, "-c", dying)) == "table_too_large"


def test_columns_have_letters_and_numbers_their_digits() -> None:
    assert [lettered(n) for n in (1, 26, 27, 52, 703)] == ["A", "Z", "AA", "AZ", "AAA"]
    assert cell_of(2, 7) == "C7"
    assert [written(one) for one in (7.0, 0.5, False, " x ")] == [("7", ""), ("0.5", ""), ("false", ""), ("x", "")]
