"""Requests of host institutions: drafting, revising, and approval by a second account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.matching.bodies import AssignmentDraft, Revision
from services.matching.domain.assignment import (
    ApproveAssignment,
    Assignment,
    DraftAssignment,
    ReviseAssignment,
    SubmitAssignment,
)
from services.matching.domain.terms import check_terms
from services.matching.selection import Selection
from services.matching.store import ASSIGNMENTS
from shared.errors import Conflict, PreconditionFailed, Problem, Refusal
from shared.identity.policy import four_eyes
from shared.programmes.definitions import Definitions
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause, Saved, settled

SUBMITTED_BY = "submitted_by"


class Requests:
    """Commands on assignments that need what an assignment's own state does not hold."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._kernel = replica.kernel
        self._definitions: Definitions = replica.definitions
        self._selection = selection

    async def draft(self, body: AssignmentDraft, cause: Cause) -> Saved[Assignment]:
        """A new assignment under the newest version of the programme; its id is the command's.

        Raises Refusal `institution_unknown`, `institution_not_active`, `terms_do_not_fit` (422), `programme_unknown`.
        """
        document, state = await self._kernel.load(ASSIGNMENTS, cause.command_id)
        if document is not None and state is not None and settled(document, cause):
            return Saved(document, state, repeated=True)
        version = self._definitions.newest_version(body.programme)
        check_terms(self._definitions.version(body.programme, version), body.office, body.terms)
        await self._check_institution(body.terms.institution, body.office)
        command = DraftAssignment(body.office, body.programme, version, body.terms)
        texts = {"title": body.title, "description": body.description}
        return await self._kernel.execute(ASSIGNMENTS, cause.command_id, command, cause, private=texts)

    async def _check_institution(self, id: str, office: str) -> None:
        """Only an active institution of the same office may ask for experts."""
        known = await self._selection.knowledge(id)
        if known.get("kind") != "institution":
            raise Refusal("institution_unknown", problems=(Problem("institution_unknown", "/terms/institution"),))
        if known["office"] != office:
            rule = "institution_of_another_office"
            raise Refusal(rule, problems=(Problem(rule, "/terms/institution"),))
        if known["status"] != "active":
            rule = "institution_not_active"
            raise Refusal(rule, problems=(Problem(rule, "/terms/institution"),))

    async def submit(self, id: str, cause: Cause, expected: int | None) -> Saved[Assignment]:
        """Notes the account, so that another one approves."""
        private: Mapping[str, Any] = {SUBMITTED_BY: cause.account}
        return await self._kernel.execute(
            ASSIGNMENTS, id, SubmitAssignment(), cause, expected_version=expected, private=private
        )

    async def revise(self, id: str, body: Revision, cause: Cause, expected: int | None) -> Saved[Assignment]:
        document, state = await self._kernel.load(ASSIGNMENTS, id)
        if document is None or state is None or state.office is None:
            raise Refusal("not_found", status=404)
        if not settled(document, cause):
            check_terms(self._selection.definition(state), state.office, body.terms)
            await self._check_institution(body.terms.institution, state.office)
        texts = {"title": body.title, "description": body.description}
        private = {name: text for name, text in texts.items() if text is not None}
        return await self._kernel.execute(
            ASSIGNMENTS, id, ReviseAssignment(body.terms), cause, expected_version=expected, private=private
        )

    async def approve(self, id: str, cause: Cause, expected: int | None) -> Saved[Assignment]:
        """Raises Refusal `four_eyes` for the account that submitted what is to be approved."""
        for _ in range(ATTEMPTS):
            document, state = await self._kernel.load(ASSIGNMENTS, id)
            if document is None or state is None:
                raise Refusal("not_found", status=404)
            if settled(document, cause):
                return Saved(document, state, repeated=True)
            version = int(document["version"])
            if expected is not None and expected != version:
                raise PreconditionFailed
            if state.status == "submitted":
                four_eyes(document["private"].get(SUBMITTED_BY), cause.account)
            try:
                # The version that was looked at: a resubmission by somebody else in between is looked at again.
                return await self._kernel.execute(ASSIGNMENTS, id, ApproveAssignment(), cause, expected_version=version)
            except PreconditionFailed:
                continue
        raise Conflict
