"""What is behind and what was done, as OpenTelemetry's instruments.

An instrument is read at any moment and may not wait for a store, so each replica measures itself every now and then;
where nobody exports, nobody measures. Attributes are services and topics, never a case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider

Counts = Callable[[], Mapping[str, int]]

# Of this process since it started: the counter's name here, its instrument, its unit.
COUNTED = (
    ("relayed", "sankofa.records.relayed", "{record}"),
    ("deduplicated", "sankofa.records.deduplicated", "{record}"),
    ("parked", "sankofa.records.parked", "{record}"),
    ("submissions", "sankofa.submissions.taken", "{submission}"),
    ("timer_failed", "sankofa.timers.failed", "{timer}"),
    ("request_failed", "sankofa.requests.failed", "{request}"),
)


@dataclass(frozen=True)
class Measured:
    """One replica's view of what its service has not finished.

    `lag`: records below the end, by topic. `outbox_age_seconds`: since the oldest unsent event, 0.0 without one.
    `due_timers`: counted up to a bound. `parked`: subjects with parked records.
    """

    lag: Mapping[str, int]
    unsent: int
    outbox_age_seconds: float
    due_timers: int
    undecided: int
    awaiting: int
    parked: int


_latest: dict[str, Measured] = {}
_exposed: list[MeterProvider] = []


def exposed() -> bool:
    """Whether somebody reads the instruments, so that it is worth measuring."""
    return bool(_exposed)


def publish(service: str, measured: Measured) -> None:
    """What the instruments show of a service until the next time."""
    _latest[service] = measured


def withdraw(service: str) -> None:
    """A replica that stopped is not behind: its last figures are not shown any longer."""
    _latest.pop(service, None)


def expose(provider: MeterProvider, counts: Counts) -> None:
    """Makes the instruments on this provider. `counts`: the counters of this process."""
    meter = provider.get_meter("sankofa")
    gauges: tuple[tuple[str, str, Callable[[Measured], float]], ...] = (
        ("sankofa.outbox.unsent", "{document}", lambda m: m.unsent),
        ("sankofa.outbox.age", "s", lambda m: m.outbox_age_seconds),
        ("sankofa.timers.due", "{timer}", lambda m: m.due_timers),
        ("sankofa.submissions.undecided", "{submission}", lambda m: m.undecided),
        ("sankofa.submissions.awaiting", "{submission}", lambda m: m.awaiting),
        ("sankofa.subjects.parked", "{subject}", lambda m: m.parked),
    )
    meter.create_observable_gauge("sankofa.consumer.lag", [_lags], "{record}")
    for name, unit, value in gauges:
        meter.create_observable_gauge(name, [_observed(value)], unit)
    for counter, name, unit in COUNTED:
        meter.create_observable_counter(name, [_counted(counts, counter)], unit)
    _exposed.append(provider)


def conceal(provider: MeterProvider) -> None:
    """Takes back `expose`: the provider is about to end."""
    _exposed.remove(provider)


def _lags(_options: CallbackOptions) -> Iterable[Observation]:
    for service, measured in list(_latest.items()):
        for topic, records in measured.lag.items():
            yield Observation(records, {"service": service, "topic": topic})


def _observed(value: Callable[[Measured], float]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(value(measured), {"service": name}) for name, measured in list(_latest.items())]

    return observe


def _counted(counts: Counts, counter: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(counts().get(counter, 0))]

    return observe
