"""Screening: an expert against the criteria of the version that the case was opened under."""

from __future__ import annotations

from datetime import date

from services.registration.domain.experts import EXPERT, Expert, ProvidedInfo
from services.registration.domain.persons import Person, ProfileCorrection
from services.registration.store import EXPERTS, PERSONS
from services.registration.work.limits import not_ahead
from services.registration.work.profiles import Profiles
from shared.cases.bodies import Change
from shared.cases.case import Asked
from shared.contracts.registration import attributes_on
from shared.errors import Refusal
from shared.programmes.eligibility import FailedCriterion, failed_criteria
from shared.replica import Replica
from shared.store.aggregates import Cause, Saved, settled
from shared.store.port import Document
from shared.web.acting import Call


class Screening:
    """The verbs of an expert that look at the person."""

    def __init__(self, replica: Replica, profiles: Profiles) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._runtime = replica.ports.runtime
        self._profiles = profiles

    async def screen(self, call: Call[Change]) -> Saved[Expert]:
        """Screened, or declared eligible or not: what failed is the rule's to judge.

        What was required and stated stays in the private part; the events name criteria alone.
        """
        _, expert = await self._expert(call.id)
        on, version, failed = await self._criteria(expert, call.cause)
        rows = [{"criterion": f.criterion, "required": f.required, "actual": f.actual} for f in failed]
        return await self._kernel.execute(
            EXPERTS,
            call.id,
            Asked(call.verb, call.body, tuple(one.criterion for one in failed)),
            call.cause,
            expected_version=call.expected_version,
            private={"screening": {"on": on.isoformat(), "version": version, "failed": rows}},
        )

    async def _expert(self, id: str) -> tuple[Document, Expert]:
        document, expert = await self._kernel.load(EXPERTS, id)
        if document is None or expert is None:
            raise Refusal("not_found", status=404)
        return document, expert

    async def _criteria(self, expert: Expert, cause: Cause) -> tuple[date, int, tuple[FailedCriterion, ...]]:
        """The day in the office's time zone, the version that the case is under, and the criteria failed then."""
        version = expert.programme_version or self._replica.definitions.newest_version(expert.programme)
        definition = self._replica.definitions.version(expert.programme, version)
        office = definition.office(expert.office)
        instant = cause.happened_at or self._runtime.now()
        on = (instant.astimezone(office.zone) if office else instant).date()
        attributes = attributes_on((await self._person(expert.person)).entries, on)
        if attributes is None:
            raise Refusal("profile_begins_later", "nothing is known of the person as of that day")
        return on, version, failed_criteria(definition, attributes, on)

    async def _person(self, id: str) -> Person:
        _, person = await self._kernel.load(PERSONS, id)
        if person is None:
            raise Refusal("not_found", status=404)
        return person

    async def provide_info(self, call: Call[ProvidedInfo]) -> Saved[Expert]:
        """What screening asked for: new attributes go to the person first, then screening goes on."""
        body = call.body
        if body.valid_from is not None:
            not_ahead(body.valid_from, self._runtime.now(), "/valid_from")
        document, expert = await self._expert(call.id)
        if not settled(document, call.cause):
            EXPERT.move(expert, call.verb)
            if body.attributes is not None and body.valid_from is not None:
                person = await self._person(expert.person)
                if attributes_on(person.entries, body.valid_from) != body.attributes:
                    change = ProfileCorrection(attributes=body.attributes, valid_from=body.valid_from)
                    await self._profiles.correct_profile(expert.person, change, call.cause.step("profile"), None)
        return await self._kernel.execute(
            EXPERTS, call.id, Asked(call.verb, body), call.cause, expected_version=call.expected_version
        )
