"""What a verb answers to, on its form before the button: nobody agrees to what stands on another page."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from shared.store.port import Document
from shared.web.acting import Served
from shared.web.pages.readers import Admitted
from shared.web.pages.shown import Row, Shown, parts_of


@dataclass(frozen=True)
class GroundShown:
    """`parts`: the name of a field and the address of what another service shows of the case that it names."""

    rows: tuple[Row, ...]
    parts: tuple[tuple[str, str], ...]


async def ground_of(
    served: Served, document: Document, admitted: Admitted, cells: Shown, verb: str
) -> GroundShown | None:
    """None for a verb that answers to nothing beside its case. Raises Unavailable."""
    found = await served.grounds[verb](document, admitted) if document and verb in served.grounds else None
    if found is None:
        return None
    return GroundShown(cells.rows(found.told), tuple(parts_of(found.told, found.parts, admitted.principal.role)))


def without_parts(ground: GroundShown | None, shown: Collection[tuple[str, str]]) -> GroundShown | None:
    """Without those parts that the page has in places of its own."""
    return ground and replace(ground, parts=tuple(one for one in ground.parts if one not in shown))
