"""How somebody wants to be written to: the address, the language, at once or once a day, and what not at all."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.fields import Email
from shared.cases.bodies import Change
from shared.cases.case import Told, Turn

Language = Literal["en", "fr", "ar"]
Often = Literal["at_once", "daily"]
# What nobody has to be told: decisions, receipts and security are told always.
Unwanted = Literal["request", "progress", "reminder"]
# Kinds that wait for the morning where somebody asked for one mail a day.
GATHERED: frozenset[str] = frozenset({"request", "progress"})
# Kinds that wait for the end of the night; a receipt answers what somebody has just done.
BY_DAY: frozenset[str] = frozenset({"decision", "request", "progress", "reminder"})
NIGHT_FROM, NIGHT_UNTIL = time(21), time(8)
# So long the address before is told of changes, so that who took an account over cannot hide that by a second change.
FORMER_KEPT = timedelta(days=14)


class Wishes(BaseModel):
    """`language`: None for that in which the account reads pages; `unwanted`: kinds that are not told."""

    model_config = ConfigDict(frozen=True)

    language: Language | None = None
    often: Often = "at_once"
    unwanted: tuple[Unwanted, ...] = ()


class ContactChange(Change):
    """`email`: none leaves the address as it is. The rest takes the place of what was said before."""

    email: Email | None = None
    language: Language | None = None
    often: Often = "at_once"
    unwanted: Annotated[tuple[Unwanted, ...], Field(max_length=3)] = ()

    @property
    def wishes(self) -> Wishes:
        return Wishes(language=self.language, often=self.often, unwanted=tuple(dict.fromkeys(self.unwanted)))


# As the case shows it to whoever may change it; the address is sealed, so it is typed again or left as it is.
SAID_ANEW = tuple(f"contact.{name}" for name in Wishes.model_fields)


def as_wished(turn: Turn[Any, ContactChange]) -> Told:
    """The event says whether the address is another one, and nothing of it."""
    return {"elsewhere": turn.body.email is not None}


def night_until(now: datetime, zone: tzinfo) -> datetime | None:
    """When the night ends in which that instant lies; None by day."""
    local = now.astimezone(zone)
    if NIGHT_UNTIL <= local.time() < NIGHT_FROM:
        return None
    day = local.date() + timedelta(days=local.time() >= NIGHT_FROM)
    return datetime.combine(day, NIGHT_UNTIL, zone).astimezone(UTC)


def next_gathering(now: datetime, zone: tzinfo) -> datetime:
    """The next morning at which what waits for one mail a day is sent."""
    local = now.astimezone(zone)
    day = local.date() + timedelta(days=local.time() >= NIGHT_UNTIL)
    return datetime.combine(day, NIGHT_UNTIL, zone).astimezone(UTC)
