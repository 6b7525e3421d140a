"""Screening: an expert against the criteria of the version that the case was opened under."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from services.registration.domain.appeals import until
from services.registration.domain.experts import EXPERT, Expert, ProvidedInfo, Screened
from services.registration.domain.persons import Person, ProfileCorrection
from services.registration.store import EXPERTS, PERSONS
from services.registration.work.limits import lived, not_ahead
from services.registration.work.profiles import Profiles
from shared.cases.bodies import Change, Reason
from shared.cases.case import Asked
from shared.contracts.registration import attributes_on
from shared.errors import Refusal
from shared.programmes.eligibility import FailedCriterion, failed_criteria
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
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
        screened = Screened(tuple(one.criterion for one in failed), self._appeal_until(expert, call.cause))
        private = {"screening": {"on": on.isoformat(), "version": version, "failed": rows}}
        return await self._execute(call, screened, private)

    async def suspend(self, call: Call[Reason]) -> Saved[Expert]:
        """The suspension names the last day on which it may be appealed."""
        _, expert = await self._expert(call.id)
        return await self._execute(call, self._appeal_until(expert, call.cause))

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

    def _definition(self, expert: Expert) -> tuple[Definition, int]:
        """The version that the case is under; TooEarly where it has not arrived here."""
        definitions = self._replica.definitions
        version = expert.programme_version or definitions.newest_version(expert.programme)
        return definitions.version(expert.programme, version), version

    def _appeal_until(self, expert: Expert, cause: Cause) -> datetime:
        definition, _ = self._definition(expert)
        within = definition.section(SelectionSection).appeals.within_days
        return until(self._instant(cause), _zone(definition, expert), within)

    def _instant(self, cause: Cause) -> datetime:
        return cause.happened_at or self._runtime.now()

    async def _criteria(self, expert: Expert, cause: Cause) -> tuple[date, int, tuple[FailedCriterion, ...]]:
        """The day in the office's time zone, the version that the case is under, and the criteria failed then."""
        definition, version = self._definition(expert)
        on = self._instant(cause).astimezone(_zone(definition, expert)).date()
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
        if body.attributes is not None and body.valid_from is not None:
            not_ahead(body.valid_from, call.cause.happened_at or self._runtime.now(), "/valid_from")
            lived(body.attributes, body.valid_from, "/attributes")
        document, expert = await self._expert(call.id)
        if not settled(document, call.cause):
            EXPERT.move(expert, call.verb)
            if body.attributes is not None and body.valid_from is not None:
                person = await self._person(expert.person)
                if attributes_on(person.entries, body.valid_from) != body.attributes:
                    change = ProfileCorrection(attributes=body.attributes, valid_from=body.valid_from)
                    await self._profiles.correct_profile(expert.person, change, call.cause.step("profile"), None)
        return await self._execute(call)


def _zone(definition: Definition, expert: Expert) -> tzinfo:
    """The office's; UTC for an office that the version does not list."""
    office = definition.office(expert.office)
    return office.zone if office else UTC
