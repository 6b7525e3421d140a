"""Placement's collections, indexes and what a calendar asks of a placement. No decisions."""

from __future__ import annotations

from services.placement.domain.placements import PLACEMENT
from services.placement.domain.sites import SITE
from services.placement.domain.standing import Placement
from services.placement.domain.trainings import TRAINING
from shared.cases.holds import Usage
from shared.programmes.sections.results import ResultsSection
from shared.programmes.sections.trainings import TrainingsSection
from shared.replica import shadows_collection
from shared.store.aggregates import Aggregate
from shared.store.collection import Collection, Index
from shared.store.port import Document
from shared.store.relations import Plain, collection_of

PLACEMENTS: Aggregate[Placement] = Aggregate.of(PLACEMENT, collection_of(PLACEMENT))
CALENDARS = Collection("calendars")
PLAIN = (Plain(TRAINING, TrainingsSection), Plain(SITE, ResultsSection))


def _accounts(document: Document) -> list[str]:
    known = document["knowledge"]
    return [account for who in ("person", "institution") if (account := known.get(who, {}).get("account"))]


COLLECTIONS = (PLACEMENTS.collection, CALENDARS, *(one.aggregate.collection for one in PLAIN))
SHADOWS = shadows_collection({"account": Index(_accounts)})


def usage(document: Document | None) -> Usage:
    """Whether the placement uses its dates in the calendar.

    One that ended early keeps the days that were worked, so that nothing recorded later can overlap them.
    """
    state = PLACEMENTS.read(document)
    if state is None:
        return "pending"
    return "spent" if state.status in ("refused", "cancelled", "no_show") else "used"
