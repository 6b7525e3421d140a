"""What both builds do under the same loads, each on an empty folder of its own, in turn."""

from __future__ import annotations

import itertools
import tempfile
import time
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
REBUILD_SECONDS = 300.0


@dataclass(frozen=True)
class Form:
    """How long everything takes. `steady_rate` is one that both builds can keep up with on a busy machine; the search
    for the greatest begins at `first_rate`, tries `trials` rates at most for `trial_seconds` each until two of them are
    closer than `finer_than`, and holds what it found for `confirm_seconds`."""

    steady_rate: float
    steady_seconds: float
    rounds: int
    first_rate: float
    trials: int
    trial_seconds: float
    finer_than: float
    confirm_seconds: float
    hold_seconds: float
    burst_rate: float
    burst_seconds: float
    drain_seconds: float
    harm_rate: float
    harm_seconds: float
    frozen_seconds: float


FULL = Form(20, 30, 3, 100, 9, 15, 1.08, 120, 600, 1000, 60, 120, 200, 20, 12)
QUICK = Form(15, 8, 1, 60, 5, 8, 1.3, 20, 20, 1000, 10, 60, 200, 6, 4)
# How often a rate that was not kept up for long is lowered before it is given up.
LOWERED_AT_MOST = 4


@dataclass
class Steady:
    """A load below the knee: processor seconds and bytes of disk a registration."""

    processor: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Sustained:
    """A rate that was offered for so long: the middle and the worst hundredth of both waits in seconds, how many were
    acknowledged of how many, the share of a core that the generator took, and memory in MB at the end."""

    rate: float
    seconds: float
    acknowledged: tuple[float, float]
    counted: tuple[float, float]
    people: int
    offered: int
    generator: float
    memory: float

    @property
    def kept_up(self) -> bool:
        """Nobody was refused, and neither wait was too long."""
        waits = self.acknowledged[1] <= ACKNOWLEDGED_SECONDS and self.counted[1] <= COUNTED_SECONDS
        return waits and self.people == self.offered


@dataclass(frozen=True)
class Rebuilt:
    """A start without a read model: how many persons it has to count, seconds until it is ready, and memory in MB: the
    most, and what is resident then."""

    people: int
    seconds: float
    peak: float
    resident: float


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
    generator: float


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

    def sustained(self, build: Build) -> Sustained | None:
        """The greatest rate that is kept up, found by short trials and then held; None where none was held.

        Half as much again until one is too much, then between the two.
        """
        form, low, high, rate = self.form, 0.0, 0.0, self.form.first_rate
        for _ in range(form.trials):
            if self.offered(build, rate, form.trial_seconds).kept_up:
                low = rate
            else:
                high = rate
            if low and high and high / low <= form.finer_than:
                break
            rate = (low * high) ** 0.5 if low and high else rate * (1.5 if low else 0.5)
        return self.held(build, low, form.confirm_seconds) if low else None

    def held(self, build: Build, rate: float, seconds: float) -> Sustained | None:
        """That rate for so long, or the next lower ones; None where none was kept up."""
        for _ in range(LOWERED_AT_MOST + 1):
            found = self.offered(build, rate, seconds)
            if found.kept_up:
                return found
            rate /= self.form.finer_than
        return None

    def offered(self, build: Build, rate: float, seconds: float) -> Sustained:
        with self._system(build) as system:
            return _offered(system, rate, seconds)

    def grown(self, build: Build, rate: float, seconds: float) -> tuple[Sustained, Rebuilt]:
        """That rate for so long, and then a start that has to read everything into a new read model."""
        with self._system(build) as system:
            found = _offered(system, rate, seconds)
            people = system.counted() or 0
            system.stop()
            system.forget_read_model()
            began = time.monotonic()
            system.start(REBUILD_SECONDS)
            taken = time.monotonic() - began
            return found, Rebuilt(people, taken, system.most_mb, system.memory_mb())

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
            memory = system.most_mb
            system.stop()
            drained = (seen.polls[-1][1] if seen.polls else 0) >= before + len(measures.accepted(seen))
            return harmed(seen, system.registered(), seconds, memory, drained)


def _offered(system: System, rate: float, seconds: float) -> Sustained:
    before = system.counted() or 0
    seen = system.offered(rate, seconds, wait_seconds=20)
    waits, counted = measures.waits(measures.accepted(seen)), measures.counted_after(seen, before)
    return Sustained(
        rate,
        seconds,
        (measures.quantile(waits, 0.5), measures.quantile(waits, 0.99)),
        (measures.quantile(counted, 0.5), measures.quantile(counted, 0.99)),
        len(waits),
        len(seen.sent),
        seen.processor / seconds,
        system.memory_mb(),
    )


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
        seen.processor / seconds,
    )


@contextmanager
def rounds(form: Form) -> Iterator[Rounds]:
    with tempfile.TemporaryDirectory() as scratch:
        key = Path(scratch) / "issuer.pem"
        with issuer(key) as address:
            yield Rounds(Path(scratch), address, key, form)
