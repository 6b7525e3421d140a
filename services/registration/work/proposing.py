"""Institutions: a host proposes itself, or an officer proposes it and names who will sign in for it."""

from __future__ import annotations

from collections.abc import Sequence

from services.registration.domain.handover import HELD
from services.registration.domain.institutions import Institution, InstitutionRegistration
from services.registration.identifiers import Identifiers
from services.registration.store import INSTITUTIONS
from services.registration.work.limits import own_office
from services.registration.work.publishing import Publishing
from shared.cases.case import Asked
from shared.errors import Problem, Refusal, UniqueViolated
from shared.identity.accounts import Accounts
from shared.identity.tokens import Principal
from shared.programmes.model import Definition
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.programmes.sections.placement import PlacementSection
from shared.replica import Replica
from shared.store.aggregates import Cause, Saved, settled
from shared.web.acting import Call


class Proposing:
    """`accounts`: of whose subjects an institution's `account` names one."""

    def __init__(self, replica: Replica, publishing: Publishing, accounts: Accounts, identifiers: Identifiers) -> None:
        self._kernel = replica.kernel
        self._publishing = publishing
        self._accounts = accounts
        self._identifiers = identifiers

    async def create(self, call: Call[InstitutionRegistration]) -> Saved[Institution]:
        """The name stays in the private part, the address sealed.

        Refusal `account_held_elsewhere` for another institution's account; `office_unknown`, `code_not_listed` (422).
        """
        return await self.propose(call.id, call.body, call.cause, call.principal, call.expected_version)

    async def propose(
        self,
        id: str,
        body: InstitutionRegistration,
        cause: Cause,
        principal: Principal,
        expected_version: int | None = None,
    ) -> Saved[Institution]:
        """As `create`, of what somebody asked for in another way than by the verb's own request."""
        own_office(principal, body.office)
        document = await self._kernel.store.load(INSTITUTIONS.name, id)
        if document is None or not settled(document, cause):
            await self.check(body, principal)
        command = Asked("create", body, self._account(body, cause, principal))
        private = {"name": body.name, **await self._identifiers.contact(id, body.email)}
        try:
            return await self._kernel.execute(
                INSTITUTIONS, id, command, cause, expected_version=expected_version, private=private
            )
        except UniqueViolated:
            raise Refusal(HELD, "an account that stands for nobody yet", at="/account") from None

    async def check(self, body: InstitutionRegistration, principal: Principal) -> None:
        """What is refused before anything is written: Refusal `other_office` (403), `office_unknown`,
        `code_not_listed` (422)."""
        own_office(principal, body.office)
        _refuse_unlisted(body, await self._publishing.of_office(body.office))

    def _account(self, body: InstitutionRegistration, cause: Cause, principal: Principal) -> str | None:
        named = body.account
        if principal.role == "host":
            if named is not None:
                raise Refusal(
                    "account_is_the_callers",
                    "a host names no account",
                    problems=(Problem("not_allowed", "/account"),),
                    status=422,
                )
            return cause.account
        return self._accounts.of(named) if named else None


def _refuse_unlisted(body: InstitutionRegistration, definitions: Sequence[Definition]) -> None:
    """Sector, kind of host and area as some programme of the office lists them; where none lists any, each is taken.

    Refusal `code_not_listed` (422) with the pointer of each.
    """
    placing = [part for one in definitions for part in one.sections().values() if isinstance(part, PlacementSection)]
    listed = {
        "sector": {sector.code for one in definitions for sector in one.sectors},
        "host_type": {code for part in placing for code in part.codes("host_type")},
        "area": {area.code for one in definitions for area in one.areas},
    }
    said = {name: getattr(body, name) for name in listed}
    wrong = [name for name, codes in listed.items() if codes and said[name] is not None and said[name] not in codes]
    if wrong:
        problems = tuple(Problem(CODE_NOT_LISTED, f"/{name}") for name in wrong)
        raise Refusal(
            CODE_NOT_LISTED,
            "a programme of the office lists the codes that may be named",
            problems=problems,
            status=422,
        )
