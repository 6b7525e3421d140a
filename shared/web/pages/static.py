"""The style and the script of pages, and the lists that pages share: files whose names hold the digest of what is in
them, kept for ever.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.errors import Refusal
from shared.web.callers import everybody
from shared.web.lists import query
from shared.web.pages.code_lists import code_lists
from shared.web.pages.languages import LANGUAGES
from shared.web.routing import Routes

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
KEPT = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
DIGEST_CHARACTERS = 12
# Of what is made for one request: a list of 200 rows takes two thirds of the usual level's time and 2 % more bytes.
LEVEL = 4


@dataclass(frozen=True)
class File:
    """A file as it is sent: plain, and as gzip."""

    media_type: str
    plain: bytes
    packed: bytes


def address(service: str, name: str) -> str:
    """Where the service serves the file, such as `/matching/static/style.0123456789ab.css`."""
    return f"/{service}/static/{_names()[name]}"


def lists_address(service: str, language: str) -> str:
    """Where the service serves the lists of standards in that language."""
    return f"/{service}/static/{_lists(language)[0]}"


def static_router() -> APIRouter:
    """`GET /static/<name>.<digest>.<kind>`, open to everybody."""
    router = Routes(include_in_schema=False)

    async def static(file: str, request: Request) -> Response:
        query(request)
        found = _files().get(file) or _lists_in(file)
        if found is None:
            raise Refusal("not_found", status=404)
        return packed(request, found.plain, found.packed, found.media_type, KEPT)

    router.add_api_route("/static/{file}", static, methods=["GET"], dependencies=[Depends(everybody)])
    return router


def packed(
    request: Request, plain: bytes, small: bytes | None, media_type: str, headers: dict[str, str], status: int = 200
) -> Response:
    """The answer, as gzip where the browser takes it. `small`: made here where there is none yet."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(plain, status, headers, media_type)
    content = gzip.compress(plain, LEVEL, mtime=0) if small is None else small
    return Response(content, status, {**headers, "Content-Encoding": "gzip"}, media_type)


@cache
def _lists(language: str) -> tuple[str, File]:
    """The name of the file of lists, and the file: made when it is first named, and not for the style of a page."""
    plain = code_lists(language)
    return f"lists-{language}.{_digest(plain)}.json", _file(plain, "application/json")


def _lists_in(name: str) -> File | None:
    """The file of lists of that name."""
    language = name.removeprefix("lists-").partition(".")[0]
    called, found = _lists(language) if language in LANGUAGES else ("", None)
    return found if called == name else None


def _file(plain: bytes, media_type: str) -> File:
    return File(media_type, plain, gzip.compress(plain, 9, mtime=0))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGEST_CHARACTERS]


@cache
def _names() -> dict[str, str]:
    """The names in the folder -> those under which the files are served."""
    return {
        path.name: f"{path.stem}.{_digest(path.read_bytes())}{path.suffix}"
        for path in sorted(FOLDER.iterdir())
        if path.suffix in KINDS
    }


@cache
def _files() -> dict[str, File]:
    return {served: _file((FOLDER / name).read_bytes(), KINDS[Path(name).suffix]) for name, served in _names().items()}
