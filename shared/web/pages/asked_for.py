"""What somebody asked for by one verb, on the pages of the verb that answers it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.acting import Seen, Served, stands_in
from shared.web.notes import Note
from shared.web.pages.readers import Admitted
from shared.web.pages.shown import Row, Shown


@dataclass(frozen=True)
class AskedFor:
    """`rows`: what the case says of it; `note`: what was written with it, where the reader may read that; `ways`: by
    its word, the address of a page that may be needed to answer."""

    rows: tuple[Row, ...]
    note: Note | None
    ways: tuple[tuple[str, str], ...]


def asked_for(
    served: Served, document: Document, found: Seen, notes: Sequence[Note], admitted: Admitted, cells: Shown, verb: str
) -> AskedFor | None:
    """None for a verb that answers nothing. `found`: what the reader sees of the case."""
    asks = served.case.rows[verb][0].answers
    if not asks:
        return None
    written = [note for note in notes if note.verb == asks]
    names = served.case.rows[asks][0].body.model_fields
    ways = tuple(beside_of(served, document, admitted, helps=verb))
    return AskedFor(cells.rows(found, names=names), written[-1] if written else None, ways)


def beside_of(served: Served, document: Document, admitted: Admitted, *, helps: str = "") -> Iterable[tuple[str, str]]:
    """What the reader may look at besides: the verb, and its address; nothing for whoever is asked to take it over.

    `helps`: only what that verb may need.
    """
    if stands_in(document, admitted.principal, RECEIVING):
        return
    policy = admitted.edge.policy
    for one in served.beside:
        wanted = not helps or one.helps == helps
        if wanted and one.is_there(document) and policy.allowed(admitted.principal, one.resource, one.verb):
            yield one.word, one.address(document)
