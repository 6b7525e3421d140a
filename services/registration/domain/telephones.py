"""Telephone numbers as people write them, kept in one international form."""

from __future__ import annotations

import re

import phonenumbers
from pydantic_core import PydanticCustomError

from shared.texts import latin

EXPECTED = (
    "one telephone number: with + or 00 and the country's code, such as +44 20 7946 0000, or as it is dialled in the "
    "country of residence, if that is stated; an extension follows as `ext 4`"
)
# Letters are no digits here: a library that takes them for keys, or drops an O for a zero, dials somebody else.
_WRITTEN = re.compile(r"(?:\+|00)?[0-9\s().\-/]+(?:(?:ext|extension|x|poste|int)\.?\s*[0-9]{1,6}\s*)?", re.IGNORECASE)


def read_telephone(text: str, region: str | None) -> str:
    """E.164's digits in groups, with ` ext. 4` where there is an extension. `region`: ISO 3166 code of the residence.

    A number that exists in no list is taken as long as it has a possible length: numbering plans change, and old
    prefixes of new countries are still in use. Raises PydanticCustomError `telephone_unreadable`.
    """
    number = _read(text, region)
    if number is None:
        raise _unreadable()
    shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return shown.replace(" x", " ext. ")


def is_doubtful(text: str, region: str | None) -> bool:
    """Whether it can be read, and no number of its country is known to be like that: it is taken, and may reach nobody.
    `region`: as for `read_telephone`."""
    number = _read(text, region)
    return number is not None and not phonenumbers.is_valid_number(number)


def same_telephone(text: str, region: str | None) -> str | None:
    """By what telephones are compared: E.164's digits, without an extension; None for what is none. `region`: as for
    `read_telephone`."""
    number = _read(text, region)
    if number is None:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def _read(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    written = latin(text)
    if not _WRITTEN.fullmatch(written):
        return None
    try:
        number = phonenumbers.parse(re.sub(r"^00", "+", written), region)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _unreadable() -> PydanticCustomError:
    return PydanticCustomError("telephone_unreadable", EXPECTED)
