"""What a body names: codes of a verb's and of the programme's lists, ids of subjects that the service was told of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from shared.cases.bodies import ITEM, REASON
from shared.contracts.frame import Known, Listed

# A field of a body, by its pointer, with the mark that says what it names.
Named = tuple[str, Listed | Known, Any]
# Words of which the verb's own row lists the codes.
OWN_WORDS = (REASON, ITEM)


def marked(body: BaseModel, pointer: str = "") -> Iterator[Named]:
    """The fields of the body, and of what it is made of, that name a code or a subject; each code of a list alone."""
    for name, field in type(body).model_fields.items():
        value, place = getattr(body, name), f"{pointer}/{name}"
        marks = [mark for mark in field.metadata if isinstance(mark, (Listed, Known))]
        if not isinstance(value, tuple):
            yield from ((place, mark, value) for mark in marks if value is not None)
            continue
        for number, item in enumerate(value):
            yield from ((f"{place}/{number}", mark, item) for mark in marks)
            if isinstance(item, BaseModel):
                yield from marked(item, f"{place}/{number}")


def unlisted(body: BaseModel, codes: Mapping[str, frozenset[str]]) -> list[str]:
    """Where the body names a code that does not stand in the list of its word; a word without a list takes any."""
    return [
        place
        for place, mark, value in marked(body)
        if isinstance(mark, Listed) and value not in codes.get(mark.word, {value})
    ]


def places_of(body: type[BaseModel], pointer: str = "") -> Mapping[str, str]:
    """Where the body, or what it is made of, may name a code -> the word of its list; 0 stands for each of a list."""
    found: dict[str, str] = {}
    for name, field in body.model_fields.items():
        place = f"{pointer}/{name}"
        for mark in field.metadata:
            if isinstance(mark, Listed):
                found |= {place: mark.word, f"{place}/0": mark.word}
        for model, many in _models(field.annotation):
            found |= places_of(model, f"{place}/0" if many else place)
    return found


def _models(annotation: Any, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models that the annotation names, and whether each stands in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for part in get_args(annotation):
        yield from _models(part, many or get_origin(annotation) is tuple)


def listed_words(body: type[BaseModel]) -> Mapping[str, str]:
    """The fields of the body itself that name a code of a list -> the word of that list."""
    return {
        name: mark.word
        for name, field in body.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Listed)
    }
