"""An account is handed over by two people: who has it proposes, and who was given the code accepts or declines.

The code follows from the case and from the request that proposed it, so nobody keeps it: the store has a keyed hash of
it, by which whoever has signed in finds the case, and its holder is shown it again. It opens nothing but the answer.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from services.registration.domain.drafts import code_of, grouped, read_code
from services.registration.domain.handover import ACCEPT, DECLINE, HELD, Acceptance, AccountBorne
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.store import HANDOVER, INSTITUTIONS, PERSONS
from services.registration.work.contacts import WISHES
from services.registration.work.handing_over import holder_of
from services.registration.work.readings import Readings
from shared.cases.bodies import Reason
from shared.cases.case import Asked
from shared.clock import retrying
from shared.errors import PreconditionFailed, Refusal, UniqueViolated
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Cause, Saved, settled
from shared.store.port import Document
from shared.web.acting import Call

UNKNOWN = "handover_unknown"
# What an account of the role stands for.
_BORNE_BY: Mapping[Role, Aggregate[Any]] = {"host": INSTITUTIONS, "expert": PERSONS}


@dataclass(frozen=True)
class Offered:
    """The case whose account is offered."""

    aggregate: Aggregate[Any]
    document: Document

    @property
    def id(self) -> str:
        return str(self.document["_id"])

    @property
    def state(self) -> AccountBorne:
        found: AccountBorne = self.aggregate.state.model_validate(self.document["state"])
        return found

    @property
    def person(self) -> str | None:
        """The person that the account stands for; None for an institution's."""
        return self.id if self.aggregate is PERSONS else None


# Of what was found under the code, the digest that tells another answer under the same command.
Causing = Callable[[Offered], Awaitable[Cause]]


class Consenting:
    """Both consents; each is one command of the case's own document."""

    def __init__(self, replica: Replica, identifiers: Identifiers, readings: Readings) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys
        self._identifiers = identifiers
        self._readings = readings

    async def of_institution(self, call: Call[Reason]) -> Saved[Any]:
        return await self._propose(INSTITUTIONS, call)

    async def of_person(self, call: Call[Reason]) -> Saved[Any]:
        return await self._propose(PERSONS, call)

    async def _propose(self, aggregate: Aggregate[Any], call: Call[Reason]) -> Saved[Any]:
        """Refusal `handover_proposed` while one stands, `handover_too_often`. Raises Unavailable."""

        async def once() -> Saved[Any]:
            document, _ = await self._kernel.load(aggregate, call.id)
            version = call.expected_version
            private: dict[str, Any] = {HANDOVER: self._named(call)}
            if document is not None and not settled(document, call.cause):
                # The address is of the version that is offered, so that a change meanwhile is seen.
                version = int(document["version"]) if version is None else version
                holder = holder_of(document, aggregate, self._runtime.now())
                private |= await self._identifiers.offered(call.id, document["private"], holder)
            asked = Asked(call.verb, call.body)
            return await self._kernel.execute(
                aggregate, call.id, asked, call.cause, expected_version=version, private=private
            )

        contended = (PreconditionFailed,) if call.expected_version is None else ()
        saved = await retrying(once, self._runtime, contended)
        await self._note(call.principal, call.id if aggregate is PERSONS else None)
        return saved

    def _named(self, call: Call[Reason]) -> Mapping[str, Any]:
        named = call.cause.command_id
        return {"proposed_by": call.cause.account, "named": named, "code": self._hashed(self._code(call.id, named))}

    def shown_code(self, document: Document) -> str | None:
        """The code of the proposal that stands, as people read it off; None without one."""
        if not (document.get("state") or {}).get("handover") or HANDOVER not in document["private"]:
            return None
        return self._code(document["_id"], document["private"][HANDOVER]["named"])

    async def find(self, principal: Principal, text: str) -> Offered:
        """What is offered under the code, to an account of that role. Refusal `handover_unknown` (404) alike for a code
        that nobody was given, one that is over, and one of another role's account. Raises Unavailable."""
        found = await self._offered(principal, text)
        if found is None or not self._stands(found):
            raise _unknown()
        await self._note(principal, found.person)
        return found

    async def accept(self, principal: Principal, text: str, body: Acceptance, causing: Causing) -> Offered:
        """The case, which the account of `principal` stands for from now on; the wishes and the address before are no
        longer the ones of whoever stands for it.

        Refusal `handover_unknown` (404), `account_held_elsewhere`, `account_unchanged`. Raises CommandReused,
        Unavailable.
        """

        async def beside(found: Offered) -> Mapping[str, Any]:
            private = found.document["private"]
            holder = holder_of(found.document, found.aggregate, self._runtime.now())
            left = await self._identifiers.left(found.id, private, body.email, holder)
            return {**left, WISHES: None, HANDOVER: {**private[HANDOVER], "accepted_by": principal.account}}

        try:
            return await self._answer(principal, text, Asked(ACCEPT, body, principal.account), causing, beside)
        except UniqueViolated:
            raise Refusal(HELD, "the account stands for another one") from None

    async def decline(self, principal: Principal, text: str, body: Reason, causing: Causing) -> Offered:
        """As `accept`; the account stays whose it is."""

        async def beside(found: Offered) -> Mapping[str, Any]:
            return {HANDOVER: {**found.document["private"][HANDOVER], "declined_by": principal.account}}

        return await self._answer(principal, text, Asked(DECLINE, body), causing, beside)

    async def _answer(
        self,
        principal: Principal,
        text: str,
        command: Asked,
        causing: Causing,
        beside: Callable[[Offered], Awaitable[Mapping[str, Any]]],
    ) -> Offered:
        """The command on what the code named when it was looked at: another proposal meanwhile is another code's."""

        async def once() -> Offered:
            found = await self._offered(principal, text)
            if found is None:
                raise _unknown()
            cause = await causing(found)
            if settled(found.document, cause):
                return found
            if not self._stands(found):
                raise _unknown()
            saved = await self._kernel.execute(
                found.aggregate,
                found.id,
                command,
                cause,
                expected_version=int(found.document["version"]),
                private=await beside(found),
            )
            return Offered(found.aggregate, saved.document)

        answered = await retrying(once, self._runtime, (PreconditionFailed,))
        await self._note(principal, answered.person)
        return answered

    async def _offered(self, principal: Principal, text: str) -> Offered | None:
        code, aggregate = read_code(text), _BORNE_BY[principal.role]
        if code is None:
            return None
        found = await self._store.find(aggregate.name, HANDOVER, self._hashed(code), limit=1)
        return Offered(aggregate, found[0]) if found else None

    def _stands(self, found: Offered) -> bool:
        proposal = found.state.handover
        return proposal is not None and self._runtime.now() < proposal.ends_at

    async def _note(self, principal: Principal, person: str | None) -> None:
        """Both people stand in the person's trail; an institution is no person, and its own document has both."""
        if person is not None:
            await self._readings.note(principal, "handover", (), [person])

    def _code(self, id: str, named: str) -> str:
        return grouped(code_of(hmac.digest(self._key("codes of handovers"), f"{id} {named}".encode(), hashlib.sha256)))

    def _hashed(self, code: str) -> str:
        return keyed_digest(self._key("handovers"), read_code(code) or "")

    def _key(self, purpose: str) -> bytes:
        return derived_key(self._keys.command_key(SERVICE), purpose)


def _unknown() -> Refusal:
    return Refusal(UNKNOWN, "no account is offered under that code, or no longer", status=404)
