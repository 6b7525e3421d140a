"""A consent that is taken back, or a suspension, stops everything of the person; a new consent lets it begin anew."""

from __future__ import annotations

from collections.abc import Mapping

from services.matching.domain.knowledge import (
    CONSENT_WITHDRAWN,
    NO_CONSENT,
    PLACEMENT_PURPOSE,
    Consent,
    consent_to_placement,
    is_suspended,
    return_of,
)
from services.matching.domain.matches import MATCH
from services.matching.store import MATCHES, POOLS, SHADOWS
from services.matching.work.promises import Promises
from shared.contracts.registration import (
    AppealUpheld,
    ConsentGiven,
    ConsentWithdrawn,
    ExpertReinstated,
    ExpertScreeningReopened,
    ExpertSuspended,
)
from shared.messaging.handlers import Delivery
from shared.replica import Replica

EXPERT_SUSPENDED = "expert_suspended"
AGAINST: Mapping[Consent, str] = {"not_given": NO_CONSENT, "withdrawn": CONSENT_WITHDRAWN}


class Withdrawal:
    """Keeps the person's pool closed exactly while something stands against placing the person."""

    def __init__(self, replica: Replica, promises: Promises) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._promises = promises

    async def consent(self, delivery: Delivery) -> None:
        """Only the consent to be placed matters here."""
        event = delivery.event
        if isinstance(event, ConsentGiven | ConsentWithdrawn) and event.purpose == PLACEMENT_PURPOSE:
            await self._align(delivery.subject, delivery)

    async def suspension(self, delivery: Delivery) -> None:
        """An expert is suspended, or no longer so: whatever stands of the person follows."""
        event = delivery.event
        if not isinstance(event, ExpertSuspended | ExpertReinstated | ExpertScreeningReopened | AppealUpheld):
            return
        # Without a pool there is nothing to reopen, and whoever closes one later asks why once more.
        if isinstance(event, ExpertSuspended) or await self._store.load(POOLS.name, event.person):
            await self._align(event.person, delivery)

    async def _align(self, person: str, delivery: Delivery) -> None:
        """Closes first, then stops what the pool listed; or reopens. Two topics can turn the pool side by side.

        So the reason is asked for again after each turn: a replica that slept over a newer event finds that out
        before it stops a match, and whoever is last leaves the pool as it has to be.
        """
        while True:
            reason = await self._reason(person)
            if reason is None:
                await self._promises.reopen_pool(person)
                if await self._reason(person) is None:
                    return
                continue
            matches = await self._promises.close_pool(person, reason)
            if await self._reason(person) is None:
                continue
            for match, parties in matches.items():
                if await self._goes_on(match, reason):
                    continue
                cause = delivery.cause(f"stop:{match}")
                command = MATCH.ask("stop", reason=reason, parties=parties)
                await self._kernel.execute(MATCHES, match, command, cause)
            return

    async def _goes_on(self, match: str, reason: str) -> bool:
        """A return that is over stays what it was, and a consent taken back breaks off none that has begun."""
        stage = return_of(await self._promises.placement_of(match))
        return stage == "over" or (stage == "begun" and reason in AGAINST.values())

    async def _reason(self, person: str) -> str | None:
        """What stands against it now: the person's own word, or the suspension of any of the person's experts."""
        shadow = await self._store.load(SHADOWS.name, person)
        consent = consent_to_placement(shadow["knowledge"]) if shadow else "unknown"
        if consent in AGAINST:
            return AGAINST[consent]
        experts = await self._store.find(SHADOWS.name, "person", person)
        if any(is_suspended(one["knowledge"]) for one in experts):
            return EXPERT_SUSPENDED
        return None
