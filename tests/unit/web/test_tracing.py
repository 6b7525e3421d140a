"""Spans where somebody records them, and the same trace going on where nobody does."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared.telemetry.tracing import (
    child_traceparent,
    current_traceparent,
    joined,
    note,
    span,
    step,
    valid_traceparent,
)

pytest_plugins = ["tests.spans"]

CANARY = "Amina Kanarienvogel"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = PARENT.replace("0af7", "1bf8")
UNSAMPLED = PARENT[:-2] + "00"


def trace_of(one: ReadableSpan) -> str:
    return f"{one.context.trace_id:032x}"


def test_a_trace_goes_on_through_us_without_an_exporter() -> None:
    with span("request", PARENT, random.Random(1), route="/x") as ours:
        assert valid_traceparent(ours)
        assert ours.split("-")[1] == PARENT.split("-")[1]
        assert ours.split("-")[2] != PARENT.split("-")[2]
        assert ours.endswith("-01")
    with span("request", None, random.Random(1)) as one, span("request", None, random.Random(1)) as other:
        assert one == other
        assert valid_traceparent(one)
    assert child_traceparent("nonsense", random.Random(1)) == one


def test_a_recorded_span_is_the_parent_of_what_follows(spans: InMemorySpanExporter) -> None:
    with span("request", PARENT, random.Random(1), route="/x", name_of_person=CANARY) as ours:
        assert ours.split("-")[1] == PARENT.split("-")[1]
        assert ours == current_traceparent()
        note(status=200, event=CANARY)
        with step("deliver", ours) as inner:
            assert inner == current_traceparent() != ours
    assert current_traceparent() is None
    deliver, request = spans.get_finished_spans()
    assert dict(request.attributes or {}) == {"route": "/x", "status": 200, "event": "withheld"}
    assert deliver.parent is not None
    assert deliver.parent.span_id == request.context.span_id


def test_where_nobody_records_nothing_is_looked_at() -> None:
    def unread() -> Iterator[str]:
        raise AssertionError("the parents were looked at")
        yield ""

    with joined("known", unread()), step("deliver", PARENT) as same:
        assert same == PARENT
        note(status=1)
    assert not trace.get_current_span().get_span_context().is_valid


def test_an_attribute_may_be_called_what_a_span_is_made_with(spans: InMemorySpanExporter) -> None:
    with step("decide", PARENT, kind="expert-registration", role="officer"), joined("known", [PARENT], kind="x"):
        pass
    known, decide = spans.get_finished_spans()
    assert dict(decide.attributes or {}) == {"kind": "expert-registration", "role": "officer"}
    assert {one.kind for one in (known, decide)} == {SpanKind.INTERNAL}
    encode_spans([known, decide])


def test_an_error_is_told_by_its_class(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=CANARY), step("deliver", PARENT):
        raise ValueError(CANARY)
    (failed,) = spans.get_finished_spans()
    assert (failed.status.status_code, failed.status.description) == (StatusCode.ERROR, None)
    assert dict(failed.attributes or {}) == {"error": "ValueError"}
    assert failed.events == ()


def test_a_span_under_one_that_is_not_recorded_is_not_either(spans: InMemorySpanExporter) -> None:
    with step("deliver", UNSAMPLED) as same:
        assert same == UNSAMPLED
    with joined("known", [UNSAMPLED, None, "nonsense"]):
        pass
    assert spans.get_finished_spans() == ()


def test_where_traces_meet_each_goes_on_and_is_linked(spans: InMemorySpanExporter) -> None:
    with joined("known", [PARENT, OTHER, PARENT, None]):
        pass
    *parts, whole = sorted(spans.get_finished_spans(), key=lambda one: one.parent is None)
    assert {trace_of(one) for one in parts} == {PARENT.split("-")[1], OTHER.split("-")[1]}
    assert [[link.context.span_id for link in one.links] for one in parts] == [[whole.context.span_id]] * 2
    assert {f"{link.context.trace_id:032x}" for link in whole.links} == {trace_of(one) for one in parts}
    assert trace_of(whole) not in {trace_of(one) for one in parts}


def test_a_single_trace_is_not_split(spans: InMemorySpanExporter) -> None:
    with joined("known", [PARENT, UNSAMPLED]):
        pass
    (one,) = spans.get_finished_spans()
    assert (trace_of(one), one.links) == (PARENT.split("-")[1], ())


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00-0-0-00",
        PARENT.upper(),
        PARENT + "-x",
        "01" + PARENT[2:],
        PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        PARENT + "\r\nX: y",
    ],
)
def test_what_is_no_traceparent(text: str | None) -> None:
    assert valid_traceparent(text) is None
