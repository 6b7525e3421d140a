from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.errors import SettingsError
from shared.telemetry import observability
from shared.telemetry.allowed import ALLOWED_KEYS
from shared.telemetry.metrics import exposed
from shared.telemetry.observability import (
    configure_logging,
    configure_telemetry,
    count,
    counts,
    logger,
    only_allowed,
    reset_counts,
)
from shared.telemetry.tracing import step

CANARY = "Amina Kanarienvogel"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    written = io.StringIO()
    handlers, level = logging.root.handlers[:], logging.root.level
    configure_logging("matching", "info", written)
    yield written
    logging.root.handlers, logging.root.level = handlers, level
    configure_logging()
    logging.root.handlers = handlers


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_its_ids(stream: io.StringIO) -> None:
    logger.info("parked", subject="5f1cf7e6", topic="matching.matches", offset=7, reason="too_early:expert")
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "event": "parked",
        "level": "info",
        "service": "matching",
        "subject": "5f1cf7e6",
        "topic": "matching.matches",
        "offset": 7,
        "reason": "too_early:expert",
    }


def test_a_planted_name_reaches_no_line(stream: io.StringIO) -> None:
    logger.info(f"registered {CANARY}")
    logger.warning("registered", name=CANARY, given_name="Amina", reason=CANARY, id={"name": CANARY}, body=[CANARY])
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        logger.exception("failed", id="1")
        logger.error("failed", exc_info=error)
        logging.getLogger("library").exception("cannot do %s", CANARY)
    logging.getLogger("library").error(f"cannot do {CANARY}")
    text = stream.getvalue()
    assert "Amina" not in text
    assert "Kanarien" not in text
    assert len(lines(stream)) == 6
    assert lines(stream)[1]["dropped"] == 3
    assert {line.get("error") for line in lines(stream)[2:5]} == {"ValueError"}


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12) | st.integers() | st.none(), max_size=5))
def test_only_allowed_keys_with_plain_values_pass(line: dict[str, object]) -> None:
    kept = only_allowed(None, "info", {"event": "x", **line})
    assert set(kept) <= ALLOWED_KEYS
    for value in kept.values():
        assert not isinstance(value, str) or (value.isascii() and " " not in value)


class Library:
    """Another's logger, whose records carry a time of the test's."""

    def __init__(self, name: str = "client") -> None:
        self.name = name

    def says(self, template: str, at: float, *args: object, level: int = logging.ERROR) -> None:
        record = logging.makeLogRecord(
            {"name": self.name, "levelno": level, "levelname": "ERROR", "msg": template, "args": args, "created": at}
        )
        logging.root.handle(record)


def test_the_same_line_of_a_library_is_written_seldom_and_says_how_often_it_was_not(stream: io.StringIO) -> None:
    client, other = Library(), Library("other")
    for tenth in range(250):
        client.says("no node %s", 1000 + tenth / 10, tenth)
    found = lines(stream)
    assert [line.get("left_out") for line in found] == [None, 99, 99]
    assert {line["event"] for line in found} == {"no_node_"}
    assert [line["timestamp"] for line in found][:2] == ["1970-01-01T00:16:40.000000Z", "1970-01-01T00:16:50.000000Z"]
    # Any line that comes when its time is over tells of it, and one that comes before does not.
    other.says("lost %s", 1025, 1)
    assert [line["logger"] for line in lines(stream)[3:]] == ["other"]
    other.says("found %s", 1031, 1)
    told = lines(stream)[4:]
    assert [(line["logger"], line["event"], line.get("left_out")) for line in told] == [
        ("other", "found_", None),
        ("client", "no_node_", 48),
    ]


def test_lines_that_differ_are_all_written_and_none_is_lost_at_the_end(stream: io.StringIO) -> None:
    client = Library()
    client.says("no node %s", 1000, 1)
    client.says("no node %s", 1000, 1, level=logging.CRITICAL)
    client.says("no group %s", 1000, 1)
    client.says(f"filled in {CANARY}", 1000)
    client.says("filled in by itself", 1001)
    Library("other").says("no node %s", 1000, 1)
    client.says("no node %s", 1003, 2)
    client.says("no node %s", 1003, 3)
    assert len(lines(stream)) == 5
    logging.root.handlers[0].close()
    # The last of the two itself, which tells of the other one; and the one that is withheld like the one before.
    assert [(line["event"], line.get("left_out")) for line in lines(stream)[5:]] == [
        ("no_node_", 1),
        ("withheld", None),
    ]
    assert "Kanarien" not in stream.getvalue()


def test_a_clock_that_was_set_back_keeps_nothing_quiet(stream: io.StringIO) -> None:
    client = Library()
    client.says("no node %s", 5000, 1)
    client.says("no node %s", 1000, 1)
    assert len(lines(stream)) == 2


def test_quiet_levels_and_unknown_ones(stream: io.StringIO) -> None:
    logger.debug("unheard")
    assert stream.getvalue() == ""
    with pytest.raises(SettingsError):
        configure_logging(level="loud")


def test_counters_are_a_dict() -> None:
    reset_counts()
    count("relayed", 3)
    count("relayed")
    count("parked")
    assert counts() == {"relayed": 4, "parked": 1}
    counts()["relayed"] = 0
    assert counts()["relayed"] == 4
    reset_counts()


def test_no_exporter_unless_the_environment_names_an_installed_one() -> None:
    assert configure_telemetry("matching", {}) is None
    assert configure_telemetry("matching", {"OTEL_TRACES_EXPORTER": "none"}) is None
    assert configure_telemetry("matching", {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}) is None
    with pytest.raises(SettingsError):
        configure_telemetry("matching", {"OTEL_TRACES_EXPORTER": "not-there"})
    with pytest.raises(SettingsError):
        configure_telemetry("matching", {"OTEL_METRICS_EXPORTER": "not-there"})
    assert not exposed()


def test_what_the_environment_names_is_exported_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    given = {"opentelemetry_traces_exporter": spans, "opentelemetry_metrics_exporter": metrics}
    monkeypatch.setattr(observability, "entry_points", lambda group, name: [Installed(given[group])])
    telemetry = configure_telemetry("matching", {"OTEL_TRACES_EXPORTER": "one", "OTEL_METRICS_EXPORTER": "other"})
    assert telemetry
    assert exposed()
    with step("deliver", None, topic="matching.matches"):
        count("deduplicated", 3)
    shown = metric_names(metrics)
    telemetry.shutdown()
    assert not exposed()
    with step("deliver", None) as nothing:
        assert nothing is None
    assert [one.name for one in spans.get_finished_spans()] == ["deliver"]
    assert {"sankofa.records.relayed", "sankofa.records.deduplicated", "sankofa.records.parked"} <= shown


class Installed:
    """An entry point of an exporter."""

    def __init__(self, exporter: object) -> None:
        self._exporter = exporter

    def load(self) -> Callable[[], object]:
        return lambda: self._exporter


def metric_names(reader: InMemoryMetricReader) -> set[str]:
    data = reader.get_metrics_data()
    assert data
    return {one.name for r in data.resource_metrics for scope in r.scope_metrics for one in scope.metrics}
