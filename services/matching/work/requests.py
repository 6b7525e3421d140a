"""Requests of host institutions: drafting and revising, which need what an assignment's own state does not hold."""

from __future__ import annotations

from services.matching.domain.assignments import Assignment, AssignmentDraft, Drafted, Revision
from services.matching.domain.terms import UNFIT, check_terms
from services.matching.store import ASSIGNMENTS
from services.matching.work.selection import Selection
from shared.cases.case import Asked
from shared.contracts.matching.assignments import Terms
from shared.errors import Problem, Refusal
from shared.replica import Replica
from shared.store.aggregates import Cause, Saved, settled
from shared.web.acting import Call


class Requests:
    """What is asked for has to fit the programme, and comes from an active institution of the office."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._kernel = replica.kernel
        self._definitions = replica.definitions
        self._selection = selection

    async def create(self, call: Call[AssignmentDraft]) -> Saved[Assignment]:
        """Drafted for the own office or institution. Raises Refusal `not_yours` (403), or as `draft`."""
        body = call.body
        allowed = {("office", body.office), ("institution", body.terms.institution)}
        if not allowed & set(await call.granted.equalities()):
            pointer = "/office" if call.principal.role == "officer" else "/terms/institution"
            wanted = "the own office or institution"
            raise Refusal("not_yours", wanted, problems=(Problem("not_yours", pointer, wanted),), status=403)
        return await self.draft(call.id, body, call.cause)

    async def draft(self, id: str, body: AssignmentDraft, cause: Cause) -> Saved[Assignment]:
        """A new assignment under the newest version of the programme.

        Raises Refusal `institution_unknown`, `institution_not_active`, `terms_do_not_fit` (422), `programme_unknown`.
        """
        document, state = await self._kernel.load(ASSIGNMENTS, id)
        if document is not None and state is not None and settled(document, cause):
            return Saved(document, state, repeated=True)
        version, definition = self._definitions.for_new(body.programme)
        office = check_terms(definition, definition.office(body.office), body.terms)
        definition.refuse_outside(body.office, cause.happened_at, self._kernel.runtime.now())
        await self._check_institution(body.terms, body.office)
        command = Asked("create", body, Drafted(version, office.time_zone))
        texts = {"title": body.title, "description": body.description}
        return await self._kernel.execute(ASSIGNMENTS, id, command, cause, private=texts)

    async def _check_institution(self, terms: Terms, office: str | None) -> None:
        """Only an active institution of the same office may ask for experts, as the type of host that it is.

        `office` None: the request is its own already, and either of the two may have been passed on since.
        """
        known = (await self._selection.knowledge(terms.institution)).get("institution")
        if known is None:
            raise _institution("institution_unknown")
        if office is not None and known["office"] != office:
            raise _institution("institution_of_another_office")
        if known["status"] != "active":
            raise _institution("institution_not_active")
        if known["host_type"] != terms.host_type:
            wanted = f"that of the institution: {known['host_type']}"
            problem = Problem("institution_of_another_type", "/terms/host_type", wanted)
            raise Refusal(UNFIT, problems=(problem,), status=422)

    async def revise(self, call: Call[Revision]) -> Saved[Assignment]:
        """The texts change only where new ones are said. Raises Refusal as `draft` does."""
        body, cause = call.body, call.cause
        document, state = await self._kernel.load(ASSIGNMENTS, call.id)
        if document is None or state is None or state.office is None:
            raise Refusal("not_found", status=404)
        if not settled(document, cause):
            check_terms(self._selection.definition(state), self._selection.office(state), body.terms)
            own = body.terms.institution == state.terms.institution
            await self._check_institution(body.terms, None if own else state.office)
        texts = {"title": body.title, "description": body.description}
        private = {name: text for name, text in texts.items() if text is not None}
        command = Asked(call.verb, body)
        return await self._kernel.execute(
            ASSIGNMENTS, call.id, command, cause, expected_version=call.expected_version, private=private
        )


# What would be right, by the rule that an institution breaks.
WANTED = {
    "institution_unknown": "the id of a registered institution; the news of a new one may be on its way",
    "institution_of_another_office": "an institution of the office that the terms name",
    "institution_not_active": "an institution that its office has activated",
}


def _institution(rule: str) -> Refusal:
    return Refusal(rule, WANTED[rule], problems=(Problem(rule, "/terms/institution", WANTED[rule]),))
