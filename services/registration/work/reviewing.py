"""Whether what was decided on an expert still holds after the profile has changed.

What registration has heard of offers decides between screening anew and a flag. An offer that is made meanwhile is not
heard of yet; then the case is in screening, and matching offers nothing more until it is decided.
"""

from __future__ import annotations

from services.registration.domain.experts import EXPERT, Review
from services.registration.store import EXPERTS
from services.registration.work.criteria import Criteria
from services.registration.work.standing import is_offered
from shared.contracts.registration.persons import Profile
from shared.errors import Conflict, PreconditionFailed
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause
from shared.store.paging import every

DECIDED = ("eligible", "ineligible")


class Reviewing:
    """Brings cases back to screening, or flags them."""

    def __init__(self, replica: Replica, criteria: Criteria) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._criteria = criteria

    async def changed(self, delivery: Delivery) -> None:
        """Profile: each of the person's cases, once more than one entry is known."""
        event = delivery.event
        if isinstance(event, Profile) and len(event.entries) > 1 and not event.erased:
            async for document in every(self._store, EXPERTS.name, "own", delivery.subject):
                await self.reconsider(document["_id"], delivery.cause(f"reconsider:{document['_id']}"))

    async def freed(self, delivery: Delivery) -> None:
        """An offer or a return is over: what was only flagged while it stood is screened now."""
        known = {**delivery.knowledge.get("match", {}), **delivery.knowledge.get("placement", {})}
        if expert := known.get("expert"):
            await self.reconsider(expert, delivery.cause("reconsider"))

    async def reconsider(self, id: str, cause: Cause) -> None:
        """What the criteria say now, of a case that was decided; does nothing where they say the same."""
        for _ in range(ATTEMPTS):
            document, expert = await self._kernel.load(EXPERTS, id)
            if document is None or expert is None or expert.status not in DECIDED:
                return
            failed = await self._criteria.failed_now(expert, document["private"], cause)
            # One who is eligible and meets everything, or ineligible and does not, is as was decided.
            if failed is None or (bool(failed) == (expert.status == "ineligible") and not expert.failing):
                return
            command = EXPERT.ask("reconsider", Review(failed, await is_offered(self._store, id)))
            try:
                # Screened in between, it was decided by what is known now.
                await self._kernel.execute(EXPERTS, id, command, cause, expected_version=document["version"])
                return
            except PreconditionFailed:
                continue
        raise Conflict
