"""A file that a form sends at once: what it is shows in its first bytes, how long it is at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from services.registration.domain.file_content import BEGIN_BYTES, kind_of
from services.registration.domain.files import FILE_BYTES_AT_MOST, NAME_CHARACTERS, FileBegun, sized
from shared.errors import Problem, Refusal
from shared.texts import visible


@dataclass(frozen=True)
class Whole:
    """A file that comes at once, as a form says it: for which document, its name, of which type, its bytes."""

    document: str
    name: str
    media_type: str
    parts: AsyncIterator[bytes]


async def begun_whole(whole: Whole) -> tuple[FileBegun, AsyncIterator[bytes]]:
    """What the file is by its first bytes, and all of its bytes. As large as may be: its length shows at its end.

    Refusal (422) `file_empty`, and by the rule that refuses what begins so.
    """
    first = bytearray()
    async for part in whole.parts:
        first += part
        if len(first) >= BEGIN_BYTES:
            break
    sized(len(first))
    kind = kind_of(bytes(first[:BEGIN_BYTES]), whole.media_type)
    if isinstance(kind, Problem):
        raise Refusal(kind.rule, status=422)
    # Whatever a device calls it: the name is sealed, and shown to its owner alone.
    name = " ".join(one for one in visible(whole.name).split() if one.isprintable())[:NAME_CHARACTERS]
    said = FileBegun.model_construct(document=whole.document, media_type=kind, size=FILE_BYTES_AT_MOST, name=name)
    return said, _all(bytes(first), whole.parts)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for part in rest:
        yield part
