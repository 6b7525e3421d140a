"""A person whose every identifier is a text that occurs nowhere else, and where such texts can hide in bytes."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from tests.store_files import content_of

# Letters of two scripts, so that an escaped form would be found as well.
GIVEN, FAMILY = "Quixévara", "Zwyndorfé"
EMAIL, TELEPHONE = "quixevara.zwyn@canary.example", "+31 6 8675 309"
NUMBER = "QZX8675309K"


def identity(who: str) -> dict[str, Any]:
    """The direct identifiers of one person; `who` makes them different from another's."""
    return {
        "given_name": f"{GIVEN}{who}",
        "family_name": f"{FAMILY}{who}",
        "email": f"{who}{EMAIL}",
        "telephone": f"{TELEPHONE}{len(who) % 10}",
        "document": {"type": "passport", "country": "NL", "number": f"{NUMBER}{who}"},
    }


def needles() -> list[str]:
    """What both persons' identifiers have in common, also as somebody may have folded them."""
    plain = [GIVEN, FAMILY, "Quixevara", "Zwyndorfe", EMAIL, TELEPHONE, "3168675309", "+3168675309", NUMBER]
    return sorted({form for text in plain for form in (text, text.lower(), text.upper(), text.casefold())})


def encodings(text: str) -> Iterator[bytes]:
    """The bytes under which the text may stand in a file."""
    raw = text.encode()
    yield raw
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield text.encode("latin-1")
    yield text.encode("unicode_escape")
    yield text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield urllib.parse.quote(text, safe="").encode()
    # Inside of a longer text, base64 has three forms; the characters that neighbours touch are cut away.
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + raw)
        inner = encoded[(0, 2, 3)[shift] : len(encoded) - 4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


PATTERNS = sorted({form for text in needles() for form in encodings(text) if len(form) >= 8})


def found_in(content: bytes) -> list[bytes]:
    """The forms of the canaries that occur in the bytes."""
    return [pattern for pattern in PATTERNS if pattern in content]


def files_with(folders: Iterable[Path]) -> dict[str, list[bytes]]:
    """Every file below the folders that holds one, in clear or in a row that is packed."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (hits := found_in(content_of(path))):
                found[str(path.relative_to(folder))] = hits
    return found


def rows_of(model: Path) -> Iterator[bytes]:
    """Every row of a DuckDB file as text, since its pages are compressed."""
    with duckdb.connect(str(model), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
        ).fetchall()
        assert tables
        for schema, name in tables:
            for row in connection.execute(f'select * from "{schema}"."{name}"').fetchall():
                yield repr(row).encode()
