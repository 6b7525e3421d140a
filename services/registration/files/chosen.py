"""A file that somebody has chosen in a form: read as it comes, and refused in words before it is, where it can be."""

from __future__ import annotations

from collections.abc import Sequence
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
    FileBegun,
    StoredFile,
    missing,
    sized,
)
from shared.clock import Runtime
from shared.errors import Refusal
from shared.programmes.sections.selection import AskedDocument
from shared.web import bodies
from shared.web.conditions import is_key
from shared.web.pages.forms import Posted, fields_of, json_of
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


@dataclass(frozen=True)
class Listed:
    """A file on a page; `name`: for its owner alone, empty for others."""

    id: str
    state: StoredFile
    name: str = ""


@dataclass(frozen=True)
class Row:
    """A document that is asked for, its files, and whether one may be chosen: one more, or again the one that is
    unfinished.

    `at`: the page's address, below which each file has its own; `key`: of the next file's command.
    """

    asked: AskedDocument
    files: Sequence[Listed]
    at: str
    key: str

    @property
    def is_open(self) -> bool:
        return sum(one.state.status == "kept" for one in self.files) < self.asked.most

    @property
    def unfinished(self) -> list[dict[str, str | int]]:
        """What the script of the page goes on with, where the same file is chosen again."""
        begun = [one for one in self.files if one.state.status == "receiving" and one.name]
        return [{"at": f"{self.at}/{one.id}", "name": one.name, "size": one.state.size} for one in begun]

    @property
    def is_missing(self) -> bool:
        return bool(missing((self.asked,), (one.state for one in self.files)))


def rows_of(asked: Sequence[AskedDocument], files: Sequence[Listed], at: str, runtime: Runtime) -> list[Row]:
    """By document that is asked for."""
    return [
        Row(one, [file for file in files if file.state.document == one.code], at, runtime.new_id()) for one in asked
    ]


def begun_in(posted: Posted) -> FileBegun:
    """What the script of the page says of the file that it sends next. Raises Refusal 422."""
    found: FileBegun = bodies.body_of(FileBegun, json_of(fields_of(FileBegun.model_json_schema()), posted)).model
    return found


def key_sent(text: str) -> str:
    """Raises Refusal 422 for what is no command's key."""
    if not is_key(text):
        raise Refusal("idempotency_key_malformed", "the key that the form has", status=422)
    return text


async def chosen(request: Request) -> SentFile:
    """Refusal (422) `file_too_large` by what the form says of its length, `file_not_chosen`; and as `sent_file`."""
    if is_longer(request, FILE_BYTES_AT_MOST):
        sized(FILE_BYTES_AT_MOST + 1)
    sent = await sent_file(request)
    if not sent.name:
        raise Refusal(UNCHOSEN, "a file that was chosen", status=422)
    return sent
