"""Possible duplicates: the cases that are flagged, and the persons whom one of them resembles."""

from __future__ import annotations

from dataclasses import dataclass

from services.registration.domain.duplicates import CONTACT, Compared, Sure, compared, how_sure, in_contact
from services.registration.domain.experts import EXPERT
from services.registration.domain.readings import NAMES
from services.registration.identifiers import Identifiers
from services.registration.store import EXPERTS, PERSONS
from services.registration.work.readings import Readings
from shared.clock import Runtime
from shared.contracts.registration.persons import Attributes, attributes_on
from shared.errors import Refusal
from shared.store.collection import belongs
from shared.store.narrowing import Listed
from shared.store.paging import every
from shared.store.port import Document, Store
from shared.web.callers import Granted

ALIKE_AT_MOST = 6
ENDED = frozenset({"withdrawn", "duplicate"})


@dataclass(frozen=True)
class Alike:
    """Another person, as the reader may read them. `experts`: the other one's cases that the reader may read."""

    person: str
    attributes: Attributes
    experts: tuple[str, ...]
    rows: tuple[Compared, ...]
    sure: Sure


@dataclass(frozen=True)
class Resemblance:
    """`elsewhere`: so many are another office's, whom the protection role may compare."""

    expert: Document
    person: str
    attributes: Attributes
    others: tuple[Alike, ...]
    elsewhere: int


class Duplicates:
    """What a reader may know of who resembles whom; each look is a reading of identifiers, counted and written down."""

    def __init__(self, store: Store, runtime: Runtime, identifiers: Identifiers, readings: Readings) -> None:
        self._store = store
        self._runtime = runtime
        self._identifiers = identifiers
        self._readings = readings

    @staticmethod
    def listed(equals: str) -> Listed:
        """The flagged cases of an office, or of `all`, that have not ended."""
        return Listed("alike", (equals,), lambda document: document["state"]["status"] not in ENDED)

    async def of(self, expert: Document, granted: Granted) -> Resemblance:
        """Refusals `not_found` (404) for a case that resembles nobody, `readings_used_up` (429)."""
        person = await self._store.load(PERSONS.name, expert["state"]["person"])
        likeness = person["private"].get("likeness") if person else None
        if person is None or not likeness:
            raise Refusal("not_found", status=404)
        found = await self._store.find(PERSONS.name, "likeness", likeness, limit=ALIKE_AT_MOST + 1)
        alike = [one for one in found if one["_id"] != person["_id"]][:ALIKE_AT_MOST]
        readable = await granted.equalities_of(granted.edge.policy.allowed(granted.principal, PERSONS.name, "read"))
        shown = [one for one in alike if any(belongs(one, index, equals) for index, equals in readable)]
        await self._readings.count(granted.principal)
        persons = [person["_id"], *(one["_id"] for one in shown)]
        await self._readings.note(granted.principal, "identity_check", (*NAMES, *CONTACT), persons)
        others = [await self._compared(person, one, granted) for one in shown]
        return Resemblance(expert, person["_id"], self._known(person), tuple(others), len(alike) - len(shown))

    async def _compared(self, person: Document, other: Document, granted: Granted) -> Alike:
        contacts = [await self._identifiers.opened(one["_id"], one["private"], CONTACT) for one in (person, other)]
        known = self._known(other)
        rows = (*compared(self._known(person), known), *in_contact(*contacts))
        return Alike(other["_id"], known, await self._experts(other["_id"], granted), rows, how_sure(rows))

    async def _experts(self, person: str, granted: Granted) -> tuple[str, ...]:
        readable = await granted.equalities_of(granted.edge.policy.allowed(granted.principal, EXPERT.name, "read"))
        cases = [one async for one in every(self._store, EXPERTS.name, "own", person)]
        return tuple(one["_id"] for one in cases if any(belongs(one, index, equals) for index, equals in readable))

    def _known(self, person: Document) -> Attributes:
        entries = PERSONS.state.model_validate(person["state"]).entries
        return attributes_on(entries, self._runtime.now().date(), before="first") or Attributes()
