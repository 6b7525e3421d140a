"""What somebody is offered, as they read it before they answer: the terms of the assignment and its texts."""

from __future__ import annotations

from services.matching import views
from services.matching.store import ASSIGNMENTS, MATCHES
from shared.replica import Replica
from shared.store.port import Document
from shared.web.acting import Ground
from shared.web.callers import Granted


class Offers:
    """Reads the assignment of a match, for whoever may answer for the match."""

    def __init__(self, replica: Replica) -> None:
        self._store = replica.ports.store

    async def ground(self, document: Document, _granted: Granted) -> Ground | None:
        """None where no offer is out."""
        match = MATCHES.read(document)
        if match is None or match.expires_at is None:
            return None
        assignment = await self._store.load(ASSIGNMENTS.name, match.parties.assignment)
        return Ground(views.offered(assignment, match.expires_at), ("terms.institution",)) if assignment else None
