"""Files that are handed out: to be kept and never shown in their place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response

# Nothing in a file may run or ask for anything, in whatever way a browser comes to show it.
SANDBOXED = "sandbox; default-src 'none'; frame-ancestors 'none'"


async def handed_out(name: str, media_type: str, size: int, parts: AsyncIterator[bytes]) -> Response:
    """`size` in bytes. The first part is opened before the answer begins: what cannot be opened is refused."""
    return _HandedOut(name, media_type, size, await anext(parts, b""), parts)


class _HandedOut(Response):
    """Piece by piece, so that a file is in no memory whole."""

    def __init__(self, name: str, media_type: str, size: int, first: bytes, parts: AsyncIterator[bytes]) -> None:
        super().__init__()
        self.init_headers(
            {
                "Content-Type": media_type,
                "Content-Length": str(size),
                "Content-Disposition": f'attachment; filename="{name}"',
                "Content-Security-Policy": SANDBOXED,
            }
        )
        self._first, self._parts = first, parts

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        async for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
