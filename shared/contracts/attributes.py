"""A person's attributes, each declared once on `registration.Attributes`, and which of them held on a day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

Listed = Literal["countries", "states", "nationalities", "sectors", "categories", "residence_statuses"]
E = TypeVar("E")
Before = Literal["nothing", "first"]


@dataclass(frozen=True)
class Attribute:
    """What facts are joined with and figures can ask for. An attribute without this mark stays in the profile.

    `listed`: whose list its codes come from, a programme's or a standard's (`countries`, `states` and `nationalities`,
    in `shared/contracts/iso_codes.py`); None: the contract's own type.
    `word`: the name under which figures ask for it, where what they want is worked out of it.
    """

    type: Literal["code", "number"]
    listed: Listed | None = None
    word: str | None = None


def declared(model: type[BaseModel]) -> Mapping[str, Attribute]:
    """The marked attributes of the model by name, in its order."""
    return {
        name: mark for name, info in model.model_fields.items() for mark in info.metadata if isinstance(mark, Attribute)
    }


def as_of(timeline: Sequence[E], day: Any, valid_from: Callable[[E], Any], *, before: Before) -> E | None:
    """The entry that held on that day, as it is known now: the last one whose `valid_from` is not after it.

    `timeline` is ordered by valid_from, then by when it was recorded (a correction has the `valid_from` of what it
    corrects), then by id. `before`: what there is before the first entry: nothing, or the first one in its last
    correction, which is the least that is known of that time. None where nothing is known.
    """
    held = [entry for entry in timeline if valid_from(entry) <= day]
    if not held and before == "first" and timeline:
        first = valid_from(timeline[0])
        held = [entry for entry in timeline if valid_from(entry) == first]
    return held[-1] if held else None
