"""The page of a receipt: what was received and when, and what became of it by now."""

from __future__ import annotations

import json
from datetime import UTC

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.clock import instant_of
from shared.intake.submissions import SUBMISSIONS, Intake
from shared.web.acting import id_of
from shared.web.lists import query
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.words import translations

# Where a submission of that kind leads, once it was accepted: the page of its subject.
_LEADS_TO = {"expert-registration": "experts", "application": "matches"}


def receipt_page(service: str, intake: Intake) -> APIRouter:
    """`GET /receipts/{id}`, for whoever sent it in and those who may read it through the JSON edge."""
    router = APIRouter(include_in_schema=False)

    async def endpoint(
        id: str, request: Request, admitted: Admitted = Depends(reading_as("receipts", "read"))
    ) -> Response:
        query(request, PARAMETER)
        document = await admitted.load(SUBMISSIONS.name, id_of(id))
        receipt = await intake.receipt(document)
        words = translations(admitted.reader.language)
        plural = _LEADS_TO.get(str(receipt["kind"]), "")
        return render(
            request,
            "receipt.html",
            reader=admitted.reader,
            found={"id": document["_id"], "status": document["status"]},
            received=instant_of(str(receipt["received_at"])),
            zone=UTC,
            problems=[words.gettext(f"rule:{one['rule']}") for one in document["problems"]],
            leads_to=f"/{service}/{plural}/{receipt['subject']}" if plural else "",
            signed=json.dumps(dict(receipt), indent=2),
        )

    router.add_api_route("/receipts/{id}", endpoint, methods=["GET"])
    return router
