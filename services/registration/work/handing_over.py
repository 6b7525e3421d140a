"""Accounts: whom one stands for, and how another one comes to stand for a person or an institution."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.registration.domain.contact import HeldAt
from services.registration.domain.handover import CALLERS, HELD, AccountAssignment
from services.registration.domain.institutions import Institution
from services.registration.domain.persons import Person
from services.registration.identifiers import Identifiers
from services.registration.store import INSTITUTIONS, PERSONS
from services.registration.work.contacts import WISHES, wishes_of
from services.registration.work.limits import erased
from shared.cases.case import Asked
from shared.clock import derived_id, retrying
from shared.errors import PreconditionFailed, Refusal, UniqueViolated
from shared.identity.accounts import Accounts
from shared.identity.policy import Subjects
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Saved, settled
from shared.store.port import Document
from shared.store.relations import value_at
from shared.web.acting import Call

# In the private part: the account of the officer who assigned the one that stands.
ASSIGNED_BY = "account_assigned_by"


def person_following(account: str) -> str:
    """Whom an account stands for that was assigned to nobody, also before anything is recorded."""
    return derived_id("account-person", account)


class HandingOver:
    """`accounts`: of the issuer whose subjects sign in here."""

    def __init__(self, replica: Replica, accounts: Accounts, identifiers: Identifiers) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._accounts = accounts
        self._identifiers = identifiers

    async def subjects_of(self, account: str) -> Subjects:
        found = await self._store.find(INSTITUTIONS.name, "account", account, limit=1)
        return Subjects(await self.person_of(account), found[0]["_id"] if found else None)

    async def person_of(self, account: str) -> str | None:
        """The person that was given the account, else the one that follows from it, also before it is recorded.

        None where that one was handed to another account.
        """
        id, _ = await self._stands_for(account)
        return id

    async def who_registers(self, account: str) -> tuple[str | None, bool]:
        """As `person_of`, and whether that one is recorded. Raises Refusal `erased` (410) where that one was: nobody
        has a second key (decision 0035)."""
        id, person = await self._stands_for(account)
        if person is not None and person.status == "erased":
            raise erased()
        return id, person is not None

    async def _stands_for(self, account: str) -> tuple[str | None, Person | None]:
        found = await self._store.find(PERSONS.name, "account", account, limit=1)
        if found:
            return str(found[0]["_id"]), PERSONS.read(found[0])
        follows = person_following(account)
        person = PERSONS.read(await self._store.load(PERSONS.name, follows))
        return (follows, person) if person is None or person.account == account else (None, None)

    async def office_of(self, account: str) -> str | None:
        """The office of the person or the institution that the account stands for; None before either is recorded.
        Raises Unavailable."""
        subjects = await self.subjects_of(account)
        for collection, id in ((INSTITUTIONS.name, subjects.institution), (PERSONS.name, subjects.person)):
            document = await self._store.load(collection, id) if id else None
            if document is not None and (office := value_at(document, "office")) is not None:
                return office
        return None

    async def of_person(self, call: Call[AccountAssignment]) -> Saved[Person]:
        return await self._assign(PERSONS, call)

    async def of_institution(self, call: Call[AccountAssignment]) -> Saved[Institution]:
        return await self._assign(INSTITUTIONS, call)

    async def _assign(self, aggregate: Aggregate[Any], call: Call[AccountAssignment]) -> Saved[Any]:
        """Refusal `account_is_the_callers` (422), `account_held_elsewhere` for one that stands for another already."""
        account = self._accounts.of(call.body.account)
        if account == call.cause.account:
            raise Refusal(
                CALLERS,
                "the account of somebody else than who assigns it",
                at="/account",
                status=422,
            )

        async def once() -> Saved[Any]:
            document, _ = await self._kernel.load(aggregate, call.id)
            version, private = call.expected_version, dict[str, Any]()
            if document is not None and not settled(document, call.cause):
                # Where somebody is written to is of the version that is looked at.
                version = int(document["version"]) if version is None else version
                private = await self._reached(document, aggregate, call.body)
            return await self._kernel.execute(
                aggregate,
                call.id,
                Asked(call.verb, call.body, account),
                call.cause,
                expected_version=version,
                private={ASSIGNED_BY: call.cause.account, **private},
            )

        contended = (PreconditionFailed,) if call.expected_version is None else ()
        try:
            return await retrying(once, self._runtime, contended)
        except UniqueViolated:
            raise Refusal(HELD, "an account that stands for nobody yet", at="/account") from None

    async def _reached(self, document: Document, aggregate: Aggregate[Any], body: AccountAssignment) -> dict[str, Any]:
        """The private fields of where whoever has the account now is written to: as at a handover where somebody else
        has it, else the address that stands, or the one that is named. Raises SealBroken, Unavailable."""
        id, private, now = document["_id"], document["private"], self._runtime.now()
        if body.of_another:
            left = await self._identifiers.left(id, private, body.email, holder_of(document, aggregate, now))
            return {**left, WISHES: None}
        return {} if body.email is None else await self._identifiers.addressed(id, private, body.email, now)


def holder_of(document: Document, aggregate: Aggregate[Any], now: datetime) -> HeldAt:
    """Who holds the account of the case, but for the addresses, which are sealed."""
    account, language = document["state"].get("account"), wishes_of(document).language
    return HeldAt(after=_told(document, aggregate), at=now, account=account, language=language)


def _told(document: Document, aggregate: Aggregate[Any]) -> int:
    """How many events the case has told: the next one is the one after."""
    head = document["emitted"].get(aggregate.name)
    return int(head["count"]) if head else 0
