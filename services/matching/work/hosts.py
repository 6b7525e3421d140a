"""Which institutions an assignment may be for, and what is missing before there can be one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.matching.domain.assignments import ACTIVE_HOST
from services.matching.domain.knowledge import NOT_ACTIVE, is_active
from services.matching.store import SHADOWS
from services.matching.work.selection import Selection
from shared.cases.case import Case
from shared.replica import Replica
from shared.store.port import Document
from shared.web.callers import Granted
from shared.web.suggesting import Hindrance, Suggested, Suggestions
from shared.web.weighing import Shut, Shuts

# So many are shown to choose from; others are named by hand, and the form says that there are some.
SHOWN = 200
KIND = ("host_type", "country", "sector")
REGISTERED = "/registration/institutions"


class Hosts:
    """What the form of terms of reference says of institutions. It decides nothing: the act asks every rule again."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._store = replica.ports.store
        self._selection = selection

    async def usable(self, _document: Document, granted: Granted) -> Suggestions:
        """The active ones of the caller's office; of a host its own, whatever its state."""
        found = []
        for relation, value in await granted.equalities():
            if relation == "office":
                found += await self._store.find(SHADOWS.name, "hosts", value, limit=SHOWN + 1)
            elif relation == "institution" and (own := await self._store.load(SHADOWS.name, value)):
                found.append(own)
        cases = tuple(
            Suggested(one["_id"], tuple((name, known[name]) for name in KIND if known.get(name)))
            for one in found[:SHOWN]
            if (known := one["knowledge"].get("institution"))
        )
        return Suggestions(cases, SHOWN if len(found) > SHOWN else None)

    async def hindrance(self, granted: Granted) -> Hindrance | None:
        """Of a host: that it has registered no institution, or that the office has not activated the one it has."""
        if granted.principal.role != "host":
            return None
        own = [value for relation, value in await granted.equalities() if relation == "institution"]
        if not own:
            return Hindrance("institution_unknown", f"{REGISTERED}/new/create")
        if is_active(await self._selection.knowledge(own[0])):
            return None
        return Hindrance(NOT_ACTIVE, f"{REGISTERED}/{own[0]}")

    def shuts(self, case: Case[Any], institution: Callable[[Document], str | None]) -> Shuts:
        """Which verbs of a case would be refused now for its institution."""
        verbs = [verb for verb in case.verbs if ACTIVE_HOST in case.rows[verb][0].needs]

        async def shut(document: Document, _granted: Granted) -> Mapping[str, Shut]:
            if is_active(await self._selection.knowledge(institution(document) or "")):
                return {}
            return dict.fromkeys(verbs, Shut(NOT_ACTIVE))

        return shut
