"""Programmes: a definition is checked before it is published, and found again for a new case."""

from __future__ import annotations

from services.registration.domain.programmes import Programme, ProgrammePublication
from services.registration.store import PROGRAMMES
from shared.cases.case import Asked
from shared.errors import Refusal, TooEarly
from shared.programmes.loader import definition_of
from shared.programmes.model import Definition
from shared.replica import Replica
from shared.store.aggregates import Saved
from shared.store.paging import every
from shared.web.acting import Call


class Publishing:
    """What is published, and what of it has come to this replica."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    async def publish(self, call: Call[ProgrammePublication]) -> Saved[Programme]:
        """The programme stands under its definition's code. Refusal (422) at each field that is wrong."""
        definition = definition_of(call.body.definition, "/definition")
        command = Asked(call.verb, call.body, definition.as_json())
        return await self._replica.kernel.execute(
            PROGRAMMES, definition.code, command, call.cause, expected_version=call.expected_version
        )

    async def newest(self, code: str) -> tuple[Definition, int]:
        """The definition for a new case. Refusal `programme_unknown` (404) at `/programme`; TooEarly right after its
        publication."""
        definitions = self._replica.definitions
        try:
            version, definition = definitions.for_new(code)
        except Refusal:
            if await self._replica.ports.store.load(PROGRAMMES.name, code):
                raise TooEarly("programme_version") from None
            raise
        return definition, version

    async def of_office(self, office: str) -> list[Definition]:
        """The newest definitions of the programmes that have the office. Refusal `office_unknown` (422); TooEarly right
        after the publication of one that may have it."""
        definitions = self._replica.definitions
        known = {code: definitions.newest(code) for code in definitions.codes()}
        if found := [one for one in known.values() if one.office(office)]:
            return found
        stored = every(self._replica.ports.store, PROGRAMMES.name, "all", "all")
        newest = {one["_id"]: one["state"]["definition_version"] async for one in stored}
        if any(code not in known or version > definitions.newest_version(code) for code, version in newest.items()):
            raise TooEarly("programme_version")
        raise Refusal(
            "office_unknown",
            "the code of an office that a programme lists",
            at="/office",
            status=422,
        )
