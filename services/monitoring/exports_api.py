"""JSON: published figures as a file, asked for as a job (`shared/web/jobs.py`)."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from services.monitoring.work.exporting import CREATE, EXPORTS, KIND, ExportAsked, Exporting, Language
from shared.canonical import canonical_json
from shared.jobs.running import Jobs
from shared.store.port import Document
from shared.web.answers import refused_by
from shared.web.bodies import Body, body_of, documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import key_of
from shared.web.jobs import accepted, asked_for, job_answers
from shared.web.lists import query
from shared.web.pages.languages import preferred
from shared.web.routing import Routes

EXAMPLE = {"format": "csv", "period": "first-report", "language": "en"}


def exports_router(exporting: Exporting, jobs: Jobs) -> APIRouter:
    """`POST /programmes/{code}/exports`."""
    router = Routes(tags=[EXPORTS])

    async def exports_create(code: str, request: Request, granted: Granted = Depends(may(EXPORTS, CREATE))) -> Response:
        query(request)
        sent = await read_body(request, ExportAsked)
        document = await exported(request, granted, exporting, jobs, code, sent, key_of(request, granted))
        return await accepted(jobs, document, granted)

    router.add_api_route(
        f"/programmes/{{code}}/{EXPORTS}",
        exports_create,
        methods=["POST"],
        status_code=202,
        summary="Has a file made of published figures, from signed statements alone",
        description="What each form holds stands in docs/exports.md. The job says how many figures the file has and "
        "its SHA-256; its file is for whoever asked and for administrators, and who fetched it is noted. "
        "Roles: evaluator, officer, administrator (all).",
        operation_id="exports_create",
        openapi_extra={
            **documented(ExportAsked, EXAMPLE),
            "responses": {**job_answers(jobs), "404": refused_by("not_found")},
        },
    )
    return router


async def exported(
    request: Request,
    granted: Granted,
    exporting: Exporting,
    jobs: Jobs,
    code: str,
    sent: Body[ExportAsked],
    key: str,
) -> Document:
    """The job, the same one for the same key. Raises as `Exporting.settled` and `asked_for`."""
    found = await exporting.settled(code, sent.model, cast(Language, preferred(request)))
    route = f"POST /monitoring/v1/programmes/{code}/{EXPORTS}"
    return await asked_for(request, granted, jobs, KIND, found, route=route, key=key, digest=sent.digest)


def asked_in(fields: dict[str, str]) -> Body[ExportAsked]:
    """A form's fields as the body that a program sends; what is empty is not said. Refusal 422."""
    said = {name: fields[name] for name in ExportAsked.model_fields if fields.get(name)}
    return body_of(ExportAsked, canonical_json(said))
