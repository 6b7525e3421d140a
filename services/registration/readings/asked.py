"""What the page of the trail is asked for, as people write it: references by their first characters, days in parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from fastapi import Request

from services.registration.readings.looking import REFERENCES
from services.registration.store import PERSONS
from shared.audit.segments import READINGS
from shared.store.narrowing import Listed, read
from shared.store.port import Document, Store
from shared.web.pages.short_references import CALLED_AT_MOST, asking_for, in_whole
from shared.web.pages.typed_dates import OF_A_DAY, Values, in_parts, said_in_parts

DAY = "day"
# So many shares of the newest entries are looked through for what begins so.
SHARES_AT_MOST = 10


async def as_asked(request: Request, store: Store) -> Request:
    """The request as the JSON edge reads it. Raises Refusal 422 `reference_unclear`, Unavailable; what is no reference
    and no day stays as it was typed."""
    typed = day_typed(request.query_params)
    day = said_in_parts(typed, DAY) or typed.get(DAY, ("",))[0]
    for part in OF_A_DAY:
        request = asking_for(request, f"{DAY}/{part}", "")
    request = asking_for(request, DAY, day)
    return await in_whole(request, REFERENCES, partial(_beginning, store))


def day_typed(query: Mapping[str, str]) -> Values:
    """The day in its parts where it was typed so, also one after the other in one field; else in that field."""
    parts = {f"{DAY}/{name}": (query.get(f"{DAY}/{name}", ""),) for name in OF_A_DAY}
    if any(said for (said,) in parts.values()):
        return parts
    return in_parts(query.get(DAY, ""), DAY)


async def _beginning(store: Store, name: str, text: str) -> list[str]:
    """The ids that begin so: of persons, and of whatever the newest entries name so."""
    texts, place = READINGS.indexes[name].equals, None
    found = set[str]()
    if name == "subject":
        found |= {str(one["_id"]) for one in await store.beginning(PERSONS.name, text, limit=CALLED_AT_MOST)}

    def begins(document: Document) -> bool:
        return any(one.startswith(text) for one in texts(document))

    for _ in range(SHARES_AT_MOST):
        documents, place = await read(store, READINGS.name, Listed("all", ("all",), begins), place, CALLED_AT_MOST)
        found |= {one for document in documents for one in texts(document) if one.startswith(text)}
        if place is None or len(found) > 1:
            break
    return sorted(found)
