"""The list that a page's address asks for, as its reader may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request

from shared.programmes.definitions import Definitions
from shared.web.acting import Served
from shared.web.filters import asked_of, newest_first, paged_of
from shared.web.lists import Paged
from shared.web.pages.cases import narrowing
from shared.web.pages.readers import Admitted


@dataclass(frozen=True)
class AskedList:
    """`narrowed`: the request without what was left empty; `asked`: the filters; `paged`: None where the reader has no
    relation to any case."""

    narrowed: Request
    asked: Mapping[str, str]
    newest: bool
    paged: Paged | None

    @staticmethod
    async def of(request: Request, served: Served, admitted: Admitted, definitions: Definitions) -> AskedList:
        """Raises Refusal 422 for a filter that there is not; TooEarly while programmes are still being read."""
        narrowed, principal = narrowing(request), admitted.principal
        asked, newest = asked_of(narrowed, served, principal.role, definitions), newest_first(narrowed)
        equalities = await admitted.equalities()
        paged = (
            paged_of(served.case, equalities[0], asked, definitions, principal.account, newest=newest)
            if equalities
            else None
        )
        return AskedList(narrowed, asked, newest, paged)
