"""What a programme's criteria say of an expert, by the version that the case was opened under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from services.registration.domain.appeals import until
from services.registration.domain.experts import BEGINS_LATER, Expert
from services.registration.domain.persons import Person
from services.registration.store import PERSONS
from services.registration.work.limits import erased
from shared.contracts.registration.persons import attributes_on
from shared.errors import Refusal
from shared.programmes.eligibility import WeighedCriterion, weighed_criteria
from shared.programmes.model import Definition
from shared.programmes.sections.selection import Criterion, SelectionSection
from shared.replica import Replica
from shared.store.aggregates import Cause

# In the expert's private part: the last screening.
SCREENING = "screening"


@dataclass(frozen=True)
class Found:
    """The day, the definition's version, the person's version, and each criterion as it stands."""

    on: date
    version: int
    person_version: int
    weighed: tuple[WeighedCriterion, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.criterion for one in self.weighed if not one.met)

    def kept(self) -> Mapping[str, Any]:
        """For the expert's private part: what was required and stated, which no event carries."""
        told = {"on": self.on.isoformat(), "version": self.version}
        return {SCREENING: {**told, "failed": self._rows(met=False), "met": self._rows(met=True)}}

    def _rows(self, *, met: bool) -> list[dict[str, Any]]:
        kept = (one for one in self.weighed if one.met is met)
        return [{"criterion": one.criterion, "required": one.required, "actual": one.actual} for one in kept]


class Criteria:
    """Asks the definition and the person's timeline."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._kernel = replica.kernel

    def appeal_until(self, expert: Expert) -> datetime:
        """From when on an appeal against a decision that is recorded now comes too late. Nobody is told of it before it
        is recorded, so the days of one that was made long ago begin today."""
        definition, _ = self._definition(expert)
        within = definition.section(SelectionSection).appeals.within_days
        return until(self._kernel.runtime.now(), self._zone(expert), within)

    async def at(self, expert: Expert, cause: Cause) -> Found:
        """As of the cause's day in the office's time zone. Raises Refusal `profile_begins_later`."""
        found = await self._as_of(expert, self._day(expert, cause))
        if found is None:
            first = await self.begins_on(expert)
            raise Refusal(BEGINS_LATER, f"something is known of the person from {first} on, and nothing before")
        return found

    async def failed_now(self, expert: Expert, private: Mapping[str, Any], cause: Cause) -> tuple[str, ...] | None:
        """Names of what is not met on the cause's day, or on that of the last screening if it was later.

        None where nothing is known of the person as of that day.
        """
        day, screened = self._day(expert, cause), private.get(SCREENING, {}).get("on")
        found = await self._as_of(expert, max(day, date.fromisoformat(screened)) if screened else day)
        return None if found is None else found.names

    def declared(self, expert: Expert) -> tuple[Criterion, ...]:
        """The criteria of the case's version. Raises TooEarly where it has not arrived here."""
        return self._definition(expert)[0].section(SelectionSection).eligibility

    async def is_known_today(self, expert: Expert) -> bool:
        """Whether something is known of the person as of the office's today."""
        _, person = await self.person(expert.person)
        return attributes_on(person.entries, self._today(expert)) is not None

    async def begins_on(self, expert: Expert) -> date | None:
        """The first day from which something is known of the person; None where nothing is."""
        _, person = await self.person(expert.person)
        return min((entry.valid_from for entry in person.entries), default=None)

    async def weighed_today(self, expert: Expert) -> tuple[WeighedCriterion, ...]:
        """Each criterion as a screening of today would find it; none where nothing is known of the person yet."""
        found = await self._as_of(expert, self._today(expert))
        return () if found is None else found.weighed

    async def person(self, id: str) -> tuple[int, Person]:
        """The person with its document's version. Raises Refusal 404, and 410 for one that is erased."""
        document, person = await self._kernel.load(PERSONS, id)
        if document is None or person is None:
            raise Refusal("not_found", status=404)
        if person.status == "erased":
            # The key may still be there for a moment, and would be what refuses.
            raise erased()
        return int(document["version"]), person

    async def _as_of(self, expert: Expert, on: date) -> Found | None:
        definition, version = self._definition(expert)
        person_version, person = await self.person(expert.person)
        attributes = attributes_on(person.entries, on)
        if attributes is None:
            return None
        return Found(on, version, person_version, weighed_criteria(definition, attributes, on))

    def _definition(self, expert: Expert) -> tuple[Definition, int]:
        """TooEarly where the version has not arrived here."""
        definitions = self._replica.definitions
        version = expert.programme_version or definitions.newest_version(expert.programme)
        return definitions.version(expert.programme, version), version

    def _day(self, expert: Expert, cause: Cause) -> date:
        return self._instant(cause).astimezone(self._zone(expert)).date()

    def _today(self, expert: Expert) -> date:
        return self._kernel.runtime.now().astimezone(self._zone(expert)).date()

    def _instant(self, cause: Cause) -> datetime:
        return cause.happened_at or self._kernel.runtime.now()

    def _zone(self, expert: Expert) -> tzinfo:
        return self._replica.definitions.zone_of(expert.programme, expert.programme_version, expert.office)
