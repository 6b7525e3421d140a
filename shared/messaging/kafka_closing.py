"""Stopping aiokafka's clients in bounded time, whatever the brokers do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from aiokafka.client import AIOKafkaClient

from shared.clock import Runtime

logger = structlog.get_logger()


async def closed(stop: Coroutine[Any, Any, None], client: AIOKafkaClient, runtime: Runtime, seconds: float) -> None:
    """Runs a client's own `stop` for at most that long, then closes its connections by hand.

    A task of its own, for two reasons: a flush or a farewell waits for ever while no broker answers, and aiokafka's
    fetcher lets the cancellation of its own fetches out to its caller, which would look like ours.
    """
    stopping = runtime.spawn(stop, "log-disconnect")
    try:
        _, late = await asyncio.wait({stopping}, timeout=seconds)
    finally:
        stopping.cancel()
    (outcome,) = await asyncio.gather(stopping, return_exceptions=True)
    if isinstance(outcome, BaseException):
        logger.warning("disconnect_failed", error=type(outcome).__name__, late=bool(late))
        await asyncio.gather(client.close(), return_exceptions=True)
