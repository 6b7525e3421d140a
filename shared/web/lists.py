"""Lists: `?limit=&after=` and the filters of the list, answered `{"items": [...], "next": cursor or null}`, and on the
first page with `"total": {"number", "more"}`, or null where only reading all of it would tell.

A cursor names a place in one list and is signed for that list: with another caller's, another filter's or an
invented one nothing can be read (422).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter, ValidationError

from shared.contracts import patterns
from shared.contracts.base import Id
from shared.identity.policy import Equality
from shared.store.narrowing import Listed, everything, read
from shared.store.port import Document
from shared.web.callers import edge_of
from shared.web.strict_json import refuse

LIMIT_DEFAULT = 50
LIMIT_AT_MOST = 200
MAC_BYTES = 16
# A page says no further than this how many there are: counting on would take longer than the page.
COUNTED_AT_MOST = 10_000
CURSOR_CHARACTERS_AT_MOST = 2_048
AN_ID: TypeAdapter[str] = TypeAdapter(Id)

Represent = Callable[[Document], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]

OF_EVERY_LIST = ("limit", "after")
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
    return each_once(request.query_params.multi_items(), names)


def each_once(sent: Iterable[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """The parameters of a query by name. Raises Refusal 422 as `query` does."""
    found: dict[str, str] = {}
    for name, value in sent:
        if name not in names:
            # What somebody wrote in a name's place may be a value, so only the right names are told.
            refuse("unknown_parameter", "query", f"one of {', '.join(names)}" if names else "takes none")
        if name in found:
            refuse("duplicate_parameter", f"query/{name}")
        found[name] = value
    return found


def fits(type: TypeAdapter[Any], value: str) -> bool:
    """Whether the text of a parameter is of that type."""
    try:
        type.validate_python(value)
    except ValidationError:
        return False
    return True


def check_id(name: str, value: str) -> None:
    """Raises Refusal 422 for the text of a parameter that is no id."""
    if not fits(AN_ID, value):
        refuse("string_pattern_mismatch", f"query/{name}", patterns.WORDS[patterns.ID])


def limit_of(parameters: Mapping[str, str]) -> int:
    """The page's size, 1 to 200. Raises Refusal 422."""
    text = parameters.get("limit", str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= LIMIT_AT_MOST):
        refuse("limit_out_of_range", "query/limit")
    return int(text)


@dataclass(frozen=True)
class Paged:
    """What a list is of: where it stands, and whose list it is, so that its cursors are good for no other.

    `newest_first`: against the order of its index.
    """

    listed: Listed
    scope: tuple[str, ...]
    newest_first: bool = False

    @staticmethod
    def of(equality: Equality, keep: Callable[[Document], bool] = everything) -> Paged:
        """All that one relation finds, or what `keep` keeps of it."""
        return Paged(Listed(equality[0], (equality[1],), keep), equality)


async def page(
    request: Request, collection: str, paged: Paged | None, represent: Represent, *, first: str = ""
) -> JSONResponse:
    """One page of the list (None: an empty one) in the index's order behind `first`; the query's filters are its
    caller's to read."""
    documents, following = await page_of(request, collection, paged, first=first)
    shown = [represent(document) for document in documents]
    items = [await one if inspect.isawaitable(one) else one for one in shown]
    answer: dict[str, Any] = {"items": items, "next": following}
    if "after" not in request.query_params:
        # A program that reads on has it from the first page; counting anew would cost each further one.
        total = None if first and following else await total_of(request, collection, paged, documents, following)
        answer["total"] = None if total is None else asdict(total)
    return JSONResponse(answer)


async def page_of(
    request: Request, collection: str, paged: Paged | None, *, first: str = ""
) -> tuple[list[Document], str | None]:
    """The documents of the page that `limit` and `after` of the query ask for, and the cursor of the next one."""
    limit = limit_of(request.query_params)
    if paged is None:
        return [], None
    edge = edge_of(request)
    scope = (edge.service, collection, *paged.scope)
    sent = request.query_params.get("after")
    after = None if sent is None else read_cursor(edge.cursor_key, scope, sent)
    start = max(after or "", first) or None
    documents, last = await read(edge.store, collection, paged.listed, start, limit, descending=paged.newest_first)
    return documents, None if last is None else cursor(edge.cursor_key, scope, last)


@dataclass(frozen=True)
class Total:
    """How many a list has. `more`: there are more than `number`."""

    number: int
    more: bool = False


async def total_of(
    request: Request, collection: str, paged: Paged | None, found: list[Document], following: str | None
) -> Total | None:
    """How many the list has of which `found` is a page; None where only reading all of it would tell."""
    if following is None and "after" not in request.query_params:
        return Total(len(found))
    if paged is None or paged.listed.keep is not everything:
        return None
    store, number = edge_of(request).store, 0
    for equals in paged.listed.equals:
        left = COUNTED_AT_MOST - number + 1
        number += await store.count(collection, paged.listed.index, equals, at_most=left)
        if number > COUNTED_AT_MOST:
            return Total(COUNTED_AT_MOST, more=True)
    return Total(number)


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
