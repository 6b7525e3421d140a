"""Whether two persons of one name, year of birth and origin may be one: what agrees, and how much that says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.registration.persons import Attributes

Answer = Literal["same", "different", "not_known"]
Sure = Literal["almost_certain", "likely", "possible"]
# What stays with somebody for life, or nearly; the rest changes, and differs in two registrations of one person.
LASTING = ("sex", "nationality", "birth_year", "country_of_origin")
COMPARED = (*LASTING, "country_of_residence", "education", "occupation")
CONTACT = ("email", "telephone")


class Compared(BaseModel):
    """One field of both persons; of contact it is said whether it agrees, and nothing of what it is."""

    model_config = ConfigDict(frozen=True)

    field: str
    answer: Answer


def compared(one: Attributes, other: Attributes) -> tuple[Compared, ...]:
    """The coded attributes, in their order."""
    return tuple(Compared(field=name, answer=_answer(_said(one, name), _said(other, name))) for name in COMPARED)


def in_contact(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[Compared, ...]:
    """E-mail addresses in one case of letters, telephone numbers by their digits."""
    return tuple(
        Compared(field=name, answer=_answer(_folded(name, one.get(name)), _folded(name, other.get(name))))
        for name in CONTACT
    )


def how_sure(rows: Iterable[Compared]) -> Sure:
    """`almost_certain`: one is reached where the other is; `possible`: something lasting differs; else `likely`."""
    answers = {row.field: row.answer for row in rows}
    if any(answers.get(name) == "same" for name in CONTACT):
        return "almost_certain"
    return "possible" if any(answers.get(name) == "different" for name in LASTING) else "likely"


def _answer(one: Any, other: Any) -> Answer:
    if one in (None, "") or other in (None, ""):
        return "not_known"
    return "same" if one == other else "different"


def _said(known: Attributes, name: str) -> Any:
    value = getattr(known, name)
    return None if value == "not_stated" else value


def _folded(name: str, text: str | None) -> str:
    if text is None:
        return ""
    return text.casefold() if name == "email" else "".join(one for one in text if one.isdigit())
