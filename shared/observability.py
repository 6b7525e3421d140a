"""Logs, counts and traces: JSON lines with ids and never a name, counters as a dict, W3C trace context.

A log line is an event's name and allowed keys. What is not allowed is dropped, so a line written in haste
cannot carry a person's name, an address or a request's body into a file that outlives its erasure.
"""

from __future__ import annotations

import logging
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any, TextIO

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import SettingsError

ALLOWED_KEYS = frozenset(
    re.findall(
        r"\w+",
        """account aggregate assignment attempt attempts causation_id code collection command_id correlation_id count
        dropped duration_ms end epoch error event event_id expert format group handler id index institution kind
        level logger match method offset office partition period person phase pid placement port position programme
        reason replica resource retry_after_seconds role route rule seconds seed sequence service signal slot status
        subject timestamp topic traceparent type url verb version waiting""",
    )
)
_EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,80}")
# Ids, codes, routes and addresses; a text with a space or a letter beyond ASCII may be a name.
_VALUE = re.compile(r"[A-Za-z0-9_.:/{}@+=,<>*-]{0,200}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
WITHHELD = "withheld"

logger: structlog.stdlib.BoundLogger = structlog.get_logger()
_counts: Counter[str] = Counter()


def only_allowed(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keeps allowed keys with plain values; says how many it dropped and withholds what may be a text."""
    kept = {key: _plain(value) for key, value in line.items() if key in ALLOWED_KEYS}
    event = kept.get("event")
    if not isinstance(event, str) or not _EVENT.fullmatch(event):
        kept["event"] = WITHHELD
    if len(kept) < len(line):
        kept["dropped"] = len(line) - len(kept)
    return kept


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return value if isinstance(value, str) and _VALUE.fullmatch(value) else WITHHELD


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
        if not record.args:
            line["event"] = WITHHELD
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
        return str(structlog.processors.JSONRenderer(sort_keys=True)(None, "", only_allowed(None, "", line)))


def configure_logging(service: str = "", level: str = "info", stream: TextIO | None = None) -> None:
    """Writes JSON lines to `stream` (standard error by default) from `level` on; SettingsError for an unknown one."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise SettingsError(f"{level!r} is no log level")
    structlog.contextvars.clear_contextvars()
    if service:
        structlog.contextvars.bind_contextvars(service=service)
    _configure(number, stream)
    handler = logging.StreamHandler(stream or sys.stderr)
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
        logger_factory=lambda *_: structlog.WriteLogger(stream or sys.stderr),
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


def configure_tracing(service: str, environ: Mapping[str, str]) -> TracerProvider | None:
    """Exports spans only where `OTEL_TRACES_EXPORTER` names an installed exporter; else nothing is recorded.

    Raises SettingsError for an exporter that is not installed.
    """
    name = environ.get("OTEL_TRACES_EXPORTER", "none")
    if name in ("", "none") or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    found = list(entry_points(group="opentelemetry_traces_exporter", name=name))
    if not found:
        raise SettingsError(f"OTEL_TRACES_EXPORTER={name}: no such exporter is installed")
    provider = TracerProvider(resource=Resource.create({"service.name": f"sankofa-{service}"}))
    provider.add_span_processor(BatchSpanProcessor(found[0].load()()))
    trace.set_tracer_provider(provider)
    return provider


def valid_traceparent(text: str | None) -> str | None:
    """The text if it is a W3C traceparent of version 00, else None."""
    return text if text and _TRACEPARENT.fullmatch(text) else None


def child_traceparent(parent: str | None, rng: random.Random) -> str:
    """A traceparent under the given one, or of a new trace; ids come from the given randomness."""
    parts = parent.split("-") if valid_traceparent(parent) and parent else ["00", f"{rng.getrandbits(128) or 1:032x}"]
    flags = parts[3] if len(parts) == 4 else "00"
    return f"00-{parts[1]}-{rng.getrandbits(64) or 1:016x}-{flags}"


def current_traceparent() -> str | None:
    """The running span as W3C text; None where nothing is recorded."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, parent: str | None, rng: random.Random, **attributes: str | int) -> Iterator[str]:
    """Runs the block as a span under `parent` and yields its traceparent.

    Without an exporter the text is made from `rng`, so that a trace goes on through us either way.
    Attributes pass the filter of the logs.
    """
    context: Context | None = None
    if parent := valid_traceparent(parent):
        context = TraceContextTextMapPropagator().extract({"traceparent": parent})
    allowed = {key: _plain(value) for key, value in attributes.items() if key in ALLOWED_KEYS}
    tracer = trace.get_tracer("sankofa")
    started = tracer.start_as_current_span(
        name, context=context, attributes=allowed, record_exception=False, set_status_on_exception=False
    )
    with started as running:
        recorded = current_traceparent() if running.is_recording() else None
        yield recorded or child_traceparent(parent, rng)
