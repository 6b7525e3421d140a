from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from shared import observability
from shared.errors import SettingsError
from shared.observability import (
    child_traceparent,
    configure_logging,
    configure_tracing,
    count,
    counts,
    logger,
    only_allowed,
    reset_counts,
    span,
    valid_traceparent,
)

CANARY = "Amina Kanarienvogel"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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
    assert set(kept) <= observability.ALLOWED_KEYS
    for value in kept.values():
        assert not isinstance(value, str) or (value.isascii() and " " not in value)


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


def test_a_recorded_span_is_the_parent_of_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observability.trace, "get_tracer", TracerProvider().get_tracer)
    with span("request", PARENT, random.Random(1), route="/x", name_of_person=CANARY) as ours:
        assert ours.split("-")[1] == PARENT.split("-")[1]
        assert ours == observability.current_traceparent()
        recorded = observability.trace.get_current_span()
        assert dict(recorded.attributes or {}) == {"route": "/x"}  # type: ignore[attr-defined]
    assert observability.current_traceparent() is None


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


def test_no_exporter_unless_the_environment_names_an_installed_one() -> None:
    assert configure_tracing("matching", {}) is None
    assert configure_tracing("matching", {"OTEL_TRACES_EXPORTER": "none"}) is None
    assert configure_tracing("matching", {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}) is None
    with pytest.raises(SettingsError):
        configure_tracing("matching", {"OTEL_TRACES_EXPORTER": "not-there"})
