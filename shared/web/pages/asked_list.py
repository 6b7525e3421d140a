"""The list that a page's address asks for, as its reader may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from shared.programmes.definitions import Definitions
from shared.store.collection import belongs
from shared.store.port import Document, begins_uuid
from shared.web.acting import Served
from shared.web.filters import ORDER, asked_of, newest_first, paged_of
from shared.web.known_lists import COLUMNS, chosen_of
from shared.web.lists import OF_EVERY_LIST, Paged
from shared.web.pages.cases import narrowing
from shared.web.pages.readers import Admitted
from shared.web.pages.short_references import CALLED_AT_MOST, as_called, asking_for, in_whole_for_list

REFERENCE = "reference"


@dataclass(frozen=True)
class AskedList:
    """`narrowed`: the request without what was left empty; `asked`: the filters; `paged`: None where the reader has no
    relation to any case; `chosen`: the columns that the reader wants, none: all of them."""

    narrowed: Request
    asked: Mapping[str, str]
    newest: bool
    paged: Paged | None
    chosen: tuple[str, ...] = ()

    def columns_of(self, told: Sequence[str]) -> tuple[str, ...]:
        """Of the columns that the reader is told something in those that were chosen."""
        return tuple(path for path in told if not self.chosen or path in self.chosen)

    @staticmethod
    async def of(request: Request, served: Served, admitted: Admitted, definitions: Definitions) -> AskedList:
        """Raises Refusal 422 for a filter or a column that there is not; TooEarly while programmes are still being
        read."""
        principal, chosen = admitted.principal, _chosen(request, served)
        whole = await in_whole_for_list(narrowing(request), served, admitted, definitions)
        narrowed, filters = (asking_for(whole, COLUMNS, one) for one in (",".join(chosen), ""))
        asked, newest = asked_of(filters, served, principal.role, definitions), newest_first(narrowed)
        equalities = await admitted.equalities()
        paged = (
            paged_of(served.case, equalities[0], asked, definitions, principal.account, newest=newest)
            if equalities
            else None
        )
        return AskedList(narrowed, asked, newest, paged, chosen)

    @staticmethod
    def unread(request: Request) -> AskedList:
        """What the address asks for where it cannot be read: what was typed, and no case."""
        narrowed = narrowing(request)
        beside = (*OF_EVERY_LIST, COLUMNS, ORDER)
        asked = {name: value for name, value in narrowed.query_params.items() if name not in beside}
        return AskedList(narrowed, asked, newest_first(narrowed), None)


async def called(admitted: Admitted, collection: str, reference: str) -> list[Document]:
    """The cases that people call by the reference, of those that the reader's list has: as it is written on pages, in
    mails and on receipts, or more of it. None for what is no reference. Raises Unavailable."""
    text = as_called(reference)
    if not begins_uuid(text):
        return []
    lists = await admitted.equalities()
    found = await admitted.edge.store.beginning(collection, text, limit=CALLED_AT_MOST)
    return [one for one in found if any(belongs(one, index, equals) for index, equals in lists)]


def without(request: Request, name: str) -> Request:
    """The request without what its query has under that name."""
    return asking_for(request, name, "")


def _chosen(request: Request, served: Served) -> tuple[str, ...]:
    return chosen_of(request.query_params.getlist(COLUMNS), served.columns)
