"""What puts the last fact of a case right: its time corrected, or the fact taken back (docs/kernel.md, section 1).

A case that allows it declares events of its own of these forms on its topic. They alone may go back in time.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Code, Event, Id

# What a revising event does to the facts that the revised event told: they count at its own instant, with what it says
# anew, or not at all.
Revises = Literal["time", "content", "existence"]


class Revising(Event):
    """`fact`: the sequence of the event that told the fact first, on the same topic of the same subject; `of`: that
    event's name; `replaces`: the id of the event that stood for the fact until now. Both stay on the log."""

    revises: ClassVar[Revises]

    fact: Annotated[int, Field(ge=1)]
    of: Code
    replaces: Id
    reason: Code


class TimeCorrected(Revising):
    """`happened_at` is when the fact happened, rightly; what it says stays."""

    revises: ClassVar[Revises] = "time"


class FactTakenBack(Revising):
    """The fact was a mistake. `happened_at` is that of the fact before it; `status`: where the case stands again, or
    where it stands now, if others have taken what it had there."""

    revises: ClassVar[Revises] = "existence"

    status: Code
