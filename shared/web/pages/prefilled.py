"""What a case says already, as the form holds it in which somebody says it anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from typing import Any

from shared.clock import text_of
from shared.web.acting import Seen
from shared.web.pages.forms import Field

Typed = Iterator[tuple[str, tuple[str, ...]]]


def prefilled(
    fields: Iterable[Field], names: Sequence[str], seen: Seen | Mapping[str, Any]
) -> dict[str, tuple[str, ...]]:
    """By the names of the inputs, what the reader sees of these fields of the case or its parts (`contact.often`)."""
    places = {path.rpartition(".")[2]: path for path in names}
    known = ((one, reduce(_of, places[one.name].split("."), seen)) for one in fields if one.name in places)
    return {name: values for one, held in known for name, values in _typed(one, held)}


def _typed(field: Field, held: Any) -> Typed:
    if held is None or held == "" or held == ():
        return
    if field.kind == "group":
        for one in field.inner:
            yield from _typed(one, _of(held, one.name))
    elif field.kind == "rows":
        for number, row in enumerate(held):
            yield from _typed(field.row(number), row)
    elif isinstance(held, (tuple, list, frozenset)):
        yield field.pointer, tuple(_text(one) for one in held)
    else:
        yield field.pointer, (_text(held),)


def _of(held: Any, name: str) -> Any:
    if isinstance(held, Mapping):
        return held.get(name)
    return getattr(held, name, None)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return text_of(value)
    return value.isoformat() if isinstance(value, date) else str(value)
