"""The text in which an event's body is sent, as a pattern: what matches is what the contract says, without validation.

The pattern follows the schema by which pydantic validates the same body. A schema or a body that it does not know is
left to pydantic: it vouches for less than pydantic reads, never for more, and what it takes from a body is what
`payload_of` makes of the validated one. Tests hold the two to the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from services.monitoring.domain.rows import taken_of
from services.monitoring.likeness import Kind, Letters, Likeness, by_length, cut, texts_of
from shared.clock import text_of
from shared.contracts.base import DATE_FORM, TIME_FORM, Event, in_utc
from shared.contracts.catalogue import CATALOGUE, Catalogue
from shared.contracts.iso_codes import language_code
from shared.messaging.columns import Texts, Whole

Schema = Mapping[str, Any]
# By the path of a field, the group that it is read from.
Groups = Mapping[str | None, str]
# Between them stands what an event's row keeps of the body, and a value; no pattern holds these characters.
_KEPT, _DROPPED = "\x01", "\x02"
_VALUE, _ENDED = "\x03", "\x04"
_VALUES = re.compile(f"{_VALUE}([^{_ENDED}]*){_ENDED}")
# So few bodies are matched one by one sooner than looked at together. An example is in vain where fewer are like it, or
# a smaller share of those that are left, all of which it is compared with; after so many the rest are matched too.
FEW = 16
SHARE = 20
TRIED = 4
# The 29th of February is left to pydantic; years are those of dates and times here (`shared.contracts.base`).
_YEAR = "(?:19|2[0-9])[0-9]{2}"
_DAY = "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_DATE = f'"{_VALUE}{_YEAR}-{_DAY}{_ENDED}"'
_TIME = (
    f'"{_VALUE}{_YEAR}-{_DAY}{_ENDED}T{_VALUE}(?:[01][0-9]|2[0-3]){_ENDED}'
    f'{_VALUE}:[0-5][0-9]:[0-5][0-9][.][0-9]{{6}}Z{_ENDED}"'
)
# Of a text's own pattern: what means the same to both engines, and allows nothing that JSON would escape.
_CLASS = r"\[(?:[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|[A-Za-z0-9_.+/]|-(?=\]))+\]"
_PLAIN = re.compile(rf"\^(?:[A-Za-z0-9_/-]|{_CLASS}|\{{[0-9]+(?:,[0-9]+)?\}}|[()|?])*\$")
_WORD = re.compile(r"[ -!#-\[\]-~]+")
_OPENED, _CLOSED = b"{}"
_CONFIG = {"extra_fields_behavior", "ser_json_inf_nan", "title"}


class Said(NamedTuple):
    """What some bodies say for their `EventRow`s, an Arrow array of texts for each part; null where one says nothing.

    `rows`: which of the bodies these are. `happened_at` as it stands there, `told` as JSON.
    """

    rows: Whole
    happened_at: Any
    person: Any
    entry: Any
    told: Any


class _Unknown(Exception):
    """The schema holds something of which no pattern can be made."""


class Pattern:
    """The pattern of one type of event."""

    def __init__(self, pattern: str) -> None:
        # What is kept in one piece is one group; each further one would cost as much as a dozen bytes.
        merged = pattern.replace(_DROPPED + _KEPT, "").replace(_KEPT, "(").replace(_DROPPED, ")")
        compiled = re.compile(_VALUES.sub(r"\1", merged).encode())
        self._match = compiled.fullmatch
        kinds = {f"value{number}": value[1] for number, value in enumerate(_VALUES.finditer(merged))}
        names = iter(kinds)
        example = re.compile(_VALUES.sub(lambda value: f"(?P<{next(names)}>{value[1]})", merged).encode())
        self._example = example.fullmatch
        self._kinds = {name: Kind(text) for name, text in kinds.items()}
        self._places, self._example_places = _Places(compiled), _Places(example)

    def read(self, bodies: Texts) -> Said:
        """Those of the bodies that are written so, and what they say."""
        found, left = [], []
        for rows, table in by_length(bodies):
            some, rest = self._read_alike(rows, table)
            found += some
            left.append(rest)
        rest = np.concatenate(left) if left else np.arange(0)
        found.append(self._read_each(rest, bodies.some(rest).each()))
        every, *parts = zip(*found, strict=True)
        return Said(np.concatenate(every), *map(pa.concat_arrays, parts))

    def _read_alike(self, rows: Whole, table: Letters) -> tuple[list[Said], Whole]:
        """What those of the bodies say that are like others, and which are left."""
        found, left, in_vain = [], [], 0
        while len(rows) >= FEW and in_vain < TRIED:
            match = self._example(table[0].tobytes())
            alike = np.arange(0) if match is None else Likeness(match, self._kinds).alike(table)
            in_vain += len(alike) < max(FEW, len(rows) // SHARE)
            if match is None:
                left.append(rows[:1])
                alike = np.arange(1)
            else:
                found.append(self._example_places.said(match, rows[alike], table[alike]))
            rows, table = np.delete(rows, alike), np.delete(table, alike, axis=0)
        return found, np.concatenate([*left, rows])

    def _read_each(self, rows: Whole, bodies: Iterable[bytes]) -> Said:
        # Column by column: to gather a tuple of each body takes as long as to match it.
        tried = zip(rows.tolist(), map(self._match, bodies), strict=True)
        found = [(row, match) for row, match in tried if match is not None]
        matches, places = [match for _, match in found], self._places
        return Said(
            np.array([row for row, _ in found], np.int64),
            _texts([match["happened_at"] for match in matches]),
            _texts([match[places.person] if places.person else None for match in matches]),
            _texts([match[places.entry] if places.entry else None for match in matches]),
            _texts([places.told(match) for match in matches]),
        )


class _Places:
    """Which groups of a pattern hold what is kept."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        named = pattern.groupindex
        self._kept = [place for place in range(1, pattern.groups + 1) if place not in named.values()]
        self.person, self.entry = named.get("person"), named.get("entry")

    def told(self, match: re.Match[bytes]) -> bytes | None:
        if not self._kept:
            return None
        kept = b"".join(filter(None, match.group(0, *self._kept)[1:]))
        # Each field but the first, which is never kept, has a comma before it.
        return b"{%b}" % kept[1:] if kept else None

    def said(self, match: re.Match[bytes], rows: Whole, table: Letters) -> Said:
        """What all of the bodies say that are like the one that matches."""

        def part(group: str | int | None) -> Any:
            start, end = (-1, -1) if group is None else match.span(group)
            return pa.nulls(len(rows), pa.string()) if start < 0 else texts_of(table[:, start:end])

        return Said(rows, part("happened_at"), part(self.person), part(self.entry), self._told_of(match, table))

    def _told_of(self, match: re.Match[bytes], table: Letters) -> Any:
        spans = [span for place in self._kept if (span := match.span(place))[0] < span[1]]
        if not spans:
            return pa.nulls(len(table), pa.string())
        told = np.pad(cut(table, spans)[:, 1:], ((0, 0), (1, 1)))
        told[:, 0], told[:, -1] = _OPENED, _CLOSED
        return texts_of(told)


def _texts(said: Sequence[bytes | None]) -> Any:
    # Patterns match nothing but ASCII, which need not be looked through again.
    return pa.array(said, pa.binary()).view(pa.string())


def pattern_of(event: type[Event], catalogue: Catalogue = CATALOGUE) -> Pattern | None:
    """The pattern of the event's newest version; None where pydantic alone can tell."""
    needed, person, entry = taken_of(event, catalogue)
    groups = {"happened_at": "happened_at", person: "person", entry: "entry"}
    try:
        fields = _fields(event.__pydantic_core_schema__, needed, groups)
    except _Unknown:
        return None
    return Pattern(rf"\{{{fields}\}}")


def _fields(schema: Schema, needed: Mapping[str, Any], groups: Groups, within: str = "") -> str:
    """A model's fields in their order. `needed`: which of them, or which parts of them, are kept."""
    _only(schema, "model", "cls", "schema", "custom_init", "root_model", "config", "ref", "metadata")
    inner = schema["schema"]
    _only(inner, "model-fields", "fields", "model_name", "computed_fields")
    if schema["custom_init"] or schema["root_model"] or inner["computed_fields"] or schema["config"].keys() - _CONFIG:
        raise _Unknown
    fields: list[str] = []
    for name, field in inner["fields"].items():
        part = _field(field, ("," if fields else "") + f'"{name}":', needed.get(name), groups, within + name)
        # Each but the first has a comma before it, so the first is always there, and kept where another one is.
        if not fields and (part.endswith(")?") or (within and needed and name not in needed)):
            raise _Unknown
        fields.append(part)
    return "".join(fields)


def _field(field: Schema, before: str, needed: Any, groups: Groups, path: str) -> str:
    _only(field, "model-field", "schema", "metadata")
    schema, optional = field["schema"], False
    if schema["type"] == "default":
        _only(schema, "default", "schema", "default")
        # What is not said is not written; any other default is.
        schema, optional = schema["schema"], schema["default"] is None
    if schema["type"] == "nullable":
        _only(schema, "nullable", "schema")
        schema = schema["schema"]
    if schema["type"] == "model":
        kept = needed if isinstance(needed, Mapping) else {}
        opened, closed = f"{before}\\{{", r"\}"
        if kept:
            opened, closed = f"{_KEPT}{opened}{_DROPPED}", f"{_KEPT}{closed}{_DROPPED}"
        text = opened + _fields(schema, kept, groups, f"{path}.") + closed
    else:
        text = before + _named(_value(schema), groups.get(path))
    text = f"(?:{text})?" if optional else text
    return f"{_KEPT}{text}{_DROPPED}" if needed is True else text


def _named(text: str, group: str | None) -> str:
    """The value's text, what stands between its quotation marks as that group."""
    if group is None:
        return text
    if not text.startswith('"'):
        raise _Unknown
    return f'"(?P<{group}>{text[1:-1]})"'


def _value(schema: Schema) -> str:
    make = _MAKERS.get(schema["type"])
    if make is None:
        raise _Unknown
    return make(schema)


def _marked(text: str) -> str:
    return f"{_VALUE}{text}{_ENDED}"


def _string(schema: Schema) -> str:
    _only(schema, "str", "pattern", "strict", "metadata")
    pattern = schema.get("pattern")
    if not isinstance(pattern, str) or not _PLAIN.fullmatch(pattern):
        raise _Unknown
    text = pattern[1:-1].replace("(", "(?:")
    return f'"{_marked(f"(?:{text})" if "|" in text else text)}"'


def _literal(schema: Schema) -> str:
    _only(schema, "literal", "expected")
    if not all(isinstance(one, str) and _WORD.fullmatch(one) for one in schema["expected"]):
        raise _Unknown
    words = "|".join(map(re.escape, schema["expected"]))
    return f'"{_marked(f"(?:{words})")}"'


def _bool(schema: Schema) -> str:
    _only(schema, "bool")
    return _marked("(?:true|false)")


def _whole(schema: Schema) -> str:
    _only(schema, "int", "ge", "le", "metadata")
    least, most = schema.get("ge"), schema.get("le", 10**18 - 1)
    if least is None and "le" not in schema:
        return _marked("(?:0|-?[1-9][0-9]{0,17})")
    if least not in (0, 1) or most < 1:
        raise _Unknown
    digits = str(most)
    # Those with fewer digits, those that are less from some digit on, and the greatest.
    numbers = ["0"] if least == 0 else []
    if len(digits) > 1:
        numbers.append(f"[1-9][0-9]{{0,{len(digits) - 2}}}")
    for place, digit in enumerate(digits):
        first = 0 if place else 1
        if int(digit) > first:
            rest = len(digits) - place - 1
            numbers.append(f"{digits[:place]}[{first}-{int(digit) - 1}][0-9]{{{rest}}}")
    return _marked(f"(?:{'|'.join([*numbers, digits])})")


def _list(schema: Schema) -> str:
    _only(schema, "tuple", "items_schema", "variadic_item_index", "min_length", "max_length")
    if len(schema["items_schema"]) != 1 or schema.get("variadic_item_index") != 0:
        raise _Unknown
    (item,) = schema["items_schema"]
    text = rf"\{{{_fields(item, {}, {})}\}}" if item["type"] == "model" else _value(item)
    # Of what stands there several times a match says one place alone.
    text = _VALUES.sub(r"\1", text)
    least, most = schema.get("min_length", 0), schema.get("max_length")
    more = f"{{{max(least - 1, 0)},{'' if most is None else most - 1}}}"
    some = f"(?:{text})(?:,{text}){more}"
    return _marked(rf"\[{some if least else f'(?:{some})?'}\]")


def _date(schema: Schema) -> str:
    if _form(schema) != DATE_FORM.rule:
        raise _Unknown
    return _DATE


def _checked(schema: Schema) -> str:
    """What a function makes of a text, where that text is known that it leaves as it is."""
    _only(schema, "function-after", "function", "schema", "serialization", "metadata")
    read, written = schema["function"].get("function"), schema.get("serialization", {}).get("function")
    if read is in_utc and written is text_of and _form(schema["schema"]) == TIME_FORM.rule:
        return _TIME
    if read is language_code and written is None:
        # A code of three letters may have a shorter one.
        return f'"{_marked("[a-z]{2}")}"'
    raise _Unknown


def _form(schema: Schema) -> Any:
    """The rule of a `Form`, which the pattern knows by its name."""
    _only(schema, "json-or-python", "json_schema", "python_schema", "metadata")
    return schema["json_schema"].get("custom_error_type")


def _only(schema: Schema, type: str, *known: str) -> None:
    """Any key that is not known may restrict or change what is read."""
    if schema["type"] != type or schema.keys() - {"type", *known}:
        raise _Unknown


_MAKERS: dict[str, Callable[[Schema], str]] = {
    "str": _string,
    "literal": _literal,
    "bool": _bool,
    "int": _whole,
    "tuple": _list,
    "json-or-python": _date,
    "function-after": _checked,
}
