"""One trace from a registration's request through outbox, log and every consumer to the indicator; and the metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.registration.domain.examples import DEFINITION, EXPERT
from shared import replica as replicas
from shared.clock import RealRuntime
from shared.errors import Unavailable
from shared.messaging.local import LocalLog
from shared.messaging.port import Message
from shared.messaging.topics import EXPERTS, PLACEMENTS, TOPICS
from shared.telemetry.metrics import conceal, expose
from shared.telemetry.observability import counts
from tests.integration.four import CANARY, SERVICES, Four

pytest_plugins = ["tests.spans"]

SAMPLES = Path(__file__).parents[2] / "shared/contracts/samples"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

REGISTRATIONS = {
    "code": "registrations",
    "name": {"en": "Experts registered"},
    "unit": "experts",
    "measure": {"distinct": "expert"},
    "facts": {"kinds": ["expert_registered"]},
}


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    monkeypatch.setattr(replicas, "MEASURE_EVERY_SECONDS", 0.05)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    expose(provider, counts)
    yield reader
    conceal(provider)
    provider.shutdown()


@pytest.fixture
async def four() -> AsyncIterator[Four]:
    runtime = RealRuntime()
    async with Four(LocalLog(None, list(TOPICS.values()), runtime), runtime) as four:
        administrator = four.bearer("administrator", "kabul")
        body = {"definition": {**DEFINITION, "indicators": [REGISTRATIONS]}}
        answer = await four.http.post("/registration/v1/programmes", json=body, headers=administrator)
        assert answer.status_code == 201, answer.text
        await four.client.wait_quiet()
        yield four
    runtime.close()


def somebody(number: int) -> dict[str, Any]:
    """A registration whose every identifier is a canary."""
    document = {**EXPERT["person"]["document"], "number": f"{CANARY.upper()}{number}"}
    named = {
        "given_name": CANARY.title(),
        "family_name": f"{CANARY.title()}-{number}",
        "email": f"{CANARY}@example.org",
    }
    return {**EXPERT, "person": {**EXPERT["person"], **named, "document": document}}


async def register(four: Four, number: int, headers: dict[str, str] | None = None) -> str:
    """The trace of the request."""
    bearer = four.bearer("expert", None, f"person-{number}")
    given = {**bearer, **(headers or {})}
    answer = await four.http.post("/registration/v1/experts", json=somebody(number), headers=given)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["traceparent"].split("-")[1])


def of_trace(spans: InMemorySpanExporter, trace: str) -> list[ReadableSpan]:
    return [one for one in spans.get_finished_spans() if f"{one.context.trace_id:032x}" == trace]


def ancestors(one: ReadableSpan, found: list[ReadableSpan]) -> list[str]:
    """Names from the span up to the first of its trace."""
    by_id = {other.context.span_id: other for other in found}
    names, here = [one.name], one.parent
    while here is not None and here.span_id in by_id:
        names.append(by_id[here.span_id].name)
        here = by_id[here.span_id].parent
    return names


def said(one: ReadableSpan, key: str) -> Any:
    return (one.attributes or {}).get(key)


async def registrations(four: Four) -> Any:
    path = f"/monitoring/v1/programmes/{DEFINITION['code']}/indicators/registrations"
    answer = await four.http.get(path, headers=four.bearer("administrator"))
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


async def test_one_registration_is_one_trace_through_all_four_services(four: Four, spans: InMemorySpanExporter) -> None:
    spans.clear()
    trace = await register(four, 1, {"traceparent": PARENT})
    await four.client.wait_quiet()
    assert trace == PARENT.split("-")[1]
    found = of_trace(spans, trace)
    assert {said(one, "service") for one in found} - {None} == set(SERVICES)
    assert {one.name for one in found} == {"request", "append", "decide", "send", "deliver", "known"}
    (request,) = [one for one in found if one.name == "request"]
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert (said(request, "route"), said(request, "status")) == ("/experts", 202)
    (decide,) = [one for one in found if one.name == "decide"]
    assert (ancestors(decide, found), said(decide, "status")) == (["decide", "request"], "accepted")
    heard = {(said(one, "service"), said(one, "event")) for one in found if one.name == "deliver"}
    assert {("matching", "ExpertRegistered"), ("matching", "PersonRecorded"), ("placement", "PersonRecorded")} <= heard
    for one in found:
        if one.name in ("send", "deliver", "known"):
            assert ancestors(one, found)[-3:] == [one.name, "decide", "request"]
    assert await registrations(four) == 1


async def test_spans_hold_nothing_of_the_person(four: Four, spans: InMemorySpanExporter) -> None:
    trace = await register(four, 2)
    await four.client.wait_quiet()
    texts = [one.to_json() for one in of_trace(spans, trace)]
    assert len(texts) > 5
    assert [text for text in texts if CANARY in text.casefold()] == []
    # Cases and receipts are found by their ids in paths; an event is not.
    assert {one.name for one in of_trace(spans, trace) if said(one, "id") is not None} <= {"deliver"}


async def test_every_span_is_one_that_an_exporter_takes(four: Four, spans: InMemorySpanExporter) -> None:
    await asyncio.gather(*(register(four, number) for number in (21, 22)))
    await four.client.wait_quiet()
    encode_spans(spans.get_finished_spans())


async def test_where_traces_meet_each_goes_on(four: Four, spans: InMemorySpanExporter) -> None:
    follower = four.services["monitoring"].follower
    async with follower.standstill:
        traces = set(await asyncio.gather(*(register(four, number) for number in (3, 4))))

        async def sent() -> bool:
            backlog = await four.services["registration"].replica.backlog()
            return not (backlog.unsent or backlog.undecided)

        async with asyncio.timeout(10):
            while not await sent():
                await asyncio.sleep(0.01)
    await four.client.wait_quiet()
    assert len(traces) == 2
    for trace in traces:
        assert any(one.name == "known" for one in of_trace(spans, trace))
    wholes = [one for one in spans.get_finished_spans() if one.name == "known" and len(one.links) > 1]
    assert traces <= {f"{link.context.trace_id:032x}" for one in wholes for link in one.links}


def shown(reader: InMemoryMetricReader) -> dict[str, dict[tuple[Any, Any], float]]:
    """By instrument, value by service and topic."""
    data = reader.get_metrics_data()
    assert data
    found: dict[str, dict[tuple[Any, Any], float]] = {}
    for metric in (one for r in data.resource_metrics for scope in r.scope_metrics for one in scope.metrics):
        for point in metric.data.data_points:
            key = (point.attributes.get("service"), point.attributes.get("topic"))
            found.setdefault(metric.name, {})[key] = point.value  # type: ignore[union-attr]
    return found


async def test_what_is_behind_is_measured_and_readable(
    metrics: InMemoryMetricReader, four: Four, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await four.http.get("/registration/health/backlog")).json()
    assert (before["outbox_age_seconds"], before["due_timers"], before["quiet"]) == (0.0, 0, True)
    replica = four.services["registration"].replica

    async def away(*_: Any) -> None:
        raise Unavailable("log")

    with monkeypatch.context() as broken:
        broken.setattr(four.log, "append_in_order", away)
        await register(four, 5)
        async with asyncio.timeout(10):
            while not (backlog := await replica.backlog()).unsent or backlog.undecided:
                await asyncio.sleep(0.01)
        late = four.runtime.now() + timedelta(seconds=90)
        broken.setattr(four.runtime, "now", lambda: late)
        stuck = (await four.http.get("/registration/health/backlog")).json()
    assert stuck["unsent"] >= 2
    assert 80 <= stuck["outbox_age_seconds"] <= 100
    await four.client.wait_quiet()
    assert not {"lag", "counts"} & (await four.http.get("/monitoring/health/backlog")).json().keys()
    assert (await four.http.get("/monitoring/v1/backlog")).status_code == 401
    after = (await four.http.get("/monitoring/v1/backlog", headers=four.bearer("administrator"))).json()
    assert after["lag"] == dict.fromkeys(TOPICS, 0)
    assert after["counts"]["relayed"] >= 3
    monitored = shown(metrics)
    assert set(monitored["sankofa.outbox.age"]) == {(name, None) for name in SERVICES}
    assert ("placement", "matching.matches") in monitored["sankofa.consumer.lag"]
    assert {"sankofa.outbox.unsent", "sankofa.timers.due", "sankofa.subjects.parked"} <= monitored.keys()
    assert monitored["sankofa.records.relayed"][(None, None)] >= 3
    assert "sankofa.records.deduplicated" in monitored


async def test_each_instrument_follows_what_happens(
    metrics: InMemoryMetricReader, four: Four, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def until(name: str, key: tuple[str | None, str | None], holds: Callable[[float], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds(shown(metrics)[name][key]):
                await asyncio.sleep(0.05)

    before = {name: values[(None, None)] for name, values in shown(metrics).items() if (None, None) in values}
    await register(four, 6)
    await four.client.wait_quiet()
    for number in range(EXPERTS.partitions):
        for record in await four.log.read(EXPERTS.name, number, 0):
            await four.log.append(
                EXPERTS.name, number, [Message(str(record.key, "ascii"), record.value, record.headers)]
            )
    await until("sankofa.records.deduplicated", (None, None), lambda n: n > before["sankofa.records.deduplicated"])
    # What came too early has a timer, and nobody is left to fire it; what nobody knows waits for a person.
    await four.services["matching"].replica._sweeper.stop()
    for subject, changes in (("early-1", {}), ("unheard-1", {"ce_type": "org.sankofa.placement.Unheard"})):
        await four.log.append(PLACEMENTS.name, 0, [placement_refused(subject, changes)])
    await until("sankofa.records.parked", (None, None), lambda n: n >= before["sankofa.records.parked"] + 2)
    await until("sankofa.subjects.parked", ("matching", None), lambda n: n == 2)
    await until("sankofa.timers.due", ("matching", None), lambda n: n == 1)
    async with four.services["monitoring"].follower.standstill:
        await register(four, 7)
        await until("sankofa.consumer.lag", ("monitoring", EXPERTS.name), lambda n: n == 1)
    await until("sankofa.consumer.lag", ("monitoring", EXPERTS.name), lambda n: n == 0)

    async def away(*_: Any) -> None:
        raise Unavailable("log")

    with monkeypatch.context() as broken:
        broken.setattr(four.log, "append_in_order", away)
        await register(four, 8)
        await until("sankofa.outbox.unsent", ("registration", None), lambda n: n >= 2)
        await until("sankofa.outbox.age", ("registration", None), lambda n: n > 0.3)
    await until("sankofa.outbox.age", ("registration", None), lambda n: n == 0)
    assert shown(metrics)["sankofa.submissions.taken"][(None, None)] == before["sankofa.submissions.taken"] + 3


def placement_refused(subject: str, changes: dict[str, str]) -> Message:
    """The published sample about another placement, whose match nobody knows."""
    sample = json.loads((SAMPLES / "placement.PlacementRefused.1.json").read_text())
    headers = {**sample["headers"], "ce_id": f"{subject}-event", "ce_subject": subject, **changes}
    encoded = tuple((name, value.encode()) for name, value in headers.items())
    return Message(subject, json.dumps(sample["body"]).encode(), encoded)


async def test_live_is_not_ready(four: Four) -> None:
    monitoring = four.services["monitoring"]
    monitoring.follower._failures = 1
    assert (await four.http.get("/monitoring/health/live")).status_code == 200
    answer = await four.http.get("/monitoring/health/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["read_model"])
    monitoring.follower._failures = 0
