"""What registration knows of offers and returns, event by event. Pure; applying an event twice changes nothing.

What a function knows stands in the subject's shadow under the function's name:

| name | fields |
|---|---|
| match | expert, offered: whether an offer is out or was accepted |
| placement | expert, over: whether the return is over |
"""

from __future__ import annotations

from typing import Any

from shared.contracts.base import Envelope, Event
from shared.contracts.matching import AssignmentMatched, MatchKept, OfferAccepted, OfferMade
from shared.contracts.placement import PlacementOpened

Knowledge = dict[str, Any]


def match(known: Knowledge, event: Event, _envelope: Envelope) -> Knowledge:
    """A match that is given a seat names its expert; whatever ends its offer or takes it back ends the rest."""
    if isinstance(event, AssignmentMatched):
        return {**known, "expert": event.parties.expert}
    return {**known, "offered": isinstance(event, OfferMade | OfferAccepted | MatchKept)}


def placement(known: Knowledge, event: Event, _envelope: Envelope) -> Knowledge:
    if isinstance(event, PlacementOpened):
        return {**known, "expert": event.parties.expert}
    return {**known, "over": True}
