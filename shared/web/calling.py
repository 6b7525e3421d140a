"""From what somebody asks to the one call of the act, whichever edge it came through.

What is asked at the JSON edge, on a page, or by a draft under the same key, of the same case, is the same command.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from shared.cases.case import Move
from shared.store.port import Document
from shared.web.acting import NOTHING_YET, Call, Served
from shared.web.bodies import Body
from shared.web.callers import Granted
from shared.web.commands import cause


@dataclass(frozen=True)
class Asking:
    """Of which case, under which key, and on which version. `id`: None for a case that is about to be opened."""

    key: str
    id: str | None = None
    version: int | None = None
    document: Document = field(default_factory=lambda: NOTHING_YET)


async def call_of(
    request: Request, granted: Granted, served: Served, move: Move, sent: Body[Any], asking: Asking
) -> Call[Any]:
    """What is asked for; a case that is opened without a natural id takes the command's. Raises Refusal 422 or 403."""
    verb, id, document = move.verb, asking.id, asking.document
    # What is taken in keeps no digest but the receipt's, which is the submitter's to check.
    taken = verb in served.taken
    person = served.person_of(document, verb)
    digest = sent.digest if taken else await granted.edge.digests.of(sent.digest, person)
    path = f"/{granted.edge.service}/v1/{served.name}" + (f"/{id}/{verb}" if id else "")
    body: Any = sent.model
    said = cause(request, granted, f"POST {path}", asking.key, digest, body.happened_at)
    return Call(id or said.command_id, verb, body, said, asking.version, document, granted)
