"""Services as the world runs them, and the places at which their replicas run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.messaging.port import Position
from shared.replica import Ports
from shared.store.collection import Collection
from shared.testing.runtime import SeededRuntime


class Bootable(Protocol):
    """What a factory makes of ports: one replica of a service."""

    async def start(self) -> None: ...


def _nothing_to_read(_replica: Any, _ends: Mapping[Position, int]) -> int:
    return 0


def _nothing_to_close(_replica: Any) -> None:
    """A killed process holds nothing that outlives it."""


@dataclass(frozen=True)
class Service:
    """How a service is built, what its store declares, and the topics that its group follows.

    `unread`: of a service that follows without a group, how many records below the ends a replica has not read.
    `close`: what a replica holds outside of the loop, to be given back at the end.
    """

    name: str
    collections: Sequence[Collection]
    build: Callable[[Ports], Bootable]
    topics: Sequence[str] = ()
    unread: Callable[[Any, Mapping[Position, int]], int] = _nothing_to_read
    close: Callable[[Any], None] = _nothing_to_close


@dataclass
class Node:
    """A place for a replica; each start there is an incarnation of its own."""

    service: Service
    name: str
    skew_seconds: float = 0.0
    starts: int = 0
    replica: Any = None
    incarnation: str = ""
    runtime: SeededRuntime | None = field(default=None, repr=False)
