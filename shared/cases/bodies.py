"""What somebody says with a verb: frozen models, in which a field that is not declared is refused."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Code, Instant


class Input(BaseModel):
    """A body. Unknown fields are refused at every level, also inside contracts that ignore them as events."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Private:
    """On a field of a body: a text that no event carries; it stays in the document, for those who may read the case."""


class Change(Input):
    """The body of a state change. `happened_at` is for roles with the right `record-late`."""

    happened_at: Instant | None = None


class Reason(Change):
    """Why, as a code; a text would reach the log."""

    reason: Code
