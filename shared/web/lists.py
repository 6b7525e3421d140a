"""Lists: `?limit=&after=`, answered `{"items": [...], "next": cursor or null}`.

A cursor names the place of the last item in one list and is signed for that list: with another caller's, another
index's or an invented one nothing can be read (422).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from shared.identity.policy import Equality
from shared.store.port import Document, Store
from shared.web.callers import edge_of
from shared.web.strict_json import refuse

LIMIT_DEFAULT = 50
LIMIT_AT_MOST = 200
MAC_BYTES = 16
CURSOR_CHARACTERS_AT_MOST = 2_048

Represent = Callable[[Document], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "limit",
        "in": "query",
        "schema": {"type": "integer", "minimum": 1, "maximum": LIMIT_AT_MOST, "default": LIMIT_DEFAULT},
    },
    {"name": "after", "in": "query", "schema": {"type": "string", "maxLength": CURSOR_CHARACTERS_AT_MOST}},
]


def query(request: Request, *names: str) -> dict[str, str]:
    """The query's parameters; one that is not among `names`, or comes twice, is refused (422)."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in names:
            refuse("unknown_parameter", "query")
        if name in found:
            refuse("duplicate_parameter", f"query/{name}")
        found[name] = value
    return found


def limit_of(parameters: Mapping[str, str]) -> int:
    """The page's size, 1 to 200. Raises Refusal 422."""
    text = parameters.get("limit", str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= LIMIT_AT_MOST):
        refuse("limit_out_of_range", "query/limit")
    return int(text)


def _everything(_document: Document) -> bool:
    return True


async def page(
    request: Request,
    collection: str,
    equality: Equality | None,
    represent: Represent,
    *,
    first: str = "",
    keep: Callable[[Document], bool] = _everything,
) -> JSONResponse:
    """One page of the documents under `equality` (None: an empty list), in the index's order behind `first`.

    What `keep` leaves out makes a page shorter, and is not looked for on the next one.
    """
    parameters = query(request, "limit", "after")
    limit = limit_of(parameters)
    if equality is None:
        return JSONResponse({"items": [], "next": None})
    edge = edge_of(request)
    scope = (edge.service, collection, *equality)
    after = read_cursor(edge.cursor_key, scope, parameters["after"]) if "after" in parameters else None
    after = max(after or "", first) or None
    documents = await _find(edge.store, collection, equality, after, limit + 1)
    items, more = documents[:limit], len(documents) > limit
    following = cursor(edge.cursor_key, scope, items[-1]["ix"][equality[0]]["o"]) if more else None
    shown = [represent(document) for document in items if keep(document)]
    return JSONResponse({"items": [await one if inspect.isawaitable(one) else one for one in shown], "next": following})


async def _find(store: Store, collection: str, equality: Equality, after: str | None, limit: int) -> list[Document]:
    return await store.find(collection, equality[0], equality[1], after=after, limit=limit)


def cursor(key: bytes, scope: tuple[str, ...], order: str) -> str:
    """base64url of the mac and the order text of the last item."""
    return base64.urlsafe_b64encode(_mac(key, scope, order) + order.encode()).decode().rstrip("=")


def read_cursor(key: bytes, scope: tuple[str, ...], text: str) -> str:
    """The order text. Raises Refusal 422 for a cursor that was not made for this list."""
    try:
        if len(text) > CURSOR_CHARACTERS_AT_MOST:
            raise ValueError
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        order = raw[MAC_BYTES:].decode()
    except (binascii.Error, ValueError):
        refuse("cursor_not_of_this_list", "query/after")
    if not hmac.compare_digest(raw[:MAC_BYTES], _mac(key, scope, order)):
        refuse("cursor_not_of_this_list", "query/after")
    return order


def _mac(key: bytes, scope: tuple[str, ...], order: str) -> bytes:
    return hmac.new(key, json.dumps([*scope, order]).encode(), hashlib.sha256).digest()[:MAC_BYTES]
