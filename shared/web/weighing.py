"""What a verb is decided by, one by one, as pages show it before the verb and after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pydantic import JsonValue

from shared.store.port import Document
from shared.web.callers import Granted


@dataclass(frozen=True)
class Weighed:
    """One criterion or step. `names`: what a programme calls it, by language; else its code has words of its own.

    `said_as`: the field in whose words `required` and `actual` are said; `actual`: None where the case does not say.
    `bound`: which end of what is enough the required is; empty where it is all of it.
    `met`: None where nobody can tell, because the case does not say; of a step, where it does not apply to the case.
    """

    code: str
    met: bool | None
    names: Mapping[str, str] = field(default_factory=dict)
    said_as: str = ""
    required: JsonValue = None
    actual: JsonValue = None
    bound: Literal["", "least", "most"] = ""


@dataclass(frozen=True)
class Shut:
    """Why a verb would be refused now, and from which day on it would not; None where no day alone opens it."""

    rule: str
    opens_on: date | None = None


@dataclass(frozen=True)
class Weighing:
    """`kind`: what the rows are; `instead_of`: fields of the case that the page has in these rows."""

    kind: Literal["criterion", "step"]
    rows: tuple[Weighed, ...]
    instead_of: frozenset[str] = frozenset()


# What the verb would be decided by now; without a verb, what the case has recorded of it. No more than the JSON edge
# tells the caller. None where there is nothing of it to tell.
Weighs = Callable[[str, Document, Granted], Awaitable[Weighing | None]]

# The verbs of the case that would be refused now for what is not met, or because their day has not come.
# Raises TooEarly.
Shuts = Callable[[Document, Granted], Awaitable[Mapping[str, Shut]]]


async def nothing_weighed(_verb: str, _document: Document, _granted: Granted) -> Weighing | None:
    return None


async def nothing_shut(_document: Document, _granted: Granted) -> Mapping[str, Shut]:
    return {}
