"""Routers that are asked for paths alone that one of their routes may have.

The framework holds a request against every route of one router after the other, a page of the last one against two
hundred, which took longer than the store takes to give the rows of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

# What JSON routes of every service are included under, which their routers do not know.
JSON_EDGE = "/v1"
# Of a route that begins with a parameter, and of one whose parameter takes whole paths.
_PARAMETER, _PATHS = "{", ":path}"
# The first part of a path, and how many parts it has.
Kind = tuple[str, int]


class Routes(APIRouter):
    """`APIRouter`, passed over where the first part of the path or the number of its parts is that of no route."""

    _kinds: frozenset[Kind] | None = frozenset()
    _known = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if len(self.routes) != self._known:
            self._kinds, self._known = _kinds_of(self.routes), len(self.routes)
        if self._kinds is None or scope["type"] != "http":
            return super().matches(scope)
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix(JSON_EDGE)
        first, parts = kind_of(path)
        if (first, parts) in self._kinds or (_PARAMETER, parts) in self._kinds:
            return super().matches(scope)
        return Match.NONE, {}

    def add_read(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        summary: str,
        tag: str,
        responses: Mapping[str, Any],
        parameters: Sequence[Mapping[str, Any]] = (),
        response_class: type[Response] = JSONResponse,
    ) -> None:
        """A question to the JSON edge, whose operation is called what the function is."""
        self.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            summary=summary,
            operation_id=endpoint.__name__,
            response_class=response_class,
            openapi_extra={"parameters": [*parameters], "responses": responses},
            tags=[tag],
        )


def kind_of(path: str) -> Kind:
    """Of `/experts/{id}`: `experts`, and two parts."""
    first = path.removeprefix("/").partition("/")[0]
    return first, path.count("/")


def _kinds_of(routes: Iterable[BaseRoute]) -> frozenset[Kind] | None:
    """None where a route may have any path."""
    found = set[Kind]()
    for route in routes:
        path: str | None = getattr(route, "path", None)
        if path is None or _PATHS in path:
            return None
        first, parts = kind_of(path)
        found.add((_PARAMETER if _PARAMETER in first else first, parts))
    return frozenset(found)
