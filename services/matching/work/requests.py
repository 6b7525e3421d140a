"""Requests of host institutions: drafting and revising, which need what an assignment's own state does not hold."""

from __future__ import annotations

from services.matching.domain.assignments import Assignment, AssignmentDraft, Drafted, Revision
from services.matching.domain.knowledge import NOT_ACTIVE, is_active, refusal_of_institution
from services.matching.domain.terms import UNFIT, check_terms
from services.matching.store import ASSIGNMENTS
from services.matching.work.selection import Selection
from shared.cases.bodies import Change
from shared.cases.case import Asked
from shared.contracts.matching.assignments import Terms
from shared.errors import Problem, Refusal
from shared.replica import Replica
from shared.store.aggregates import Cause, Saved, settled
from shared.web.acting import Call

INSTITUTION = "/terms/institution"


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
            pointer = "/office" if call.principal.role == "officer" else INSTITUTION
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
        knowledge = await self._selection.knowledge(terms.institution)
        known = knowledge.get("institution")
        if known is None:
            raise refusal_of_institution("institution_unknown", INSTITUTION)
        if office is not None and known["office"] != office:
            raise refusal_of_institution("institution_of_another_office", INSTITUTION)
        if not is_active(knowledge):
            raise refusal_of_institution(NOT_ACTIVE, INSTITUTION)
        if known["host_type"] != terms.host_type:
            wanted = f"that of the institution: {known['host_type']}"
            problem = Problem("institution_of_another_type", "/terms/host_type", wanted)
            raise Refusal(UNFIT, problems=(problem,), status=422)

    async def go_on(self, call: Call[Change]) -> Saved[Assignment]:
        """Another step towards experts, which an institution that may not host takes no more.

        Raises Refusal `institution_not_active`, TooEarly.
        """
        command = Asked(call.verb, call.body)
        document, state = await self._kernel.load(ASSIGNMENTS, call.id)
        if state is not None and document is not None and not settled(document, call.cause):
            # What its own state refuses is no matter of the institution.
            self._kernel.foreseen(ASSIGNMENTS, call.id, document, command, call.cause)
            await self._selection.check_host(state)
        return await self._kernel.execute(
            ASSIGNMENTS, call.id, command, call.cause, expected_version=call.expected_version
        )

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
