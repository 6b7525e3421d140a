"""Refusals as pages, for whoever asks a page: the same status, rule and headers as at the JSON edge, in words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import Response

from shared.errors import Problem, Refusal, Unavailable
from shared.web.pages.readers import NoPass, Reader, reader_of
from shared.web.pages.rendering import render
from shared.web.pages.shown import PART
from shared.web.problems import REFUSED, answer_to

Handler = Callable[[Request, Exception], Awaitable[Response]]
# What programs ask, whatever they say that they accept.
_OF_PROGRAMS = ("/v1", "/health", "/openapi.json", "/asyncapi.json", "/schemas", "/static")
_NOT_FOR_READER = (403, 404)
_KEPT_HEADERS = ("Retry-After", "Allow")


def install(app: FastAPI) -> None:
    """Puts a page in front of every answer to an error that is installed already."""
    for kind, answer in [*app.exception_handlers.items()]:
        app.add_exception_handler(kind, _as_page(answer))


def _as_page(answer: Any) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        said: Response = await answer(request, error)
        if said.media_type == "text/html" or not asks_a_page(request):
            return said
        reader, status = await _reader(request), said.status_code
        if status in _NOT_FOR_READER and request.url.path.endswith(f"/{PART}"):
            # The page around it cannot know, and a browser would tell its reader of an error.
            return render(request, "part_refused.html", reader=reader)
        again = request.url.path if _is_of_the_address(request, error) else ""
        page = render(request, "refused.html", status, reader=reader, rule=_rule_said(said), again=again)
        _carry_headers(said, page)
        return page

    return handle


def _is_of_the_address(request: Request, error: Exception) -> bool:
    """Whether what follows the page's path is wrong alone, so that the page is there without it."""
    problems = error.problems if isinstance(error, Refusal) else ()
    return request.method == "GET" and bool(problems) and all(one.pointer.split("/")[0] == "query" for one in problems)


@dataclass(frozen=True)
class Refused:
    """What a form is shown again with: the JSON edge's status, and the problems at fields or its rule alone."""

    problems: tuple[Problem, ...]
    status: int
    _said: Response

    @classmethod
    def by(cls, error: Exception) -> Refused:
        """`error`: one of `ANSWERS`."""
        said = answer_to(error)
        problems = error.problems if isinstance(error, Refusal) else (Problem(_rule_said(said)),)
        return cls(problems, said.status_code, said)

    @property
    def rule(self) -> str:
        return _rule_said(self._said)

    def over(self, page: Response) -> Response:
        """The page, with what the JSON edge's answer says beside its body."""
        _carry_headers(self._said, page)
        return page


def _rule_said(said: Response) -> str:
    """The rule that an answer of the JSON edge names."""
    return str(json.loads(bytes(said.body))["rule"]) if said.body else REFUSED


def _carry_headers(said: Response, page: Response) -> None:
    """Puts onto the page what the JSON edge's answer says beside its body."""
    for name in _KEPT_HEADERS:
        if name in said.headers:
            page.headers[name] = said.headers[name]


def asks_a_page(request: Request) -> bool:
    """Whether a person asks: a browser says so, and the path is no program's."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return "text/html" in request.headers.get("accept", "") and not path.startswith(_OF_PROGRAMS)


async def _reader(request: Request) -> Reader | None:
    try:
        return await reader_of(request)
    except (NoPass, Unavailable):
        return None
