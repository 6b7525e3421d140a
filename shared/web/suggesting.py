"""What a form offers to choose from where the body names cases by their ids."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import JsonValue

from shared.store.port import Document
from shared.web.callers import Granted


@dataclass(frozen=True)
class Suggested:
    """A case by its id. `said`: by fields, what tells it from others."""

    id: str
    said: tuple[tuple[str, JsonValue], ...] = ()


# The cases that the caller may name for a verb of that case, the likeliest first; others may be named by hand.
Suggests = Callable[[Document, Granted], Awaitable[tuple[Suggested, ...]]]
