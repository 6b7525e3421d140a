"""The part of a loop's interface that the seeded loop answers without doing anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from shared.testing.steps import SeededFuture, SeededTask

Standing = Literal["running", "frozen", "dead"]
ExceptionHandler = Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object]

if TYPE_CHECKING:
    # The type stubs declare every socket method abstract, which at run time they are not.
    _Base = asyncio.BaseEventLoop
else:
    _Base = asyncio.AbstractEventLoop


class BareLoop(_Base):
    """No debug mode, no task factory, no executor; `unhandled` keeps what was raised and nobody awaited."""

    def __init__(self) -> None:
        self.unhandled: list[dict[str, Any]] = []
        self._handler: ExceptionHandler | None = None

    def standing(self, incarnation: str | None) -> Standing:
        raise NotImplementedError

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Debug mode measures real time, which does not exist here."""

    def get_task_factory(self) -> None:
        return None

    async def shutdown_default_executor(self) -> None:
        """There is none: work for threads goes through `Runtime.in_pool`."""

    def set_exception_handler(self, handler: ExceptionHandler | None) -> None:
        self._handler = handler

    def get_exception_handler(self) -> ExceptionHandler | None:
        return self._handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        source = context.get("task") or context.get("future")
        # Nobody is left to await what a killed replica's task raised, or was told.
        if isinstance(source, SeededTask | SeededFuture) and self.standing(source.owner) == "dead":
            return
        self.unhandled.append({key: context[key] for key in ("message", "exception") if key in context})

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._handler is not None:
            self._handler(self, context)
        else:
            self.default_exception_handler(context)
