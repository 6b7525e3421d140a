"""What somebody sees whose form was made from a version that is over: who changed the case, both values by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel

from shared.clock import instant_of
from shared.identity.roles import Role
from shared.store.port import Document
from shared.web.acting import Seen
from shared.web.pages.filled import Form
from shared.web.pages.formatting import Formats
from shared.web.pages.forms import Field, said_in
from shared.web.pages.shown import Row, Shown
from shared.web.timeline import last_said_by


@dataclass(frozen=True)
class Difference:
    """One field: as the case has it now and as it was typed, empty where nothing stands; `differs`: by the values."""

    label: str
    now: Markup
    typed: Markup
    differs: bool


@dataclass(frozen=True)
class Conflict:
    """`role` and `office`: as what somebody changed the case last, as far as the reader may know; empty where nobody
    did by the own hand.

    `at`: when that was recorded. `differences`: of the fields that the case itself has; `stands`: all that it has.
    """

    role: str
    office: Markup | str
    at: Markup | str
    differences: tuple[Difference, ...]
    stands: tuple[Row, ...]


def conflict_of(document: Document, seen: Seen, form: Form, cells: Shown, reader: Role) -> Conflict:
    """`seen`: what the reader sees of the case as it stands now; nothing else of it is told."""
    role, office = last_said_by(document, reader)
    zoned = getattr(seen, "time_zone", None)
    recorded = document.get("last_recorded_at")
    return Conflict(
        role or "",
        cells.value("office", office) if office else "",
        cells.value("at", instant_of(recorded), zoned) if recorded else "",
        tuple(_differences(form, form.fields, seen, cells)),
        cells.rows(seen),
    )


def _differences(form: Form, fields: Iterable[Field], held: Any, cells: Shown) -> Iterator[Difference]:
    for one in fields:
        if not _has(held, one.name):
            continue
        now = _of(held, one.name)
        if one.kind == "group":
            yield from _differences(form, one.inner, now, cells)
        elif one.kind == "rows":
            yield from _of_rows(form, one, now if isinstance(now, Sequence) else (), cells)
        else:
            yield from _difference(form, one, now, cells)


def _of_rows(form: Form, field: Field, now: Sequence[Any], cells: Shown) -> Iterator[Difference]:
    for number in range(max(form.typed.rows(field), len(now))):
        row, held = field.row(number), now[number] if number < len(now) else None
        if row.kind == "group":
            for one in row.inner:
                yield from _difference(form, one, _of(held, one.name), cells, number)
        else:
            yield from _difference(form, row, held, cells, number)


def _difference(form: Form, field: Field, now: Any, cells: Shown, number: int | None = None) -> Iterator[Difference]:
    held, typed = _each(now), _each(said_in(field, form.typed))
    if held or typed:
        label = form.called(field)
        differs = [_plain(one) for one in held] != [_plain(one) for one in typed]
        read = [_read(field, one) for one in typed]
        named = label if number is None else f"{label} {number + 1}"
        yield Difference(named, _shown(field, held, cells), _shown(field, read, cells), differs)


def _each(value: Any) -> list[Any]:
    if isinstance(value, (tuple, list)):
        return list(value)
    return [] if value is None or value == "" else [value]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _read(field: Field, value: Any) -> Any:
    """A day as one, so that both stand in the same words."""
    if field.kind == "date":
        try:
            return date.fromisoformat(value)
        except ValueError:
            return value
    return value


def _shown(field: Field, values: Sequence[Any], cells: Shown) -> Markup:
    shown = [cells.value(field.name, one, word=field.word) for one in values]
    return Formats(cells.language).listed(shown) if shown else Markup()


def _has(held: Any, name: str) -> bool:
    if isinstance(held, BaseModel):
        return name in type(held).model_fields
    return held is None or (isinstance(held, Mapping) and name in held)


def _of(held: Any, name: str) -> Any:
    if isinstance(held, BaseModel):
        return getattr(held, name, None) if name in held.model_fields_set else None
    return held.get(name) if isinstance(held, Mapping) else None
