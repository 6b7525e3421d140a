"""Where a list that is narrowed stands in the store, and how it is read in the order of its index.

Texts of one list share no document, and a case's programme stays, so none is missed or met twice while they are read
one after the other; but in everybody's list, read office by office, one that is just passed on may be. What is short by
nature (a person's cases, a host's, those of one reference) is read through, and what does not fit is left out.
"""

from __future__ import annotations

import heapq
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import total_ordering
from typing import Any

from shared.cases.case import Case
from shared.store.collection import belongs
from shared.store.port import Document, Store
from shared.store.relations import (
    FLAG,
    PASSING,
    PROGRAMME,
    RECEIVING,
    STATUS,
    TAKEN,
    asked_of,
    at_work,
    flags_of,
    narrowed_of,
    reference_index,
    references_of,
    text,
    untaken,
    value_at,
)

# One request reads no further than this; its page may then be shorter, and the next goes on from there.
LOOKED_AT_MOST = 1_000
# Who of the office works on a case: the caller, or nobody; else an account.
TAKEN_BY, ME, NOBODY = "taken_by", "me", "nobody"
# What one office asks another one to take over: what the reader's is asked, and what it asks.
TRANSFER, TO_US, FROM_US = "transfer", "to_us", "from_us"
SHARE_AT_LEAST = 4
Offices = Mapping[str, Iterable[str]]
Page = list[Document]


def everything(_document: Document) -> bool:
    return True


@dataclass(frozen=True)
class Listed:
    """The documents under any of these texts of one index that `keep` keeps, which may look at others for it."""

    index: str
    equals: tuple[str, ...]
    keep: Callable[[Document], bool | Awaitable[bool]] = everything


def narrowed(case: Case[Any], index: str, equals: str, asked: Mapping[str, str], offices: Offices) -> Listed:
    """Where the part of a relation's list stands that has the values asked for.

    `offices`: the programmes that there are, each with its offices.
    """

    def read_as(document: Document, name: str) -> str | None:
        if name == TAKEN_BY:
            return next(iter(at_work(case, document)), NOBODY if untaken(case, document) else None)
        if name in (FLAG, TRANSFER):
            return asked[name] if asked[name] in _marks_of(case, document) else None
        value = value_at(document, name)
        return case.veiled.get(value or "", value) if (index, name) == ("own", STATUS) else value

    def fits(document: Document) -> bool:
        return belongs(document, index, equals) and all(read_as(document, name) == asked[name] for name in asked)

    if reference := next((name for name in references_of(case) if name in asked), ""):
        return Listed(reference_index(case, reference), (asked[reference],), fits)
    if few := _few(equals, asked):
        return Listed(*few, fits)
    if TAKEN_BY in asked:
        # Most of a list: an index of its own would cost every case three entries.
        rest = {name: value for name, value in asked.items() if name != TAKEN_BY}
        return replace(narrowed(case, index, equals, rest, offices), keep=fits)
    if not asked:
        return Listed(index, (equals,))
    if not narrowed_of(case):
        return Listed(index, (equals,), fits)
    if index in narrowed_of(case):
        return Listed(index, tuple(_texts(case, equals, asked, offices)))
    if index == "all":
        return Listed("office", tuple(_office_by_office(asked, offices)))
    return Listed(index, (equals,), fits)


def received(office: str, asked: Mapping[str, str]) -> Listed:
    """What of these values the office is asked to take over: few at a time. Who works on it, and what is to be looked
    at in it, is the other office's to know."""
    theirs, said = {TAKEN_BY, FLAG} & set(asked), [(name, one) for name, one in asked.items() if name != TRANSFER]

    def fits(document: Document) -> bool:
        return not theirs and all(value_at(document, name) == one for name, one in said)

    return Listed(RECEIVING, (office,), fits if theirs or said else everything)


def _marks_of(case: Case[Any], document: Document) -> tuple[str, ...]:
    return (*flags_of(case, document), *([FROM_US] if asked_of(case, document) else []))


def _few(office: str, asked: Mapping[str, str]) -> tuple[str, tuple[str, ...]] | None:
    """The index and the text of it that finds few of a long list, where one of these is asked for."""
    if asked.get(TRANSFER) == FROM_US:
        return PASSING, (office,)
    if FLAG in asked:
        return FLAG, (text(office, asked[FLAG]),)
    if asked.get(TAKEN_BY, NOBODY) != NOBODY:
        return TAKEN, (asked[TAKEN_BY],)
    return None


def _texts(case: Case[Any], whole: str, asked: Mapping[str, str], offices: Offices) -> Iterator[str]:
    """One text, or where a status alone is asked for one of each programme, and of the cases that have none."""
    status = (asked[STATUS],) if STATUS in asked else ()
    if PROGRAMME not in case.filters:
        yield text(whole, *status)
        return
    for programme in (asked[PROGRAMME],) if PROGRAMME in asked else ("", *sorted(offices)):
        yield text(whole, programme, *status)


def _office_by_office(asked: Mapping[str, str], offices: Offices) -> Iterator[str]:
    status = (asked[STATUS],) if STATUS in asked else ()
    for programme in (asked[PROGRAMME],) if PROGRAMME in asked else sorted(offices):
        for office in sorted(set(offices.get(programme, ()))):
            yield text(office, programme, *status)


async def read(
    store: Store, collection: str, listed: Listed, after: str | None, limit: int, *, descending: bool = False
) -> tuple[Page, str | None]:
    """At most `limit` documents behind `after`, and the place to go on from; None at the end of the list.

    `descending`: the last of the list first.
    """
    among = len(listed.equals)
    runs = [
        _Run(store, collection, listed.index, one, after, limit, among, descending=descending) for one in listed.equals
    ]
    heads = [(place, number) for number, run in enumerate(runs) if (place := await run.place())]
    heapq.heapify(heads)
    found: Page = []
    last = after
    for _ in range(LOOKED_AT_MOST):
        if not heads:
            return found, None
        place, number = heads[0]
        document = runs[number].take()
        keeps = listed.keep(document)
        if await keeps if inspect.isawaitable(keeps) else keeps:
            if len(found) == limit:
                return found, last
            found.append(document)
        last = place.text
        following = await runs[number].place()
        if following:
            heapq.heapreplace(heads, (following, number))
        else:
            heapq.heappop(heads)
    return found, last if heads else None


@total_ordering
@dataclass(frozen=True)
class _Place:
    """Where a document stands in its list, so that what comes first is the least."""

    text: str
    descending: bool

    def __lt__(self, other: _Place) -> bool:
        return other.text < self.text if self.descending else self.text < other.text


class _Run:
    """The documents under one text, read on by shares, the smaller the more texts a list has."""

    def __init__(
        self,
        store: Store,
        collection: str,
        index: str,
        equals: str,
        after: str | None,
        limit: int,
        among: int,
        *,
        descending: bool,
    ) -> None:
        self._descending = descending
        self._store = store
        self._of = collection, index, equals
        self._after = after
        self._share = max(SHARE_AT_LEAST, -(-limit // among)) + 1
        self._waiting: deque[Document] = deque()
        self._ended = False

    async def place(self) -> _Place | None:
        """Where the next document stands; None where there is none."""
        if not self._waiting and not self._ended:
            found = await self._found()
            self._ended = len(found) < self._share
            self._waiting.extend(found)
            self._after = self._place_of(found[-1]) if found else self._after
        return _Place(self._place_of(self._waiting[0]), self._descending) if self._waiting else None

    async def _found(self) -> Page:
        if self._descending:
            return await self._store.find(*self._of, until=self._after, limit=self._share, descending=True)
        return await self._store.find(*self._of, after=self._after, limit=self._share)

    def take(self) -> Document:
        return self._waiting.popleft()

    def _place_of(self, document: Document) -> str:
        return str(document["ix"][self._of[1]]["o"])
