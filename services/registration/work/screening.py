"""Screening: the verbs of an expert that look at the person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.registration.domain.experts import EXPERT, Expert, ProvidedInfo, Review, Screened
from services.registration.domain.persons import ProfileCorrection
from services.registration.store import EXPERTS
from services.registration.work.criteria import Criteria
from services.registration.work.limits import lived, within_a_life
from services.registration.work.profiles import Profiles
from services.registration.work.reviewing import Reviewing
from shared.cases.bodies import Change, Reason
from shared.cases.case import Asked
from shared.contracts.registration.persons import attributes_on
from shared.errors import Refusal
from shared.replica import Replica
from shared.store.aggregates import Saved, settled
from shared.store.port import Document
from shared.web.acting import Call


class Screening:
    """Screens by the criteria of the version that the case was opened under."""

    def __init__(self, replica: Replica, profiles: Profiles, criteria: Criteria, reviewing: Reviewing) -> None:
        self._kernel = replica.kernel
        self._runtime = replica.ports.runtime
        self._profiles = profiles
        self._criteria = criteria
        self._reviewing = reviewing

    async def screen(self, call: Call[Change]) -> Saved[Expert]:
        """Screened, or declared eligible or not: what failed is the rule's to judge.

        What was required and stated stays in the private part; the events name criteria alone.
        """
        _, expert = await self._expert(call.id)
        found = await self._criteria.at(expert, call.cause)
        screened = Screened(found.names, self._criteria.appeal_until(expert))
        saved = await self._execute(call, screened, found.kept())
        if (await self._criteria.person(expert.person))[0] == found.person_version:
            return saved
        # The profile changed while the case was screened, and whoever heard of it found nothing decided yet.
        await self._reviewing.reconsider(call.id, call.cause.step("reconsider"))
        document, state = await self._expert(call.id)
        return Saved(document, state, saved.events, saved.repeated)

    async def suspend(self, call: Call[Reason]) -> Saved[Expert]:
        """The suspension names the last day on which it may be appealed."""
        _, expert = await self._expert(call.id)
        return await self._execute(call, self._criteria.appeal_until(expert))

    async def reinstate(self, call: Call[Change]) -> Saved[Expert]:
        """Back to what was before, or to screening where the criteria say otherwise by now."""
        document, expert = await self._expert(call.id)
        failed = await self._criteria.failed_now(expert, document["private"], call.cause)
        # Where nothing is known as of that day, nothing speaks against what was decided.
        return await self._execute(call, Review(failed if failed is not None else expert.criteria))

    async def _execute(
        self, call: Call[Any], given: Any = None, private: Mapping[str, Any] | None = None
    ) -> Saved[Expert]:
        command = Asked(call.verb, call.body, given)
        return await self._kernel.execute(
            EXPERTS, call.id, command, call.cause, expected_version=call.expected_version, private=private
        )

    async def _expert(self, id: str) -> tuple[Document, Expert]:
        document, expert = await self._kernel.load(EXPERTS, id)
        if document is None or expert is None:
            raise Refusal("not_found", status=404)
        return document, expert

    async def begins(self, expert: Document) -> Mapping[str, Any]:
        """What the form of `provide-info` begins with: what is recorded, as of today, which sent as it is says nothing
        new."""
        attributes = await self._profiles.that_stands(expert["state"]["person"])
        return {} if attributes is None else {"attributes": attributes, "valid_from": self._runtime.now().date()}

    async def provide_info(self, call: Call[ProvidedInfo]) -> Saved[Expert]:
        """What screening asked for: new attributes go to the person first, then screening goes on."""
        body = call.body
        if body.attributes is not None and body.valid_from is not None:
            within_a_life(body.valid_from, call.cause.happened_at or self._runtime.now(), "/valid_from")
            lived(body.attributes, body.valid_from, "/attributes")
        document, expert = await self._expert(call.id)
        if not settled(document, call.cause):
            EXPERT.move(expert, call.verb, call.principal.role)
            if body.attributes is not None and body.valid_from is not None:
                _, person = await self._criteria.person(expert.person)
                if attributes_on(person.entries, body.valid_from) != body.attributes:
                    change = ProfileCorrection(attributes=body.attributes, valid_from=body.valid_from)
                    await self._profiles.correct_profile(expert.person, change, call.cause.step("profile"), None)
        return await self._execute(call)
