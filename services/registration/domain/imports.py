"""Rows of a table as bodies of the edge: which columns there are, and what stands in each. No rule of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.registration.domain.experts import ExpertRegistration
from services.registration.domain.institutions import InstitutionRegistration
from shared.contracts.base import Code
from shared.errors import Problem

Kind = Literal["institutions", "experts"]
ROWS_AT_MOST, COLUMNS_AT_MOST, BYTES_AT_MOST = 20_000, 60, 5 * 1_048_576
# Of the file of rejected rows, what says why; whoever sends the file again need not take it out.
PROBLEM = "problem"
UNKNOWN_COLUMN, REPEATED_COLUMN, MISSING_COLUMN = "column_unknown", "column_repeated", "column_missing"
WRONG_COLUMNS, ROW_REPEATED, NO_ROWS = "columns_wrong", "row_repeated", "table_without_rows"
OF_COLUMNS = (UNKNOWN_COLUMN, REPEATED_COLUMN, MISSING_COLUMN, WRONG_COLUMNS, ROW_REPEATED, NO_ROWS)
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_TRUTHS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_PARTS = re.compile(r"[;,|]")
# In a list of codes, which have no blank in them, a blank parts them too.
_CODES = re.compile(r"[;,|\s]+")
_LANGUAGE = re.compile(r"\s*[:\s]\s*")


class ImportAsked(BaseModel):
    """What is imported, beside the file. `programme`, `office`: of rows that name none; `language`: of its reader."""

    model_config = ConfigDict(frozen=True)

    form: Literal["csv", "xlsx"]
    programme: Code | None = None
    office: Code | None = None
    language: str = "en"


@dataclass(frozen=True)
class Column:
    """`pointer`: of the field of the body that it says. `of`: how its text is read; what cannot be read so stays as it
    was written, and the body's model refuses it by its own rule."""

    name: str
    pointer: str
    of: Literal["text", "number", "truth", "codes", "languages"] = "text"
    needed: bool = False


@dataclass(frozen=True)
class Table:
    """`columns` in the order of the file that a form offers; `model`: of the body that a row is."""

    kind: Kind
    model: type[BaseModel]
    columns: tuple[Column, ...]

    def column_at(self, pointer: str) -> str:
        """The column of the field at the pointer, or within which it lies; empty for what no column says."""
        found = [one for one in self.columns if f"{pointer}/".startswith(f"{one.pointer}/")]
        return max(found, key=lambda one: len(one.pointer)).name if found else ""


def _attribute(name: str, of: Literal["text", "number", "codes", "languages"] = "text") -> Column:
    return Column(name, f"/person/attributes/{name}", of)


INSTITUTIONS = Table(
    "institutions",
    InstitutionRegistration,
    (
        Column("name", "/name", needed=True),
        Column("country", "/country", needed=True),
        Column("area", "/area"),
        Column("sector", "/sector", needed=True),
        Column("host_type", "/host_type", needed=True),
        Column("office", "/office"),
        Column("account", "/account"),
        Column("email", "/email"),
    ),
)
EXPERTS = Table(
    "experts",
    ExpertRegistration,
    (
        Column("programme", "/programme"),
        Column("office", "/office"),
        Column("given_name", "/person/given_name"),
        Column("family_name", "/person/family_name"),
        Column("email", "/person/email"),
        Column("telephone", "/person/telephone"),
        Column("document_type", "/person/document/type"),
        Column("document_country", "/person/document/country"),
        Column("document_number", "/person/document/number"),
        Column("birth_year", "/person/born/year", "number"),
        Column("birth_month", "/person/born/month", "number"),
        Column("birth_day", "/person/born/day", "number"),
        Column("birth_about", "/person/born/about", "truth"),
        *(
            _attribute(name)
            for name in ("sex", "nationality", "country_of_origin", "country_of_residence", "residence_status")
        ),
        _attribute("other_nationalities", "codes"),
        _attribute("education", "number"),
        _attribute("occupation"),
        _attribute("experience_years", "number"),
        _attribute("sector"),
        _attribute("languages", "languages"),
        _attribute("category"),
        Column("valid_from", "/person/valid_from", needed=True),
        Column("consents", "/consents", "codes"),
    ),
)
TABLES: Mapping[Kind, Table] = {table.kind: table for table in (INSTITUTIONS, EXPERTS)}


@dataclass(frozen=True)
class Header:
    """By column of the table its place in the file; or what is wrong with it, by place: None for what is not there."""

    places: Mapping[str, int]
    wrong: tuple[tuple[int | None, str, str], ...] = ()


def header_of(table: Table, cells: Sequence[str], called: Mapping[str, str]) -> Header:
    """`called`: what pages call a column in some language, folded, to its name."""
    names = {column.name: column.name for column in table.columns}
    known = {**called, **names, PROBLEM: PROBLEM}
    places: dict[str, int] = {}
    wrong: list[tuple[int | None, str, str]] = []
    for place, cell in enumerate(cells):
        name = known.get(folded(cell), "")
        if cell and not name:
            wrong.append((place, "", UNKNOWN_COLUMN))
        elif name in places:
            wrong.append((place, name, REPEATED_COLUMN))
        elif name:
            places[name] = place
    wrong += [(None, one.name, MISSING_COLUMN) for one in table.columns if one.needed and one.name not in places]
    return Header({name: place for name, place in places.items() if name != PROBLEM}, tuple(wrong))


def folded(text: str) -> str:
    """`Host type` and `HOST-TYPE` as `host_type`."""
    return re.sub(r"[\s-]+", "_", text.strip().casefold())


def body_of(table: Table, said: Mapping[str, str], asked: ImportAsked, office: str | None) -> dict[str, Any]:
    """The body that a row says. `said`: text by column, without those that are empty; `office`: the caller's."""
    defaults = {"office": asked.office or office, "programme": asked.programme}
    body: dict[str, Any] = {"person": {"attributes": {}}} if table.kind == "experts" else {}
    for column in table.columns:
        text = said.get(column.name) or defaults.get(column.name) or ""
        if text:
            _put(body, column.pointer.split("/")[1:], _read(column, text))
    return body


def _put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value


def _read(column: Column, text: str) -> Any:
    if column.of == "number":
        return int(text) if _WHOLE.fullmatch(text) else text
    if column.of == "truth":
        return _TRUTHS.get(text.casefold(), text)
    if column.of == "codes":
        return [one for one in _CODES.split(text) if one]
    if column.of == "languages":
        return [_language(one.strip()) for one in _PARTS.split(text) if one.strip()]
    return text


def _language(text: str) -> dict[str, str]:
    """Of `fa C2` and `fa:C2` language and level; without a level the language alone, which the model refuses."""
    language, *level = _LANGUAGE.split(text, maxsplit=1)
    return {"language": language, **({"level": level[0]} if level else {})}


def placed(table: Table, problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """Column and rule of each problem of a body, each once."""
    return list(dict.fromkeys((table.column_at(one.pointer), one.rule) for one in problems))
