"""What the first event of a plain case says of it: under which programme and office it runs, where, and for whom.

A plain case is one document that an office opens under a section of its programme, and that nothing draws together
with persons or posts. Whatever it names is a code of that programme or a subject that the service knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from shared.contracts.base import Code, Contract, Country, Id, TimeZone
from shared.contracts.facts import said
from shared.zones import zone


@dataclass(frozen=True)
class Listed:
    """On a field: its code comes from the programme's list of that word (shared.programmes.checks.known_codes)."""

    word: str


@dataclass(frozen=True)
class Known:
    """On a field: its id is of a subject that the service has been told of under that name."""

    name: str


class Place(Contract):
    """Where something is done, in which sector, and for which registered institution, if for one."""

    country: Annotated[Country, Listed("country")]
    area: Annotated[Code | None, Listed("area")] = None
    sector: Annotated[Code, Listed("sector")]
    institution: Annotated[Id | None, Known("institution")] = None


class Frame(Place):
    """`time_zone`: the office's (IANA name), in which the days of the case are reckoned."""

    programme: Code
    programme_version: Annotated[int, Field(ge=1)]
    office: Code
    time_zone: TimeZone

    def day_of(self, instant: datetime) -> date:
        """The office's calendar day at that instant."""
        return instant.astimezone(zone(self.time_zone)).date()


# What every fact about a plain case can be asked by.
FRAME_FIELDS = tuple(said(name, "code", f"frame.{name}") for name in ("country", "area", "sector"))
