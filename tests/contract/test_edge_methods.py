"""Methods, bodies where none is taken, numbers as JSON Schema has them, and what no span of anybody tells."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once

from shared.clock import derived_id
from shared.telemetry.tracing import record_spans
from shared.web.callers import guarded_routes
from tests.unit.web.service import Small, small_service

pytest_plugins = ["tests.unit.web.small"]

CASES = "/matching/v1/cases"
NAMED = "Amina-Example"


async def test_a_method_that_a_path_lacks_is_told_all_that_it_has(small: Small, http: httpx.AsyncClient) -> None:
    id = await small.case("kabul")
    for path, methods in (
        (CASES, "GET, HEAD, POST"),
        (f"{CASES}/{id}", "GET, HEAD"),
        (f"{CASES}/{id}/approve", "POST"),
        ("/matching/health/live", "GET, HEAD"),
    ):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            answer = await http.request(method, path, headers=small.bearer("officer", "kabul"))
            assert (answer.status_code, answer.headers["allow"]) == (405, methods), (method, path)
    assert (await http.put("/matching/v1/nothing")).status_code == 404


async def test_head_is_every_get_without_its_body(small: Small, http: httpx.AsyncClient) -> None:
    id, asked = await small.case("kabul"), 0
    for route in guarded_routes(small.app):
        if route.method != "GET":
            continue
        path = f"/matching{route.path.replace('{id}', id)}"
        for headers in (small.bearer("officer", "kabul"), {}):
            got, told = await http.get(path, headers=headers), await http.head(path, headers=headers)
            assert (told.status_code, told.content) == (got.status_code, b""), path
            names = ("etag", "content-type", "content-length", "www-authenticate", "cache-control")
            assert [told.headers.get(name) for name in names] == [got.headers.get(name) for name in names], path
            asked += got.status_code == 200
    assert asked >= 5
    front = await http.head("/")
    assert (front.status_code, front.content) == (200, b"")
    assert (await http.head(f"{CASES}/{id}/approve", headers=small.bearer("officer", "kabul"))).status_code == 405


async def test_a_question_takes_no_body(small: Small, http: httpx.AsyncClient) -> None:
    """Refused on every route that only reads, sized or in parts, whatever is in it."""
    id, headers = await small.case("kabul"), small.bearer("officer", "kabul")

    async def parts() -> AsyncIterator[bytes]:
        yield b"{}"

    asked = 0
    for route in guarded_routes(small.app):
        if route.method != "GET":
            continue
        path = f"/matching{route.path.replace('{id}', id)}"
        for content in (b"{}", b"x" * 100, parts()):
            answer = await http.request("GET", path, headers=headers, content=content)
            assert answer.status_code == 422, path
            assert answer.json()["rule"] == "body_not_taken"
            asked += 1
        assert (await http.request("GET", path, headers={**headers, "Content-Length": "0"})).status_code != 422
    assert asked >= 15


@pytest.mark.parametrize(("written", "seats"), [("6.0", 6), ("1.97e3", 1970), ("1970.0", 1970), ("20E-1", 2)])
async def test_an_integer_is_one_however_it_is_written(
    small: Small, http: httpx.AsyncClient, written: str, seats: int
) -> None:
    id, headers = await small.case("kabul"), {**small.bearer("officer", "kabul"), "Content-Type": "application/json"}
    text = f'{{"seats": {written}}}'.encode()
    answer = await http.post(f"{CASES}/{id}/approve", content=text, headers={**headers, "Idempotency-Key": "k"})
    assert (answer.status_code, answer.json().get("seats")) == (200, seats), answer.text
    # The same command, written otherwise.
    again = await http.post(f"{CASES}/{id}/approve", json={"seats": seats}, headers={**headers, "Idempotency-Key": "k"})
    assert again.status_code == 200


@pytest.mark.parametrize("written", ["6.5", "1e-1", "6.000001", '"6"', '"6.0"'])
async def test_what_is_no_integer_is_refused(small: Small, http: httpx.AsyncClient, written: str) -> None:
    id, headers = await small.case("kabul"), {**small.bearer("officer", "kabul"), "Content-Type": "application/json"}
    answer = await http.post(f"{CASES}/{id}/approve", content=f'{{"seats": {written}}}'.encode(), headers=headers)
    assert (answer.status_code, [one["pointer"] for one in answer.json()["errors"]]) == (422, ["/seats"])


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """A provider that stands for the whole process, as an agent sets one; our own spans go there too."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    trace.set_tracer_provider(provider)
    record_spans(provider)
    yield exporter
    record_spans(None)


async def test_no_span_tells_a_query_or_an_id_of_a_path(everywhere: InMemorySpanExporter) -> None:
    """The framework traces by itself wherever a provider stands: in a span with the address in clear."""
    small = await small_service()
    async with small.client() as http:
        id, headers = await small.case("kabul"), small.bearer("officer", "kabul")
        await http.get(f"{CASES}?name={NAMED}", headers=headers)
        await http.get(f"{CASES}/{id}?after={NAMED}", headers=headers)
        await http.post(f"{CASES}/{id}/approve", json={"seats": 1}, headers=headers)
        await http.get(f"{CASES}/{derived_id(NAMED)}/{NAMED}", headers=headers)
    await small.store.stop()
    small.clock.close()
    spans = everywhere.get_finished_spans()
    assert len(spans) >= 4
    assert {span.instrumentation_scope.name for span in spans if span.instrumentation_scope} == {"sankofa"}
    told = [text for span in spans for text in _texts(span.name, dict(span.attributes or {}))]
    assert [text for text in told if NAMED in text or id in text or "?" in text] == []


def _texts(name: str, attributes: dict[str, Any]) -> list[str]:
    return [name, *map(str, attributes), *map(str, attributes.values())]
