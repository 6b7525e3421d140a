"""CSV files: no text is reckoned with, wherever a spreadsheet takes a cell to begin; harmless ones stay as they are."""

from __future__ import annotations

import csv
from io import StringIO

import pytest

from shared.web.spreadsheet import csv_of, inert


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("x;=1+1;@SUM(1)", "x;'=1+1;'@SUM(1)"),
        (';"=1+1"', ';\'"=1+1"'),
        ("x\n-1", "x\n'-1"),
        ("\t=1", "'\t'=1"),
        ("\N{FULLWIDTH EQUALS SIGN}1+1", "'\N{FULLWIDTH EQUALS SIGN}1+1"),
        ("\N{FULLWIDTH COMMERCIAL AT}SUM(1)", "'\N{FULLWIDTH COMMERCIAL AT}SUM(1)"),
        ("a; b - c, ada@example.org, 1=1", "a; b - c, ada@example.org, 1=1"),
        ("", ""),
    ],
)
def test_a_text_that_might_be_a_formula_is_kept_from_it(text: str, cell: str) -> None:
    assert inert(text) == cell


def test_every_text_is_quoted_and_no_number() -> None:
    file = csv_of([["name", "value"], ["x;y", 2], ['"z"', ""]]).decode("utf-8-sig")
    assert file == '"name","value"\r\n"x;y",2\r\n"""z""",""\r\n'
    assert list(csv.reader(StringIO(file)))[1] == ["x;y", "2"]
