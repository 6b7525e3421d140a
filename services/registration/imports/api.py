"""JSON: a table of institutions or experts, sent to be looked through and then recorded (`shared/web/jobs.py`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from services.registration.domain import examples
from services.registration.domain.imports import BYTES_AT_MOST, TABLES, ImportAsked, Kind
from services.registration.identifiers import SERVICE
from services.registration.jobs.importing import CREATE, FILE, IMPORTS, kind_of
from shared.contracts.base import Code
from shared.errors import Refusal
from shared.jobs.content import PIECE_BYTES_AT_MOST
from shared.jobs.running import Jobs
from shared.store.port import Document
from shared.tables.reading import MEDIA_TYPES, Form
from shared.web.bodies import bounded_body, media_type_in_utf8
from shared.web.callers import Granted, may
from shared.web.commands import key_of
from shared.web.jobs import accepted, asked_for, job_answers
from shared.web.lists import fits, query
from shared.web.pages.languages import preferred
from shared.web.routing import Routes
from shared.web.strict_json import refuse

KIND, PROGRAMME, OFFICE = "kind", "programme", "office"
EMPTY = "file_empty"
_CODE: TypeAdapter[str] = TypeAdapter(Code)
_ROUTE = f"POST /{SERVICE}/v1/{IMPORTS}"
_CODED = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
PARAMETERS: Sequence[Mapping[str, Any]] = (
    {"name": KIND, "in": "query", "required": True, "schema": {"type": "string", "enum": [*TABLES]}},
    {"name": PROGRAMME, "in": "query", "schema": _CODED, "description": "Of rows of experts that name none."},
    {
        "name": OFFICE,
        "in": "query",
        "schema": _CODED,
        "description": "Of rows that name none; an officer's is the own.",
    },
)


def _example() -> str:
    row = {one.name: examples.INSTITUTION.get(one.name, "") for one in TABLES["institutions"].columns}
    return ",".join(row) + "\r\n" + ",".join(row.values()) + "\r\n"


BODY: Mapping[str, Any] = {
    "required": True,
    "description": f"A CSV file in UTF-8 with commas or semicolons, or a workbook, of {BYTES_AT_MOST} bytes at most: a "
    "row of names, and a row below it for each. Of institutions: "
    f"{', '.join(f'`{one.name}`' for one in TABLES['institutions'].columns)}. Of experts: "
    f"{', '.join(f'`{one.name}`' for one in TABLES['experts'].columns)}. Days are ISO 8601's; several codes in one "
    "cell have commas, semicolons or blanks between them, and languages a level after each, such as `fa C2, en B2`.",
    "content": {
        media_type: {
            "schema": {"type": "string", "format": "binary", "maxLength": BYTES_AT_MOST},
            **({"examples": {"example": {"value": _example()}}} if form == "csv" else {}),
        }
        for media_type, form in MEDIA_TYPES.items()
    },
}


def imports_router(jobs: Jobs) -> APIRouter:
    """`POST /imports?kind=institutions|experts`."""
    router = Routes(tags=[IMPORTS])

    async def create(request: Request, granted: Granted = Depends(may(IMPORTS, CREATE))) -> Response:
        kind, asked = _asked_in(request)
        raw = await bounded_body(request, BYTES_AT_MOST)
        return await accepted(
            jobs, await imported(request, granted, jobs, kind, asked, raw, key_of(request, granted)), granted
        )

    router.add_api_route(
        f"/{IMPORTS}",
        create,
        methods=["POST"],
        status_code=202,
        summary="Has a table looked through; nothing is recorded before the job is confirmed",
        description="Each row is held to the rules of the verb that records one (`POST /institutions`, `/experts`). "
        "The same row is recorded once, in whichever file it comes. Roles: officer (office); administrator (all).",
        operation_id="imports_create",
        openapi_extra={"parameters": [*PARAMETERS], "requestBody": BODY, "responses": job_answers(jobs)},
    )
    return router


async def imported(
    request: Request, granted: Granted, jobs: Jobs, kind: Kind, asked: ImportAsked, raw: bytes, key: str
) -> Document:
    """The job of the file. Refusal `file_empty` (422); raises as `asked_for`."""
    if not raw:
        raise Refusal(EMPTY, "a file with something in it", status=422)
    said = asked.model_dump_json(exclude={"language"})
    digest = hashlib.sha256(f"{kind}\n{said}\n".encode() + raw).hexdigest()
    pieces = [raw[start : start + PIECE_BYTES_AT_MOST] for start in range(0, len(raw), PIECE_BYTES_AT_MOST)]
    how = {"route": _ROUTE, "key": key, "digest": digest}
    return await asked_for(request, granted, jobs, kind_of(kind), asked, files={FILE: pieces}, **how)


def form_of(header: str) -> Form:
    """Refusal (415) for what is neither a CSV file nor a workbook, and for one in another charset than UTF-8."""
    found = MEDIA_TYPES.get(media_type_in_utf8(header))
    if found is None:
        raise Refusal("unsupported_media_type", f"one of {', '.join(MEDIA_TYPES)}, in UTF-8", status=415)
    return found


def _asked_in(request: Request) -> tuple[Kind, ImportAsked]:
    said = query(request, KIND, PROGRAMME, OFFICE)
    kind = kind_in(said.get(KIND))
    for name in (PROGRAMME, OFFICE):
        if name in said and not fits(_CODE, said[name]):
            refuse("string_pattern_mismatch", f"query/{name}")
    codes = {name: said[name] for name in (PROGRAMME, OFFICE) if name in said}
    form = form_of(request.headers.get("content-type", ""))
    return kind, ImportAsked(form=form, language=preferred(request), **codes)


def kind_in(text: str | None) -> Kind:
    """Refusal (422) for none that there is."""
    found = next((kind for kind in TABLES if kind == text), None)
    if found is None:
        refuse("literal_error", f"query/{KIND}", f"one of {', '.join(TABLES)}")
    return found
