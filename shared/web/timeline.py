"""What happened in a case as its reader may know it: newest first, by the office towards everybody outside of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from shared.cases.case import NEW, Case
from shared.contracts.base import Aside, Event, Instant
from shared.contracts.transfers import CaseTransferred, Transferring
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.messaging.topics import TOPICS
from shared.store.past import PAST, no_longer_told
from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.acting import Served, id_of, stands_in
from shared.web.answers import listed_answers
from shared.web.callers import Edge, Granted, may
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, cursor, limit_of, query, read_cursor
from shared.web.routing import Routes
from shared.web.sayers import OUTSIDE, said_by

# Records that stand for the whole of something: what changed has an event of its own.
_COMPACTED = frozenset(name for name, topic in TOPICS.items() if topic.compacted)
_NUMBER_DIGITS = 6


class PastSeen(BaseModel):
    """A fact by its event's name. `recorded_at`: only where it was recorded late, or put right.

    `by`: the role of whoever said it, `office` for anybody inside of one towards those outside; null where it followed
    by itself. `office`: of that role, for those inside. `before`: where the case stood until then, if elsewhere.
    `step`: of a preparation, which one was completed, and `settled` where it does not apply instead. `to_office`: the
    office that was asked to take the case over, or did.
    """

    model_config = ConfigDict(frozen=True)

    fact: str
    at: Instant
    recorded_at: Instant | None = None
    by: str | None = None
    office: str | None = None
    before: str | None = None
    state: str | None = None
    reason: str | None = None
    step: str | None = None
    settled: str | None = None
    to_office: str | None = None


@dataclass(frozen=True)
class Timeline:
    """Newest first. `missing`: how many earlier facts the case no longer tells. `following`: the cursor of the next
    page."""

    facts: tuple[PastSeen, ...]
    missing: int
    following: str | None = None


def is_veiled(case: Case[Any], role: Role, status: str) -> bool:
    return status in case.veil_of(role)


def last_said_by(document: Document, reader: Role) -> tuple[str | None, str | None]:
    """The same of what happened last in the case."""
    past = document.get(PAST)
    return said_by(past[-1], reader) if past else (None, None)


def timeline_of(served: Served, document: Document, principal: Principal) -> Timeline:
    """All that the case tells to this reader."""
    # Whoever is asked to take a case over reads no more of such a state than whoever it is about.
    strange = stands_in(document, principal, RECEIVING)
    veil = served.case.veiled if strange else served.case.veil_of(principal.role)
    shows_reason = "reason" in served.represent(document, principal).model_fields_set
    found: list[PastSeen] = []
    untold = _untold(served.case, document, principal)
    for row in _as_read(served, document.get(PAST, ()), veil, principal.role):
        if row["fact"] in untold:
            continue
        by, office = said_by(row, principal.role)
        fields = {
            "fact": row["fact"],
            "at": row["at"],
            "recorded_at": row.get("recorded_at"),
            "by": by,
            "office": office,
            "before": row["before"],
            "state": row.get("status"),
            "reason": row.get("reason") if shows_reason else None,
            "step": row.get("step"),
            "settled": row.get("settled"),
            "to_office": row.get("to_office"),
        }
        found.append(PastSeen.model_validate({name: value for name, value in fields.items() if value is not None}))
    return Timeline(tuple(reversed(found)), no_longer_told(document))


def _untold(case: Case[Any], document: Document, principal: Principal) -> frozenset[str]:
    """The facts that whoever is asked to take the case over is not told: of what to look at it sees no flag either, and
    whose account stands for it is not asked of it."""
    if not stands_in(document, principal, RECEIVING):
        return frozenset()
    settled = frozenset(event for move in case.moves if move.settles for event in move.first)
    aside = frozenset(one for one in case.events if issubclass(one, Aside) and not issubclass(one, Transferring))
    return frozenset(event.__name__ for event in settled | aside)


def _as_read(
    served: Served, rows: Iterable[Mapping[str, Any]], veil: Mapping[str, str], role: Role
) -> Iterator[dict[str, Any]]:
    """The facts that the role is told, each with the status before it; a veiled state as what it is read as.

    What leads out of a veiled state to where the case seemed to stand is no news, so it is left out.
    """
    events = {event.__name__: event for event in served.case.events if event.topic not in _COMPACTED}
    stood, was_veiled = None, False
    for _, saved in groupby(rows, key=lambda row: row["save"]):
        together = list(saved)
        last = str(together[-1].get("status"))
        if was_veiled and veil.get(last, last) == stood:
            was_veiled = last in veil
            continue
        for row in together:
            # On the way of one save a case may pass through a state in which none ever stands.
            status: str | None = row["status"] if row.get("status") in served.case.statuses else stood
            shown = row
            if status is not None and status in veil:
                status = veil[status]
                shown = _seeming(served.case, row, stood, status)
            if shown["fact"] in events and _tells(served, events[shown["fact"]], role):
                yield {**shown, "status": status, "before": stood if stood != status else None}
            stood = status
        was_veiled = last in veil


def _tells(served: Served, event: type[Event], role: Role) -> bool:
    """What offices say to each other before a case moves is theirs."""
    inside = issubclass(event, Transferring) and not issubclass(event, CaseTransferred)
    return served.tells(event, role) and not (inside and role in OUTSIDE)


def _seeming(case: Case[Any], row: Mapping[str, Any], stood: str | None, status: str) -> Mapping[str, Any]:
    """The fact under the name of the one that leads from there to where the case seems to stand; with its reason where
    that one has one."""
    begun = (move for move in case.moves if (stood or NEW) in move.before and _is_among(move.first, row))
    seeming = next((one for move in begun for one in move.first if one.leads_to == status), None)
    if seeming is None:
        return {**row, "fact": ""}
    kept = row if "reason" in seeming.model_fields else {name: row[name] for name in row if name != "reason"}
    return {**kept, "fact": seeming.__name__}


def _is_among(events: Sequence[type[Event]], row: Mapping[str, Any]) -> bool:
    return row["fact"] in {one.__name__ for one in events}


def page_of_timeline(
    edge: Edge, served: Served, document: Document, principal: Principal, after: str | None, limit: int
) -> Timeline:
    """The facts behind the cursor `after`. Raises Refusal 422 for a cursor of another case, or of another reader."""
    whole = timeline_of(served, document, principal)
    facts, missing = whole.facts, whole.missing
    scope = (edge.service, served.name, document["_id"], "timeline", principal.account, principal.role)
    # Numbered from the first fact on, so that a fact that comes in between moves none of them.
    behind = len(facts) + missing if after is None else int(read_cursor(edge.cursor_key, scope, after))
    rest = facts[max(0, len(facts) + missing - behind) :]
    shown = rest[:limit]
    more = len(rest) > len(shown)
    place = f"{len(rest) - len(shown) + missing:0{_NUMBER_DIGITS}d}"
    return Timeline(shown, missing, cursor(edge.cursor_key, scope, place) if more else None)


def timelines_router(cases: Iterable[Served]) -> APIRouter:
    """`GET /<name>/{id}/timeline` of each case, for whoever may read it."""
    router = Routes()
    for served in cases:
        _timeline(router, served)
    return router


def _timeline(router: APIRouter, served: Served) -> None:

    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(served.name, "read"))) -> Response:
        asked = query(request, *OF_EVERY_LIST)
        document = await granted.load(served.aggregate.name, id_of(id))
        found = page_of_timeline(granted.edge, served, document, granted.principal, asked.get("after"), limit_of(asked))
        items = [one.model_dump(mode="json", exclude_unset=True) for one in found.facts]
        return JSONResponse({"items": items, "next": found.following})

    router.add_api_route(
        f"/{served.name}/{{id}}/timeline",
        endpoint,
        methods=["GET"],
        summary="What happened in the case, newest first",
        operation_id=f"{served.name}_timeline",
        openapi_extra={"parameters": PARAMETERS, "responses": listed_answers(PastSeen)},
        tags=[served.name],
    )
