"""Profiles of persons: each correction is an entry more."""

from __future__ import annotations

from datetime import date

from services.registration.domain.experts import DECIDED
from services.registration.domain.identity import NEEDED
from services.registration.domain.persons import Person, ProfileCorrection
from services.registration.domain.timeline import birth_year
from services.registration.identifiers import Identifiers
from services.registration.listed import definitions_of, refuse_unlisted
from services.registration.store import EXPERTS, PERSONS
from services.registration.work.limits import lived, within_a_life
from shared.cases.case import Asked
from shared.clock import Runtime, derived_id
from shared.contracts.registration.persons import Attributes, ProfileEntry, attributes_on
from shared.errors import Refusal
from shared.replica import Replica
from shared.store.aggregates import Cause, Saved, settled
from shared.store.paging import every
from shared.store.port import Document
from shared.web.acting import Call


def entry_of(cause: Cause, valid_from: date, attributes: Attributes, runtime: Runtime) -> ProfileEntry:
    """What is known from a day on; `recorded_at` is the owner's clock, whenever it happened."""
    id = derived_id(cause.command_id, "entry")
    return ProfileEntry(id=id, valid_from=valid_from, recorded_at=runtime.now(), attributes=attributes)


class Profiles:
    """The timeline of a person, and what resembles the person by it."""

    def __init__(self, replica: Replica, identifiers: Identifiers) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._identifiers = identifiers

    async def correct(self, call: Call[ProfileCorrection]) -> Saved[Person]:
        """A new entry, which begins no later than the day on which it is said."""
        within_a_life(call.body.valid_from, call.cause.happened_at or self._runtime.now(), "/valid_from")
        lived(call.body.attributes, call.body.valid_from, "/attributes")
        return await self.correct_profile(call.id, call.body, call.cause, call.expected_version)

    async def correct_profile(
        self, person_id: str, body: ProfileCorrection, cause: Cause, expected_version: int | None
    ) -> Saved[Person]:
        """A new entry of the timeline; what resembles the person follows the new attributes."""
        document = await self._store.load(PERSONS.name, person_id)
        if document is not None and not settled(document, cause):
            definitions = await definitions_of(self._store, self._replica.definitions, person_id)
            refuse_unlisted(definitions, body.attributes, "/attributes")
            await self._refuse_another_birth_year(document, body.attributes, cause)
        private = await self._identifiers.likeness(person_id, (document or {}).get("private", {}), body.attributes)
        entry = entry_of(cause, body.valid_from, body.attributes, self._runtime)
        command = Asked("correct-profile", body, entry)
        return await self._kernel.execute(
            PERSONS, person_id, command, cause, expected_version=expected_version, private=private
        )

    async def that_stands(self, person_id: str) -> Attributes | None:
        """What is known of the person by the last entry; None of nobody, and of somebody who is erased."""
        person = PERSONS.read(await self._store.load(PERSONS.name, person_id))
        return attributes_on(person.entries, date.max) if person is not None and person.status == "recorded" else None

    async def _refuse_another_birth_year(self, document: Document, said: Attributes, cause: Cause) -> None:
        """What decisions stand on is not the person's own to correct. Refusal `identity_change_needed`."""
        person = PERSONS.read(document)
        if person is None or person.account is None or cause.account != person.account:
            return
        if said.birth_year in (None, known := birth_year(person.entries)) or known is None:
            return
        cases = [EXPERTS.read(one) async for one in every(self._store, EXPERTS.name, "own", document["_id"])]
        if any(case is not None and case.status in DECIDED for case in cases):
            detail = "decisions stand on the year of birth that is recorded: request-identity-change asks for another"
            raise Refusal(NEEDED, detail, at="/attributes/birth_year")
