"""JSON: jobs as they stand, cancelled and confirmed, their files; and how a service's own routes ask for one.

A route that asks for a job calls `asked_for()` and answers with `accepted()`; its `responses` are `job_answers()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, get_args

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, create_model
from starlette.responses import Response

from shared.cases.bodies import Input
from shared.contracts.base import Instant
from shared.errors import Refusal
from shared.jobs.documents import JOBS, OPEN, WAITING, Status, waiting_under
from shared.jobs.kinds import CANCEL, CONFIRM, DOWNLOAD, LIST, READ
from shared.jobs.running import ENDED, EXPIRED, NOT_WAITING, TOO_MANY, Jobs
from shared.store.collection import belongs
from shared.store.narrowing import Listed, everything
from shared.store.port import Document
from shared.web.acting import id_of
from shared.web.answers import LOCATION, answers, listed_answers, model_schema, refused_by
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause, expected_version
from shared.web.conditions import VERSIONED
from shared.web.handed import handed_out
from shared.web.json import representation
from shared.web.lists import OF_EVERY_LIST, PARAMETERS, Paged, page, query
from shared.web.problems import etag
from shared.web.routing import Routes
from shared.web.strict_json import refuse

NAME, STATE = JOBS.name, "state"
IN_A_STATE: Mapping[str, Any] = {
    "name": STATE,
    "in": "query",
    "schema": {"type": "string", "enum": [*get_args(Status)]},
}
COUNTED_AT_MOST = 100
JSON = "application/json"


class RowProblemSeen(BaseModel):
    """One broken rule, by the row and the column of the file that somebody sent; never a value."""

    model_config = ConfigDict(frozen=True)

    row: int | None
    column: str
    cell: str
    rule: str


class JobFetch(BaseModel):
    """Which account fetched a file of the job, and when."""

    model_config = ConfigDict(frozen=True)

    account: str
    at: Instant


class JobFile(BaseModel):
    """A file that the job has made. `size`: its bytes."""

    model_config = ConfigDict(frozen=True)

    name: str
    media_type: str
    size: int
    address: str


class JobResult(BaseModel):
    """What the kind tells: numbers and texts by name, and the files that stand until `kept_until`."""

    model_config = ConfigDict(frozen=True)

    counts: dict[str, int]
    said: dict[str, str]
    files: tuple[JobFile, ...]


class JobBase(BaseModel):
    """A job as it stands. `done` of `total`, which is null until it is known; `problems`: the first 200 of
    `problem_count`; `rule`: why it failed; `fetches`: of its files, the last 100 of `fetch_count`; `open`: what the
    caller may do with it now.

    `kept_until`: what it holds is gone then, and what has not ended has failed.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    state: Status
    asked_at: Instant
    ended_at: Instant | None
    kept_until: Instant
    done: int
    total: int | None
    problems: tuple[RowProblemSeen, ...]
    problem_count: int
    result: JobResult | None
    rule: str | None
    fetches: tuple[JobFetch, ...]
    fetch_count: int
    open: tuple[Literal["cancel", "confirm"], ...]


@cache
def _model(kinds: tuple[str, ...]) -> type[JobBase]:
    # By name, so that the contract lists the kinds of this service.
    listed: Any = Literal[kinds]
    found: type[JobBase] = create_model("JobSeen", __base__=JobBase, __doc__=JobBase.__doc__, kind=(listed, ...))
    return found


def seen_model(jobs: Jobs) -> type[JobBase]:
    """`JobBase` with the kinds of the service."""
    return _model(tuple(jobs.kinds))


def job_answers(jobs: Jobs) -> dict[str, Any]:
    """`responses` of an operation that asks for a job."""
    content = {"application/json": {"schema": model_schema(seen_model(jobs))}}
    return {
        "202": {"description": "The job, which goes on.", "headers": {"Location": LOCATION}, "content": content},
        "409": refused_by(TOO_MANY),
    }


async def asked_for(
    request: Request,
    granted: Granted,
    jobs: Jobs,
    kind: str,
    body: BaseModel,
    *,
    route: str,
    key: str,
    digest: str,
    files: Mapping[str, Sequence[bytes]] | None = None,
) -> Document:
    """The job, the same one for the same key. `route`: method and path of the JSON edge, also where a page asks;
    `digest`: SHA-256 of all that was sent. Raises as `Jobs.ask`, and Refusal 422."""
    keyed = await granted.edge.digests.of(digest)
    return await jobs.ask(kind, body, cause(request, granted, route, key, keyed), granted.principal, files)


async def accepted(jobs: Jobs, document: Document, granted: Granted) -> Response:
    """202 with the job's place."""
    found = await job_seen(jobs, document, granted)
    return JSONResponse(representation(found), 202, {"Location": place_of(granted.edge.service, document["_id"])})


def place_of(service: str, id: str) -> str:
    return f"/{service}/v1/{NAME}/{id}"


async def job_seen(jobs: Jobs, document: Document, granted: Granted) -> JobBase:
    """The job with what the caller may do with it."""
    verbs = [verb for verb in _possible(document) if await _may(document, granted, verb)]
    place = place_of(granted.edge.service, document["_id"])
    # What a version before did is told as it is.
    model = seen_model(jobs) if document["kind"] in jobs.kinds else JobBase
    return model(**_fields(document, place), open=tuple(verbs))


async def to_confirm(granted: Granted) -> int:
    """How many jobs wait for a confirmation that the caller may give; 100 at most are counted."""
    grants = granted.edge.policy.allowed(granted.principal, NAME, CONFIRM)
    number = 0
    for relation, equals in (await granted.equalities_of(grants))[:1]:
        under = waiting_under(relation, equals)
        number += await granted.edge.store.count(NAME, WAITING, under, at_most=COUNTED_AT_MOST)
    return number


def _possible(document: Document) -> list[str]:
    verbs = [CONFIRM] if document["status"] == "waiting" else []
    return [*verbs, CANCEL] if document["status"] in OPEN else verbs


async def _may(document: Document, granted: Granted, verb: str) -> bool:
    grants = granted.edge.policy.allowed(granted.principal, NAME, verb)
    return any(belongs(document, *one) for one in await granted.equalities_of(grants))


def _fields(document: Document, place: str) -> dict[str, Any]:
    return {
        "id": document["_id"],
        "kind": document["kind"],
        "state": document["status"],
        "asked_at": document["asked_at"],
        "ended_at": document["ended_at"],
        "kept_until": document["until"],
        "done": document["done"],
        "total": document["total"],
        "problems": document["problems"],
        "problem_count": document["problem_count"],
        "result": _result(document, place),
        "rule": document["rule"],
        "fetches": document.get("fetches", ()),
        "fetch_count": document.get("fetch_count", 0),
    }


def _result(document: Document, place: str) -> dict[str, Any] | None:
    """None before there is anything to be told."""
    sizes: dict[str, int] = {}
    for name, _, size in document["pieces"]:
        sizes[name] = sizes.get(name, 0) + size
    files = [
        {**one, "size": sizes[one["name"]], "address": f"{place}/files/{one['name']}"}
        for one in document["files"]
        if one["name"] in sizes
    ]
    if not (files or document["counts"] or document["said"]):
        return None
    return {"counts": document["counts"], "said": document["said"], "files": files}


def jobs_router(jobs: Jobs) -> APIRouter:
    """`GET /jobs`, `GET /jobs/{id}`, `POST /jobs/{id}/cancel`; where a kind has them `GET /jobs/{id}/files/{name}` and
    `POST /jobs/{id}/confirm`."""
    router = Routes(tags=[NAME])
    _listing(router, jobs)
    _reading(router, jobs)
    _cancelling(router, jobs)
    if any(kind.media_types for kind in jobs.kinds.values()):
        _downloading(router, jobs)
    if any(kind.waits for kind in jobs.kinds.values()):
        _confirming(router, jobs)
    return router


def newest_first(equalities: Sequence[tuple[str, str]], state: str | None = None) -> Paged | None:
    """The list of jobs under the widest relation of a caller, the newest first; `state`: of those alone that are in it.

    Refusal (422) for no state.
    """
    if state is not None and state not in get_args(Status):
        refuse("literal_error", f"query/{STATE}", f"one of {', '.join(get_args(Status))}")
    if not equalities:
        return None
    (index, equals), scope = equalities[0], (*equalities[0], *([state] if state else []))
    keep = everything if state is None else lambda one: bool(one["status"] == state)
    return Paged(Listed(index, (equals,), keep), scope, newest_first=True)


def _listing(router: APIRouter, jobs: Jobs) -> None:
    async def endpoint(request: Request, granted: Granted = Depends(may(NAME, LIST))) -> Response:
        state = query(request, STATE, *OF_EVERY_LIST).get(STATE)

        async def represent(document: Document) -> Mapping[str, Any]:
            return representation(await job_seen(jobs, document, granted))

        return await page(request, NAME, newest_first(await granted.equalities(), state), represent)

    router.add_api_route(
        f"/{NAME}",
        endpoint,
        methods=["GET"],
        summary="Jobs that the caller may see, the newest first",
        description="Of an officer those that officers of the office asked for, of an administrator all, of others "
        "their own.",
        operation_id="jobs_list",
        openapi_extra={"parameters": [*PARAMETERS, IN_A_STATE], "responses": listed_answers(seen_model(jobs))},
    )


def _reading(router: APIRouter, jobs: Jobs) -> None:
    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(NAME, READ))) -> Response:
        query(request)
        return await _answered(jobs, await granted.load(NAME, id_of(id)), granted)

    router.add_api_route(
        f"/{NAME}/{{id}}",
        endpoint,
        methods=["GET"],
        summary="How far a job is, and what has come of it",
        operation_id="jobs_read",
        openapi_extra={"responses": answers(seen_model(jobs), "The job as it stands.")},
    )


async def _answered(jobs: Jobs, document: Document, granted: Granted) -> Response:
    found = representation(await job_seen(jobs, document, granted))
    return JSONResponse(found, 200, {"ETag": etag(int(document["version"]))})


def _cancelling(router: APIRouter, jobs: Jobs) -> None:
    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(NAME, CANCEL))) -> Response:
        query(request)
        await granted.load(NAME, id_of(id))
        await read_body(request, Input)
        return await _answered(jobs, await jobs.cancel(id, expected_version(request)), granted)

    _verb(router, jobs, endpoint, CANCEL, "Ends a job; what it did stays done, and nothing more is", ENDED)


def _confirming(router: APIRouter, jobs: Jobs) -> None:
    async def endpoint(id: str, request: Request, granted: Granted = Depends(may(NAME, CONFIRM))) -> Response:
        query(request)
        await granted.load(NAME, id_of(id))
        await read_body(request, Input)
        found = await jobs.confirm(id, granted.principal.account, expected_version(request))
        return await _answered(jobs, found, granted)

    _verb(router, jobs, endpoint, CONFIRM, "Has a job go on that waits with its preview", NOT_WAITING)


def _verb(router: APIRouter, jobs: Jobs, endpoint: Any, verb: str, summary: str, rule: str) -> None:
    router.add_api_route(
        f"/{NAME}/{{id}}/{verb}",
        endpoint,
        methods=["POST"],
        summary=summary,
        operation_id=f"jobs_{verb}",
        openapi_extra={
            **documented(Input, {}),
            VERSIONED: True,
            "responses": answers(seen_model(jobs), "The job as it then stands.", refused=(rule,)),
        },
    )


def _downloading(router: APIRouter, jobs: Jobs) -> None:
    async def endpoint(
        id: str, name: str, request: Request, granted: Granted = Depends(may(NAME, DOWNLOAD))
    ) -> Response:
        query(request)
        return await job_file(jobs, await granted.load(NAME, id_of(id)), id_of(name), granted.principal.account)

    made = dict.fromkeys(one for kind in jobs.kinds.values() for one in kind.media_types)
    # What is JSON is a value, and no text that holds one.
    content = {
        one.partition(";")[0]: {"schema": {"contentMediaType": one, **({} if one == JSON else {"type": "string"})}}
        for one in made
    }
    router.add_api_route(
        f"/{NAME}/{{id}}/files/{{name}}",
        endpoint,
        methods=["GET"],
        response_class=Response,
        summary="A file that a job has made",
        operation_id="jobs_download",
        openapi_extra={
            "responses": {"200": {"description": "The file.", "content": content}, "410": refused_by(EXPIRED)}
        },
    )


async def job_file(jobs: Jobs, document: Document, name: str, account: str) -> Response:
    """The file, to be kept and never shown in its place; that the account fetches it is noted. Refusal `job_expired`
    (410), 404 for none that is offered."""
    offered = {one["name"]: one["media_type"] for one in document["files"]}
    if not document["held"]:
        raise Refusal(EXPIRED, "what the job held is gone", status=410)
    if name not in offered:
        raise Refusal("not_found", status=404)
    content = await jobs.content(document)
    answer = await handed_out(name, offered[name], content.size(name), content.read(name))
    await jobs.note_fetch(document["_id"], account)
    return answer
