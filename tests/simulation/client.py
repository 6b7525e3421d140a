"""The client: repeats each step under one idempotency key until it is acknowledged, and keeps a journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from shared.errors import Overloaded, PortError, Refusal, TooEarly
from shared.identity.keyfiles import KeyDestroyed
from tests.simulation.journal import Acknowledgement, Journal
from tests.simulation.world import World

T = TypeVar("T")

PAUSE_SECONDS = 0.7
REPEATED = 0.15
# The rule of whatever concerns somebody whose data are gone.
ERASED = "erased"
# And of a note that was to be written about them.
NO_NOTE = "person_erased"


class NotYet(Exception):
    """What the step needs is not there so far; the client asks again."""


@dataclass(frozen=True)
class Step:
    """One request of the history. `send` uses a key that follows from the step's name alone.

    `patient` names refusals that pass by themselves, because what the step needs is still on its way.
    """

    name: str
    service: str
    send: Callable[[Any], Awaitable[Acknowledgement]]
    patient: frozenset[str] = frozenset()


class Client:
    """Puts steps through the services, some of them twice although they were acknowledged."""

    def __init__(self, world: World, journal: Journal) -> None:
        self.world = world
        self._journal = journal
        self.rng = world.runtime.rng

    async def put(self, step: Step) -> Acknowledgement | None:
        """The acknowledgement, or None where a rule refused the step for good."""
        answer = await self._until_answered(step)
        if answer is not None:
            self._journal.acknowledge(answer)
            if self.rng.random() < REPEATED:
                again = await self._until_answered(step)
                if again != answer and not self._erased_since(step, again):
                    raise AssertionError(f"{step.name} was answered in two ways: {answer} and {again}")
        return answer

    def _erased_since(self, step: Step, again: Acknowledgement | None) -> bool:
        """Whether the repetition found that the person's key had ended meanwhile: no command is known then."""
        return again is None and self._journal.refused.get(step.name) in (ERASED, NO_NOTE)

    async def look(self, service: str, work: Callable[[Any], Awaitable[T]]) -> T:
        """What some replica sees; asked again until one answers."""
        while True:
            try:
                return await self.world.call(service, work)
            except (PortError, TooEarly):
                await asyncio.sleep(self.rng.uniform(0, PAUSE_SECONDS))

    async def pause(self, at_most_seconds: float) -> None:
        await asyncio.sleep(self.rng.uniform(0, at_most_seconds))

    async def _until_answered(self, step: Step) -> Acknowledgement | None:
        while True:
            self._journal.attempts += 1
            try:
                return await self.world.call(step.service, step.send)
            except (PortError, Overloaded, TooEarly, NotYet):
                await asyncio.sleep(self.rng.uniform(0, PAUSE_SECONDS))
            except KeyDestroyed:
                # As the edge answers it (410): the receipt of an erased person's submission is no longer readable.
                self._journal.refuse(step.name, ERASED)
                return None
            except Refusal as refusal:
                if refusal.rule not in step.patient:
                    self._journal.refuse(step.name, refusal.rule)
                    return None
                await asyncio.sleep(self.rng.uniform(0, PAUSE_SECONDS))
