"""The OpenAPI document of a service: FastAPI's, with what the edge adds to every operation."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.web.callers import guarded_routes
from shared.web.commands import CREATES
from shared.web.problems import MEDIA_TYPE, SCHEMA

IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same key and body are the same command, however often it is sent.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "description": "The ETag of the version that the caller saw; another one is answered 412.",
    "schema": {"type": "string", "pattern": '^"[0-9]{1,15}"$'},
}
PROBLEM: dict[str, Any] = {
    "description": "The request is refused (RFC 9457).",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def contract(app: FastAPI, service: str) -> dict[str, Any]:
    """OpenAPI 3.1 under the base path `/<service>`. ValueError where two bodies share a name and differ."""
    document: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, routes=app.routes, servers=[{"url": f"/{service}"}]
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = SCHEMA
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    guarded = {(route.path, route.method.lower()) for route in guarded_routes(app) if route.right}
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            _complete(operation, method, components["schemas"])
            if (path, method) in guarded:
                operation["security"] = [{"bearer": []}]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return document


def _complete(operation: dict[str, Any], method: str, schemas: dict[str, Any]) -> None:
    # FastAPI's own answer to a bad request is not ours.
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = PROBLEM
    if method == "post":
        matched = () if operation.pop(CREATES, False) else (IF_MATCH,)
        operation["parameters"] = [*operation.get("parameters", []), IDEMPOTENCY_KEY, *matched]
    for part in (operation.get("requestBody", {}), *operation["responses"].values()):
        for content in part.get("content", {}).values():
            _lift(content.get("schema", {}), schemas)


def _lift(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name, part in schema.pop("$defs", {}).items():
        if schemas.setdefault(name, part) != part:
            raise ValueError(f"two models share the name {name} and differ")
