"""Traces: one from a request through outbox, log and every consumer to the read model, with W3C trace context.

Where nobody records, a step is one comparison and the traceparent goes on as it came, so that a trace that began
outside passes through us all the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.telemetry.allowed import ALLOWED_KEYS, plain

LINKS_AT_MOST = 128
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_PROPAGATOR = TraceContextTextMapPropagator()
_tracer: Tracer | None = None


def record_spans(provider: TracerProvider | None) -> None:
    """Where the spans of this process go from now on; None: they are not made."""
    global _tracer
    _tracer = None if provider is None else provider.get_tracer("sankofa")


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
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, parent: str | None, rng: random.Random, /, **attributes: str | int) -> Iterator[str]:
    """Runs the block as a server's span under `parent` and yields its traceparent.

    Where it is not recorded the text is made from `rng`, so that what follows has a trace either way.
    """
    with step(name, parent, SpanKind.SERVER, **attributes) as recorded:
        yield recorded if recorded and recorded != parent else child_traceparent(parent, rng)


def step(
    name: str, parent: str | None, span_kind: SpanKind = SpanKind.INTERNAL, /, **attributes: str | int
) -> AbstractContextManager[str | None]:
    """Runs the block as a span under `parent` and gives what follows from it for a parent.

    That is `parent` itself where the span is not recorded. Attributes pass the filter of the logs; any name may be one,
    `kind` too, which is a submission's and not the span's: no exporter takes a batch with a span of an unknown kind.
    """
    return _Passed(parent) if _tracer is None else _recorded(_tracer, name, parent, span_kind, attributes)


def joined(
    name: str, parents: Iterable[str | None], span_kind: SpanKind = SpanKind.INTERNAL, /, **attributes: str | int
) -> AbstractContextManager[str | None]:
    """Runs the block as a step in which several traces meet, as a batch does.

    It has a span of its own with a link to each of the first 128 traces that are recorded, and in each of them one
    that links to it, so that each trace goes on. A single trace has a plain step. `parents` is not looked at where
    nobody records.
    """
    if _tracer is None:
        return _Passed(None)
    met = list(dict.fromkeys(parent for parent in parents if parent and _is_recorded(parent)))[:LINKS_AT_MOST]
    if len(met) < 2:
        return _recorded(_tracer, name, met[0], span_kind, attributes) if met else _Passed(None)
    return _joining(_tracer, name, [_context(parent) for parent in met], span_kind, attributes)


class _Passed:
    """A step that nobody records. On the path of every record, so a class: a generator would cost five times that."""

    __slots__ = ("_parent",)

    def __init__(self, parent: str | None) -> None:
        self._parent = parent

    def __enter__(self) -> str | None:
        return self._parent

    def __exit__(self, *_: object) -> None:
        return None


@contextmanager
def _recorded(
    tracer: Tracer, name: str, parent: str | None, kind: SpanKind, attributes: Mapping[str, Any]
) -> Iterator[str | None]:
    with _running(tracer, name, _context(parent), kind, (), attributes) as running:
        yield current_traceparent() if running.is_recording() else parent


@contextmanager
def _joining(
    tracer: Tracer, name: str, contexts: Sequence[Context], kind: SpanKind, attributes: Mapping[str, Any]
) -> Iterator[str | None]:
    links = [Link(trace.get_current_span(context).get_span_context()) for context in contexts]
    with _running(tracer, name, Context(), kind, links, attributes) as whole:
        back, allowed = [Link(whole.get_span_context())], _allowed(attributes)
        parts = [tracer.start_span(name, one, kind, links=back, attributes=allowed) for one in contexts]
        try:
            yield current_traceparent()
        finally:
            for part in parts:
                part.end()


def note(**attributes: str | int | None) -> None:
    """Adds what became known only now to the running span."""
    if _tracer is not None:
        trace.get_current_span().set_attributes(_allowed(attributes))


@contextmanager
def _running(
    tracer: Tracer,
    name: str,
    context: Context,
    kind: SpanKind,
    links: Sequence[Link],
    attributes: Mapping[str, Any],
) -> Iterator[Span]:
    """An error that passes through is told by its class alone: its message may quote a value."""
    started = tracer.start_as_current_span(
        name, context, kind, _allowed(attributes), links, record_exception=False, set_status_on_exception=False
    )
    with started as running:
        try:
            yield running
        except Exception as error:
            running.set_attribute("error", type(error).__name__)
            running.set_status(StatusCode.ERROR)
            raise


def _context(parent: str | None) -> Context:
    """The parent's context; an empty one without, so that no span that happens to run is taken for the parent."""
    if valid_traceparent(parent) is None or parent is None:
        return Context()
    return _PROPAGATOR.extract({"traceparent": parent}, Context())


def _is_recorded(parent: str) -> bool:
    return valid_traceparent(parent) is not None and bool(int(parent[-2:], 16) & 1)


def _allowed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: plain(value) for key, value in attributes.items() if key in ALLOWED_KEYS and value is not None}
