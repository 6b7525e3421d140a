"""What goes wrong, how often, and how often it really did: the plan and the wire of the fault wrapper.

A write over the wire is carried out in a task that belongs to no replica. So it lands though its caller was
killed or frozen meanwhile, and a killed caller never leaves a port's lock behind.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Generic, Literal, TypeVar

from shared.clock import Runtime
from shared.errors import Unavailable, UnknownOutcome
from shared.testing.loop import SeededLoop
from shared.testing.steps import replica

T = TypeVar("T")
Moment = Literal["before", "after"]
Strike = Callable[[str], bool]


@dataclass(frozen=True)
class Rates:
    """Chances between 0 and 1, and the longest pauses in seconds.

    Per call: `drop` (Unavailable, nothing done) and `delay` (there, and on the way back). Per write: `unknown`
    (done, answered UnknownOutcome), `lost` (not done, the same answer), `late` (answered so at once, done up to
    `late_seconds` later), `partial` (some documents of an append), `crash` and `freeze` of the caller around
    the effect. Per batch: `duplicate`, `rewind`, `hold` (a partition is kept back), `rebalance`. Per process: `stall`,
    its first read without a group takes up to
    `hold_seconds`.
    """

    drop: float = 0.0
    delay: float = 0.0
    delay_seconds: float = 0.05
    unknown: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    late_seconds: float = 8.0
    partial: float = 0.0
    crash: float = 0.0
    freeze: float = 0.0
    duplicate: float = 0.0
    rewind: float = 0.0
    hold: float = 0.0
    hold_seconds: float = 4.0
    rebalance: float = 0.0
    stall: float = 0.0


STORMY = Rates(
    drop=0.02,
    delay=0.15,
    unknown=0.01,
    lost=0.005,
    late=0.005,
    partial=0.02,
    crash=0.002,
    freeze=0.001,
    duplicate=0.1,
    rewind=0.03,
    hold=0.05,
    rebalance=0.03,
    stall=0.5,
)


class FaultPlan:
    """Draws faults by their rates from the runtime's seed until it is healed, and counts what really happened.

    `runtime` belongs to no replica. `crash` and `freeze` are asked to strike the named incarnation and say
    whether they did. `counts` has: calls, drops, delays, unknown_outcomes, unknown_landed, late_landings,
    partial_appends, crashes, freezes, duplicates, rewinds, holds, rebalances, stalls, stale_commits,
    zombie_batches, handler_errors.
    """

    def __init__(self, runtime: Runtime, rates: Rates = STORMY) -> None:
        self.runtime = runtime
        self.rates = rates
        self.counts: Counter[str] = Counter()
        self.crash: Strike = _spared
        self.freeze: Strike = _spared
        self.healed = False
        self._chances: dict[str, float] = asdict(rates)

    def heal(self) -> None:
        """Ends all faults; what is on its way still lands."""
        self.healed = True

    def happens(self, fault: str) -> bool:
        chance = 0.0 if self.healed else self._chances[fault]
        return chance > 0 and self.runtime.rng.random() < chance

    async def pause(self, at_most_seconds: float) -> None:
        await self.runtime.sleep(self.runtime.rng.uniform(0, at_most_seconds))

    async def perhaps_delay(self) -> None:
        if self.happens("delay"):
            self.counts["delays"] += 1
            await self.pause(self.rates.delay_seconds)

    def strike(self, caller: str | None) -> bool:
        """Perhaps freezes or crashes the caller at this very moment; True when that killed it."""
        if caller is None:
            return False
        if self.happens("freeze") and self.freeze(caller):
            self.counts["freezes"] += 1
        if self.happens("crash") and self.crash(caller):
            self.counts["crashes"] += 1
            return True
        return False


def _spared(_incarnation: str) -> bool:
    return False


def standing_of(caller: str | None) -> Literal["running", "frozen", "dead"]:
    """Whether the caller can still take an answer; outside the seeded loop everybody can."""
    loop = asyncio.get_running_loop()
    return loop.standing(caller) if isinstance(loop, SeededLoop) else "running"


class Call(Generic[T]):
    """One call on its way: who asked, what it does, where the answer goes."""

    def __init__(self, effect: Callable[[], Awaitable[T]], *, writes: bool) -> None:
        self.effect = effect
        self.writes = writes
        self.caller = replica.get()
        self.answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def succeed(self, result: T) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            # Nobody may be left to take it, and asyncio would report that as a mistake.
            self.answer.exception()


class Wire:
    """Carries calls to a port and answers back, badly."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan

    async def carry(self, name: str, effect: Callable[[], Awaitable[T]], *, writes: bool = False) -> T:
        """The answer of `effect`. Raises what it raises, Unavailable, and for a write UnknownOutcome.

        `effect` must hold copies of what it writes: it may run long after the caller went on.
        """
        call = Call(effect, writes=writes)
        self._plan.counts["calls"] += 1
        self._plan.runtime.spawn(self._journey(call), name)
        return await call.answer

    async def ask(self, name: str, effect: Callable[[], Awaitable[T]]) -> T:
        """The answer of a read, carried out where it is asked: cheaper, and nothing of it can land late.

        Only for what holds no lock while it waits, because the caller may be killed there.
        """
        plan = self._plan
        plan.counts["calls"] += 1
        if not plan.healed:
            await plan.perhaps_delay()
            if plan.happens("drop"):
                plan.counts["drops"] += 1
                raise Unavailable(name)
        result = await effect()
        await asyncio.sleep(0)
        return result

    async def _journey(self, call: Call[T]) -> None:
        plan = self._plan
        await plan.perhaps_delay()
        if call.writes and plan.strike(call.caller) and plan.runtime.rng.random() < 0.5:
            # The process died with the request still in its buffers.
            return
        if plan.happens("drop"):
            plan.counts["drops"] += 1
            call.fail(Unavailable("dropped"))
            return
        # From here on the caller may be told one thing and the port see another.
        if call.writes and not await self._sets_out(call):
            return
        try:
            result = await call.effect()
        except Exception as error:
            call.fail(error)
        else:
            await self._comes_back(call, result)

    async def _sets_out(self, call: Call[T]) -> bool:
        """Whether the write goes on to its effect; its caller may have been told something else by then."""
        plan = self._plan
        if plan.happens("lost"):
            plan.counts["unknown_outcomes"] += 1
            call.fail(UnknownOutcome("no answer"))
            return False
        if plan.happens("late"):
            plan.counts["unknown_outcomes"] += 1
            call.fail(UnknownOutcome("no answer yet"))
            await plan.pause(plan.rates.late_seconds)
        return True

    async def _comes_back(self, call: Call[T], result: T) -> None:
        plan = self._plan
        if call.writes:
            if call.answer.done() or standing_of(call.caller) != "running":
                plan.counts["late_landings"] += 1
            # The effect stands: a crash now is the one between this effect and the next.
            plan.strike(call.caller)
            if plan.happens("unknown") and not call.answer.done():
                plan.counts["unknown_outcomes"] += 1
                plan.counts["unknown_landed"] += 1
                call.fail(UnknownOutcome("the answer was lost"))
        await plan.perhaps_delay()
        call.succeed(result)
