"""What people read of a person's identifiers, for which purpose, and how much of it in an hour and a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from shared.cases.bodies import Input
from shared.errors import Refusal
from shared.texts import one_line

NAMES = ("given_name", "family_name")
CONTACT = ("email", "telephone")
DOCUMENTS = "documents"
# What a reading of a file is noted as: what is in it cannot be said by field.
FILES = "files"

Purpose = Literal["contact", "travel", "screening", "identity_check", "rights_request"]
# Which fields each purpose opens: what it does not need stays sealed.
OPENS: Mapping[Purpose, tuple[str, ...]] = {
    "contact": (*NAMES, *CONTACT),
    "travel": (*NAMES, *CONTACT, DOCUMENTS),
    "screening": (*NAMES, DOCUMENTS),
    "identity_check": (*NAMES, DOCUMENTS),
    "rights_request": (*NAMES, *CONTACT, DOCUMENTS),
}
SENTENCES: Mapping[Purpose, str] = {
    "contact": "To reach the person.",
    "travel": "To prepare contract, visa, insurance or travel.",
    "screening": "To compare what the person stated with what was handed in.",
    "identity_check": "To decide who somebody is, or whether two are one.",
    "rights_request": "To answer what the person asks about the own data.",
}
# Papers that name a person: whoever reads one reads the name.
PaperPurpose = Literal["certificate", "offer_letter"]
# What is read without being asked for: the own identifiers, a change of identity that waits for a decision, whom a name
# belongs to, in which application a fact was typed, and who read what of whom. That a case is passed on to an office,
# which then reads it, and an account to another person, stands there too.
Noted = Literal[Purpose, PaperPurpose, "own", "identity_change", "search", "lost_code", "trail", "transfer", "handover"]
BEYOND = "readings_used_up"


class IdentityReading(Input):
    """For what the identifiers are read; the entry in the trail says it to the person too."""

    purpose: Annotated[
        Purpose, Field(description=" ".join(f"`{code}`: {sentence}" for code, sentence in SENTENCES.items()))
    ]


class PersonSearch(Input):
    """A name or several: whoever has all of them is found, in any order and spelling of marks and capitals."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=240), BeforeValidator(one_line)]


class Used(BaseModel):
    """How much one account has read in the hour and the day (UTC) in which it read last."""

    model_config = ConfigDict(frozen=True)

    hour: str = ""
    in_hour: int = 0
    day: str = ""
    in_day: int = 0

    def with_one(self, now: datetime, an_hour: int, a_day: int) -> Used:
        """One reading more. Refusal `readings_used_up` (429) beyond so many an hour or a day."""
        hour, day = f"{now:%Y-%m-%dT%H}", f"{now:%Y-%m-%d}"
        in_hour = 1 + (self.in_hour if self.hour == hour else 0)
        in_day = 1 + (self.in_day if self.day == day else 0)
        if in_hour > an_hour or in_day > a_day:
            bound = f"{an_hour} an hour" if in_day <= a_day else f"{a_day} a day"
            raise Refusal(BEYOND, f"an account reads the identifiers of {bound}; later it goes on", status=429)
        return Used(hour=hour, in_hour=in_hour, day=day, in_day=in_day)
