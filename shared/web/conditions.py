"""The headers on which a request depends, held against what its route declares: none that it names is passed over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from shared.errors import Problem, Refusal
from shared.web.strict_json import refuse

# In a route's `openapi_extra`, and not in the document: what it changes has a version, which `If-Match` may name.
VERSIONED = "x-versioned"
IDEMPOTENCY_KEY, IF_MATCH = "idempotency-key", "if-match"
NO_VERSION, NOT_TAKEN = "no_version_to_match", "header_not_taken"
_WITHOUT_ONE = "what this asks for has no version that could be named"
# Nothing is changed by part, nor only where nothing stands; whoever asks for it must not believe that it was.
_NEVER = ("if-none-match", "content-range")
_ANY = "*/*"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")


def check_conditions(request: Request) -> None:
    """Refuses what the route cannot honour, before anything is read or done. Raises Refusal 406, 412, 422.

    What only reads changes nothing, whatever it names.
    """
    declared: Mapping[str, Any] = getattr(request.scope.get("route"), "openapi_extra", None) or {}
    _check_accept(request, declared)
    if request.method == "GET":
        return
    for name in _NEVER if request.method == "POST" else (*_NEVER, IDEMPOTENCY_KEY):
        if name in request.headers:
            refuse(NOT_TAKEN, f"header/{name}")
    key_in(request)
    if IF_MATCH in request.headers and not declared.get(VERSIONED):
        problem = Problem(NO_VERSION, f"header/{IF_MATCH}", _WITHOUT_ONE)
        raise Refusal(NO_VERSION, _WITHOUT_ONE, problems=(problem,), status=412)


def key_in(request: Request) -> str | None:
    """The `Idempotency-Key`. Raises Refusal 422, also where what is asked for is the same however often it is asked."""
    keys = request.headers.getlist(IDEMPOTENCY_KEY)
    if not keys:
        return None
    if len(keys) > 1 or not is_key(keys[0]):
        refuse("idempotency_key_malformed", f"header/{IDEMPOTENCY_KEY}")
    return keys[0]


def is_key(text: str) -> bool:
    return _VISIBLE.fullmatch(text) is not None


def _check_accept(request: Request, declared: Mapping[str, Any]) -> None:
    given = request.headers.getlist("accept")
    if not given or _ANY in given:
        return
    offered = [
        media_type
        for status, answer in declared.get("responses", {}).items()
        if status.startswith("2")
        for media_type in answer.get("content", ())
    ]
    if offered and not any(is_acceptable(one, given) for one in offered):
        detail = f"answered as {', '.join(dict.fromkeys(offered))}"
        problem = Problem("not_acceptable", "header/accept", detail)
        raise Refusal("not_acceptable", detail, problems=(problem,), status=406)


def is_acceptable(media_type: str, accept: Sequence[str]) -> bool:
    """Whether `Accept` takes the type: by the range that names it most closely (RFC 9110, 12.5.1). What is no range
    says nothing, and where nothing is said everything is taken."""
    kind = media_type.partition("/")[0]
    wanted = dict(_weighed(part) for header in accept for part in header.split(",") if "/" in part)
    closest = (wanted[one] for one in (media_type, f"{kind}/*", _ANY) if one in wanted)
    return next(closest, not wanted)


def _weighed(part: str) -> tuple[str, bool]:
    """The range, and whether it is wanted at all: a weight of nought refuses it."""
    media_range, *parameters = (one.strip().lower() for one in part.split(";"))
    weights = [one[2:] for one in parameters if one.startswith("q=")]
    return media_range, not weights or weights[-1].strip("0.") != ""
