"""What somebody asked for by one verb, on the pages of the verb that answers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.acting import Beside, Seen, Served, stands_in
from shared.web.notes import Note
from shared.web.pages.formatting import text_in
from shared.web.pages.readers import Admitted
from shared.web.pages.shown import Row, Shown


@dataclass(frozen=True)
class AskedFor:
    """`rows`: what the case says of it; `written`: what was written with it, where the reader may read that: the last
    one, or all of them where nothing but texts was asked or handed in. `ways`: by its word, the address of a page that
    may be needed to answer, and the names of what is still missing there."""

    rows: tuple[Row, ...]
    written: tuple[Note, ...]
    ways: tuple[tuple[str, str, tuple[str, ...]], ...]


async def asked_for(
    served: Served, document: Document, found: Seen, notes: Sequence[Note], admitted: Admitted, cells: Shown, verb: str
) -> AskedFor | None:
    """None for a verb that answers nothing. `found`: what the reader sees of the case. Raises Unavailable."""
    asks = served.case.rows[verb][0].answers
    if not asks:
        return None
    written = [note for note in notes if note.verb == asks]
    names = served.case.rows[asks][0].body.model_fields
    helping = [one for one in beside_of(served, document, admitted) if one.helps == verb]
    ways = [(one.word, one.address(document), _texts(await one.lacks(document), cells)) for one in helping]
    rows = cells.rows(found, names=names)
    return AskedFor(rows, tuple(written[-1:] if rows else written), tuple(ways))


def _texts(names: Sequence[Mapping[str, str]], cells: Shown) -> tuple[str, ...]:
    return tuple(text_in(cells.language, one) for one in names)


def beside_of(served: Served, document: Document, admitted: Admitted) -> Iterator[Beside]:
    """What the reader may look at besides; nothing for whoever is asked to take it over."""
    if stands_in(document, admitted.principal, RECEIVING):
        return
    policy = admitted.edge.policy
    for one in served.beside:
        if one.is_there(document) and policy.allowed(admitted.principal, one.resource, one.verb):
            yield one
