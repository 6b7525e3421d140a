"""What matching does about a message: load, decide, save. The rules are in domain/."""

from __future__ import annotations

from typing import Any

from services.matching.allocation import Allocation
from services.matching.domain.knowledge import PLACEMENT_PURPOSE
from services.matching.domain.match import ReleaseMatch
from services.matching.promises import Promises
from services.matching.retraction import Retraction
from services.matching.selection import Selection
from services.matching.store import MATCHES
from services.matching.withdrawal import Withdrawal
from shared.contracts.base import Envelope, Event
from shared.contracts.matching import AssignmentMatchingStarted, MatchParties
from shared.contracts.placement import NoShowReported, PlacementCancelled, PlacementRefused
from shared.contracts.registration import ConsentGiven, ConsentWithdrawn, ExpertReinstated, ExpertSuspended
from shared.errors import TooEarly
from shared.messaging.shadows import Delivery
from shared.replica import Replica
from shared.store.aggregates import Saved


class Following:
    """Effects by message. Each may run twice: its commands' ids follow from the event."""

    def __init__(self, replica: Replica) -> None:
        self._kernel = replica.kernel
        self.promises = Promises(replica)
        self.selection = Selection(replica, self.promises)
        self.allocation = Allocation(replica, self.promises, self.selection)
        self.withdrawal = Withdrawal(replica, self.promises)
        self.retraction = Retraction(replica, self.promises)

    async def matching_started(self, delivery: Delivery) -> None:
        """Ranks for the round's matches; where the seats are given already, they are reserves at once."""
        event = delivery.event
        if isinstance(event, AssignmentMatchingStarted):
            await self.selection.put_on_shortlist(delivery, event.round, event.matches)
            await self.allocation.align(delivery.subject, delivery)

    async def assignment_cancelled(self, delivery: Delivery) -> None:
        await self.selection.stop_all(delivery)

    async def match_moved(self, delivery: Delivery) -> None:
        """A seat was given, an offer accepted, or a match kept that was to be taken back."""
        await self.allocation.align((await self._parties(delivery.subject)).assignment, delivery)

    async def match_ended(self, delivery: Delivery) -> None:
        """Seat and pool are given back first, then the next reserve takes the seat."""
        parties = await self._parties(delivery.subject)
        await self.promises.settle(delivery.subject, parties)
        await self.allocation.align(parties.assignment, delivery)

    async def placement_answered(self, delivery: Delivery) -> None:
        """The placement will never begin: the match gives up its seat."""
        match = await self._match_of(delivery)
        await self._kernel.execute(MATCHES, match, ReleaseMatch(_reason(delivery.event)), delivery.cause("release"))

    async def return_told(self, delivery: Delivery) -> None:
        """The return has begun or is over, which may answer a retraction."""
        await self.retraction.settle(await self._match_of(delivery), delivery)

    async def match_retracting(self, delivery: Delivery) -> None:
        """The answer may have been heard before the retraction was saved."""
        await self.retraction.settle(delivery.subject, delivery)

    async def _match_of(self, delivery: Delivery) -> str:
        """The match of a placement's event. Raises TooEarly where it is not here yet."""
        match: str | None = delivery.knowledge.get("match")
        if match is None or (await self._kernel.load(MATCHES, match))[1] is None:
            raise TooEarly("match")
        return match

    async def consent_turned(self, delivery: Delivery) -> None:
        event = delivery.event
        if isinstance(event, ConsentGiven | ConsentWithdrawn) and event.purpose == PLACEMENT_PURPOSE:
            await self.withdrawal.align(delivery.subject, delivery)
            await self.heard(delivery)

    async def expert_turned(self, delivery: Delivery) -> None:
        event = delivery.event
        if isinstance(event, ExpertSuspended | ExpertReinstated):
            await self.withdrawal.align(event.person, delivery)

    async def heard(self, delivery: Delivery) -> None:
        """An application may wait for this."""
        await self.selection.waiting.heard(delivery.subject)

    async def _parties(self, match: str) -> MatchParties:
        _, state = await self._kernel.load(MATCHES, match)
        if state is None or state.parties is None:
            raise TooEarly("match")
        return state.parties


def own_deliveries(saved: Saved[Any]) -> list[Delivery]:
    """The events of a save as they will come round, so that what follows is done at once under the same ids."""
    entries = saved.document["outbox"][-len(saved.events) :] if saved.events else []
    pairs = zip(entries, saved.events, strict=True)
    return [Delivery(Envelope.of(entry["headers"]), event, {}) for entry, event in pairs]


def _reason(event: Event) -> str:
    if isinstance(event, PlacementRefused | PlacementCancelled):
        return event.reason
    return "no_show" if isinstance(event, NoShowReported) else "placement_ended"
