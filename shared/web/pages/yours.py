"""A reader's own cases on the page that tells what waits: a card each, whether or not anything waits for the reader.

Whoever applied wants to know where it stands; a list of what they have to do would say nothing until it is their turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.clock import text_of
from shared.store.narrowing import Listed, read
from shared.store.port import Document
from shared.web.acting import Behind, Seen, Served, shown
from shared.web.pages.cases import known_to
from shared.web.pages.choices import Choices
from shared.web.pages.readers import Admitted
from shared.web.pages.shown import Shown
from shared.web.pages.standing import Standing, acts_of, standing_of
from shared.web.timeline import timeline_of

# Of one kind; more of them stand in their list.
CARDS_AT_MOST = 10
# Of what is read and not acted on; the newest.
NEWS_AT_MOST = 5


@dataclass(frozen=True)
class Card:
    """`verb`: what the reader does next, if it is the reader's turn; `headline`: of what is read and not acted on, what
    it is."""

    kind: str
    found: Seen
    stands: Standing
    verb: str | None
    cells: Shown
    headline: str = ""


@dataclass(frozen=True)
class Yours:
    """The reader's cases of one kind. `more`: further ones stand in their list."""

    kind: str
    cards: tuple[Card, ...]
    more: bool


async def yours_in(served: Served, behind: Behind, admitted: Admitted, listed: Listed) -> Yours:
    """The reader's cases of that kind: those that wait for the reader first, and what is over last. Raises Unavailable,
    TooEarly."""
    store, name, news = admitted.edge.store, served.aggregate.name, served.news
    if news is not None:
        oldest = text_of(admitted.edge.runtime.now() - news.lasts)
        documents, last = await read(store, name, listed, None, NEWS_AT_MOST, descending=True)
        fresh = [one for one in documents if str(one["state"][news.at]) > oldest]
        cards = [await _card(served, behind, admitted, document) for document in fresh]
        return Yours(served.name, tuple(cards), bool(documents))
    documents, last = await read(store, name, listed, None, CARDS_AT_MOST)
    cards = [await _card(served, behind, admitted, document) for document in documents]
    return Yours(served.name, tuple(sorted(cards, key=_rank)), last is not None)


def _rank(card: Card) -> int:
    return 0 if card.verb else 2 if card.stands.ended else 1


async def _card(served: Served, behind: Behind, admitted: Admitted, document: Document) -> Card:
    found = await shown(served, document, admitted)
    known = known_to(served, behind.definitions, document)
    timeline = timeline_of(served, document, admitted.principal)
    stands = await standing_of(served, document, admitted, timeline, known)
    possible = acts_of(served, document, admitted.principal, stands.possible(found.open))
    acts: Sequence[str] = [one.verb for one in possible if one.leads]
    turn = stands.awaits(admitted.principal.role)
    lists = Choices(known, admitted.reader.language, served.section).to_show()
    cells = Shown.to(admitted, lists, stands.zone)
    headline = str(cells.cell(found, served.news.headline)) if served.news is not None else ""
    return Card(served.name, found, stands, acts[0] if acts and turn else None, cells, headline)
