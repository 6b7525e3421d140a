"""The OpenAPI document of a service: FastAPI's, with what the edge adds to every operation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.web.answers import ETAG, RETRY_AFTER
from shared.web.callers import guarded_routes
from shared.web.conditions import VERSIONED
from shared.web.problems import MEDIA_TYPE, SCHEMA

NONE: Mapping[str, Any] = MappingProxyType({})
ABOUT = (
    "Bodies are JSON in UTF-8, in which unknown fields are refused; times and dates are RFC 3339's. Refusals are "
    "problems (RFC 9457) with the rule and the field, and hold nothing that came in. HEAD is answered as GET is."
)
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
# What FastAPI makes of a path's names says nothing of what they may be (`id_of`; a file of a schema has its version).
IN_A_PATH: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"}
ALLOW: dict[str, Any] = {"description": "Every method that the path has.", "schema": {"type": "string"}}
CHALLENGE: dict[str, Any] = {"description": "How to sign in (RFC 6750).", "schema": {"type": "string"}}


def _refused(description: str, headers: Mapping[str, Any] = NONE) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content, **({"headers": dict(headers)} if headers else {})}


PROBLEM = _refused("The request is refused (RFC 9457).", {"Allow": ALLOW})
LATER = {"Retry-After": RETRY_AFTER}
# By status: the refusals that say more than their problem, or that a client has to tell from others.
FOR_ALL = {
    "422": _refused("Something in the request breaks a rule, which is named with its field."),
    "503": _refused("Not now: the store or the log is away, or a queue is full.", LATER),
}
SIGNED_IN = {
    "401": _refused("Not signed in.", {"WWW-Authenticate": CHALLENGE}),
    "403": _refused("The caller's role may not do this, or not here."),
}
ANOTHER_VERSION = {"412": _refused("`If-Match` names another version than the one that stands.", {"ETag": ETAG})}
NO_VERSION = {"412": _refused("`If-Match` is sent, and what this asks for has no version that could be named.")}
TAKEN_IN = {"429": _refused("Too much waits to be decided.", LATER)}


def contract(app: FastAPI, service: str) -> dict[str, Any]:
    """OpenAPI 3.1 under the base path `/<service>`. ValueError where two bodies share a name and differ."""
    document: dict[str, Any] = get_openapi(
        title=app.title,
        version=app.version,
        description=ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        routes=app.routes,
        servers=[{"url": f"/{service}"}],
    )
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = SCHEMA
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    guarded = {(route.path, route.method.lower()) for route in guarded_routes(app) if route.right}
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            open_to_all = (path, method) not in guarded
            _complete(operation, method, components["schemas"], open_to_all)
            operation["security"] = [] if open_to_all else [{"bearer": []}]
    named = sorted(
        {tag for one in document.get("paths", {}).values() for op in one.values() for tag in op.get("tags", ())}
    )
    document["tags"] = [{"name": name} for name in named]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return document


def _complete(operation: dict[str, Any], method: str, schemas: dict[str, Any], open_to_all: bool) -> None:
    # FastAPI's own answer to a bad request is not ours.
    operation["responses"].pop("422", None)
    versioned = operation.pop(VERSIONED, False)
    refused = {**FOR_ALL, **({} if open_to_all else SIGNED_IN)}
    if method != "get":
        refused |= ANOTHER_VERSION if versioned else NO_VERSION
    if "202" in operation["responses"]:
        refused |= TAKEN_IN
    operation["responses"] = {**refused, **operation["responses"], "default": PROBLEM}
    operation.setdefault("description", operation["summary"] + ".")
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            parameter["schema"] = IN_A_PATH
    if method == "post":
        matched = (IF_MATCH,) if versioned else ()
        operation["parameters"] = [*operation.get("parameters", []), IDEMPOTENCY_KEY, *matched]
    for part in (operation.get("requestBody", {}), *operation["responses"].values()):
        for content in part.get("content", {}).values():
            _lift(content.get("schema", {}), schemas)


def _lift(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name, part in schema.pop("$defs", {}).items():
        if schemas.setdefault(name, part) != part:
            raise ValueError(f"two models share the name {name} and differ")
