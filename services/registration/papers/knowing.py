"""What stands in the papers of a match or a placement, apart from the person's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from typing import Any

from services.registration.store import INSTITUTIONS, SHADOWS
from shared.clock import instant_of
from shared.contracts.matching.assignments import Terms
from shared.programmes.model import Definition
from shared.replica import Replica


@dataclass(frozen=True)
class Told:
    """`known`: as `domain/papers.py` keeps it; `definition`: of the version under which the case runs.

    `host`: the institution's name.
    """

    known: Mapping[str, Any]
    terms: Terms
    definition: Definition
    host: str

    @property
    def zone(self) -> tzinfo:
        """In which the office's days are reckoned."""
        return self.definition.zone_of(self.known.get("office"))

    def day(self, field: str) -> date:
        """Of an instant that is known, on the office's calendar."""
        return instant_of(self.known[field]).astimezone(self.zone).date()


class Knowing:
    """Reads what was heard of other services' cases."""

    def __init__(self, replica: Replica) -> None:
        self._store = replica.ports.store
        self._definitions = replica.definitions

    async def told(self, id: str, kind: str, *needed: str) -> Told | None:
        """None where that was not heard. `kind`: of subject; `needed`: what a paper cannot be without.

        Raises TooEarly, Unavailable.
        """
        shadow = await self._store.load(SHADOWS.name, id)
        known: Mapping[str, Any] = shadow["knowledge"].get(kind, {}) if shadow else {}
        if not all(known.get(name) for name in ("expert", "terms", "programme", *needed)):
            return None
        version = known["programme_version"] or self._definitions.newest_version(known["programme"])
        terms = Terms.model_validate(known["terms"])
        host = await self._store.load(INSTITUTIONS.name, terms.institution)
        name = str(host["private"].get("name") or "") if host else ""
        return Told(known, terms, self._definitions.version(known["programme"], version), name)
