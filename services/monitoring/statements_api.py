"""Statements as they were issued, and what was counted of a period for whoever verifies it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response, StreamingResponse

from services.monitoring import views
from services.monitoring.answers import Newest
from services.monitoring.counting import ToCount, facts_of
from services.monitoring.domain.series import Place
from services.monitoring.domain.statements import FREEZE, REFREEZE, RESTATE, STATEMENT, PeriodStatement
from services.monitoring.follower import Follower
from services.monitoring.published import Published
from services.monitoring.store import STATEMENTS
from services.monitoring.work.freezing import FreezingPeriods
from services.monitoring.work.kept import Kept, Signed
from shared.canonical import canonical_json
from shared.errors import Refusal
from shared.identity.tokens import Principal
from shared.replica import Ports
from shared.store.port import Document
from shared.web.acting import Beside, Served, id_of
from shared.web.answers import answered, listed_answers
from shared.web.callers import Granted, may
from shared.web.lists import limit_of, query
from shared.web.routing import Routes

SERIES_PARAMETERS: list[dict[str, Any]] = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 200}},
    {
        "name": "after",
        "in": "query",
        "schema": {"type": "string", "pattern": "^[0-9]{1,9}$"},
        "description": "The number after which the list goes on.",
    },
]


# What the pages are called to which a period's case leads.
LOOK, PUBLISHED = "look-at-figures", "read-statement"
NDJSON = "application/x-ndjson"
FACTS_TOLD = "The definition, then a fact a line: its family and its columns as texts."
FACTS_ANSWERED: dict[str, Any] = {
    "200": {"description": FACTS_TOLD, "content": {NDJSON: {"schema": {"type": "string", "contentMediaType": NDJSON}}}}
}


SUMMARIES: Mapping[str, str] = {
    "series_list": "The programme's statements in their order, each signed and linked to the one before",
    "series_read": "One statement, as it was signed",
    "series_facts": "The facts that the statement was counted from, to recount it elsewhere",
    "statement_figures": "What was counted of the period, in full, for whoever verifies it",
}


class StatementsApi:
    """The routes beside those of the periods' cases."""

    def __init__(self, ports: Ports, kept: Kept, published: Published, follower: Follower, versions: Newest) -> None:
        self._store = ports.store
        self._runtime = ports.runtime
        self._follower = follower
        self._versions = versions
        self._kept = kept
        self._published = published
        self.router = Routes()
        every, one = listed_answers(Signed), answered(Signed, "It never changes.")
        counted = answered(views.CountedSeen, "Nothing of it is withheld.")
        self._get("/programmes/{code}/statements", self._list_route(), every, parameters=SERIES_PARAMETERS)
        self._get("/programmes/{code}/statements/{number}", self._read_route(), one)
        facts = "/programmes/{code}/statements/{number}/facts"
        self._get(facts, self._facts_route(), FACTS_ANSWERED, response_class=StreamingResponse)
        self._get("/statements/{id}/figures", self._figures_route(), counted)

    def _get(self, path: str, endpoint: Callable[..., Any], responses: Mapping[str, Any], **how: Any) -> None:
        summary = SUMMARIES[endpoint.__name__]
        self.router.add_read(path, endpoint, summary=summary, tag="statements", responses=responses, **how)

    def _list_route(self) -> Callable[..., Any]:
        async def series_list(
            code: str, request: Request, _granted: Granted = Depends(may("series", "list"))
        ) -> Response:
            given = query(request, "limit", "after")
            places = _after((await self._published.series(code)).issued, given.get("after"))
            limit = limit_of(given)
            items = [
                (await self._published.signed(one.digest)).model_dump(mode="json", exclude_none=True)
                for one in places[:limit]
            ]
            following = str(places[limit - 1].number) if len(places) > limit else None
            return JSONResponse({"items": items, "next": following})

        return series_list

    def _read_route(self) -> Callable[..., Any]:
        async def series_read(
            code: str, number: str, request: Request, _granted: Granted = Depends(may("series", "read"))
        ) -> Response:
            query(request)
            signed = await self._published.numbered(code, number)
            return JSONResponse(signed.model_dump(mode="json", exclude_none=True))

        return series_read

    def _facts_route(self) -> Callable[..., Any]:
        async def series_facts(
            code: str, number: str, request: Request, _granted: Granted = Depends(may("counted", "read"))
        ) -> Response:
            query(request)
            statement = (await self._published.numbered(code, number)).statement
            definition = self._versions.version(code, statement.definition_version)
            period = definition.period(statement.period)
            assert period is not None  # noqa: S101
            asked = ToCount(definition, statement.definition_version, period, statement.as_of)
            return StreamingResponse(self._facts(asked), media_type=NDJSON)

        return series_facts

    async def _facts(self, asked: ToCount) -> AsyncIterator[bytes]:
        """First the definition that they were counted by; then a line each: the family, and its columns as texts."""
        yield canonical_json(asked.definition.as_json()) + b"\n"
        with self._follower.model.database.reader() as connection:
            waiting = facts_of(connection, asked)
            while some := await self._runtime.in_pool(partial(next, waiting, ())):
                yield b"".join(canonical_json(list(one)) + b"\n" for one in some)

    def _figures_route(self) -> Callable[..., Any]:
        async def statement_figures(
            id: str, request: Request, granted: Granted = Depends(may("counted", "read"))
        ) -> Response:
            query(request)
            state = STATEMENTS.read(await self._store.load(STATEMENTS.name, id_of(id)))
            if state is None or state.counted is None:
                raise Refusal("not_found", status=404)
            counted = await self._kept.counted(state.counted)
            return JSONResponse({"counted": state.counted, "tables": counted.model_dump(mode="json")["tables"]})

        return statement_figures


def _after(issued: tuple[Place, ...], after: str | None) -> tuple[Place, ...]:
    """Those behind that number. Raises Refusal 422 for what is none."""
    if after is None:
        return issued
    if not (after.isascii() and after.isdigit() and len(after) < 10):
        raise Refusal("cursor_not_of_this_list", at="query/after", status=422)
    return issued[int(after) :]


def _figures_address(document: Document) -> str:
    return f"/monitoring/{STATEMENT.name}/{document['_id']}/figures"


def _statement_address(document: Document) -> str:
    return f"/monitoring/published/{document['state']['programme']}/{document['state']['number']}"


def served_cases(freezing: FreezingPeriods) -> tuple[Served, ...]:
    return (
        Served(
            STATEMENT,
            STATEMENTS,
            views.PeriodCaseSeen,
            statement_seen,
            {FREEZE: freezing.freeze, REFREEZE: freezing.again, RESTATE: freezing.again},
            columns=("programme", "period", "as_of", "number"),
            beside=(
                Beside("counted", "read", _figures_address, lambda one: "counted" in one["state"], named=LOOK),
                Beside("series", "read", _statement_address, lambda one: "number" in one["state"], named=PUBLISHED),
            ),
        ),
    )


def statement_seen(document: Document, _principal: Principal) -> views.PeriodCaseSeen:
    state: PeriodStatement = STATEMENT.state.model_validate(document["state"])
    own = {"id": document["_id"], "version": document["version"], "state": state.status}
    return views.PeriodCaseSeen(**own, **state.model_dump(exclude={"status"}))
