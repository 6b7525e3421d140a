"""What a body names: codes of the programme's lists, and ids of subjects that the service was told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from shared.contracts.frame import Known, Listed

# A field of a body, by its pointer, with the mark that says what it names.
Named = tuple[str, Listed | Known, Any]


def marked(body: BaseModel, pointer: str = "") -> Iterator[Named]:
    """The fields of the body, and of what it is made of, that name a code or a subject."""
    for name, field in type(body).model_fields.items():
        value, place = getattr(body, name), f"{pointer}/{name}"
        if value is not None:
            yield from ((place, mark, value) for mark in field.metadata if isinstance(mark, (Listed, Known)))
        for number, item in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(item, BaseModel):
                yield from marked(item, f"{place}/{number}")


def unlisted(body: BaseModel, codes: Mapping[str, frozenset[str]]) -> list[str]:
    """Where the body names a code that does not stand in the list of its word; a word without a list takes any."""
    return [
        place
        for place, mark, value in marked(body)
        if isinstance(mark, Listed) and value not in codes.get(mark.word, {value})
    ]
