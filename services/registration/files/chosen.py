"""A file that somebody has chosen in a form: read as it comes, and refused in words before it is, where it can be."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from services.registration.domain.file_content import MEDIA_TYPES
from services.registration.domain.files import (
    EMPTY,
    FILE_BYTES_AT_MOST,
    FILES_AT_MOST,
    LARGE,
    PIECE_BYTES,
    UNCHOSEN,
    sized,
)
from shared.errors import Refusal
from shared.web.pages.multipart import SentFile, is_longer, sent_file

MEGABYTE = 1_048_576


@dataclass(frozen=True)
class Limits:
    """What is said before a file is chosen. `most`, `piece`: bytes; `megabytes`: the same as `most` for people.

    `empty`, `large`: the rules that a browser sees broken before it sends anything.
    """

    most: int = FILE_BYTES_AT_MOST
    megabytes: int = FILE_BYTES_AT_MOST // MEGABYTE
    piece: int = PIECE_BYTES
    files: int = FILES_AT_MOST
    accepted: str = ",".join(MEDIA_TYPES)
    empty: str = EMPTY
    large: str = LARGE


async def chosen(request: Request) -> SentFile:
    """Refusal (422) `file_too_large` by what the form says of its length, `file_not_chosen`; and as `sent_file`."""
    if is_longer(request, FILE_BYTES_AT_MOST):
        sized(FILE_BYTES_AT_MOST + 1)
    sent = await sent_file(request)
    if not sent.name:
        raise Refusal(UNCHOSEN, status=422)
    return sent
