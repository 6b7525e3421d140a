"""Accounts: whom one stands for, and how another one comes to stand for a person or an institution."""

from __future__ import annotations

from typing import Any

from services.registration.domain.handover import CALLERS, HELD, AccountAssignment
from services.registration.domain.institutions import Institution
from services.registration.domain.persons import Person
from services.registration.store import INSTITUTIONS, PERSONS
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.errors import Problem, Refusal, UniqueViolated
from shared.identity.accounts import Accounts
from shared.identity.policy import Subjects
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Saved
from shared.web.acting import Call

# In the private part: the account of the officer who assigned the one that stands.
ASSIGNED_BY = "account_assigned_by"


def case_following(account: str, programme: str) -> str:
    """The id of the case with which the account's own person applies to the programme."""
    return derived_id(person_following(account), programme)


def person_following(account: str) -> str:
    """Whom an account stands for that was assigned to nobody, also before anything is recorded."""
    return derived_id("account-person", account)


class HandingOver:
    """`accounts`: of the issuer whose subjects sign in here."""

    def __init__(self, replica: Replica, accounts: Accounts) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._accounts = accounts

    async def subjects_of(self, account: str) -> Subjects:
        found = await self._store.find(INSTITUTIONS.name, "account", account, limit=1)
        return Subjects(await self.person_of(account), found[0]["_id"] if found else None)

    async def person_of(self, account: str) -> str | None:
        """The person that was given the account, else the one that follows from it, also before it is recorded.

        None where that one was handed to another account.
        """
        found = await self._store.find(PERSONS.name, "account", account, limit=1)
        if found:
            return str(found[0]["_id"])
        follows = person_following(account)
        person = PERSONS.read(await self._store.load(PERSONS.name, follows))
        return follows if person is None or person.account == account else None

    async def of_person(self, call: Call[AccountAssignment]) -> Saved[Person]:
        return await self._assign(PERSONS, call)

    async def of_institution(self, call: Call[AccountAssignment]) -> Saved[Institution]:
        return await self._assign(INSTITUTIONS, call)

    async def _assign(self, aggregate: Aggregate[Any], call: Call[AccountAssignment]) -> Saved[Any]:
        """Refusal `account_is_the_callers` (422), `account_held_elsewhere` for one that stands for another already."""
        account = self._accounts.of(call.body.account)
        if account == call.cause.account:
            raise Refusal(CALLERS, problems=(Problem(CALLERS, "/account"),), status=422)
        try:
            return await self._kernel.execute(
                aggregate,
                call.id,
                Asked(call.verb, call.body, account),
                call.cause,
                expected_version=call.expected_version,
                private={ASSIGNED_BY: call.cause.account},
            )
        except UniqueViolated:
            raise Refusal(HELD, problems=(Problem(HELD, "/account"),)) from None
