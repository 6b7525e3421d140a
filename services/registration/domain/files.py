"""Files that people add to an application: what is known of one without opening it, and what may be added.

The names of files and what is in them are nobody's to see but for whoever reads the file: they are sealed elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from services.registration.domain.file_content import MediaType
from services.registration.domain.readings import DOCUMENTS, OPENS, Purpose
from shared.cases.bodies import Input
from shared.contracts.base import Code, Instant
from shared.errors import Refusal
from shared.programmes.sections.selection import AskedDocument
from shared.texts import one_line

FILE_BYTES_AT_MOST = 10 * 1_048_576
# What is sealed and written at once; a line that breaks loses no more of what was sent.
PIECE_BYTES = 262_144
FILES_AT_MOST = 20
UNFINISHED_FOR = timedelta(days=1)
NAME_CHARACTERS = 200

EMPTY, LARGE, OFFSET, UNFINISHED = "file_empty", "file_too_large", "upload_offset_differs", "upload_unfinished"
NOT_ASKED, MANY, ENDED, UNCHOSEN = "document_not_asked", "files_too_many", "file_ended", "file_not_chosen"

Status = Literal["receiving", "kept", "refused", "gone"]
FilePurpose = Literal["travel", "screening", "identity_check", "rights_request"]
# Files are documents of a person: whatever purpose opens those opens them.
FILE_PURPOSES: tuple[Purpose, ...] = tuple(purpose for purpose, opens in OPENS.items() if DOCUMENTS in opens)


class FileBegun(Input):
    """A file that is about to be sent in pieces. `size`: its bytes; `name`: for its owner alone, and sealed."""

    document: Annotated[
        Code, Field(description="One of the documents that the programme lists, or that the case was asked for.")
    ]
    media_type: MediaType
    size: Annotated[int, Field(ge=0, le=2**53 - 1, description=f"In bytes, {FILE_BYTES_AT_MOST} at most.")]
    name: Annotated[str, StringConstraints(max_length=NAME_CHARACTERS), BeforeValidator(one_line)] = ""


class FileReading(Input):
    """For what a file is read; not needed by whoever it is of. The entry in the trail says it to the person too."""

    purpose: FilePurpose | None = None


class StoredFile(BaseModel):
    """What is known of a file without its key. `draft`: of which application it still is, None for a person's.

    `expert`, `person`: the case and the person that it is of, or will be once the application is recorded. `received`:
    bytes that are durable, in order; `rule`: why it was refused; `account`: of the officer who added it for somebody.
    `emptied`: nothing of it is left to be destroyed.
    """

    model_config = ConfigDict(frozen=True)

    document: Code
    media_type: MediaType
    size: int
    received: int = 0
    status: Status = "receiving"
    draft: str | None = None
    expert: str
    person: str
    began_at: Instant
    touched_at: Instant
    kept_at: Instant | None = None
    rule: str | None = None
    account: str | None = None
    emptied: bool = False

    @property
    def until(self) -> datetime:
        """When what is not finished ends, and what was refused is told no more."""
        return self.touched_at + UNFINISHED_FOR

    def is_left(self, now: datetime) -> bool:
        """Whether it ends now: nobody went on with it, or it was refused for long enough."""
        return self.status in ("receiving", "refused") and self.until <= now

    @property
    def counts(self) -> bool:
        """Whether it takes room among the files of its owner."""
        return self.status in ("receiving", "kept")


def sized(size: int) -> None:
    """Refusal (422) `file_empty`, `file_too_large`."""
    if size == 0:
        raise Refusal(EMPTY, "a file with something in it", at="/size", status=422)
    if size > FILE_BYTES_AT_MOST:
        raise Refusal(LARGE, f"a file of at most {FILE_BYTES_AT_MOST} bytes", at="/size", status=422)


def admitted(asked: AskedDocument | None, others: Iterable[StoredFile]) -> None:
    """Whether one more may be added to those, of which those count that are kept and those that are still coming in.
    Refusal `document_not_asked` (422), `files_too_many`."""
    if asked is None:
        raise Refusal(
            NOT_ASKED,
            "the code of a document that the programme asks for",
            at="/document",
            status=422,
        )
    standing = [one for one in others if one.counts]
    of_it = sum(one.document == asked.code for one in standing)
    if len(standing) >= FILES_AT_MOST or of_it >= asked.most:
        kept_or_coming = f"{FILES_AT_MOST} files in all, and of this document {asked.most}, also while they come in"
        raise Refusal(MANY, kept_or_coming)


def documents_of(listed: Sequence[AskedDocument], requested: Iterable[AskedDocument]) -> tuple[AskedDocument, ...]:
    """Of a case: what its programme lists, and then what was requested beside. None where the programme lists none.

    What was requested is needed, and more files of it are taken, whatever was added before. A definition may write its
    codes with hyphens where the service's items have underscores.
    """
    asked = {_alike(one.code): one for one in requested}
    again = {"needed": True, "most": FILES_AT_MOST}
    found = [one.model_copy(update=again) if asked.pop(_alike(one.code), None) else one for one in listed]
    return (*found, *(one.model_copy(update=again) for one in asked.values())) if listed else ()


def _alike(code: str) -> str:
    return code.replace("-", "_")


def missing(asked: Iterable[AskedDocument], files: Iterable[StoredFile]) -> tuple[str, ...]:
    """The codes of needed documents of which no file is kept."""
    kept = {one.document for one in files if one.status == "kept"}
    return tuple(one.code for one in asked if one.needed and one.code not in kept)


def file_name(document: str, reference: str, media_type: str) -> str:
    """Under which name it is handed out: never the one that it came with."""
    endings: Mapping[str, str] = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}
    return f"{document}-{reference[:8]}.{endings[media_type]}"
