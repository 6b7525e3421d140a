"""What events tell: facts that a programme counts, in families. Declared beside the events, read by everybody.

A fact never changes. What takes it back gives it an end. From these declarations follow the read model's tables, the
words of programme files, the linter's rules and the tables in docs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FieldType = Literal["code", "id", "number", "date", "money"]
# Where a fact stands for people, a small number of it is withheld; things stand for nobody.
Unit = Literal["person", "thing"]
# The first step of a path into the item that `Tells.each` is about.
ITEM = "item"


@dataclass(frozen=True)
class Said:
    """The first of these paths at which something stands (`terms.country`, `reason`, `item.sex`).

    A path whose first step is among the family's `frame` is looked up in what the case has said last; any other one
    in the telling event alone.
    """

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Subject:
    """The id of the case itself."""


@dataclass(frozen=True)
class Length:
    """Days from the date `starts` of the event (where it names none: from the last `ends` before it) to `ends`."""

    starts: str
    ends: str


@dataclass(frozen=True)
class Ordinal:
    """Which one of its kind the fact is within its case, from 1; for kinds that a case tells more than once."""


@dataclass(frozen=True)
class DaysSince:
    """Calendar days from the case's fact of that kind to this one in the office's time zone, both days counted.

    None from the day `until` on, as an earlier event of the case said it last.

    For the kinds that follow it.
    """

    kind: str
    until: str


Source = Said | Subject | Length | Ordinal | DaysSince


@dataclass(frozen=True)
class FactField:
    """One dimension of a family. `money` is `{amount, currency}` with the amount in the currency's smallest unit."""

    name: str
    type: FieldType
    source: Source


def said(name: str, type: FieldType, *paths: str) -> FactField:
    """A field that stands at one of these paths; without any, under its own name."""
    return FactField(name, type, Said(paths or (name,)))


@dataclass(frozen=True)
class Family:
    """The facts of one topic's cases: one table of the read model.

    `frame`: the body's fields that stand for the whole case until a later event says them anew. `opened`: the one
    without which nothing is told yet. `framed`: the one that openings of older versions lack; while it is missing, its
    fields are unknown. A family with a field `person` joins that person's attributes.
    `section`: the part of a programme without which no such case is opened.
    """

    name: str
    topic: str
    fields: tuple[FactField, ...]
    frame: tuple[str, ...]
    opened: str
    framed: str
    unit: Unit = "person"
    of_programme: bool = True
    section: str | None = None

    @property
    def table(self) -> str:
        return f"facts_{self.name}"

    @property
    def person(self) -> bool:
        return any(one.name == "person" for one in self.fields)

    @property
    def subject(self) -> str:
        """The field that is the case's own id. ValueError for a family without one."""
        found = [one.name for one in self.fields if isinstance(one.source, Subject)]
        if len(found) != 1:
            raise ValueError(f"the family {self.name} needs one field that is its subject")
        return found[0]


@dataclass(frozen=True)
class Tells:
    """The event makes a fact of `kind`.

    `once`: only the first one of its case. `ended_by`: names of the events of that case that take it back. `each`: one
    fact for each item of that list of the event. `follows`: a kind that the case has always told before.
    """

    kind: str
    once: bool = False
    ended_by: frozenset[str] = field(default=frozenset())
    each: str | None = None
    follows: str | None = None
