"""Matching's collections, indexes, aggregates and shadows. No decisions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.matching.domain.assignments import ASSIGNMENT, OPEN_TO_EXPERTS, Assignment
from services.matching.domain.knowledge import expert_status, is_active
from services.matching.domain.matches import MATCH, Match
from shared.replica import shadows_collection
from shared.store.aggregates import Aggregate
from shared.store.collection import SEPARATOR, Collection, Index
from shared.store.port import Document
from shared.store.relations import by_opening, indexes_of
from shared.zones import WESTERNMOST

# Sorts behind the separator and whatever id follows it.
AFTER_EVERY_ID = "\x7f"
Texts = Callable[[Document], list[str]]


def _nobody(_document: Document) -> list[str]:
    return []


def _by_last_day(document: Document) -> str:
    return f"{document['state']['terms']['ends_on']}{SEPARATOR}{document['_id']}"


def last_day_over_everywhere(now: datetime) -> str:
    """Before this in the order of vacancies are those whose work is over in every time zone."""
    return f"{(now - WESTERNMOST).date().isoformat()}{AFTER_EVERY_ID}"


def _vacant(document: Document) -> list[str]:
    state = document.get("state")
    return ["all"] if state and state["status"] in OPEN_TO_EXPERTS else []


ASSIGNMENTS: Aggregate[Assignment] = Aggregate.of(
    ASSIGNMENT,
    Collection(
        ASSIGNMENT.name,
        {
            **indexes_of(ASSIGNMENT, by_opening, raised=1, own=_nobody, assigned=_nobody),
            "vacant": Index(_vacant, _by_last_day, version=2),
        },
    ),
)
MATCHES: Aggregate[Match] = Aggregate.of(
    MATCH, Collection(MATCH.name, indexes_of(MATCH, by_opening, raised=1, assigned=_nobody))
)
# The guard of persons: `_id` is the person's id, every open match of the person holds there.
POOLS = Collection("pools")


def _known(who: str, field: str) -> Texts:
    """What `who` knows of the subject under that name (services.matching.domain.knowledge)."""

    def texts(document: Document) -> list[str]:
        value = document["knowledge"].get(who, {}).get(field)
        return [value] if value else []

    return texts


def _accounts(document: Document) -> list[str]:
    return [*_known("person", "account")(document), *_known("institution", "account")(document)]


def _pool(document: Document) -> list[str]:
    """Experts who may be sourced, by programme and office."""
    known = document["knowledge"].get("expert", {})
    return [pool_key(known["programme"], known["office"])] if expert_status(document["knowledge"]) == "eligible" else []


def pool_key(programme: str, office: str | None) -> str:
    return f"{programme}/{office or ''}"


def _hosts(document: Document) -> list[str]:
    """Institutions that may ask for experts now, by office."""
    return _known("institution", "office")(document) if is_active(document["knowledge"]) else []


def _returns(document: Document) -> list[str]:
    known = document["knowledge"].get("placement", {})
    begun = known.get("returned") and known.get("person") and known.get("programme")
    return [returns_key(known["person"], known["programme"])] if begun else []


def returns_key(person: str, programme: str) -> str:
    return f"{programme}/{person}"


SHADOWS = shadows_collection(
    {
        "account": Index(_accounts),
        "hosts": Index(_hosts),
        "person": Index(_known("expert", "person")),
        "pool": Index(_pool, version=2),
        "returns": Index(_returns),
    }
)
COLLECTIONS = (ASSIGNMENTS.collection, MATCHES.collection, POOLS)
