"""Routers are passed over for paths that none of their routes has, and for no other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Match

from deploy.generate import built
from shared.web.callers import guarded_routes
from shared.web.routing import JSON_EDGE, Routes
from tests.e2e.system import SERVICES


def scope(path: str, method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "root_path": "", "headers": [], "query_string": b""}


async def nothing() -> None:
    pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths with which the framework looks into a router."""
    found, as_it_is = list[str](), APIRouter.matches

    def matches(self: APIRouter, scope: Any) -> Any:
        found.append(scope["path"])
        return as_it_is(self, scope)

    monkeypatch.setattr(APIRouter, "matches", matches)
    return found


@pytest.mark.parametrize(
    ("path", "looked_into"),
    [
        ("/v1/experts", True),
        ("/v1/experts/7", True),
        ("/experts", True),
        ("/experts/", True),
        ("/v1/experts/7/screen", False),
        ("/v1/institutions", False),
        ("/", False),
        ("", False),
        ("//experts", False),
    ],
)
def test_a_router_is_passed_over_by_the_first_part_of_a_path_and_their_number(
    asked: list[str], path: str, looked_into: bool
) -> None:
    app, router = FastAPI(), Routes()
    router.add_api_route("/experts", nothing, methods=["GET"])
    app.include_router(router, prefix=JSON_EDGE)
    # What is added afterwards counts too.
    router.add_api_route("/experts/{id}", nothing, methods=["GET"])
    for route in app.router.routes:
        route.matches(scope(path))
    assert bool(asked) is looked_into


@pytest.mark.parametrize("path", ["/{file}", "/{path:path}"])
def test_what_may_begin_with_anything_is_always_looked_into(asked: list[str], path: str) -> None:
    app, router = FastAPI(), Routes()
    router.add_api_route(path, nothing, methods=["GET"])
    app.include_router(router)
    for route in app.router.routes:
        route.matches(scope("/style.css"))
    assert asked


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_of_a_service_is_found_and_few_routers_are_looked_into(service: str, asked: list[str]) -> None:
    app = built(service).app
    paths = {(one.method, re.sub(r"\{[^}]*\}", "x", one.path)) for one in guarded_routes(app)}
    assert len(paths) > 20
    for method, path in sorted(paths):
        asked.clear()
        found = [route.matches(scope(path, method))[0] for route in app.router.routes]
        assert Match.FULL in found, (method, path)
        # Of each router that its own one includes it is asked once more.
        assert len(asked) <= 16, (path, len(asked))
