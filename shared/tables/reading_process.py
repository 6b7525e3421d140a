"""The process that reads a table: a file on standard input, its rows as JSON a line on standard output.

It has little memory and little time, and opens nothing once it has read its input: neither a file nor a socket. What
a file does that somebody made to break a reader, it does here.

    python -m shared.tables.reading_process csv|xlsx ROWS COLUMNS

A line: `{"row": 7, "cells": ["..."], "wrong": [[2, "cell_error"]]}`, rows and columns as a sheet counts them from 1;
rows with nothing in them are left out. Last line: `{"end": true}`, or `{"refused": rule}`. No line has both.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import signal
import sys
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.parsers import expat

MEMORY_BYTES, PROCESSOR_SECONDS = 1_073_741_824, 15
# What a workbook of 10 MB is unpacked to at most; ours have a tenth of it.
UNPACKED_BYTES, PARTS = 268_435_456, 2_000
# A double has fifteen digits and some; of more a spreadsheet has lost the last.
EXACT = 10**15
# Before that day Excel counts a 29 February 1900 that never was.
FIRST_DAY = date(1900, 3, 1)
OF_CELLS = ERROR, FORMULA, DURATION, OLD, LONG = (
    "cell_error",
    "formula_not_computed",
    "cell_is_a_duration",
    "date_before_1900_03",
    "number_too_long",
)
OF_TABLES = UNREADABLE, LARGE, NOT_UTF8, NO_SHEET = (
    "table_unreadable",
    "table_too_large",
    "table_not_utf8",
    "table_without_sheet",
)
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
Wrong = dict[tuple[int, int], str]
Row = tuple[int, list[str], list[tuple[int, str]]]


class Refused(Exception):
    """The file as a whole cannot be read; the rule says why."""


def main() -> None:
    # Ctrl-C reaches the whole group; the process that waits for the rows decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    form, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if form == "xlsx":
        # Before nothing can be opened any more; names in a zip are of this charset.
        import python_calamine  # noqa: F401

        codecs.lookup("cp437")
    raw = sys.stdin.buffer.read()
    _limit()
    try:
        for number, (row, cells, wrong) in enumerate(read(form, raw, columns)):
            if number >= rows:
                raise Refused(LARGE)
            _say({"row": row, "cells": cells, "wrong": wrong})
        _say({"end": True})
    except Refused as refused:
        _say({"refused": str(refused)})
    except MemoryError:
        _say({"refused": LARGE})
    except Exception:
        # Whatever a parser stumbled over may quote the file.
        _say({"refused": UNREADABLE})
    sys.stdout.flush()


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")


def _limit() -> None:
    if sys.platform == "win32":
        return
    import resource

    # As many files as are open: no further one, no socket, no process that would need a pipe.
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: PROCESSOR_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 3,
    }
    for kind, most in limits.items():
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (least, least))
        except (ValueError, OSError):
            # Other systems than Linux know no limit of some of them.
            if sys.platform == "linux":
                raise


def read(form: str, raw: bytes, columns: int) -> Iterator[Row]:
    """The rows with something in them. Raises Refused; what else it raises, a parser raised."""
    found = _of_csv(raw) if form == "csv" else _of_workbook(raw)
    for row, cells, wrong in found:
        if any(cells[columns:]):
            raise Refused(LARGE)
        if any(cells) or wrong:
            yield row, cells[:columns], wrong


def _of_csv(raw: bytes) -> Iterator[Row]:
    """All of it is text: nothing is taken for a number or a day."""
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise Refused(NOT_UTF8) from None
    if "\0" in text:
        raise Refused(UNREADABLE)
    csv.field_size_limit(32_768)
    for row, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter(text), strict=True), 1):
        yield row, [cell.strip() for cell in cells], []


def delimiter(text: str) -> str:
    """A comma, or a semicolon where the first line with something in it has more of them outside of quotes."""
    quoted, counted = False, {",": 0, ";": 0}
    for character in text.lstrip():
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "\r\n":
            break
        elif not quoted and character in counted:
            counted[character] += 1
    return ";" if counted[";"] > counted[","] else ","


def _of_workbook(raw: bytes) -> Iterator[Row]:
    from python_calamine import load_workbook

    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        listed = parts.infolist()
        if len(listed) > PARTS or sum(one.file_size for one in listed) > UNPACKED_BYTES:
            raise Refused(LARGE)
        name, part = _first_sheet(parts)
        wrong = wrong_cells(_unpacked(parts, part))
    sheet = load_workbook(io.BytesIO(raw)).get_sheet_by_name(name)
    if sheet.start is None:
        return
    for row, values in enumerate(sheet.to_python(skip_empty_area=False), 1):
        cells, found = list[str](), list[tuple[int, str]]()
        for column, value in enumerate(values, 1):
            text, rule = written(value)
            cells.append(text)
            if rule := wrong.get((row, column), rule):
                found.append((column, rule))
        yield row, cells, found


def written(value: Any) -> tuple[str, str]:
    """A cell as text, and the rule that it breaks: a day as ISO 8601 has it, whatever time stands beside it."""
    if isinstance(value, bool):
        return ("true" if value else "false"), ""
    if isinstance(value, int | float):
        if abs(value) >= EXACT:
            return "", LONG
        return (str(int(value)) if value == int(value) else repr(float(value))), ""
    if isinstance(value, time | timedelta):
        return "", DURATION
    if isinstance(value, date):
        day = value.date() if isinstance(value, datetime) else value
        return ("", OLD) if day < FIRST_DAY else (day.isoformat(), "")
    return str(value).strip(), ""


def _unpacked(parts: zipfile.ZipFile, name: str) -> bytes:
    """No more of it than it says of itself, whatever it is packed to."""
    with parts.open(name) as part:
        content = part.read(UNPACKED_BYTES + 1)
    if len(content) > UNPACKED_BYTES:
        raise Refused(LARGE)
    return content


def _first_sheet(parts: zipfile.ZipFile) -> tuple[str, str]:
    """Name and part of the first sheet that people see."""
    places = {
        one["Id"]: one["Target"] for one in _elements(_unpacked(parts, "xl/_rels/workbook.xml.rels"), "Relationship")
    }
    for sheet in _elements(_unpacked(parts, "xl/workbook.xml"), f"{_MAIN} sheet"):
        target = places.get(sheet.get(f"{_RELATIONS} id", ""), "")
        if sheet.get("state", "visible") == "visible" and "worksheets/" in target:
            place = target.removeprefix("/")
            return sheet["name"], place if place.startswith("xl/") else f"xl/{place}"
    raise Refused(NO_SHEET)


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_: Any) -> None:
        raise Refused(UNREADABLE)

    # No workbook has a document type, and one brings entities.
    parser.StartDoctypeDeclHandler = refuse
    return parser


def _elements(content: bytes, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    parser = _parser()

    def start(element: str, attributes: dict[str, str]) -> None:
        if element == name or element.rpartition(" ")[2] == name:
            found.append(attributes)

    parser.StartElementHandler = start
    parser.Parse(content, True)
    return found


def wrong_cells(content: bytes) -> Wrong:
    """By row and column, cells that hold an error, and those of formulas that no program has computed: both read as
    empty ones otherwise."""
    reading = _Cells()
    parser = _parser()
    parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
    parser.CharacterDataHandler = reading.text
    parser.Parse(content, True)
    return reading.wrong


class _Cells:
    """`r` of rows and cells may be left out: then each is the one after the last."""

    def __init__(self) -> None:
        self.wrong: Wrong = {}
        self._row = self._column = 0
        self._kind, self._formula, self._value, self._within = "", False, False, ""

    def start(self, element: str, attributes: dict[str, str]) -> None:
        if element == f"{_MAIN} row":
            self._row, self._column = int(attributes.get("r", self._row + 1)), 0
        elif element == f"{_MAIN} c":
            self._column = _column(attributes["r"]) if "r" in attributes else self._column + 1
            self._kind, self._formula, self._value = attributes.get("t", "n"), False, False
        elif element == f"{_MAIN} f":
            self._formula = True
        self._within = element

    def text(self, said: str) -> None:
        if self._within == f"{_MAIN} v" and said:
            self._value = True

    def end(self, element: str) -> None:
        self._within = ""
        if element != f"{_MAIN} c":
            return
        if self._kind == "e":
            self.wrong[self._row, self._column] = ERROR
        elif self._formula and not self._value and self._kind != "str":
            self.wrong[self._row, self._column] = FORMULA


def _column(reference: str) -> int:
    """Of `AB7` the number 28."""
    number = 0
    for letter in reference.rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def lettered(column: int) -> str:
    """Of the number 28 `AB`."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


if __name__ == "__main__":
    main()
