"""A case's collection from its table: an index for each relation in which somebody may read it or act on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from shared.cases.case import Case
from shared.identity.roles import Relation
from shared.programmes.sections.base import Section
from shared.store.aggregates import Aggregate
from shared.store.collection import SEPARATOR, Collection, Equals, Index
from shared.store.port import Document

# Under which name the state, its parties or its frame say to whom the case stands in that relation.
_NAMED: Mapping[Relation, str] = {"own": "person", "institution": "institution", "office": "office"}


@dataclass(frozen=True)
class Plain:
    """A plain case of a service. `section`: the part of a programme without which it is not opened."""

    case: Case[Any]
    section: type[Section]

    @cached_property
    def aggregate(self) -> Aggregate[Any]:
        return Aggregate.of(self.case, collection_of(self.case))


def collection_of(case: Case[Any]) -> Collection:
    """Lists are in the order of the openings, which stays. ValueError for a relation that no name is of."""
    rights = (case.readers, case.lists or {}, *(move.by for move in case.moves))
    relations = {relation for by in rights for relation in by.values()} - {"all"}
    if strange := relations - set(_NAMED):
        raise ValueError(f"{case.name}: {', '.join(sorted(strange))} needs an index of its own")
    named: dict[str, Index] = {relation: Index(_at(_NAMED[relation]), _by_opening) for relation in sorted(relations)}
    return Collection(case.name, {"all": Index(_everybody, _by_opening), **named})


def _everybody(document: Document) -> list[str]:
    return ["all"] if document.get("state") else []


def _at(name: str) -> Equals:
    def texts(document: Document) -> list[str]:
        state = document.get("state") or {}
        value = (state.get("parties") or state.get("frame") or state).get(name)
        return [value] if value else []

    return texts


def _by_opening(document: Document) -> str:
    return f"{document['state']['opened_at']}{SEPARATOR}{document['_id']}"
