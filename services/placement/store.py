"""Placement's collections, indexes and what a calendar asks of a placement. No decisions."""

from __future__ import annotations

from services.placement.domain.placements import PLACEMENT, Placement
from shared.cases.holds import Usage
from shared.replica import shadows_collection
from shared.store.aggregates import Aggregate
from shared.store.collection import SEPARATOR, Collection, Index
from shared.store.port import Document


def _party(document: Document, name: str) -> list[str]:
    value = ((document.get("state") or {}).get("parties") or {}).get(name)
    return [value] if value else []


def _everybody(document: Document) -> list[str]:
    return ["all"] if document.get("state") else []


def _by_opening(document: Document) -> str:
    return f"{document['state']['opened_at']}{SEPARATOR}{document['_id']}"


PLACEMENTS: Aggregate[Placement] = Aggregate.of(
    PLACEMENT,
    Collection(
        PLACEMENT.name,
        {
            "all": Index(_everybody, _by_opening),
            "office": Index(lambda d: _party(d, "office"), _by_opening),
            "own": Index(lambda d: _party(d, "person"), _by_opening),
            "institution": Index(lambda d: _party(d, "institution"), _by_opening),
        },
    ),
)
CALENDARS = Collection("calendars")


def _accounts(document: Document) -> list[str]:
    known = document["knowledge"]
    return [account for who in ("person", "institution") if (account := known.get(who, {}).get("account"))]


COLLECTIONS = (PLACEMENTS.collection, CALENDARS)
SHADOWS = shadows_collection({"account": Index(_accounts)})


def usage(document: Document | None) -> Usage:
    """Whether the placement uses its dates in the calendar.

    One that ended early keeps the days that were worked, so that nothing recorded later can overlap them.
    """
    state = PLACEMENTS.read(document)
    if state is None:
        return "pending"
    return "spent" if state.status in ("refused", "cancelled", "no_show") else "used"
