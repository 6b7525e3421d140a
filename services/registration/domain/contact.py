"""How somebody wants to be written to: the address, the language, at once or once a day, and what not at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.fields import Email
from shared.cases.bodies import Change, Once
from shared.cases.case import Told, Turn
from shared.contracts.base import Instant
from shared.errors import Refusal

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
# So long may something still be told of an event: it is written within fourteen days, and sent within as many.
HELD_KEPT = timedelta(days=28)
# Of how many offers and handovers within that time the addresses are kept; a further offer is refused, so that nobody
# pushes the address out at which the first holder is still to be told.
HELD_AT_MOST = 32
TOO_OFTEN = "handover_too_often"
UNCHANGED = "contact_unchanged"


class Wishes(BaseModel):
    """`language`: None for that in which the account reads pages; `unwanted`: kinds that are not told."""

    model_config = ConfigDict(frozen=True)

    language: Language | None = None
    often: Often = "at_once"
    unwanted: tuple[Unwanted, ...] = ()

    def same_as(self, other: Wishes | None) -> bool:
        """Whether they ask for the same, in whichever order."""
        if other is None:
            return False
        own, others = (one.model_dump() | {"unwanted": {*one.unwanted}} for one in (self, other))
        return own == others


class HeldAt(BaseModel):
    """Where the holder of an account was written to when it was offered, or `left` to another person.

    `after`: how many events the case had told before. `former`: the address before, while it was kept. `language`: as
    it was wished, None for that in which the `account` reads pages.
    """

    model_config = ConfigDict(frozen=True)

    after: int
    at: Instant
    email: str | None = None
    former: str | None = None
    account: str | None = None
    language: Language | None = None
    left: bool = False

    @property
    def both(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one for one in (self.email, self.former) if one))


def held_until(known: Sequence[HeldAt], now: datetime) -> tuple[HeldAt, ...]:
    """Those of whose events something may still be told."""
    return tuple(one for one in known if now < one.at + HELD_KEPT)


def held_when(known: Sequence[HeldAt], sequence: int) -> HeldAt | None:
    """Who held the account when that offer or handover was the case's event; None where nobody knows any more."""
    return next((one for one in known if one.after == sequence - 1), None)


def left_since(known: Sequence[HeldAt], sequence: int) -> HeldAt | None:
    """Who held the account at that event of the case and has left it since; None for whoever holds it now."""
    return next((one for one in known if one.left and one.after >= sequence), None)


class ContactChange(Change):
    """`email`: none leaves the address as it is. The rest takes the place of what was said before."""

    email: Email | None = None
    language: Language | None = None
    often: Often = "at_once"
    unwanted: Annotated[tuple[Unwanted, ...], Field(max_length=3), Once()] = ()

    @property
    def wishes(self) -> Wishes:
        return Wishes(language=self.language, often=self.often, unwanted=self.unwanted)


# As the case shows it to whoever may change it; the address is sealed, so it is typed again or left as it is.
SAID_ANEW = tuple(f"contact.{name}" for name in Wishes.model_fields)


def as_wished(turn: Turn[Any, ContactChange]) -> Told:
    """The event says whether an address was said, and nothing of it. `given`: the wishes that stand."""
    # Whether an address that is said is the one that stands is told to nobody, or it could be found by trying.
    if turn.body.email is None and turn.body.wishes.same_as(turn.given):
        raise Refusal(UNCHANGED, "it says what is recorded already")
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
