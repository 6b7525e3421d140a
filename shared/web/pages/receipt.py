"""The page of a receipt: what was received and when, and what became of it by now."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.clock import instant_of
from shared.intake.submissions import SUBMISSIONS, Intake
from shared.store.port import Document
from shared.web.acting import Served, id_of
from shared.web.lists import query
from shared.web.pages.cases import known_to
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.standing import zone_of
from shared.web.pages.words import translations
from shared.web.routing import Routes


def receipt_page(service: str, intake: Intake, cases: Sequence[Served]) -> APIRouter:
    """`GET /receipts/{id}`, and as a file `GET /receipts/{id}/signed`, for whoever sent it in and those who may read
    it through the JSON edge.

    `cases`: of the service, of which one has the receipt's subject where it was accepted.
    """
    router = Routes(include_in_schema=False)

    async def endpoint(
        id: str, request: Request, admitted: Admitted = Depends(reading_as("receipts", "read"))
    ) -> Response:
        query(request, PARAMETER)
        document = await admitted.load(SUBMISSIONS.name, id_of(id))
        receipt = await intake.receipt(document)
        words, subject = translations(admitted.reader.language), str(receipt["subject"])
        became = await _case_of(subject, cases, admitted)
        return render(
            request,
            "receipt.html",
            reader=admitted.reader,
            found={"id": document["_id"], "status": document["status"]},
            received=instant_of(str(receipt["received_at"])),
            case_zone=None if became is None else _zone_of(*became, admitted),
            problems=[words.gettext(f"rule:{one['rule']}") for one in document["problems"]],
            leads_to="" if became is None else f"/{service}/{became[0].name}/{subject}",
            signed=text_of_receipt(receipt),
        )

    async def signed(
        id: str, request: Request, admitted: Admitted = Depends(reading_as("receipts", "read"))
    ) -> Response:
        query(request)
        document = await admitted.load(SUBMISSIONS.name, id_of(id))
        return receipt_file(await intake.receipt(document))

    router.add_api_route("/receipts/{id}", endpoint, methods=["GET"])
    router.add_api_route("/receipts/{id}/signed", signed, methods=["GET"])
    return router


def text_of_receipt(receipt: Mapping[str, Any]) -> str:
    """As people keep it; what proves it is in the fields, whatever stands between them."""
    return json.dumps(dict(receipt), indent=2)


def receipt_file(receipt: Mapping[str, Any]) -> Response:
    """The signed receipt as a file, named by what it is of."""
    name = f"receipt-{str(receipt['id'])[:8]}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(text_of_receipt(receipt), media_type="application/json", headers=headers)


async def _case_of(subject: str, cases: Sequence[Served], admitted: Admitted) -> tuple[Served, Document] | None:
    """The case that the submission became; None while there is none."""
    for one in cases:
        document = await admitted.edge.store.load(one.aggregate.name, subject)
        if document is not None:
            return one, document
    return None


def _zone_of(served: Served, document: Document, admitted: Admitted) -> tzinfo:
    return zone_of(served.case, served.aggregate.read(document), known_to(served, admitted.edge.definitions, document))
