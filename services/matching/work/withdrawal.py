"""A consent that is taken back, a suspension or an erasure stops everything of the person; a new consent lets it begin
anew."""

from __future__ import annotations

from collections.abc import Mapping

from services.matching.domain.knowledge import (
    CONSENT_WITHDRAWN,
    NO_CONSENT,
    Consent,
    consent_to_placement,
    expert_status,
    is_erased,
    is_suspended,
    return_of,
)
from services.matching.domain.matches import MATCH, WITHOUT_SEAT
from services.matching.store import MATCHES, POOLS, SHADOWS
from services.matching.work.promises import Promises
from shared.contracts.registration.experts import (
    AppealUpheld,
    ExpertDeclaredIneligible,
    ExpertIdentityClashed,
    ExpertIdentitySettled,
    ExpertReinstated,
    ExpertScreeningReopened,
    ExpertSuspended,
)
from shared.contracts.registration.persons import PLACEMENT, ConsentGiven, ConsentWithdrawn
from shared.errors import Conflict, PreconditionFailed
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause
from shared.store.paging import every

EXPERT_SUSPENDED, EXPERT_INELIGIBLE, PERSON_ERASED = "expert_suspended", "expert_ineligible", "person_erased"
AGAINST: Mapping[Consent, str] = {"not_given": NO_CONSENT, "withdrawn": CONSENT_WITHDRAWN}


class Withdrawal:
    """Keeps the person's pool closed exactly while something stands against placing the person."""

    def __init__(self, replica: Replica, promises: Promises) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._keys = replica.ports.keys.persons(replica.service)
        self._promises = promises

    async def erased(self, delivery: Delivery) -> None:
        """The pool closes for good; what was written beside the person's cases goes with the person's key in here."""
        await self._align(delivery.subject, delivery)
        await self._keys.destroy(delivery.subject)
        await self._store.truncate()

    async def consent(self, delivery: Delivery) -> None:
        """Only the consent to be placed matters here."""
        event = delivery.event
        if not isinstance(event, ConsentGiven | ConsentWithdrawn) or event.purpose != PLACEMENT:
            return
        if isinstance(event, ConsentWithdrawn) or await self._may_reopen(delivery.subject):
            await self._align(delivery.subject, delivery)

    async def suspension(self, delivery: Delivery) -> None:
        """An expert is suspended, or no longer so: whatever stands of the person follows."""
        event = delivery.event
        if not isinstance(
            event,
            ExpertSuspended | ExpertReinstated | ExpertScreeningReopened | ExpertIdentityClashed | AppealUpheld,
        ):
            return
        if isinstance(event, ExpertSuspended) or await self._may_reopen(event.person):
            await self._align(event.person, delivery)

    async def _may_reopen(self, person: str) -> bool:
        """Whether the person has a pool: without one there is nothing to reopen, and whoever closes one later asks why
        once more."""
        return await self._store.load(POOLS.name, person) is not None

    async def ineligible(self, delivery: Delivery) -> None:
        """What was not offered yet ends; what follows from an offer that is out is for an officer to decide.

        So it is for whoever turns out to be somebody else, whose own case goes on.
        """
        event = delivery.event
        if not isinstance(event, ExpertDeclaredIneligible | ExpertIdentitySettled):
            return
        if isinstance(event, ExpertIdentitySettled) and event.outcome != "same_person":
            return
        if expert_status(delivery.knowledge) != "ineligible":
            return
        for match in await self._of_expert(event.person, delivery.subject):
            await self._stop_before_offer(match, delivery.cause(f"stop:{match}"))

    async def _of_expert(self, person: str, expert: str) -> list[str]:
        matches = every(self._store, MATCHES.name, "own", person)
        return [one["_id"] async for one in matches if one["state"]["parties"]["expert"] == expert]

    async def _stop_before_offer(self, match: str, cause: Cause) -> None:
        for _ in range(ATTEMPTS):
            document, state = await self._kernel.load(MATCHES, match)
            if document is None or state is None or state.status not in WITHOUT_SEAT | {"allocated"}:
                return
            command = MATCH.ask("stop", reason=EXPERT_INELIGIBLE)
            try:
                await self._kernel.execute(MATCHES, match, command, cause, expected_version=document["version"])
                return
            except PreconditionFailed:
                # Perhaps it was offered in between.
                continue
        raise Conflict

    async def _align(self, person: str, delivery: Delivery) -> None:
        """Closes first, then stops what the pool listed; or reopens. Two topics can turn the pool side by side.

        So the reason is asked for again after each turn: a replica that slept over a newer event finds that out
        before it stops a match, and whoever is last leaves the pool as it has to be.
        """
        while True:
            reason = await self._reason(person)
            if reason is None:
                # Where nothing stood there was nothing to turn, and whoever closes one later asks why once more.
                if not await self._promises.reopen_pool(person) or await self._reason(person) is None:
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
        """What stands against it now: the person's word or erasure, or a suspension of one of the person's experts."""
        shadow = await self._store.load(SHADOWS.name, person)
        consent = consent_to_placement(shadow["knowledge"]) if shadow else "unknown"
        if consent in AGAINST:
            return AGAINST[consent]
        if shadow and is_erased(shadow["knowledge"]):
            return PERSON_ERASED
        experts = every(self._store, SHADOWS.name, "person", person)
        if any([is_suspended(one["knowledge"]) async for one in experts]):
            return EXPERT_SUSPENDED
        return None
