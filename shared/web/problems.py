"""Every refusal as `application/problem+json` (RFC 9457): the rule and the field, never the value."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, get_args

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from shared.contracts.patterns import WORDS
from shared.errors import (
    PROBLEMS_AT_MOST,
    CommandReused,
    Conflict,
    Overloaded,
    PreconditionFailed,
    Problem,
    Refusal,
    TooEarly,
    Unavailable,
    UniqueViolated,
    UnknownOutcome,
    rule_of,
)
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.tokens import TokenRefused
from shared.web.strict_json import pointer_to

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "rule", "errors"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {"type": "string"},
        "errors": {
            "type": "array",
            "maxItems": PROBLEMS_AT_MOST,
            "items": {
                "type": "object",
                "required": ["pointer", "rule"],
                "properties": {
                    "pointer": {"type": "string"},
                    "rule": {"type": "string"},
                    "detail": {"type": "string", "description": "What would be right, in words."},
                },
            },
        },
    },
}

# What it says of these is not ours.
_PYDANTICS = frozenset(get_args(ErrorType))
# Of a longer list the document of the edge has the codes.
CODES_TOLD_AT_MOST = 20
_QUOTED = re.compile(r"'([^']*)'")
RULE_OF_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
REFUSED = "refused"


def etag(version: int) -> str:
    """A strong entity tag: the version in quotes."""
    return f'"{version}"'


class NotSignedIn(Exception):
    """No bearer token, or one that is refused (401)."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def problem(
    status: int,
    rule: str,
    *,
    detail: str = "",
    errors: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The answer, with the first fifty of `errors`. `detail` is a sentence of ours; it holds nothing that came in."""
    listed = errors[:PROBLEMS_AT_MOST] or (Problem(rule),)
    body: dict[str, Any] = {
        "type": f"urn:sankofa:problem:{rule}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "rule": rule,
        "errors": [error.shown() for error in listed],
    }
    if detail:
        body["detail"] = detail
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def validation_problems(errors: Sequence[ErrorDetails]) -> tuple[Problem, ...]:
    """Pointer and rule of each of Pydantic's errors, and of a rule of our own its sentence.

    Pydantic's own messages and input are left out, which may quote what came in; of its context what the model declares
    is told.
    """
    told = [error for error in errors if not _counted_without_wrong_items(error, errors)]
    return tuple(_problem(error, pointer_to(error["loc"])) for error in told[:PROBLEMS_AT_MOST])


def _counted_without_wrong_items(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """Whether a sequence is said to be too short beside an item of it that is wrong: Pydantic counts a tuple's items
    that passed (findings/pydantic-tuple-too-short.sh), and whoever reads it would add one that is there already."""
    at = error["loc"]
    return error["type"] == "too_short" and any(row["loc"][: len(at)] == at != row["loc"] for row in errors)


def _problem(error: ErrorDetails, pointer: str) -> Problem:
    said = _expected(error) if error["type"] in _PYDANTICS else error["msg"]
    return Problem(rule_of(error["type"]), pointer, said)


def _expected(error: ErrorDetails) -> str:
    """What would be right by the declaration alone: the codes of a short closed list, and the form of a text."""
    declared = error.get("ctx", {})
    if error["type"] == "literal_error":
        codes = _QUOTED.findall(declared.get("expected", ""))
        return f"one of {', '.join(codes)}" if 0 < len(codes) <= CODES_TOLD_AT_MOST else ""
    return WORDS.get(declared.get("pattern", ""), "")


def _refusal(error: Refusal) -> Response:
    return problem(error.status, error.rule, detail=error.detail, errors=error.problems)


def _not_signed_in(error: NotSignedIn | TokenRefused) -> Response:
    suffix = ', error="invalid_token"' if isinstance(error, TokenRefused) else ""
    return problem(401, error.rule, headers={"WWW-Authenticate": f'Bearer realm="sankofa"{suffix}'})


def _request_invalid(error: RequestValidationError) -> Response:
    found = tuple(
        Problem(rule_of(row["type"]), f"{row['loc'][0]}{pointer_to(tuple(row['loc'][1:]))}") for row in error.errors()
    )
    return problem(422, "invalid", errors=found)


def _http(error: HTTPException, request: Request) -> Response:
    # The exception's own detail may quote the request, and its own header names the methods of one route.
    headers = {"Allow": ", ".join(_methods(request))} if error.status_code == 405 else {}
    return problem(error.status_code, RULE_OF_STATUS.get(error.status_code, REFUSED), headers=headers)


def _methods(request: Request) -> list[str]:
    """Every method that the path has; HEAD wherever it has GET."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    routes = (one for one in iter_route_contexts(request.app.routes) if one.path and _form_of(one.path).match(path))
    methods = {method for one in routes for method in one.methods or ()}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


@lru_cache(maxsize=1_024)
def _form_of(path: str) -> re.Pattern[str]:
    return compile_path(path)[0]


def _overloaded(error: Overloaded) -> Response:
    return problem(error.status, "overloaded", headers={"Retry-After": str(error.retry_after_seconds)})


def _another_version(error: PreconditionFailed) -> Response:
    return problem(412, "version_is_another", headers={"ETag": etag(error.version)} if error.version else {})


def _later(rule: str) -> Callable[[Any], Response]:
    return lambda _: problem(503, rule, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _always(status: int, rule: str) -> Callable[[Any], Response]:
    return lambda _: problem(status, rule)


ANSWERS: dict[type[Exception], Callable[[Any], Response]] = {
    Refusal: _refusal,
    NotSignedIn: _not_signed_in,
    TokenRefused: _not_signed_in,
    RequestValidationError: _request_invalid,
    CommandReused: _always(422, "idempotency_key_reused"),
    PreconditionFailed: _another_version,
    UniqueViolated: _always(409, "already_exists"),
    KeyDestroyed: _always(410, "erased"),
    Conflict: _later("contended"),
    Overloaded: _overloaded,
    Unavailable: _later("unavailable"),
    UnknownOutcome: _later("outcome_unknown"),
    TooEarly: _later("too_early"),
}


def answer_to(error: Exception) -> Response:
    """What is answered to an error of these kinds. StopIteration for another one."""
    return next(answer for kind, answer in ANSWERS.items() if isinstance(error, kind))(error)


def install(app: FastAPI) -> None:
    """Answers every error that this project raises; what is left is the envelope's (500)."""
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, _handler(answer))

    async def http(request: Request, error: Exception) -> Response:
        return _http(error, request) if isinstance(error, HTTPException) else problem(500, "internal")

    app.add_exception_handler(HTTPException, http)


def _handler(answer: Callable[[Any], Response]) -> Callable[[Request, Exception], Awaitable[Response]]:
    # An async function: Starlette runs any other in a thread.
    async def handle(_request: Request, error: Exception) -> Response:
        return answer(error)

    return handle
