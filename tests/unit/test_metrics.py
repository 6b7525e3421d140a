"""Each instrument shows the one value that it is named for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from shared.telemetry.metrics import COUNTED, Measured, conceal, expose, publish, withdraw

COUNTS = {name: 100 + number for number, (name, _, _) in enumerate(COUNTED)}


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    expose(provider, lambda: COUNTS)
    yield reader
    conceal(provider)
    provider.shutdown()


def shown(reader: InMemoryMetricReader) -> dict[str, tuple[str, list[tuple[dict[str, Any], float]]]]:
    """By instrument: its unit, and its values with their attributes."""
    data = reader.get_metrics_data()
    assert data
    every = [metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]
    return {
        one.name: (one.unit, [(dict(p.attributes or {}), p.value) for p in one.data.data_points])  # type: ignore[union-attr]
        for one in every
    }


def test_every_instrument_shows_its_own_value(reader: InMemoryMetricReader) -> None:
    lag = {"registration.experts": 7, "matching.matches": 0}
    publish(
        "placement", Measured(lag, unsent=2, outbox_age_seconds=3.5, due_timers=4, undecided=5, awaiting=7, parked=6)
    )
    found = shown(reader)
    withdraw("placement")
    assert found == {
        "sankofa.consumer.lag": (
            "{record}",
            [({"service": "placement", "topic": topic}, records) for topic, records in lag.items()],
        ),
        "sankofa.outbox.unsent": ("{document}", [({"service": "placement"}, 2)]),
        "sankofa.outbox.age": ("s", [({"service": "placement"}, 3.5)]),
        "sankofa.timers.due": ("{timer}", [({"service": "placement"}, 4)]),
        "sankofa.submissions.undecided": ("{submission}", [({"service": "placement"}, 5)]),
        "sankofa.submissions.awaiting": ("{submission}", [({"service": "placement"}, 7)]),
        "sankofa.subjects.parked": ("{subject}", [({"service": "placement"}, 6)]),
        "sankofa.records.relayed": ("{record}", [({}, COUNTS["relayed"])]),
        "sankofa.records.deduplicated": ("{record}", [({}, COUNTS["deduplicated"])]),
        "sankofa.records.parked": ("{record}", [({}, COUNTS["parked"])]),
        "sankofa.submissions.taken": ("{submission}", [({}, COUNTS["submissions"])]),
        "sankofa.timers.failed": ("{timer}", [({}, COUNTS["timer_failed"])]),
        "sankofa.requests.failed": ("{request}", [({}, COUNTS["request_failed"])]),
    }
    assert not any(points for name, (_, points) in shown(reader).items() if name.startswith("sankofa.outbox"))
