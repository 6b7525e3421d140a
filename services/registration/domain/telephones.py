"""Telephone numbers as people write them, kept in one international form."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from pydantic_core import PydanticCustomError

EXPECTED = (
    "one telephone number: with + or 00 and the country's code, such as +44 20 7946 0000, or as it is dialled in the "
    "country of residence, if that is stated; an extension follows as `ext 4`"
)
# Letters are no digits here: a library that takes them for keys, or drops an O for a zero, dials somebody else.
_WRITTEN = re.compile(
    r"\s*(?:\+|00)?[0-9\s().\-–/]+(?:(?:ext|extension|x|poste|int)\.?\s*[0-9]{1,6}\s*)?", re.IGNORECASE
)


def read_telephone(text: str, region: str | None) -> str:
    """E.164's digits in groups, with ` ext. 4` where there is an extension. `region`: ISO 3166 code of the residence.

    A number that exists in no list is taken as long as it has a possible length: numbering plans change, and old
    prefixes of new countries are still in use. Raises PydanticCustomError `telephone_unreadable`.
    """
    written = text if text.isascii() else "".join(_ascii(one) for one in text)
    if not _WRITTEN.fullmatch(written):
        raise _unreadable()
    international = re.sub(r"^\s*00", "+", written)
    try:
        number = phonenumbers.parse(international, region)
    except phonenumbers.NumberParseException:
        raise _unreadable() from None
    if not phonenumbers.is_possible_number(number):
        raise _unreadable()
    shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return shown.replace(" x", " ext. ")


def _ascii(character: str) -> str:
    """Digits of any script as 0 to 9, full-width signs as plain ones."""
    digit = unicodedata.decimal(character, None)
    return unicodedata.normalize("NFKC", character) if digit is None else str(digit)


def _unreadable() -> PydanticCustomError:
    return PydanticCustomError("telephone_unreadable", EXPECTED)
