"""A form of a body: what its model lets somebody say, as fields, and what was sent of them as the body's JSON.

The server decides by the same reading as at the JSON edge, so a form knows no rule of its own: what cannot be read as
the field's type is sent on as it was typed, and refused by the rule that refuses it there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from shared.cases.bodies import FOLLOWS
from shared.texts import latin
from shared.web.pages.typed_dates import MONTH, numbered, said_in_parts

Kind = Literal["text", "lines", "number", "date", "instant", "choice", "several", "references", "group", "rows", "json"]
# Of what several are chosen under one name.
SEVERAL: frozenset[Kind] = frozenset({"several", "references"})
# Of fields that name a code of a standard: which list of `shared.web.pages.standard_names` they are chosen from.
Listed = Literal["", "countries", "states", "nationalities", "languages", "occupations"]
Sent = Sequence[tuple[str, str]]

# What is longer is a text of several lines.
LINE_CHARACTERS = 255
# A number of no more values may be a level, each with words of its own.
STEPS_AT_MOST = 12
# Parts of the pointer of a field in a row: `/languages/0/level`, with nothing before the first slash.
IN_A_ROW = 4
# No list has rows with a number of so many digits.
ROW_DIGITS = 4
ROW_NUMBERS = 10 ** (ROW_DIGITS - 1)
# Of a list for which the body's schema says no maximum.
ROWS_AT_MOST = 40
# Buttons of these names send nothing on: they show one row more of the list that the value names, or leave out the row
# that it names.
MORE, LESS = "more", "less"
# One of this name shows the form anew with every list in it (shared.web.pages.code_lists).
WHOLE = "whole"
_COUNTRY, _NATIONALITY, _LANGUAGE = "^[A-Z]{2}$", "^([A-Z]{2}|XX[A-C])$", "^[a-z]{2,3}$"
_OCCUPATION = "^[0-9]{1,4}$"
_BY_PATTERN: Mapping[str, Listed] = {
    _COUNTRY: "countries",
    _NATIONALITY: "nationalities",
    _LANGUAGE: "languages",
    _OCCUPATION: "occupations",
}
# Where somebody may be from a state that is gone.
_OF_FORMER_STATES = frozenset({"country_of_origin", "other_nationalities"})
_DAY_FIRST: Mapping[str, int] = {"day": 0, "month": 1, "year": 2}
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_FRACTION = re.compile(r"[+-]?[0-9]{1,15}\.[0-9]{1,6}", re.ASCII)
# A thousand to some readers and one to others, so neither is taken for it.
_AMBIGUOUS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}", re.ASCII)
_SEPARATORS = str.maketrans({"\u066b": ".", "\u066c": None, "\u00a0": None, "\u202f": None, " ": None})


@dataclass(frozen=True)
class Field:
    """One field. `pointer`: its place in the body (RFC 6901), and the name of its input; `name`: the key of its words.

    `codes`: what may be chosen; `listed`: of which standard; `inner`: the fields of a group, or of one row;
    `rows_at_most`: of a list, as its schema says; `number`: of a row, from 0.
    `word`: of whose list the code is, where the body says so (shared.contracts.frame.Listed); else the name counts.
    """

    pointer: str
    name: str
    kind: Kind
    required: bool = False
    codes: tuple[str, ...] = ()
    listed: Listed = ""
    characters: int | None = None
    inner: tuple[Field, ...] = ()
    rows_at_most: int = ROWS_AT_MOST
    number: int | None = None
    word: str = ""

    @property
    def group(self) -> str:
        """The name of the field that it is a part of; empty for one of the body itself, and for a row of a list."""
        within = self.pointer.split("/")[-2:-1]
        return next((part for part in within if not part.isdecimal()), "")

    @property
    def is_day(self) -> bool:
        """Whether it is a day that people know by heart, in parts: as many of them as they know."""
        return {"year", "month", "day"} <= {one.name for one in self.inner}

    @property
    def by_day(self) -> tuple[Field, ...]:
        """Its parts as people say them, the day first, and then what is said beside it."""
        return tuple(sorted(self.inner, key=lambda one: _DAY_FIRST.get(one.name, len(_DAY_FIRST))))

    @property
    def as_references(self) -> Field:
        """Of a list of ids, the field in which they are chosen from what is offered, or typed."""
        return replace(self, kind="references", inner=())

    @property
    def list(self) -> str:
        """By which word a programme lists what may stand here."""
        return self.word or self.name

    @property
    def id(self) -> str:
        """For HTML, where no slash is wanted in an id that a style or a script may name."""
        return "f" + self.pointer.replace("/", "-")

    @property
    def row_of(self) -> tuple[str, int] | None:
        """Of a field that stands in a row: the name of the list, and the number of the row from 0."""
        parts = self.pointer.split("/")
        if self.number is not None or len(parts) < IN_A_ROW or not parts[-2].isdecimal():
            return None
        return parts[-3], int(parts[-2])

    def at(self, pointer: str) -> Field:
        """The same field at another place."""
        inner = tuple(one.at(pointer + one.pointer.removeprefix(self.pointer)) for one in self.inner)
        return replace(self, pointer=pointer, inner=inner)

    def row(self, number: int) -> Field:
        """Of a list, the field of one row."""
        (one,) = self.inner
        return replace(one.at(f"{self.pointer}/{number}"), number=number)

    def with_words(self, words: Mapping[str, str]) -> Field:
        """With the words of lists, by the pointers of the fields whose codes come from them."""
        inner = tuple(one.with_words(words) for one in self.inner)
        return replace(self, word=words.get(self.pointer, ""), inner=inner)


def in_order(fields: Iterable[Field]) -> Iterator[Field]:
    """The fields, with those of groups in their groups' places; lists whole."""
    for one in fields:
        if one.kind == "group":
            yield from in_order(one.inner)
        else:
            yield one


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields of a body by its JSON Schema, in the order in which the model has them; without what follows from
    others."""
    return _properties(schema, "", schema.get("$defs", {}))


def _properties(schema: Mapping[str, Any], pointer: str, defs: Mapping[str, Any]) -> tuple[Field, ...]:
    required = frozenset(schema.get("required", ()))
    found = (
        _field(part, f"{pointer}/{name}", name, name in required, defs)
        for name, part in schema.get("properties", {}).items()
    )
    follows = frozenset(f"{pointer}/{place}" for place in schema.get(FOLLOWS, ()))
    return tuple(_without(found, follows)) if follows else tuple(found)


def _without(fields: Iterable[Field], pointers: frozenset[str]) -> Iterator[Field]:
    for one in fields:
        if one.pointer not in pointers:
            yield replace(one, inner=tuple(_without(one.inner, pointers))) if one.inner else one


def _field(said: Mapping[str, Any], pointer: str, name: str, required: bool, defs: Mapping[str, Any]) -> Field:
    schema = _resolved(said, defs)
    codes, pattern, characters = _codes(schema), schema.get("pattern", ""), schema.get("maxLength")
    kind, form = schema.get("type"), schema.get("format")
    if kind == "object" and "properties" not in schema:
        return Field(pointer, name, "json", required)
    if "properties" in schema:
        return Field(pointer, name, "group", required, inner=_properties(schema, pointer, defs))
    if kind == "array":
        item = _field(schema.get("items", {}), f"{pointer}/0", name, True, defs)
        if item.codes:
            return Field(pointer, name, "several", required, item.codes)
        return Field(pointer, name, "rows", required, inner=(item,), rows_at_most=schema.get("maxItems", ROWS_AT_MOST))
    if codes:
        return Field(pointer, name, "choice", required, codes)
    if kind == "boolean":
        return Field(pointer, name, "choice", required, ("true", "false"))
    if kind in ("integer", "number"):
        return Field(pointer, name, "number", required, _steps(schema))
    if form in ("date", "date-time"):
        return Field(pointer, name, "date" if form == "date" else "instant", required)
    if pattern in _BY_PATTERN:
        listed: Listed = "states" if name in _OF_FORMER_STATES else _BY_PATTERN[pattern]
        return Field(pointer, name, "choice", required, listed=listed)
    long = characters is not None and characters > LINE_CHARACTERS
    return Field(pointer, name, "lines" if long else "text", required, characters=characters)


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Without references, and of what may be missing the part that may be there."""
    if "$ref" in schema:
        return _resolved(defs[schema["$ref"].rsplit("/", 1)[-1]], defs)
    parts = [one for one in (*schema.get("anyOf", ()), *schema.get("allOf", ())) if one.get("type") != "null"]
    if not parts:
        return schema
    found = [_resolved(one, defs) for one in parts]
    enums = tuple(code for one in found for code in one.get("enum", ()))
    return {**found[0], "enum": enums} if enums else found[0]


def _steps(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Every whole number that may stand there, where these are few enough to be levels of something."""
    least, most = schema.get("minimum"), schema.get("maximum")
    if schema.get("type") != "integer" or least is None or most is None or most - least >= STEPS_AT_MOST:
        return ()
    return tuple(str(one) for one in range(least, most + 1))


def _codes(schema: Mapping[str, Any]) -> tuple[str, ...]:
    found = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return tuple(str(code) for code in found)


@dataclass(frozen=True)
class Posted:
    """What was sent: values by the names of the inputs, in their order."""

    values: Mapping[str, tuple[str, ...]]

    @staticmethod
    def of(sent: Sent) -> Posted:
        values: dict[str, tuple[str, ...]] = {}
        for name, value in sent:
            values[name] = (*values.get(name, ()), value)
        return Posted(values)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """As they were sent, those of one name together."""
        return tuple((name, value) for name, values in self.values.items() for value in values)

    def text(self, pointer: str) -> str:
        """The last value of the input that says something: what is typed beside a choice goes before it. Of a day that
        was typed in parts what they say."""
        return next((one for one in reversed(self._of(pointer)) if one), "")

    def all(self, pointer: str) -> tuple[str, ...]:
        return tuple(one for one in self._of(pointer) if one)

    def _of(self, pointer: str) -> tuple[str, ...]:
        if (said := said_in_parts(self.values, pointer)) is not None:
            return (said,)
        return self.values.get(pointer, ("",))

    def rows(self, field: Field) -> int:
        """How many rows of the list were sent, empty ones with them; the form shows one at least.

        One more than the list may have is kept, so that the body's rule refuses it.
        """
        begin = f"{field.pointer}/"
        numbers = (_number_in(name, begin) for name in self.values if name.startswith(begin))
        last = max((one for one in numbers if one is not None), default=-1)
        return min(last + 1 + (field.pointer in self.values.get(MORE, ())), field.rows_at_most + 1)

    def edited(self) -> Posted | None:
        """What the form is to show where a row more or less, or whole lists are asked for; None where it is sent."""
        rows = self.values.get(LESS, ())
        for row in rows:
            return self.without(row)
        return self if {MORE, WHOLE} & self.values.keys() else None

    def without(self, row: str) -> Posted:
        """Without the row at that pointer; those below it move up. A pointer to no row changes nothing."""
        begin, number = row[: row.rfind("/") + 1], _number_in(row, row[: row.rfind("/") + 1])
        if number is None:
            return self
        places = {one: one - (one > number) for one in range(ROW_NUMBERS) if one != number}
        return self._moved(begin, places)

    def packed(self, fields: Iterable[Field]) -> Posted:
        """Without the rows that say nothing, as the body is read: what is wrong at a place of the body stands there."""
        found = self
        for one in fields:
            if one.kind == "group":
                found = found.packed(one.inner)
            elif one.kind == "rows":
                told = [n for n in range(found.rows(one)) if _value(_optional(one.row(n)), found) is not _NOTHING]
                found = found._moved(f"{one.pointer}/", {old: new for new, old in enumerate(told)})
                found = found.packed(one.row(number) for number in range(len(told)))
        return found

    def _moved(self, begin: str, places: Mapping[int, int]) -> Posted:
        """With the rows of that list at other places; without those that have none."""
        moved: dict[str, tuple[str, ...]] = {}
        for name, values in self.values.items():
            if not name.startswith(begin):
                moved[name] = values
            elif (number := _number_in(name, begin)) is not None and number in places:
                rest = name.removeprefix(begin).partition("/")
                moved[f"{begin}{places[number]}{rest[1]}{rest[2]}"] = values
        return Posted(moved)


def _number_in(name: str, begin: str) -> int | None:
    """Of a row's input, the number of the row; None for what is none's."""
    number = name.removeprefix(begin).partition("/")[0]
    return int(number) if number.isascii() and number.isdecimal() and len(number) < ROW_DIGITS else None


def _optional(row: Field) -> Field:
    return replace(row, required=False)


# That a field says nothing, which is not the same as null.
_NOTHING = object()


def json_of(fields: Iterable[Field], posted: Posted) -> bytes:
    """The body's JSON: a field that is empty is left out, and so is a group or a row with nothing in it."""
    body = _object(fields, posted)
    return json.dumps({} if body is _NOTHING else body, ensure_ascii=False).encode(errors="replace")


def said_in(field: Field, posted: Posted) -> Any:
    """What the body has of the field as JSON; None where the form says nothing of it."""
    found = _value(_optional(field), posted)
    return None if found is _NOTHING else found


def _object(fields: Iterable[Field], posted: Posted) -> Any:
    said = {one.name: value for one in fields if (value := _value(one, posted)) is not _NOTHING}
    return said or _NOTHING


def _value(field: Field, posted: Posted) -> Any:
    if field.kind == "group":
        found = _object(field.inner, posted)
        if field.is_day and found is not _NOTHING and isinstance(month := found.get(MONTH), str):
            found[MONTH] = _number(numbered(month))
        # What must be there is refused field by field, not as a whole that is missing.
        return {} if found is _NOTHING and field.required else found
    if field.kind == "references":
        return [latin(one).lower() for one in posted.all(field.pointer)] or _NOTHING
    if field.kind in SEVERAL:
        return list(posted.all(field.pointer)) or _NOTHING
    if field.kind == "rows":
        rows = (_value(_optional(field.row(number)), posted) for number in range(posted.rows(field)))
        return [one for one in rows if one is not _NOTHING] or _NOTHING
    text = posted.text(field.pointer)
    if not text.strip():
        return _NOTHING
    if field.codes == ("true", "false") and text in field.codes:
        return text == "true"
    read = _READ.get(field.kind)
    return read(text) if read else text


def _number(text: str) -> Any:
    """A number of any script's digits; what is none as it was typed. A comma may stand for a point: 1,5."""
    digits = latin(text).translate(_SEPARATORS)
    if _WHOLE.fullmatch(digits):
        return int(digits)
    if _AMBIGUOUS.fullmatch(digits):
        return text
    point = digits.replace(",", ".") if digits.count(",") == 1 and "." not in digits else digits
    return float(point) if _FRACTION.fullmatch(point) else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


_READ: Mapping[str, Callable[[str], Any]] = {
    "number": _number,
    "date": latin,
    "instant": latin,
    "json": _json,
}


def sent_of(fields: Iterable[Field], body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The inputs that say what the body says: a form that is filled already."""
    for one in fields:
        if (value := body.get(one.name)) is not None:
            yield from _inputs(one, value)


def _inputs(field: Field, value: Any) -> Iterator[tuple[str, str]]:
    if field.kind == "group":
        yield from sent_of(field.inner, value)
    elif field.kind in SEVERAL:
        yield from ((field.pointer, str(one)) for one in value)
    elif field.kind == "rows":
        for number, one in enumerate(value):
            yield from _inputs(field.row(number), one)
    elif field.kind == "json":
        yield field.pointer, json.dumps(value)
    else:
        yield field.pointer, ("true" if value else "false") if isinstance(value, bool) else str(value)


def leaves(fields: Iterable[Field], posted: Posted) -> Iterator[Field]:
    """The fields in which something is typed or chosen, those of every row that was sent with them."""
    for one in fields:
        if one.kind == "group":
            yield from leaves(one.inner, posted)
        elif one.kind == "rows":
            yield from leaves((one.row(number) for number in range(posted.rows(one))), posted)
        else:
            yield one
