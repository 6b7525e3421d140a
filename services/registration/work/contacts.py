"""How a person or an institution is written to: the address is sealed, the wishes stand beside it."""

from __future__ import annotations

from typing import Any

from services.registration.domain.contact import ContactChange, Wishes
from services.registration.identifiers import Identifiers
from services.registration.store import INSTITUTIONS, PERSONS
from shared.cases.case import Asked
from shared.errors import Refusal
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Saved, settled
from shared.store.port import Document
from shared.web.acting import Call

# In the private part.
WISHES = "wishes"


class Contacts:
    def __init__(self, replica: Replica, identifiers: Identifiers) -> None:
        self._kernel = replica.kernel
        self._runtime = replica.ports.runtime
        self._identifiers = identifiers

    async def of_person(self, call: Call[ContactChange]) -> Saved[Any]:
        return await self._set(PERSONS, call)

    async def of_institution(self, call: Call[ContactChange]) -> Saved[Any]:
        return await self._set(INSTITUTIONS, call)

    async def _set(self, aggregate: Aggregate[Any], call: Call[ContactChange]) -> Saved[Any]:
        """Raises Refusal 404; KeyDestroyed for an erased person, Unavailable."""
        document, _ = await self._kernel.load(aggregate, call.id)
        if document is None:
            raise Refusal("not_found", status=404)
        private: dict[str, Any] = {WISHES: call.body.wishes.model_dump(mode="json")}
        if call.body.email and not settled(document, call.cause):
            now = self._runtime.now()
            private |= await self._identifiers.addressed(call.id, document["private"], call.body.email, now)
        return await self._kernel.execute(
            aggregate,
            call.id,
            Asked(call.verb, call.body, wishes_of(document)),
            call.cause,
            expected_version=call.expected_version,
            private=private,
        )


def wishes_of(document: Document) -> Wishes:
    """What was asked for; at once and of everything where nothing was."""
    return Wishes.model_validate(document["private"].get(WISHES, {}))
