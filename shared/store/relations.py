"""A case's indexes from its table: one for each relation in which somebody may read it or act on it, and what its
lists are narrowed by (docs/decisions/0033-lists-are-narrowed-over-declared-indexes.md).

A list that may be long (of an office, of everybody) has in its own index, beside the text that all of it stands under,
one for the programme and one for programme and status. What a case refers to has an index of its own, or that of
the relation that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.cases.case import Case
from shared.cases.movable import TRANSFER
from shared.cases.taking import taken_by
from shared.identity.roles import Relation
from shared.programmes.sections.base import Section
from shared.store.aggregates import Aggregate
from shared.store.collection import SEPARATOR, Collection, Equals, Index, Order, by_id
from shared.store.port import Document

STATUS, PROGRAMME = "status", "programme"
# The relation of the office that is asked to take a case over.
RECEIVING: Relation = "receiving"
# The index of cases that their office asks another one to take over.
PASSING = "passing"
# The index of cases that officers take, by who has one.
TAKEN = "taken"
# The index of cases that are flagged, by office and flag.
FLAG = "flag"
# Under which name the state, its parties or its frame say to whom the case stands in that relation.
_NAMED: Mapping[Relation, str] = {"own": "person", "institution": "institution", "office": "office"}
_LONG: frozenset[Relation] = frozenset({"all", "office"})


@dataclass(frozen=True)
class Plain:
    """A plain case of a service. `section`: the part of a programme without which it is not opened."""

    case: Case[Any]
    section: type[Section]

    @cached_property
    def aggregate(self) -> Aggregate[Any]:
        return Aggregate.of(self.case, collection_of(self.case))


def collection_of(case: Case[Any]) -> Collection:
    """A collection with the case's indexes alone. Lists are in the order of the openings, which stays."""
    return Collection(case.name, indexes_of(case, by_opening))


def indexes_of(case: Case[Any], order: Order = by_id, *, raised: int = 0, **otherwise: Equals) -> dict[str, Index]:
    """The indexes of the relations and references. `otherwise`: what finds a document in a relation of that name
    where no field of it says so; `raised`: by how many their versions were, since their order changed.
    ValueError for a relation that nothing is of."""
    at: dict[str, Equals] = {"all": everybody, **{one: _at(name) for one, name in _NAMED.items()}, **otherwise}
    at[RECEIVING] = lambda document: asked_of(case, document)
    rights = (case.readers, case.lists or {}, *(move.by for move in case.moves))
    relations = {relation for by in rights for relation in by.values()} | set(otherwise)
    if strange := relations - set(at):
        raise ValueError(f"{case.name}: {', '.join(sorted(strange))} needs an index of its own")
    narrowed = narrowed_of(case)
    found = {one: Index(at[one], order, 1 + raised) for one in sorted(relations - narrowed)}
    found |= {one: Index(_narrowed(case, at[one]), order, 2 + raised) for one in sorted(narrowed)}
    references = (name for name in references_of(case) if reference_index(case, name) not in found)
    found |= {name: Index(_at(name), order, 1 + raised) for name in references}
    if case.received_in:
        found[PASSING] = Index(lambda document: asked_by(case, document), order)
    if case.taken_in:
        found[TAKEN] = Index(lambda document: at_work(case, document), order, 1 + raised)
    if case.flags:
        found[FLAG] = Index(lambda document: _flagged(case, document), order, 1 + raised)
    return found


def flags_of(case: Case[Any], document: Document) -> tuple[str, ...]:
    """The flags that the case has, in the order of their declaration."""
    private = document.get("private", {})
    return tuple(name for name in case.flags if private.get(name))


def _flagged(case: Case[Any], document: Document) -> list[str]:
    office = value_at(document, "office")
    return [text(office, name) for name in flags_of(case, document)] if office else []


def at_work(case: Case[Any], document: Document) -> list[str]:
    """The account of whoever works on the case, while it goes on."""
    account = taken_by(document)
    return [account] if account and value_at(document, STATUS) in case.taken_in else []


def asked_of(case: Case[Any], document: Document) -> list[str]:
    """The office that is asked to take the case over, while it may."""
    asked = (document.get("state") or {}).get(TRANSFER)
    return [asked["to_office"]] if asked and value_at(document, STATUS) in case.received_in else []


def asked_by(case: Case[Any], document: Document) -> list[str]:
    """The case's office, while it asks another one to take the case over."""
    office = value_at(document, "office")
    return [office] if office and asked_of(case, document) else []


def untaken(case: Case[Any], document: Document) -> bool:
    """Whether the case goes on, and nobody works on it."""
    return taken_by(document) is None and value_at(document, STATUS) in case.taken_in


def narrowed_of(case: Case[Any]) -> frozenset[Relation]:
    """The relations whose indexes have texts for programme and status. Everybody's list is narrowed office by office
    where there is a programme, which names its offices."""
    if PROGRAMME not in case.filters:
        return lists_of(case) & _LONG if len(case.statuses) > 1 else frozenset()
    return lists_of(case) & _LONG - ({"all"} if "office" in lists_of(case) else set())


def lists_of(case: Case[Any]) -> frozenset[Relation]:
    """The relations in which somebody may list the case."""
    return frozenset((case.readers if case.lists is None else case.lists).values())


def references_of(case: Case[Any]) -> tuple[str, ...]:
    """What lists of the case are narrowed by of what it refers to."""
    return tuple(name for name in case.filters if name != PROGRAMME)


def reference_index(case: Case[Any], name: str) -> str:
    """The index that finds the cases which refer to one of that name."""
    rights = (case.readers, case.lists or {}, *(move.by for move in case.moves))
    relations = {relation for by in rights for relation in by.values()}
    return next((one for one, named in _NAMED.items() if named == name and one in relations), name)


def value_at(document: Document, name: str) -> str | None:
    """What the state, its parties or its frame say under that name; the terms of a case that has neither."""
    state = document.get("state") or {}
    named = state.get("parties") or state.get("frame")
    for part in (named or {}, state, {} if named else state.get("terms") or {}):
        if name in part:
            value: str | None = part[name]
            return value
    return None


def everybody(document: Document) -> list[str]:
    """Under this every document stands that is more than a guard so far."""
    return ["all"] if document.get("state") else []


def _at(name: str) -> Equals:
    def texts(document: Document) -> list[str]:
        value = value_at(document, name)
        return [value] if value else []

    return texts


def _narrowed(case: Case[Any], at: Equals) -> Equals:
    def texts(document: Document) -> list[str]:
        whole = at(document)
        status = value_at(document, STATUS)
        if status is None:
            return whole
        if PROGRAMME not in case.filters:
            return [*whole, *(text(one, status) for one in whole)]
        programme = value_at(document, PROGRAMME) or ""
        return [*whole, *(part for one in whole for part in (text(one, programme), text(one, programme, status)))]

    return texts


def text(*parts: str) -> str:
    """What a document stands under in an index by several values."""
    return SEPARATOR.join(parts)


def by_opening(document: Document) -> str:
    """By when the case was opened; one whose state did not tell that yet when it was opened stands before all."""
    return f"{document['state'].get('opened_at') or ''}{SEPARATOR}{document['_id']}"
