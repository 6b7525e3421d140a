"""Every family and kind of fact that the events declare, in one place; what does not fit together is refused here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.contracts.base import Event, tells_anew
from shared.contracts.corrections import Revises, Revising
from shared.contracts.facts import ITEM, DaysSince, FactField, Family, FieldType, Length, Ordinal, Said, Subject, Tells
from shared.contracts.registry import MODULES, declared_events


@dataclass(frozen=True)
class Kind:
    """One kind of fact: who tells it, and the names of the fields that each fact of it carries."""

    name: str
    family: Family
    once: bool
    ended_by: frozenset[str]
    follows: str | None
    tellers: tuple[str, ...]
    fields: frozenset[str]


class Catalogue:
    """ValueError for a kind of two families, an end or an order that no event of the topic can give, ..."""

    def __init__(self, events: Iterable[type[Event]], families: Iterable[Family]) -> None:
        events = tuple(events)
        self.families: Mapping[str, Family] = MappingProxyType({one.topic: one for one in families})
        # By topic and the event's name, as rows of the read model have them.
        self.tells: Mapping[tuple[str, str], tuple[Tells, ...]] = MappingProxyType(
            {(event.topic, event.__name__): event.tells for event in events if event.tells}
        )
        # What an event does to the facts of the one that it puts right, by topic and name.
        self.revises: Mapping[tuple[str, str], Revises] = MappingProxyType(
            {(event.topic, event.__name__): event.revises for event in events if issubclass(event, Revising)}
        )
        # They tell anew what was told of an earlier instant, and move nothing.
        self.retells: frozenset[tuple[str, str]] = frozenset(
            (event.topic, event.__name__) for event in events if tells_anew(event)
        )
        self.kinds: Mapping[str, Kind] = MappingProxyType(_kinds(events, self.families))
        self._said_by = Counter((event.topic, name) for event in events for name in event.model_fields)
        self._check(events)

    def _check(self, events: Iterable[type[Event]]) -> None:
        named = {(event.topic, event.__name__) for event in events}
        for kind in self.kinds.values():
            for ending in kind.ended_by:
                if (kind.family.topic, ending) not in named:
                    raise ValueError(f"{kind.name} is ended by {ending}, which its topic does not have")
            if kind.follows is not None and self.kinds[kind.follows].family is not kind.family:
                raise ValueError(f"{kind.name} follows a kind of another family")
        for place in self.revises.keys() & self.tells.keys():
            raise ValueError(f"{place} tells anew what it revises, and nothing of its own")
        types: dict[str, FieldType] = {}
        for family in self.families.values():
            _check_days(family, self.kinds)
            if not family.subject or not {family.opened, family.framed} <= set(family.frame):
                raise ValueError(f"the frame of {family.name} does not hold what opens it")
            for one in family.fields:
                if types.setdefault(one.name, one.type) != one.type:
                    raise ValueError(f"{one.name} is of two types")
                # Whoever is joined with a person's attributes is found again by the events that name the person.
                if one.name == "person" and not (isinstance(one.source, Said) and _framed(one.source, family)):
                    raise ValueError(f"the person of {family.name} is not in its frame")

    def fixed(self, kind: str, field: str) -> bool:
        """Whether every fact of a case has the same value there: its opening alone can say it."""
        family = self.kinds[kind].family
        source = next((one.source for one in family.fields if one.name == field), None)
        if not isinstance(source, Said):
            return isinstance(source, Subject)
        said = (path.split(".")[0] for path in source.paths)
        return _framed(source, family) and all(self._said_by[family.topic, name] == 1 for name in said)

    def implies(self, kind: str, before: str) -> bool:
        """Whether each standing fact of `kind` has one standing fact of `before` in its case, and no other has it."""
        one = self.kinds[kind]
        while one.follows is not None:
            earlier = self.kinds[one.follows]
            if not (one.once and earlier.once and earlier.ended_by <= one.ended_by):
                return False
            if earlier.name == before:
                return True
            one = earlier
        return False


def _check_days(family: Family, kinds: Mapping[str, Kind]) -> None:
    since = (one.source.kind for one in family.fields if isinstance(one.source, DaysSince))
    if any(not kinds[kind].once for kind in since if kind in kinds):
        raise ValueError(f"{family.name} counts days from what a case tells more than once")


def _kinds(events: Iterable[type[Event]], families: Mapping[str, Family]) -> dict[str, Kind]:
    told: dict[str, list[tuple[type[Event], Tells]]] = {}
    for event in events:
        for tells in event.tells:
            told.setdefault(tells.kind, []).append((event, tells))
    return {name: _kind(name, tellers, families) for name, tellers in told.items()}


def _kind(name: str, tellers: list[tuple[type[Event], Tells]], families: Mapping[str, Family]) -> Kind:
    (first, tells), *others = tellers
    for event, other in others:
        if event.topic != first.topic or (other.once, other.ended_by) != (tells.once, tells.ended_by):
            raise ValueError(f"{name} is told in two ways")
    if first.topic not in families:
        raise ValueError(f"{name} is told on a topic without a family")
    family = families[first.topic]
    carried = frozenset(one.name for one in family.fields if all(_carries(one, *teller, family) for teller in tellers))
    return Kind(
        name, family, tells.once, tells.ended_by, tells.follows, tuple(event.__name__ for event, _ in tellers), carried
    )


def _carries(one: FactField, event: type[Event], tells: Tells, family: Family) -> bool:
    """Whether a fact that this event tells has the field."""
    source = one.source
    if isinstance(source, Said):
        own = {*family.frame, *event.model_fields, *([ITEM] if tells.each else [])}
        return any(path.split(".")[0] in own for path in source.paths)
    if isinstance(source, Length):
        return source.ends in event.model_fields
    if isinstance(source, Ordinal):
        return not tells.once
    return tells.follows == source.kind if isinstance(source, DaysSince) else True


def _framed(source: Said, family: Family) -> bool:
    return all(path.split(".")[0] in family.frame for path in source.paths)


def declared_families() -> tuple[Family, ...]:
    """Every family of the contracts' modules, in the order in which they declare them."""
    return tuple(value for module in MODULES for value in vars(module).values() if isinstance(value, Family))


CATALOGUE = Catalogue(declared_events(), declared_families())
