"""Logs and counts: JSON lines with ids and never a name, counters as a dict; and what exports spans and metrics.

A log line is an event's name and allowed keys. What is not allowed is dropped, so a line written in haste
cannot carry a person's name, an address or a request's body into a file that outlives its erasure.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Any, TextIO, cast

import structlog
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from shared.clock import text_of
from shared.errors import SettingsError
from shared.telemetry.allowed import ALLOWED_KEYS, WITHHELD, plain
from shared.telemetry.metrics import conceal, expose
from shared.telemetry.tracing import record_spans

SAME_LINE_SECONDS = 10.0
SEND_LAST_SECONDS = 1.0
OURS = {"otlp": ("otlp_proto_http",)}
_EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,80}")

logger: structlog.stdlib.BoundLogger = structlog.get_logger()
_counts: Counter[str] = Counter()


def only_allowed(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keeps allowed keys with plain values; says how many it dropped and withholds what may be a text."""
    kept = {key: plain(value) for key, value in line.items() if key in ALLOWED_KEYS}
    event = kept.get("event")
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        kept["event"] = WITHHELD
    if len(kept) < len(line):
        kept["dropped"] = len(line) - len(kept)
    return kept


def class_name_only(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception's message and frames may quote a value, so only its class name stays."""
    error = line.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        line.setdefault("error", type(error).__name__)
    return line


class _TemplatesOnly(logging.Formatter):
    """Lines of libraries: the message's template without its arguments, which may hold a value.

    A template that is no plain ASCII (an f-string is one already filled in) is withheld.
    """

    def format(self, record: logging.LogRecord) -> str:
        event = re.sub(r"[^A-Za-z0-9%]+", "_", record.msg)[:80].strip("_") if isinstance(record.msg, str) else ""
        line: dict[str, Any] = {"event": re.sub("%.?", "", event), "logger": record.name, "level": record.levelname}
        line["timestamp"] = text_of(datetime.fromtimestamp(record.created, UTC))
        if not record.args:
            line["event"] = WITHHELD
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        if left_out := getattr(record, "left_out", 0):
            line["left_out"] = left_out
        return str(structlog.processors.JSONRenderer(sort_keys=True)(None, "", only_allowed(None, "", line)))


@dataclass
class _Said:
    """When a line was last written, in seconds since 1970, and what has been left out since."""

    at: float
    left_out: int = 0
    last: logging.LogRecord | None = None


class _Seldom(logging.StreamHandler[TextIO]):
    """Writes lines of libraries: the same one at most once in `SAME_LINE_SECONDS`.

    A client without its broker says the same tens of times a second. How often it was left out is said when the
    line is next written: with the next like it, with any other line once its time is over, or at the end.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        # Templates are literals of code and the rest is withheld alike, so their number stays bounded.
        self._said: dict[tuple[str, int, str, str], _Said] = {}

    def emit(self, record: logging.LogRecord) -> None:
        template = record.msg if record.args and isinstance(record.msg, str) else ""
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        key = (record.name, record.levelno, template, error)
        said = self._said.get(key)
        if said is not None and not self._over(said, record.created):
            said.left_out, said.last = said.left_out + 1, record
        else:
            record.left_out = said.left_out if said else 0
            self._said[key] = _Said(record.created)
            super().emit(record)
        self._tell(record.created)

    def close(self) -> None:
        """Says what was left out since, and ends."""
        self._tell(None)
        super().close()

    @staticmethod
    def _over(said: _Said, now: float) -> bool:
        # A clock that was set back must not keep a line quiet.
        return not 0 <= now - said.at < SAME_LINE_SECONDS

    def _tell(self, now: float | None) -> None:
        """Writes the last of each line that was left out and whose time is over; None: of all of them."""
        for said in self._said.values():
            if said.last is not None and (now is None or self._over(said, now)):
                record, record.left_out = said.last, said.left_out - 1
                said.at, said.left_out, said.last = record.created if now is None else now, 0, None
                super().emit(record)


class _Enduring:
    """A stream of lines; one that cannot be written, as to a file on a full disk, is counted and stops nobody."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._guarded(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._guarded(self._stream.flush)

    @staticmethod
    def _guarded(work: Callable[[], object]) -> None:
        try:
            work()
        except OSError:
            count("lines_lost")


def configure_logging(service: str = "", level: str = "info", stream: TextIO | None = None) -> None:
    """Writes JSON lines to `stream` (standard error by default) from `level` on; SettingsError for an unknown one."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise SettingsError(f"{level!r} is no log level")
    structlog.contextvars.clear_contextvars()
    if service:
        structlog.contextvars.bind_contextvars(service=service)
    _configure(number, stream)
    handler = _Seldom(stream or sys.stderr)
    handler.setFormatter(_TemplatesOnly())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


def _configure(level: int, stream: TextIO | None) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            class_name_only,
            only_allowed,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up at each line, so that a stream that was replaced later is the one written to.
        logger_factory=lambda *_: structlog.WriteLogger(cast(TextIO, _Enduring(stream or sys.stderr))),
        cache_logger_on_first_use=False,
    )


# The filter stands before the first line; without it structlog's defaults would print whatever they are given.
_configure(logging.INFO, None)


def count(name: str, by: int = 1) -> None:
    """Adds to a counter of this process. Names are literals in code, so that their number stays bounded."""
    _counts[name] += by


def counts() -> dict[str, int]:
    """Every counter since the process started: relayed, deduplicated, parked, skipped, conflicts, ..."""
    return dict(_counts)


def reset_counts() -> None:
    """Sets every counter back, between two schedules of the simulation."""
    _counts.clear()


@dataclass(frozen=True)
class Telemetry:
    """What exports spans and metrics; None for what the environment names no exporter of."""

    spans: TracerProvider | None
    meters: MeterProvider | None

    def shutdown(self) -> None:
        """Sends what is left, and ends, after 1 s at the latest: a collector that is away would keep us for 15."""
        endings: list[Callable[[], None]] = []
        if self.spans is not None:
            record_spans(None)
            endings.append(self.spans.shutdown)
        if self.meters is not None:
            conceal(self.meters)
            endings.append(self.meters.shutdown)
        # Threads that the interpreter's end does not wait for.
        threads = [threading.Thread(target=ending, daemon=True) for ending in endings]
        for thread in threads:
            thread.start()
        until = time.monotonic() + SEND_LAST_SECONDS
        for thread in threads:
            thread.join(max(until - time.monotonic(), 0.0))


def configure_telemetry(service: str, environ: Mapping[str, str]) -> Telemetry | None:
    """Exports spans and metrics only where `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` name installed exporters.

    Otherwise nothing is recorded or measured. Raises SettingsError for an exporter that is not installed.
    """
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    span_exporter = _exporter("OTEL_TRACES_EXPORTER", "opentelemetry_traces_exporter", environ)
    metric_exporter = _exporter("OTEL_METRICS_EXPORTER", "opentelemetry_metrics_exporter", environ)
    resource = Resource.create({"service.name": f"sankofa-{service}"})
    spans, meters = None, None
    if span_exporter is not None:
        spans = TracerProvider(resource=resource, shutdown_on_exit=False)
        spans.add_span_processor(BatchSpanProcessor(span_exporter))
        record_spans(spans)
    if metric_exporter is not None:
        # Some exporters wait to be asked, the others send every now and then.
        asked = isinstance(metric_exporter, MetricReader)
        reader = metric_exporter if asked else PeriodicExportingMetricReader(metric_exporter)
        meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        expose(meters, counts)
    return Telemetry(spans, meters) if spans or meters else None


def _exporter(variable: str, group: str, environ: Mapping[str, str]) -> Any:
    name = environ.get(variable, "none")
    if name in ("", "none"):
        return None
    # `otlp` alone is what a package beside ours is called that also brings gRPC; ours is the one over HTTP.
    found = [one for known in (name, *OURS.get(name, ())) for one in entry_points(group=group, name=known)]
    if not found:
        raise SettingsError(f"{variable}={name}: no such exporter is installed")
    return found[0].load()()
