"""Claims to a document number that another person holds: decided by the protection role, done and told afterwards.

The case is saved first. Its own event then moves the guard and tells the holder, however often it is heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.registration.domain import documents
from services.registration.domain.claims import CLASH, IdentitySettlement
from services.registration.domain.experts import EXPERT, Expert
from services.registration.domain.persons import PERSON, Person
from services.registration.store import DOCUMENTS, EXPERTS, PERSONS
from shared.cases.case import Asked
from shared.contracts.registration.experts import ExpertIdentitySettled
from shared.errors import TooEarly
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.aggregates import Saved
from shared.store.collection import belongs
from shared.store.guards import Guard
from shared.store.paging import every
from shared.store.port import Document
from shared.web.acting import Call
from shared.web.callers import Granted

# In the expert's private part: the guard of the number that was claimed; who decided on it.
CLAIMED, SETTLED_BY = "claimed", "identity_settled_by"


class Claiming:
    """`guard`: of document numbers."""

    def __init__(self, replica: Replica, guard: Guard) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._guards = replica.guards
        self._guard = guard

    async def settle(self, call: Call[IdentitySettlement]) -> Saved[Expert]:
        """Decides on the claim; whoever held the number may have been erased meanwhile."""
        document = await self._store.load(EXPERTS.name, call.id)
        holder = await self._holder(document) if document else None
        return await self._kernel.execute(
            EXPERTS,
            call.id,
            Asked(call.verb, call.body, holder),
            call.cause,
            expected_version=call.expected_version,
            private={SETTLED_BY: call.cause.account},
        )

    async def settled(self, delivery: Delivery) -> None:
        """What follows from the decision: the number changes hands, and whoever held it is told."""
        event, expert = delivery.event, await self._store.load(EXPERTS.name, delivery.subject)
        if not isinstance(event, ExpertIdentitySettled) or expert is None:
            return
        if delivery.envelope.causation_id is not None:
            # It follows from the decision on another case of the same claim, and all else followed from that one.
            return
        holder = await self._person(event.holder)
        guard_id = expert["private"].get(CLAIMED)
        await self._settle_others(delivery, event, guard_id)
        # Of a claimant who was erased nothing is left that could have the number.
        if event.outcome == "moves" and guard_id:
            await self._guards.move(self._guard, guard_id, event.holder, event.person, delivery.envelope.id)
            # Erased just now, that person's hold goes once more.
            await self._guards.settle(self._guard, guard_id, event.person)
        if event.holder is None or event.holder == event.person or holder is None or holder.status == "erased":
            return
        told = PERSON.ask("hear-claim", outcome=event.outcome, reason=event.reason)
        await self._kernel.execute(PERSONS, event.holder, told, delivery.cause("hear-claim"))

    async def _settle_others(self, delivery: Delivery, event: ExpertIdentitySettled, guard_id: str | None) -> None:
        """Who came to claim the number later, by a change of identity, may have several cases: it is one claim."""
        async for other in every(self._store, EXPERTS.name, "own", event.person):
            if other["state"]["status"] != CLASH or guard_id is None or other["private"].get(CLAIMED) != guard_id:
                continue
            said = IdentitySettlement(outcome=event.outcome, reason=event.reason)
            command, cause = Asked("settle-identity", said, event.holder), delivery.cause(f"settle:{other['_id']}")
            await self._kernel.execute(EXPERTS, other["_id"], command, cause)

    async def _person(self, id: str | None) -> Person | None:
        """Raises TooEarly for one whose own registration took the number and is still under way."""
        if id is None:
            return None
        person = PERSONS.read(await self._store.load(PERSONS.name, id))
        if person is None:
            raise TooEarly("holder")
        return person

    async def holder_for(self, document: Document, granted: Granted) -> Mapping[str, str]:
        """Of a case whose identity is not settled: the number's holder, where the reader may read that person."""
        role = granted.principal.role
        if role == "expert" or EXPERT.state.model_validate(document["state"]).status != CLASH:
            return {}
        holder = await self._holder(document)
        person = await self._store.load(PERSONS.name, holder) if holder else None
        readable = await granted.equalities_of(granted.edge.policy.allowed(granted.principal, PERSONS.name, "read"))
        seen = person is not None and any(belongs(person, index, equals) for index, equals in readable)
        return {"holder": holder} if holder and seen else {}

    async def _holder(self, document: Mapping[str, Any]) -> str | None:
        guard_id = document["private"].get(CLAIMED)
        return documents.holder_of(await self._store.load(DOCUMENTS.name, guard_id)) if guard_id else None
