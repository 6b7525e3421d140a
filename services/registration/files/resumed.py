"""Uploads that go on where they broke off, by the terms of the IETF draft of resumable uploads for HTTP
(draft-ietf-httpbis-resumable-upload): offsets, completeness, and `application/partial-upload`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any

from fastapi import Request
from starlette.responses import Response

from services.registration.domain.files import FILE_BYTES_AT_MOST, OFFSET, PIECE_BYTES, StoredFile, file_name
from services.registration.work.filing import Held
from shared.errors import Refusal
from shared.web.handed import handed_out
from shared.web.problems import problem
from shared.web.strict_json import refuse

PARTIAL = "application/partial-upload"
OFFSET_HEADER, COMPLETE_HEADER = "upload-offset", "upload-complete"
_COMPLETE = {"?1": True, "?0": False}


@dataclass(frozen=True)
class Piece:
    """What a PATCH says of its body: from which byte on it is, and whether the file ends with it."""

    offset: int
    complete: bool


def piece_of(request: Request) -> Piece:
    """Looked at before anything is read. Raises Refusal 413, 415, 422."""
    message, said = Message(), request.headers
    message["content-type"] = said.get("content-type", "")
    if not said.get("content-type") or message.get_content_type() != PARTIAL:
        raise Refusal("unsupported_media_type", f"a piece of a file is {PARTIAL}", status=415)
    offset, complete = said.get(OFFSET_HEADER, ""), said.get(COMPLETE_HEADER, "")
    if not (offset.isascii() and offset.isdecimal() and len(offset) <= 15):
        refuse("upload_offset_malformed", f"header/{OFFSET_HEADER}")
    if complete not in _COMPLETE:
        refuse("upload_complete_malformed", f"header/{COMPLETE_HEADER}", "?1 with the last piece, else ?0")
    declared = said.get("content-length", "")
    if declared.isdecimal() and int(declared) > FILE_BYTES_AT_MOST:
        raise Refusal("too_large", "no more than is left of the size that was said", status=413)
    return Piece(int(offset), _COMPLETE[complete])


def headers_of(state: StoredFile) -> dict[str, str]:
    """How far it is, as the draft says it. What was refused is complete too: nothing more is taken of it."""
    return {
        "Upload-Offset": str(state.received),
        "Upload-Complete": "?0" if state.status == "receiving" else "?1",
        "Upload-Length": str(state.size),
        "Upload-Limit": f"max-size={FILE_BYTES_AT_MOST}",
    }


async def received(piece: Awaitable[StoredFile], state: Callable[[], Awaitable[StoredFile]]) -> StoredFile | Response:
    """What became of a piece; the answer 409 with the right offset where it was sent from another one."""
    try:
        return await piece
    except Refusal as refusal:
        if refusal.rule != OFFSET:
            raise
        return problem(refusal.status, OFFSET, headers=headers_of(await state()))


async def file_of(held: Held, parts: AsyncIterator[bytes]) -> Response:
    """The whole file, to be kept."""
    state = held.state
    return await handed_out(file_name(state.document, held.id, state.media_type), state.media_type, state.size, parts)


_NUMBER = {"type": "string", "pattern": "^[0-9]{1,15}$"}
HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Upload-Offset": {
        "description": "Bytes that are durable.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
    },
    "Upload-Complete": {
        "description": "`?1` once nothing more is taken.",
        "schema": {"type": "string", "enum": [*_COMPLETE]},
    },
    "Upload-Length": {"description": "Bytes in all.", "schema": _NUMBER},
    "Upload-Limit": {"description": "What a file may have.", "schema": {"type": "string"}},
}
PARAMETERS: tuple[Mapping[str, Any], ...] = tuple(
    {"name": name, "in": "header", "required": True, "description": description, "schema": HEADERS[name]["schema"]}
    for name, description in (
        ("Upload-Offset", "From which byte on the body is: as many as are durable."),
        ("Upload-Complete", "`?1` with the last piece; the file is then looked at."),
    )
)
BODY: Mapping[str, Any] = {
    "required": True,
    "description": f"Bytes of the file, such as {PIECE_BYTES} at a time.",
    "content": {PARTIAL: {"schema": {"type": "string", "format": "binary", "maxLength": FILE_BYTES_AT_MOST}}},
}
