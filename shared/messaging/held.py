"""A subject's shadow while a run of its records is applied: what stands in the store, and what is not saved yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from shared.clock import Runtime
from shared.messaging.shadow import scheduled
from shared.store.collection import Collection
from shared.store.port import Document, Store


class Held:
    """One shadow, changed in memory record by record and saved as seldom as the order of things allows.

    Marks and knowledge of events that nothing follows from are saved together. What a shadow knows is saved before
    an effect runs, marks before a position moves: whoever runs an effect asks `before_effects`, whoever ends a run
    asks `save`.
    """

    def __init__(self, shadow: Document, store: Store, shadows: Collection, runtime: Runtime) -> None:
        self.shadow = shadow
        self._stored = shadow
        self._store = store
        self._shadows = shadows
        self._runtime = runtime
        self._wakes: list[Callable[[], Awaitable[None]]] = []

    @property
    def subject(self) -> str:
        return str(self.shadow["_id"])

    def change(self, **fields: Any) -> None:
        """Replaces fields of the shadow; `save` makes it durable."""
        self.shadow = {**self.shadow, **fields}

    def wake(self, work: Callable[[], Awaitable[None]]) -> None:
        """To be run after the next `save`: what waits in this process may find there what it waits for."""
        self._wakes.append(work)

    async def before_effects(self) -> None:
        """Saves where something is known that the store does not know. Raises as the store's `save` does."""
        if self.shadow["knowledge"] != self._stored["knowledge"]:
            await self._save()

    async def save(self) -> None:
        """Saves what has changed, if anything has, with its timer. Raises as the store's `save` does."""
        if self.shadow is not self._stored:
            await self._save()
        wakes, self._wakes = self._wakes, []
        for work in wakes:
            await work()

    async def _save(self) -> None:
        timed = scheduled(self.shadow, self._runtime.now())
        saved = self._shadows.indexed({**timed, "version": timed["version"] + 1})
        await self._store.save(self._shadows.name, saved, self._stored["version"])
        self.shadow = self._stored = saved
