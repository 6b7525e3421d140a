"""What comes in is bounded: every list, text and mapping of every body has a maximum, also inside others; a refusal
lists fifty problems at most; a body's size is looked at before it is read; a large one does not hold up the others."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field

from deploy.generate import built
from shared.canonical import canonical_json
from shared.contracts.registration.persons import LANGUAGES_AT_MOST
from shared.errors import PROBLEMS_AT_MOST, Refusal
from shared.programmes.model import Definition
from shared.web.bodies import BODY_BYTES_AT_MOST, ON_THE_LOOP_BYTES, validated
from shared.web.strict_json import TOKENS_AT_MOST
from tests.unit.web.service import TERMS, Clock, Small, small_service

T = TypeVar("T")
SERVICES = ("registration", "matching", "placement", "monitoring")
JSON = {"Content-Type": "application/json"}
BOUNDS = {"array": "maxItems", "string": "maxLength", "object": "maxProperties"}
# Classes of characters, and escaped signs: what is left of a pattern has its quantifiers alone.
NO_QUANTIFIER = re.compile(r"\\.|\[[^\]]*\]")


def formed(schema: Mapping[str, Any]) -> bool:
    """Whether a text must be one of a list, or have a form without an open end."""
    if any(word in schema for word in ("enum", "const", "format")):
        return True
    if pattern := schema.get("pattern"):
        return not re.search(r"[*+]|,\}", NO_QUANTIFIER.sub("x", pattern))
    return bool(schema.get("anyOf")) and all(map(formed, schema["anyOf"]))


def unbounded(schema: Any, parts: Mapping[str, Any], at: str = "", inside: tuple[str, ...] = ()) -> Iterator[str]:
    """Pointers of what the schema leaves without a maximum."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name not in inside:
            yield from unbounded(parts[name], parts, at, (*inside, name))
        return
    kind = schema.get("type", "")
    declared = kind == "object" and "properties" in schema
    if kind in BOUNDS and BOUNDS[kind] not in schema and not (kind == "string" and formed(schema)) and not declared:
        yield f"{at}: {kind}"
    for word in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for one in schema.get(word, ()):
            yield from unbounded(one, parts, at, inside)
    for word in ("items", "additionalProperties"):
        if isinstance(one := schema.get(word), dict):
            yield from unbounded(one, parts, f"{at}/*", inside)
    for name, one in schema.get("properties", {}).items():
        yield from unbounded(one, parts, f"{at}/{name}", inside)


def bodies() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The schema of every route's body, as the service's document says it."""
    for service in SERVICES:
        for route in iter_route_contexts(built(service).app.routes):
            extra = getattr(route, "openapi_extra", None) or {}
            if body := extra.get("requestBody"):
                for media_type, content in body["content"].items():
                    yield f"{service} {route.path} {min(route.methods or ())} {media_type}", content["schema"]


def test_every_list_text_and_mapping_of_every_body_has_a_maximum() -> None:
    found = dict(bodies())
    assert len(found) > 40, "the bodies are no longer found"
    open_ended = {
        path: rows for path, schema in found.items() if (rows := list(unbounded(schema, schema.get("$defs", {}))))
    }
    assert open_ended == {}


def test_every_list_text_and_mapping_of_a_definition_has_a_maximum() -> None:
    schema = Definition.model_json_schema()
    assert list(unbounded(schema, schema["$defs"])) == []


def test_the_search_sees_what_is_open() -> None:
    schema = {
        "type": "object",
        "properties": {
            "one": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
            "two": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Part"}]},
            "three": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}},
        },
    }
    parts = {
        "Part": {
            "type": "object",
            "properties": {"rows": {"type": "array"}, "code": {"type": "string", "pattern": "^[a-z]+$"}},
        }
    }
    assert list(unbounded(schema, parts)) == [
        "/one/*: string",
        "/two/rows: array",
        "/two/code: string",
        "/three: object",
    ]


class Held(Clock):
    """A clock and a pool whose work waits until a test lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = asyncio.Event()
        self.let_go = asyncio.Event()

    async def in_pool(self, work: Callable[[], T]) -> T:
        self.entered.set()
        await self.let_go.wait()
        return await super().in_pool(work)


@pytest.fixture
async def small(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Small]:
    monkeypatch.setattr("tests.unit.web.service.Clock", Held)
    service = await small_service()
    yield service
    await service.store.stop()
    service.clock.close()


@pytest.fixture
async def http(small: Small) -> AsyncIterator[httpx.AsyncClient]:
    async with small.client() as client:
        yield client


def held(small: Small) -> Held:
    assert isinstance(small.clock, Held)
    return small.clock


async def refused(small: Small, http: httpx.AsyncClient, content: bytes) -> dict[str, Any]:
    """The problem of an approval with that body."""
    held(small).let_go.set()
    path = f"/matching/v1/cases/{await small.case('kabul')}/approve"
    answer = await http.post(path, content=content, headers={**small.bearer("officer", "kabul"), **JSON})
    assert answer.status_code == 422, answer.text
    assert len(answer.content) < 8_000
    problem: dict[str, Any] = answer.json()
    return problem


async def test_a_thousand_broken_elements_are_fifty_problems(small: Small, http: httpx.AsyncClient) -> None:
    content = json.dumps({"seats": 2, "terms": {**TERMS, "languages": [1] * 5_000}}).encode()
    problem = await refused(small, http, content)
    assert len(problem["errors"]) == PROBLEMS_AT_MOST
    assert problem["errors"][0] == {"pointer": "/terms/languages/0", "rule": "not_an_object"}


async def test_more_languages_than_anybody_is_asked_for_are_refused(small: Small, http: httpx.AsyncClient) -> None:
    many = [{"language": "en", "level": "B2"}] * (LANGUAGES_AT_MOST + 1)
    problem = await refused(small, http, json.dumps({"seats": 2, "terms": {**TERMS, "languages": many}}).encode())
    assert [row["rule"] for row in problem["errors"]] == ["too_long"]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"seats": 2, "terms": {**TERMS, "languages": [1] * 300_000}}).encode(),
        json.dumps({f"{number:x}": 1 for number in range(90_000)}).encode(),
        b'{"terms":' + b"[" + b"[]," * 200_000 + b"[]]}",
    ],
    ids=["a list of a megabyte", "90,000 unknown keys", "many empty lists"],
)
async def test_a_megabyte_of_small_parts_is_refused_for_its_number(
    small: Small, http: httpx.AsyncClient, content: bytes
) -> None:
    assert len(content) <= BODY_BYTES_AT_MOST
    problem = await refused(small, http, content)
    assert problem["rule"] in ("too_many_values", "too_deep")
    assert len(problem["errors"]) == 1


async def test_what_is_within_the_number_is_read(small: Small, http: httpx.AsyncClient) -> None:
    """Many unknown fields, as many as a body may have parts, are read and told as fifty problems."""
    fields = {f"k{number}": 1 for number in range(TOKENS_AT_MOST // 2 - 2)}
    problem = await refused(small, http, json.dumps(fields).encode())
    assert problem["rule"] == "invalid"
    assert len(problem["errors"]) == PROBLEMS_AT_MOST


async def test_others_are_answered_while_a_large_body_is_validated(small: Small, http: httpx.AsyncClient) -> None:
    """The large body waits in a pool that stands still; small ones are read and refused meanwhile."""
    path = f"/matching/v1/cases/{await small.case('kabul')}/approve"
    headers = {**small.bearer("officer", "kabul"), **JSON}
    large = json.dumps({"seats": 2, "note": "x" * ON_THE_LOOP_BYTES}).encode()
    waiting = asyncio.ensure_future(http.post(path, content=large, headers=headers))
    await held(small).entered.wait()
    assert (await http.get("/matching/health/live")).status_code == 200
    assert (await http.post(path, content=b'{"seats": "two"}', headers=headers)).status_code == 422
    assert not waiting.done()
    held(small).let_go.set()
    assert (await waiting).status_code == 200


async def test_a_body_that_says_that_it_is_too_large_is_refused_before_it_is_read(small: Small) -> None:
    """Whoever sends waits for the answer, and not one byte of the body is asked for."""
    asked: list[str] = []
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        asked.append("body")
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/v1/cases/{await small.case('kabul')}/approve"
    headers = {**small.bearer("officer", "kabul"), **JSON, "Content-Length": str(BODY_BYTES_AT_MOST + 1)}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await small.app(scope_of(path, raw), receive, send)
    assert (sent[0]["status"], asked) == (413, [])


async def test_many_large_bodies_at_once_are_bounded_together(small: Small) -> None:
    """Two uploads wait for their ends; a third byte too many is told to come again, and the place comes free."""
    reading = small.app.state.edge.reading
    reading.at_most = 1_000
    path, open_ends = f"/v1/cases/{await small.case('kabul')}/approve", asyncio.Event()

    async def uploaded(first: bytes) -> int:
        parts = [first]
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": True}
            await open_ends.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = {**small.bearer("officer", "kabul"), **JSON}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await small.app(scope_of(path, raw), receive, send)
        return int(sent[0]["status"])

    first, second = (asyncio.ensure_future(uploaded(b'{"seats": "' + b"x" * 450)) for _ in range(2))
    while reading.held < 900 and not first.done():
        await asyncio.sleep(0)
    assert await uploaded(b" " * 200) == 503
    open_ends.set()
    assert [await first, await second] == [422, 422]
    assert reading.held == 0
    assert await uploaded(b" " * 200) == 422


def scope_of(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": headers,
    }


class Named(BaseModel):
    names: Annotated[tuple[int, ...], Field(min_length=2)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([1, "x"], [("/names/1", "int_type")]),
        (["x"], [("/names/0", "int_type")]),
        ([1], [("/names", "too_short")]),
    ],
)
def test_a_wrong_item_is_no_missing_one(given: list[Any], told: list[tuple[str, str]]) -> None:
    with pytest.raises(Refusal) as refused:
        validated(Named, canonical_json({"names": given}))
    assert [(one.pointer, one.rule) for one in refused.value.problems] == told
