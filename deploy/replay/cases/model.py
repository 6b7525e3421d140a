"""A chapter of plain cases: so many of one kind, walked along their table of moves; nothing draws them together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, StringConstraints

from shared.contracts.base import Code, Date
from shared.programmes.indicators import Declared

Verb = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,63}$")]
Total = Annotated[int, Field(ge=0, le=1_000_000_000)]
# A day is so many days from the case's own; codes are given to so many cases each.
Spread = Annotated[int, Field(ge=-3650, le=3650)] | dict[Code, Annotated[int, Field(ge=0, le=100_000)]]
Row = dict[Name, Total | Code]


class When(Declared):
    """So many cases have their day in `[starts, ends)`, evenly spread over it."""

    starts: Date
    ends: Date
    cases: Annotated[int, Field(ge=0, le=100_000)]


class Cases(Declared):
    """`count` cases of one table, each walked along `path`. A verb's further steps are named `verb-2`, `verb-3`, ...

    `days`: how many days after the case's own day each step was done. Of the bodies, by step and field: `fields` are
    the same in every case; `each` are totals that the cases share by largest remainder, where a list holds rows whose
    numbers are totals (a row without a number is left out); `spread` are days from the case's own, or codes with how
    many cases have each. `programme`, `office` and `happened_at` are filled in. `title` takes the case's number.
    """

    kind: Literal["cases"]
    name: Verb | None = None
    of: Annotated[str, StringConstraints(pattern=r"^[a-z]+/[a-z][a-z-]*$")]
    count: Annotated[int, Field(ge=1, le=100_000)]
    offices: Annotated[dict[Code, Annotated[int, Field(ge=0, le=100_000)]], Field(min_length=1)]
    path: Annotated[tuple[Verb, ...], Field(min_length=1, max_length=100)]
    when: Annotated[tuple[When, ...], Field(min_length=1)]
    days: dict[Verb, Annotated[int, Field(ge=-3650, le=3650)]] = {}
    fields: dict[Verb, dict[Name, JsonValue]] = {}
    each: dict[Verb, dict[Name, Total | tuple[Row, ...]]] = {}
    spread: dict[Verb, dict[Name, Spread]] = {}

    @property
    def called(self) -> str:
        """What its cases are called in step ids."""
        return self.name or self.of.split("/")[1]

    def steps(self) -> Iterator[tuple[str, str]]:
        """The name and the verb of each step of the path."""
        seen: dict[str, int] = {}
        for verb in self.path:
            seen[verb] = seen.get(verb, 0) + 1
            yield (verb if seen[verb] == 1 else f"{verb}-{seen[verb]}"), verb

    def stated(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """The parts that speak of bodies: the part's name, the step, the fields."""
        for part in ("fields", "each", "spread"):
            for step, fields in getattr(self, part).items():
                yield part, step, fields
