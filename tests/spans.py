"""The fixture of every test that looks at spans: a module asks for it by `pytest_plugins`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry.tracing import record_spans


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What this process records, from now to the end of the test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    record_spans(provider)
    yield exporter
    record_spans(None)
