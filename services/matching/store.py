"""Matching's collections, indexes, aggregates and shadows. No decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.matching.domain import assignment, match, match_state
from services.matching.domain.assignment import Assignment
from services.matching.domain.match_state import Match
from shared.cases.case import Timer
from shared.replica import shadows_collection
from shared.store.aggregates import Aggregate
from shared.store.collection import Collection, Index
from shared.store.port import Document

Texts = Callable[[Document], list[str]]


def _everything(document: Document) -> list[str]:
    return ["all"] if document.get("state") else []


def _at(*path: str) -> Texts:
    """The one text at that place of the state; none where it is missing."""

    def texts(document: Document) -> list[str]:
        found: Any = document.get("state")
        for name in path:
            found = (found or {}).get(name)
        return [found] if found else []

    return texts


def _vacant(document: Document) -> list[str]:
    state = document.get("state")
    return ["all"] if state and state["status"] in assignment.OPEN_TO_EXPERTS else []


def _offer_timer(state: Match) -> Timer | None:
    """An offer that is not answered expires."""
    if state.status != "offered" or state.expires_at is None:
        return None
    return Timer(state.expires_at, match.ExpireOffer())


ASSIGNMENTS: Aggregate[Assignment] = Aggregate(
    Collection(
        "assignments",
        {
            "all": Index(_everything),
            "office": Index(_at("office")),
            "institution": Index(_at("terms", "institution")),
            "own": Index(lambda d: []),
            "assigned": Index(lambda d: []),
            "vacant": Index(_vacant),
        },
    ),
    Assignment,
    assignment.decide,
    assignment.evolve,
    scope=assignment.scope,
)
MATCHES: Aggregate[Match] = Aggregate(
    Collection(
        "matches",
        {
            "all": Index(_everything),
            "office": Index(_at("parties", "office")),
            "institution": Index(_at("parties", "institution")),
            "own": Index(_at("parties", "person")),
            "assigned": Index(lambda d: []),
            "assignment": Index(_at("parties", "assignment")),
        },
    ),
    Match,
    match.decide,
    match_state.evolve,
    _offer_timer,
    match_state.scope,
)
# The guard of persons: `_id` is the person's id, every open match of the person holds there.
POOLS = Collection("pools")


def _known(field: str, kind: str) -> Texts:
    def texts(document: Document) -> list[str]:
        known = document["knowledge"]
        return [known[field]] if known.get("kind") == kind and known.get(field) else []

    return texts


def _account(document: Document) -> list[str]:
    account = document["knowledge"].get("account")
    return [account] if account else []


def _pool(document: Document) -> list[str]:
    """Experts who may be sourced, by programme."""
    known = document["knowledge"]
    standing = known.get("kind") == "expert" and known["screening"] == "eligible" and not known["suspended"]
    return [known["programme"]] if standing else []


def _returns(document: Document) -> list[str]:
    known = document["knowledge"]
    begun = known.get("returned") and known.get("person") and known.get("programme")
    return [returns_key(known["person"], known["programme"])] if begun else []


def returns_key(person: str, programme: str) -> str:
    return f"{programme}/{person}"


SHADOWS = shadows_collection(
    {
        "account": Index(_account),
        "person": Index(_known("person", "expert")),
        "pool": Index(_pool),
        "returns": Index(_returns),
    }
)
COLLECTIONS = (ASSIGNMENTS.collection, MATCHES.collection, POOLS)
