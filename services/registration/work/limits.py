"""What whoever writes into registration is held to, whatever the case: an own office, no day that has not come."""

from __future__ import annotations

from datetime import date, datetime

from services.registration.domain.lives import AGE_AT_MOST, BIRTH_YEAR, RULES, beyond_a_life
from shared.contracts.registration.persons import Attributes
from shared.errors import Problem, Refusal
from shared.identity.tokens import Principal
from shared.zones import newest_day


def erased() -> Refusal:
    return Refusal("erased", "nothing is kept of the person any more", status=410)


def own_office(principal: Principal, office: str) -> None:
    """An officer writes for the office of the token alone; who registers itself chooses one. Refusal (403)."""
    if principal.role == "officer" and principal.office != office:
        raise Refusal(
            "other_office",
            "an officer writes for the own office",
            at="/office",
            status=403,
        )


def within_a_life(day: date, now: datetime, pointer: str) -> None:
    """Refusal (422) for a day that has begun nowhere yet, and for one on which nobody who is told of was born."""
    newest = newest_day(now)
    if day > newest:
        raise Refusal(
            "valid_in_the_future",
            f"a day that has begun somewhere, so {newest} at the latest",
            at=pointer,
            status=422,
        )
    if day.year < now.year - AGE_AT_MOST:
        raise Refusal("date_too_early", "a day of a life", at=pointer, status=422)


def lived(attributes: Attributes, valid_from: date, pointer: str, born: str | None = None) -> None:
    """Refusal (422) at each attribute that no life can have brought by that day. `pointer`: of the attributes; `born`:
    of the year of birth, where it was stated elsewhere."""
    if broken := beyond_a_life(attributes, valid_from):
        stated = {BIRTH_YEAR: born} if born else {}
        problems = tuple(Problem(rule, stated.get(name, f"{pointer}/{name}")) for name, rule in broken.items())
        raise Refusal(
            problems[0].rule, "; ".join(RULES[rule] for rule in broken.values()), problems=problems, status=422
        )
