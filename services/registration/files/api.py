"""JSON: the files of a case, added in pieces that resume and handed out for a purpose."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from services.registration.domain.experts import EXPERT
from services.registration.domain.file_content import MEDIA_TYPES, MediaType
from services.registration.domain.files import (
    ENDED,
    FILES_AT_MOST,
    MANY,
    OFFSET,
    FileBegun,
    FileReading,
    Status,
    StoredFile,
    missing,
)
from services.registration.files.resumed import BODY, HEADERS, PARAMETERS, file_of, headers_of, piece_of, received
from services.registration.identifiers import SERVICE
from services.registration.store import EXPERTS
from services.registration.work.case_files import IS_KEPT, NOT_NOW, CaseFiles
from shared.cases.bodies import Input
from shared.contracts.base import Code, Instant
from shared.identity.rights import Rights
from shared.store.port import Document
from shared.web.acting import id_of
from shared.web.answers import LOCATION, answered, model_schema, refused_by
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause, key_of
from shared.web.json import representation
from shared.web.lists import query
from shared.web.routing import Routes

FILES, ADD, READ = "files", "add-file", "read-file"
RIGHTS: tuple[Rights, ...] = (
    (EXPERT.name, FILES, {"expert": "own", "officer": "office", "protection": "all"}),
    (EXPERT.name, ADD, {"expert": "own", "officer": "office"}),
    (EXPERT.name, READ, {"expert": "own", "officer": "office", "protection": "all"}),
)
PATH = f"/{EXPERT.name}/{{id}}/{FILES}"


class FileSeen(BaseModel):
    """A file, and nothing of what is in it. `received`: bytes that are durable, of `size`; `added_by`: who added it.

    `rule`: why it was refused.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    document: Code
    media_type: MediaType
    size: int
    received: int
    state: Status
    added_by: Literal["expert", "officer"]
    began_at: Instant
    kept_at: Instant | None = None
    rule: str | None = None


class FilesSeen(BaseModel):
    """`files` of a case, the oldest first. `missing`: needed documents of which none is kept."""

    model_config = ConfigDict(frozen=True)

    files: tuple[FileSeen, ...]
    missing: tuple[Code, ...]


def seen(id: str, state: StoredFile) -> FileSeen:
    return FileSeen(
        id=id,
        document=state.document,
        media_type=state.media_type,
        size=state.size,
        received=state.received,
        state=state.status,
        added_by="officer" if state.account else "expert",
        began_at=state.began_at,
        kept_at=state.kept_at,
        rule=state.rule,
    )


async def all_seen(files: CaseFiles, expert: Document) -> FilesSeen:
    found = await files.of(expert)
    states = [state for _, state in found]
    return FilesSeen(files=tuple(seen(*one) for one in found), missing=missing(files.asked(expert), states))


def files_router(files: CaseFiles) -> APIRouter:
    """`GET`, `POST /experts/{id}/files`; `GET` (HEAD), `PATCH /experts/{id}/files/{file}`; `POST .../{file}/remove` and
    `/read`."""
    router = Routes(tags=[FILES])
    _listing(router, files)
    _beginning(router, files)
    _progress(router, files)
    _receiving(router, files)
    _removing(router, files)
    _reading(router, files)
    return router


def _listing(router: APIRouter, files: CaseFiles) -> None:
    async def listing(id: str, request: Request, granted: Granted = Depends(may(EXPERT.name, FILES))) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        return JSONResponse(representation(await all_seen(files, expert)))

    router.add_api_route(
        PATH,
        listing,
        methods=["GET"],
        operation_id="experts_files",
        summary=f"The files of a case, {FILES_AT_MOST} that stand at most",
        openapi_extra={"responses": {"200": _all_of_them()}},
    )


def _beginning(router: APIRouter, files: CaseFiles) -> None:
    async def begin(id: str, request: Request, granted: Granted = Depends(may(EXPERT.name, ADD))) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        sent = await read_body(request, FileBegun)
        route = f"POST /{SERVICE}/v1{PATH.replace('{id}', expert['_id'])}"
        said = cause(request, granted, route, key_of(request, granted), sent.digest)
        file, state = await files.begin(expert, sent.model, granted, said)
        place = f"/{SERVICE}/v1{PATH.replace('{id}', expert['_id'])}/{file}"
        return JSONResponse(representation(seen(file, state)), 201, {"Location": place, **headers_of(state)})

    told = answered(FileSeen, "Where its pieces are sent to, from `Upload-Offset` on.")["200"]
    router.add_api_route(
        PATH,
        begin,
        methods=["POST"],
        status_code=201,
        operation_id="experts_files_begin",
        summary="Begins a file that is then sent in pieces",
        openapi_extra={
            **documented(
                FileBegun, {"document": "diploma", "media_type": "application/pdf", "size": 52_000, "name": "scan.pdf"}
            ),
            "responses": {
                "201": {**told, "headers": {"Location": LOCATION, **HEADERS}},
                "409": refused_by(NOT_NOW, MANY),
            },
        },
    )


def _progress(router: APIRouter, files: CaseFiles) -> None:
    async def progress(
        id: str, file: str, request: Request, granted: Granted = Depends(may(EXPERT.name, FILES))
    ) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        state = await files.one(expert, id_of(file))
        return JSONResponse(representation(seen(file, state)), 200, headers_of(state))

    told = answered(FileSeen, "The file, with how far it is in the headers.")["200"]
    router.add_api_route(
        f"{PATH}/{{file}}",
        progress,
        methods=["GET"],
        operation_id="experts_files_progress",
        summary="How far a file is; HEAD answers the headers alone",
        openapi_extra={"responses": {"200": {**told, "headers": dict(HEADERS)}}},
    )


def _receiving(router: APIRouter, files: CaseFiles) -> None:
    async def receive(
        id: str, file: str, request: Request, granted: Granted = Depends(may(EXPERT.name, ADD))
    ) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        await files.one(expert, id_of(file))
        piece = piece_of(request)
        taken = files.receive(expert, file, piece.offset, request.stream(), complete=piece.complete)
        found = await received(taken, lambda: files.one(expert, file))
        if isinstance(found, Response):
            return found
        if found.status == "receiving":
            return Response(None, 204, headers_of(found))
        return JSONResponse(representation(seen(file, found)), 200, headers_of(found))

    headers = {"headers": dict(HEADERS)}
    router.add_api_route(
        f"{PATH}/{{file}}",
        receive,
        methods=["PATCH"],
        operation_id="experts_files_receive",
        summary="A piece of a file; with the last one the file is looked at, and kept or refused",
        openapi_extra={
            "parameters": [*PARAMETERS],
            "requestBody": BODY,
            "responses": {
                "200": {"description": "It is kept.", **_json(FileSeen), **headers},
                "204": {"description": "The piece is durable.", **headers},
                "409": {**refused_by(OFFSET), **headers},
                "410": refused_by(ENDED),
            },
        },
    )


def _removing(router: APIRouter, files: CaseFiles) -> None:
    async def remove(
        id: str, file: str, request: Request, granted: Granted = Depends(may(EXPERT.name, ADD))
    ) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        await read_body(request, Input)
        await files.remove(expert, id_of(file), granted)
        return JSONResponse(representation(await all_seen(files, expert)))

    router.add_api_route(
        f"{PATH}/{{file}}/remove",
        remove,
        methods=["POST"],
        operation_id="experts_files_remove",
        summary="Takes out of the list what was refused or is not finished",
        openapi_extra={
            **documented(Input, {}),
            "responses": {"200": _all_of_them(), "409": refused_by(NOT_NOW, IS_KEPT)},
        },
    )


def _reading(router: APIRouter, files: CaseFiles) -> None:
    async def read(
        id: str, file: str, request: Request, granted: Granted = Depends(may(EXPERT.name, READ))
    ) -> Response:
        query(request)
        expert = await granted.load(EXPERTS.name, id_of(id))
        asked = (await read_body(request, FileReading)).model
        held, parts = await files.read(expert, id_of(file), granted, asked.purpose)
        return await file_of(held, parts)

    router.add_api_route(
        f"{PATH}/{{file}}/read",
        read,
        methods=["POST"],
        response_class=Response,
        operation_id="experts_files_read",
        summary="Opens a file for a purpose; the trail has it first",
        openapi_extra={
            **documented(FileReading, {"purpose": "screening"}),
            "responses": {"200": {"description": "The file.", "content": {one: _bytes(one) for one in MEDIA_TYPES}}},
        },
    )


def _all_of_them() -> dict[str, Any]:
    """`FilesSeen`, whose files are the very model that one file is answered by."""
    item = model_schema(FileSeen)
    properties = {
        "files": {"type": "array", "items": {"$ref": item["$ref"]}},
        "missing": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Needed documents of which none is kept.",
        },
    }
    schema = {"type": "object", "required": [*properties], "properties": properties, "$defs": item["$defs"]}
    said = "The oldest first: what is known of each, and nothing of what is in it."
    return {"description": said, "content": {"application/json": {"schema": schema}}}


def _bytes(media_type: str) -> dict[str, Any]:
    return {"schema": {"type": "string", "contentMediaType": media_type}}


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": model_schema(model)}}}
