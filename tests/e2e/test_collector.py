"""What a collector gets: one registration's trace through all four services, and every metric."""

from __future__ import annotations

import http.server
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from services.registration.domain.examples import DEFINITION, EXPERT
from shared.telemetry.metrics import COUNTED
from tests.e2e.system import SERVICES, System, free_port

CANARY = "zqanary"
GAUGES = {"sankofa.consumer.lag", "sankofa.outbox.unsent", "sankofa.outbox.age", "sankofa.timers.due"}
GAUGES |= {"sankofa.submissions.undecided", "sankofa.submissions.awaiting", "sankofa.subjects.parked"}


class Collector:
    """Takes OTLP over HTTP on a loopback port."""

    def __init__(self) -> None:
        self.received: dict[str, list[bytes]] = defaultdict(list)
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gzipped = self.headers.get("Content-Encoding") == "gzip"
                collector.received[self.path].append(zlib.decompress(body, 31) if gzipped else body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def services_by_trace(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for body in self.received["/v1/traces"]:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for span in (one for scope in resource.scope_spans for one in scope.spans):
                    said = {one.key: one.value.string_value for one in span.attributes}
                    found[span.trace_id.hex()] |= {said["service"]} if "service" in said else set()
        return found

    def metrics(self) -> set[str]:
        return {
            metric.name
            for body in self.received["/v1/metrics"]
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.server.server_close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    system.environment |= {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}
    yield system
    system.stop()


def registered(system: System) -> str:
    """The trace of a registration whose names are canaries."""
    body = {"definition": DEFINITION}
    headers = system.token("administrator")
    httpx.post(f"{system.url}/registration/v1/programmes", json=body, headers=headers).raise_for_status()
    person = {**EXPERT["person"], "given_name": CANARY.title(), "family_name": CANARY.title()}
    sent = {"json": {**EXPERT, "person": person}, "headers": system.token("expert")}
    answer: Any = None
    for _ in range(100):
        # The programme is known to the intake a moment after it was published.
        answer = httpx.post(f"{system.url}/registration/v1/experts", **sent)
        if answer.status_code == 202:
            break
        time.sleep(0.1)
    return str(answer.raise_for_status().headers["traceparent"].split("-")[1])


def test_a_collector_gets_one_trace_through_all_four_services_and_every_metric(
    system: System, collector: Collector
) -> None:
    system.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    system.environment["OTEL_METRIC_EXPORT_INTERVAL"] = "500"
    system.start()
    system.wait_ready()
    trace = registered(system)
    until = time.monotonic() + 30
    while collector.services_by_trace().get(trace) != set(SERVICES):
        assert time.monotonic() < until, collector.services_by_trace().get(trace)
        time.sleep(0.2)
    code, _ = system.interrupt()
    assert code == 0
    # What was not sent yet is sent at the end.
    assert collector.metrics() == GAUGES | {name for _, name, _ in COUNTED}
    assert not any(
        CANARY in body.lower().decode("latin-1") for bodies in collector.received.values() for body in bodies
    )


def test_without_its_collector_it_serves_and_ends_as_soon(system: System) -> None:
    system.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    system.start()
    system.wait_ready()
    assert registered(system)
    code, seconds = system.interrupt()
    assert code == 0
    assert seconds < 5
    assert "Traceback" not in system.errors.read_text()
