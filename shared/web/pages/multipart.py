"""A form with one file in it (RFC 7578), read as it comes: its fields first, then the file part by part.

Nothing of it is kept in memory beyond a few kilobytes, nor put into a file in clear, as the framework's own reading
does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import Message
from email.utils import collapse_rfc2231_value

from fastapi import Request

from shared.errors import Refusal

MULTIPART = "multipart/form-data"
FIELD_BYTES_AT_MOST, HEAD_BYTES_AT_MOST, FIELDS_AT_MOST = 4_096, 8_192, 20
# Beside the file itself: boundaries, heads and fields.
AROUND_BYTES_AT_MOST = 65_536
# What is too large is read to its end and thrown away up to here: a browser that is cut off shows its own error page.
PASSED_BYTES_AT_MOST = 31 * 1_048_576
_DISPOSITION = "content-disposition"


@dataclass(frozen=True)
class SentFile:
    """The fields that stood before the file; the file's name and type as the browser says them; its bytes.

    `parts` is to be read to its end, which is the end of the form.
    """

    fields: dict[str, str]
    name: str
    media_type: str
    parts: AsyncIterator[bytes]


async def sent_file(request: Request) -> SentFile:
    """Reads as far as the file begins. Raises Refusal 415, 422 `form_malformed`."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = _parameter(message, "boundary", "content-type")
    if message.get_content_type() != MULTIPART:
        raise Refusal("unsupported_media_type", f"a form with a file is {MULTIPART}", status=415)
    if boundary is None or not 0 < len(boundary) <= 70:
        raise Refusal("form_malformed", status=422)
    return await _Form(_stream_of(request), b"--" + boundary.encode()).read()


def is_longer(request: Request, at_most: int) -> bool:
    """Whether the form says of itself that it is longer than that and what stands around a file."""
    declared = request.headers.get("content-length", "")
    return declared.isdecimal() and int(declared) > at_most + AROUND_BYTES_AT_MOST


async def pass_over(request: Request) -> None:
    """Reads what is left of a form that is refused and keeps nothing of it, so that the answer is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) <= PASSED_BYTES_AT_MOST:
        async for _ in _stream_of(request):
            pass


def _stream_of(request: Request) -> AsyncIterator[bytes]:
    """The one stream of the body, wherever its reading has come to."""
    if not hasattr(request.state, "form_stream"):
        request.state.form_stream = request.stream()
    stream: AsyncIterator[bytes] = request.state.form_stream
    return stream


class _Form:
    def __init__(self, stream: AsyncIterator[bytes], delimiter: bytes) -> None:
        self._stream = stream
        # The first delimiter has no line before it.
        self._held = bytearray(b"\r\n")
        self._ends = b"\r\n" + delimiter

    async def read(self) -> SentFile:
        fields: dict[str, str] = {}
        await self._until(self._ends, HEAD_BYTES_AT_MOST)
        while len(fields) < FIELDS_AT_MOST and await self._until(b"\r\n", HEAD_BYTES_AT_MOST) == b"":
            head = _head(await self._until(b"\r\n\r\n", HEAD_BYTES_AT_MOST))
            file = _parameter(head, "filename", _DISPOSITION)
            if file is None:
                # As mail says it.
                file = _parameter(head, "name", "content-type")
            if file is not None:
                # As it is said: what reads it as mail makes plain text of one that is empty.
                kind = str(head.get("content-type", "")).partition(";")[0].strip().lower()
                return SentFile(fields, file, kind, self._file())
            fields[_parameter(head, "name", _DISPOSITION) or ""] = _text(
                await self._until(self._ends, FIELD_BYTES_AT_MOST)
            )
        raise Refusal("form_malformed", status=422)

    async def _until(self, mark: bytes, at_most: int) -> bytes:
        """What stands before the mark, which is taken too."""
        while (at := self._held.find(mark)) < 0:
            if len(self._held) > at_most or not await self._more():
                raise Refusal("form_malformed", status=422)
        found = bytes(self._held[:at])
        del self._held[: at + len(mark)]
        return found

    async def _file(self) -> AsyncIterator[bytes]:
        while (at := self._held.find(self._ends)) < 0:
            # The delimiter may be cut by the border of two parts.
            known = len(self._held) - len(self._ends)
            if known > 0:
                yield bytes(self._held[:known])
                del self._held[:known]
            if not await self._more():
                raise Refusal("form_malformed", status=422)
        if at:
            yield bytes(self._held[:at])
        async for _ in self._stream:
            pass

    async def _more(self) -> bool:
        part = await anext(self._stream, b"")
        self._held += part
        return part != b""


def _head(raw: bytes) -> Message:
    message = Message()
    for line in _text(raw).split("\r\n"):
        name, _, value = line.partition(":")
        if name and value and "\n" not in line and "\r" not in line:
            message[name] = value.strip()
    return message


def _parameter(message: Message, name: str, header: str) -> str | None:
    """The parameter of a header, decoded (RFC 2231); None where there is none. Refusal (422) `form_malformed`."""
    try:
        found = message.get_param(name, header=header)
        text = None if found is None else collapse_rfc2231_value(found)
        # Some charsets give halves of characters, which nothing can write.
        (text or "").encode()
    except (ValueError, LookupError, TypeError):
        # The email package fails in all of these ways over charsets, numbers and parts that do not go together.
        raise Refusal("form_malformed", status=422) from None
    return text


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Refusal("form_malformed", status=422) from None
