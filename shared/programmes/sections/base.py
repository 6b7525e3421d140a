"""What every section of a definition is: an optional part of what a programme does, with its own checks and words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import Code
from shared.programmes.indicators import Declared, Texts
from shared.programmes.marked_yaml import Broken

# Attribute, field or kind of code -> the codes that it can have in this programme.
Known = Mapping[str, frozenset[str]]


class Listed(Declared):
    """A code of the programme with its name for people."""

    code: Annotated[Code, Field(description="what is recorded and counted")]
    name: Annotated[Texts, Field(description="what people read")]


class Section(Declared):
    """A part that a programme may leave out. Asking a programme for a section that it lacks is a Refusal.

    `words`: what other parts of the definition may name -> the field of this section that lists its codes.
    """

    words: ClassVar[Mapping[str, str]] = {}
    # Words of which each verb has codes of its own -> the field of this section that lists further ones.
    adds: ClassVar[Mapping[str, str]] = {}

    def broken(self, known: Known) -> Iterator[Broken]:
        """The broken rules of this section beyond the types of its fields, by pointer within the section."""
        yield from ()

    def narrowed(self) -> Known:
        """Words of the whole programme of which cases of this section may name fewer codes."""
        return {}

    def codes(self, word: str) -> frozenset[str]:
        """The codes that this section lists for one of its words."""
        return frozenset(one.code if isinstance(one, Listed) else one for one in getattr(self, self.words[word]))

    def added(self, word: str) -> tuple[str, ...]:
        """The codes that this programme adds to those that each verb has for the word."""
        return tuple(one.code for one in getattr(self, self.adds[word])) if word in self.adds else ()


class CaseSection(Section):
    """A section that has cases."""

    adds = {"reason": "reasons"}

    reasons: Annotated[
        tuple[Listed, ...],
        Field(max_length=100, description="further reasons, beside the service's, that a verb on its cases may name"),
    ] = ()


def repeated(values: Iterable[object]) -> Iterator[int]:
    """Positions of what stood before."""
    seen: set[object] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield number
        seen.add(value)
