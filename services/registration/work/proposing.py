"""Institutions: a host proposes itself, or an officer proposes it and names who will sign in for it."""

from __future__ import annotations

from services.registration.domain.handover import HELD
from services.registration.domain.institutions import Institution, InstitutionRegistration
from services.registration.identifiers import Identifiers
from services.registration.store import INSTITUTIONS
from services.registration.work.limits import own_office
from shared.cases.case import Asked
from shared.errors import Problem, Refusal, UniqueViolated
from shared.identity.accounts import Accounts
from shared.replica import Replica
from shared.store.aggregates import Saved
from shared.web.acting import Call


class Proposing:
    """`accounts`: of whose subjects an institution's `account` names one."""

    def __init__(self, replica: Replica, accounts: Accounts, identifiers: Identifiers) -> None:
        self._kernel = replica.kernel
        self._accounts = accounts
        self._identifiers = identifiers

    async def create(self, call: Call[InstitutionRegistration]) -> Saved[Institution]:
        """The name stays in the private part, the address sealed.

        Refusal `account_held_elsewhere` for another institution's account.
        """
        own_office(call.principal, call.body.office)
        command = Asked(call.verb, call.body, self._account(call))
        private = {"name": call.body.name, **await self._identifiers.contact(call.id, call.body.email)}
        try:
            return await self._kernel.execute(
                INSTITUTIONS, call.id, command, call.cause, expected_version=call.expected_version, private=private
            )
        except UniqueViolated:
            raise Refusal(HELD, problems=(Problem(HELD, "/account"),)) from None

    def _account(self, call: Call[InstitutionRegistration]) -> str | None:
        named = call.body.account
        if call.principal.role == "host":
            if named is not None:
                raise Refusal("account_is_the_callers", problems=(Problem("not_allowed", "/account"),), status=422)
            return call.cause.account
        return self._accounts.of(named) if named else None
