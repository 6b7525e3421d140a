"""What a form offers to choose from where the body names cases by their ids, and what it says is missing before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import JsonValue

from shared.store.port import Document
from shared.web.callers import Granted


@dataclass(frozen=True)
class Suggested:
    """A case by its id. `said`: by fields, what tells it from others. `stands`: it is among those that the verb is
    about, whether it is named or not."""

    id: str
    said: tuple[tuple[str, JsonValue], ...] = ()
    stands: bool = False


@dataclass(frozen=True)
class Suggestions:
    """The cases, the likeliest first. `of_first`: where there were more than are looked at, of how many these are."""

    cases: tuple[Suggested, ...] = ()
    of_first: int | None = None


@dataclass(frozen=True)
class Hindrance:
    """By which rule the verb would be refused whatever is typed, and the page on which that can be changed."""

    rule: str
    address: str


# The cases that the caller may name for a verb of that case; others may be named by hand.
Suggests = Callable[[Document, Granted], Awaitable[Suggestions]]
# What hinders the caller in a verb that opens cases; None where nothing does.
Hinders = Callable[[Granted], Awaitable[Hindrance | None]]
