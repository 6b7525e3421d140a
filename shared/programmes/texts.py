"""The texts of a definition that people read, each with what it names, in all of its languages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from shared.programmes.indicators import Declared, Texts
from shared.programmes.marked_yaml import escaped
from shared.programmes.model import Definition

# By which of its fields an item of a list is told from the others.
KEYS = ("code", "criterion", "component")
NAMES = ("name", "description")


class Named(NamedTuple):
    """`pointer`: of the texts in the definition; `keys`: of what they name, and before it of what that is a part of."""

    pointer: str
    keys: tuple[str, ...]
    texts: Texts

    @property
    def part(self) -> str:
        """The part of the definition that it stands in."""
        return self.pointer.split("/")[1]


def named_in(definition: Definition) -> Iterator[Named]:
    """Every text but the title, in the order of the file."""
    yield from _named_in(definition, "", ())


def key_name(item: object) -> str | None:
    """By which of its fields the item is told from others of its list; None for one without such."""
    fields = type(item).model_fields if isinstance(item, Declared) else ()
    return next((name for name in KEYS if name in fields), None)


def _named_in(part: Declared, pointer: str, keys: tuple[str, ...]) -> Iterator[Named]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        if name in NAMES and isinstance(value, dict):
            yield Named(f"{pointer}/{name}", keys, value)
        elif isinstance(value, tuple):
            for number, item in enumerate(value):
                if isinstance(item, Declared):
                    inner = key_name(item)
                    within = (*keys, str(getattr(item, inner))) if inner else keys
                    yield from _named_in(item, f"{pointer}/{escaped(name)}/{number}", within)
        elif isinstance(value, Declared):
            yield from _named_in(value, f"{pointer}/{name}", keys)
