"""What both builds do under the same loads, each on an empty folder of its own, in turn."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.load import measures
from tests.bench.load.builds import Build
from tests.bench.load.generator import Seen
from tests.bench.load.issuer import issuer
from tests.bench.load.system import System

ACKNOWLEDGED_SECONDS = 0.5
COUNTED_SECONDS = 5.0
WARM = (20.0, 3.0)


@dataclass(frozen=True)
class Form:
    """How long everything takes. `steady_rate` is one that both builds can keep up with on a busy machine."""

    steady_rate: float
    steady_seconds: float
    rounds: int
    trial_seconds: float
    finer_than: float
    hold_seconds: float
    burst_rate: float
    burst_seconds: float
    drain_seconds: float
    harm_rate: float
    harm_seconds: float
    frozen_seconds: float


FULL = Form(20, 30, 5, 40, 1.08, 600, 1000, 60, 600, 200, 20, 12)
QUICK = Form(15, 8, 1, 8, 1.3, 0, 1000, 5, 300, 200, 4, 4)


@dataclass
class Steady:
    """A load below the knee: processor seconds and bytes of disk a registration."""

    processor: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Sustained:
    """The greatest rate that was kept up, for how long, with the worst hundredth of both waits."""

    rate: float
    seconds: float
    acknowledged: float
    counted: float
    people: int
    memory: float


@dataclass(frozen=True)
class Harmed:
    """An overload, or a fault in the middle of one: how the refused and the accepted fared, and how the rest drained.

    `lost` says something only where it has `drained`: all that was acknowledged was counted before the system stopped.
    """

    refused: int
    refused_median: float
    refused_worst: float
    retry_over_drain: tuple[float, ...]
    goodput: float
    decided_worst: float
    drain: float
    memory: float
    lost: int
    doubled: int
    answered: int
    drained: bool


class Rounds:
    """Systems of two builds in one scratch folder, with one issuer for all."""

    def __init__(self, scratch: Path, address: str, key: Path, form: Form) -> None:
        self._scratch = scratch
        self._address = address
        self._key = key
        self._numbers = itertools.count()
        self.form = form

    @contextmanager
    def _system(self, build: Build) -> Iterator[System]:
        system = System(build, self._scratch / str(next(self._numbers)), self._address, self._key)
        try:
            system.start()
            system.publish()
            # What is loaded and compiled at the first request counts for nobody.
            system.offered(*WARM, wait_seconds=30)
            yield system
        finally:
            system.stop()

    def steady(self, build: Build, steady: Steady) -> None:
        """Adds one measurement."""
        form = self.form
        with self._system(build) as system:
            disk = system.stopped_bytes()
            system.start()
            warm = system.offered(*WARM, wait_seconds=30)
            processor = system.processor_seconds()
            seen = system.offered(form.steady_rate, form.steady_seconds, wait_seconds=60)
            many = len(measures.accepted(seen))
            steady.processor.append((system.processor_seconds() - processor) / many)
            steady.disk.append((system.stopped_bytes() - disk) / (many + len(measures.accepted(warm))))

    def sustained(self, build: Build) -> Sustained:
        """Rates half as much again until one is too much, then between the two; the found one is held."""
        kept, form = None, self.form
        low, high = 0.0, 0.0
        rate = form.steady_rate
        while not (low and high and high / low <= form.finer_than):
            if found := self._kept_up(build, rate, form.trial_seconds):
                low, kept = rate, found
            else:
                high = rate
            rate = (low * high) ** 0.5 if low and high else rate * (1.5 if low else 0.5)
            if rate < 1:
                break
        while form.hold_seconds and kept is not None and kept.seconds < form.hold_seconds:
            kept = self._kept_up(build, low, form.hold_seconds) or kept
            low /= form.finer_than
        if kept is None:
            raise RuntimeError(f"{build.name} keeps up with no rate at all")
        return kept

    def _kept_up(self, build: Build, rate: float, seconds: float) -> Sustained | None:
        """None where one of both waits is too long, or somebody was refused."""
        with self._system(build) as system:
            before = system.counted() or 0
            seen = system.offered(rate, seconds, wait_seconds=20)
            acknowledged = measures.quantile(measures.waits(measures.accepted(seen)), 0.99)
            counted = measures.quantile(measures.counted_after(seen, before), 0.99)
            if len(measures.accepted(seen)) < len(seen.sent):
                return None
            if acknowledged > ACKNOWLEDGED_SECONDS or counted > COUNTED_SECONDS:
                return None
            people = len(measures.accepted(seen))
            return Sustained(rate, seconds, acknowledged, counted, people, system.memory_mb())

    def burst(self, build: Build) -> Harmed:
        form = self.form
        return self._harmed(build, form.burst_rate, form.burst_seconds, lambda _: None)

    def killed(self, build: Build) -> Harmed:
        return self._harmed(build, self.form.harm_rate, self.form.harm_seconds, System.kill)

    def frozen(self, build: Build) -> Harmed:
        form = self.form
        return self._harmed(build, form.harm_rate, form.harm_seconds, lambda system: system.frozen(form.frozen_seconds))

    def _harmed(self, build: Build, rate: float, seconds: float, harm: Callable[[System], None]) -> Harmed:
        with self._system(build) as system:
            before = system.counted() or 0
            seen = system.offered(rate, seconds, self.form.drain_seconds, lambda: harm(system))
            memory = system.memory_mb(peak=True)
            system.stop()
            drained = (seen.polls[-1][1] if seen.polls else 0) >= before + len(measures.accepted(seen))
            return harmed(seen, system.registered(), seconds, memory, drained)


def harmed(
    seen: Seen, registered: list[tuple[str, str, float]], seconds: float, memory: float, drained: bool
) -> Harmed:
    begins = seen.sent[0].planned
    refusals = measures.waits(measures.refused(seen))
    lost, doubled = measures.lost_and_doubled([seen], registered)
    return Harmed(
        len(refusals),
        measures.quantile(refusals, 0.5),
        measures.quantile(refusals, 0.99),
        tuple(measures.retry_against_drain(seen, registered)),
        measures.goodput(registered, begins, begins + seconds),
        measures.quantile(measures.decided_after(seen, registered), 0.99),
        measures.tail_rate(registered, begins + seconds),
        memory,
        lost,
        doubled,
        sum(one.status != 0 for one in seen.sent),
        drained,
    )


@contextmanager
def rounds(form: Form) -> Iterator[Rounds]:
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch) / "issuer.pem"
        with issuer(key) as address:
            yield Rounds(Path(scratch), address, key, form)
