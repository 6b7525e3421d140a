"""What an endpoint does with the trail, apart from how it answers: the entries about a person, and all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, get_args

from fastapi import Request
from pydantic import TypeAdapter

from services.registration.domain.readings import Noted
from services.registration.readings.seen import ReadingSeen, reading
from services.registration.store import PERSONS
from services.registration.work.readings import Readings
from shared.audit.segments import READINGS
from shared.contracts.base import DATE_FORM, Date
from shared.store.narrowing import Listed
from shared.store.port import Document
from shared.web.acting import id_of
from shared.web.callers import Granted
from shared.web.lists import AN_ID, OF_EVERY_LIST, Paged, check_id, fits, page_of, query
from shared.web.strict_json import refuse

# Over the first of these that is asked for the list is found; the others are held against each entry.
REFERENCES = ("subject", "account")
FILTERS = (*REFERENCES, "day", "purpose")
_DAY: TypeAdapter[date] = TypeAdapter(Date)
Found = tuple[list[ReadingSeen], str | None]


class Looking:
    """The trail as its readers see it; a look that tells of persons is an entry itself, written before it answers."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    async def about(self, id: str, request: Request, granted: Granted) -> Found:
        """The entries about the person, the newest first, and the cursor of the next page. Raises Refusal 404, 422."""
        person = await granted.load(PERSONS.name, id_of(id))
        listed = Listed("subject", (person["_id"],))
        documents, following = await page_of(request, READINGS.name, Paged(listed, ("subject", person["_id"])))
        own = {grant.relation for grant in granted.grants} == {"own"}
        if not own:
            await self._readings.note(granted.principal, "trail", (), [person["_id"]])
        shown = [reading(one, granted.principal.role, (person["_id"],)) for one in documents]
        return shown, following

    async def everywhere(self, request: Request, granted: Granted, *also: str) -> tuple[dict[str, str], Found]:
        """What was asked for, and the entries across all cases. Raises Refusal 422."""
        asked = _asked(request, *also)
        index, equals = next(((name, asked[name]) for name in FILTERS if name in asked), ("all", "all"))

        def fits(document: Document) -> bool:
            return all(value in READINGS.indexes[name].equals(document) for name, value in asked.items())

        scope = ("readings", *(f"{name}={value}" for name, value in sorted(asked.items())))
        documents, following = await page_of(request, READINGS.name, Paged(Listed(index, (equals,), fits), scope))
        persons = list(dict.fromkeys(one for document in documents for one in document["reading"]["subjects"]))
        await self._readings.note(granted.principal, "trail", (), persons)
        shown = [reading(one, granted.principal.role, tuple(one["reading"]["subjects"])) for one in documents]
        return asked, (shown, following)


def _asked(request: Request, *also: str) -> dict[str, str]:
    sent = query(request, *OF_EVERY_LIST, *FILTERS, *also)
    asked = {name: sent[name] for name in FILTERS if sent.get(name)}
    for name in REFERENCES:
        if name in asked:
            check_id(name, asked[name])
    if "day" in asked and not fits(_DAY, asked["day"]):
        refuse(DATE_FORM.rule, "query/day", DATE_FORM.sentence)
    if "purpose" in asked and asked["purpose"] not in purposes():
        refuse("code_not_listed", "query/purpose", f"one of {', '.join(purposes())}")
    return asked


def purposes() -> tuple[str, ...]:
    """Every purpose that an entry may name, in the order in which they are declared."""
    return tuple(code for part in get_args(Noted) for code in (get_args(part) or (part,)))


def parameters() -> list[Mapping[str, Any]]:
    """The filters in the contract."""
    id_schema = AN_ID.json_schema()
    said: Mapping[str, tuple[str, Mapping[str, Any]]] = {
        "subject": ("Entries about this person, by its id.", id_schema),
        "account": ("Entries of this account, as an entry names it.", id_schema),
        "day": ("Entries of this day, UTC.", _DAY.json_schema()),
        "purpose": ("Entries for this purpose.", {"type": "string", "enum": list(purposes())}),
    }
    return [
        {"name": name, "in": "query", "description": text, "schema": dict(schema)}
        for name, (text, schema) in said.items()
    ]
