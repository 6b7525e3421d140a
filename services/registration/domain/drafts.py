"""A draft of an application: kept from the first field on, before any account, and found again by its code.

A code is twelve characters of Crockford's base 32, which no one letter of another can be read for: 60 bits. A draft
ends 30 days after its last edit; what was typed is then destroyed with the key of that day.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

from services.registration.domain.names import fold_name
from services.registration.domain.telephones import same_telephone
from shared.contracts.base import Date, Instant
from shared.texts import MAIL_ADDRESS, fold_number, latin, one_line

KEPT = timedelta(days=30)
CODE_CHARACTERS = 12
TYPED_AT_MOST = 128
GROUP = 4
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# As somebody reads them off paper (https://www.crockford.com/base32.html).
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
EMAIL = "/person/email"
# What whoever comes back on another device is asked to repeat, the first of them that was typed. The address of mail
# comes last: a way back may come through it, and then it is known already.
TELEPHONE, RESIDENCE = "/person/telephone", "/person/attributes/country_of_residence"
FACTS = ("/person/family_name", "/person/given_name", TELEPHONE, EMAIL)
# Whoever gave an address and wants it is reminded so long before the programme closes, and before the draft's end.
CLOSING_NOTICE, ENDING_NOTICE = timedelta(days=3), timedelta(days=5)
# A new link that came by mail opens so long; the old one opens until the new one is used.
LINK_LASTS = timedelta(days=3)
# Ids of mails about one draft that are remembered, so that its end takes them out of a folder of mail.
MAILS_AT_MOST = 60
ADDRESS_CHARACTERS = 254
_ADDRESS = re.compile(MAIL_ADDRESS)

# Why an office gives a new code; and how often it may for one draft.
LostFor = Literal["code_lost", "device_lost", "code_known_to_others"]
GIVEN_BACK_AT_MOST = 20

Status = Literal["open", "submitted", "ended"]
# What a draft is told by mail: that its programme closes soon, that it ends, that the programme closes on another day.
Reminder = Literal["closing", "ending", "moved"]
# What was typed: the names of the form's fields and their values, as browsers send them.
Typed = tuple[tuple[str, str], ...]


class GivenBack(BaseModel):
    """An office gave a new code for whoever had lost the old one, which opens nothing any more. `command`: by which
    request, so that the same one gives the same code; `account`: of the officer."""

    model_config = ConfigDict(frozen=True)

    at: Instant
    office: str
    account: str
    reason: LostFor
    command: str


class Draft(BaseModel):
    """What is known of a draft without opening it. `finished`: the parts of which the person said so.

    `given_back`: the draft's own record of new codes that offices gave.
    `receipt`: of what was submitted from it last, and `person`: who it is of; `sent`: how often it was submitted.
    `language`: of the pages on which it was last edited; `reminds`: reminders are wanted, `reminded`: those that are
    done with. `claimed`: until then a replica is about to send one, for the `tries`-th time; `mails`: the ids of those
    that went out. `renewed_at`: when a link that came by mail took the place of the one before; `proven`: by a
    keyed hash the address to which it came. `closes_on`: the first day after the programme, as the person was told it
    last; None for a draft that was not edited since that is kept. `kept_by`: of each part that was changed, the form
    that changed it last.
    """

    model_config = ConfigDict(frozen=True)

    programme: str
    status: Status = "open"
    began_at: Instant
    edited_at: Instant
    finished: tuple[str, ...] = ()
    receipt: str | None = None
    person: str | None = None
    sent: int = 0
    given_back: tuple[GivenBack, ...] = ()
    language: str | None = None
    reminds: bool = False
    reminded: tuple[Reminder, ...] = ()
    claimed: Instant | None = None
    tries: int = 0
    mails: tuple[str, ...] = ()
    renewed_at: Instant | None = None
    proven: str | None = None
    closes_on: Date | None = None
    kept_by: Mapping[str, str] = {}

    @property
    def office_knows(self) -> GivenBack | None:
        """By which office the code was given that opens the draft; None where the person's own or a mail's does."""
        last = self.given_back[-1] if self.given_back else None
        return None if last is None or (self.renewed_at and self.renewed_at >= last.at) else last

    def with_mail(self, id: str) -> Draft:
        """With one more mail about it."""
        others = [one for one in self.mails if one != id]
        return self.model_copy(update={"mails": (*others, id)[-MAILS_AT_MOST:]})

    def done_with(self, reminder: Reminder, closes_on: date) -> Mapping[str, Any]:
        """What changes when the reminder is done with. Whoever was told of another day is reminded anew before it."""
        done = {"tries": 0, "claimed": None}
        if reminder != "moved":
            return {**done, "reminded": (*self.reminded, reminder)}
        reminded = tuple(one for one in self.reminded if one != "closing")
        return {**done, "closes_on": closes_on, "reminded": reminded}

    @property
    def ends_at(self) -> datetime:
        return self.edited_at + KEPT

    @property
    def day(self) -> str:
        """The day in UTC, `YYYY-MM-DD`, with whose key it is sealed."""
        return self.edited_at.date().isoformat()


def new_code(rng: random.Random) -> str:
    """Twelve characters in groups of four, such as `7K2M-QX9D-4WTN`."""
    return grouped(code_of(rng.randbytes(CODE_CHARACTERS)))


def code_of(drawn: bytes) -> str:
    """The code that these bytes stand for, one a character."""
    return "".join(_ALPHABET[one % len(_ALPHABET)] for one in drawn[:CODE_CHARACTERS])


def grouped(code: str) -> str:
    """As people read it off."""
    return "-".join(code[at : at + GROUP] for at in range(0, CODE_CHARACTERS, GROUP))


def read_code(text: str) -> str | None:
    """The code as it is compared: one case, no separators, look-alikes read as what they stand for; None for none."""
    code = latin(text[:TYPED_AT_MOST]).upper().translate(_READ_AS)
    return code if len(code) == CODE_CHARACTERS and set(code) <= set(_ALPHABET) else None


def merged(before: Typed, sent: Typed, names: Iterable[str]) -> Typed:
    """What was typed, with the fields of these names as they were sent now; the others stay."""
    replaced = frozenset(names)
    return (*((name, value) for name, value in before if name not in replaced), *sent)


def says_anew(before: Typed, after: Typed) -> bool:
    """Whether something else was typed; a field that was left empty says as much as one that was not there."""
    return _said(before) != _said(after)


def _said(typed: Typed) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in typed if value.strip())


def facts_of(said: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """By pointer the facts that were typed, in each form in which they are compared."""
    region = region_of(said)
    return {pointer: forms for pointer in FACTS if (forms := folded(pointer, said.get(pointer, ""), region))}


def region_of(said: Mapping[str, str]) -> str | None:
    """The country of residence that was typed, of which a telephone number without a country's code is one."""
    return said.get(RESIDENCE) or None


def fact_to_repeat(said: Mapping[str, str]) -> str | None:
    """Of what was typed, by pointer, the fact that whoever comes back repeats; None where there is none yet."""
    return next(iter(facts_of(said)), None)


def folded(pointer: str, fact: str, region: str | None = None) -> tuple[str, ...]:
    """The fact in each form in which it is compared: names as elsewhere, the rest by its letters and digits. Two
    telephone numbers are the same in E.164, or where they were typed alike; `region`: in which they are dialled."""
    forms = [fold_name(fact) if pointer.endswith("_name") else fold_number(fact)]
    if pointer == TELEPHONE:
        forms.append(same_telephone(fact, region) or "")
    return tuple(dict.fromkeys(one for one in forms if one))


def mail_address(typed: str) -> str | None:
    """The address as it is written to; None for what is none."""
    try:
        line = str(one_line(typed))
    except PydanticCustomError:
        return None
    return line if len(line) <= ADDRESS_CHARACTERS and _ADDRESS.fullmatch(line) else None


def same_address(address: str) -> str:
    """The address as it is compared. No mail server is known to tell two boxes apart by case alone.

    Lower case and no more, for one mail goes to all that are the same: folding makes "ss" of "ß", another box.
    """
    return address.lower()
