"""Texts that have a form: each pattern with what would be right, as it is said to whoever sent another text."""

from __future__ import annotations

from collections.abc import Mapping

_WORDS: dict[str, str] = {}
WORDS: Mapping[str, str] = _WORDS


def written(pattern: str, words: str) -> str:
    """The pattern, of which from then on `WORDS` says what it wants. ValueError where other words are said of it."""
    if _WORDS.setdefault(pattern, words) != words:
        raise ValueError(f"two meanings of {pattern}")
    return pattern


ID = written(
    r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "an id as these services give it, in lower case",
)
CODE = written(
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", "a code of at most 64 letters a to z, digits, dots, hyphens and underscores"
)
KEY = written(
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", "a code of at most 64 letters a to z, digits, hyphens and underscores"
)
TIME_ZONE = written(r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$", "the IANA name of a time zone, as Africa/Mogadishu")
COUNTRY = written(r"^[A-Z]{2}$", "two capital letters of ISO 3166, as NL")
NATIONALITY = written(
    r"^([A-Z]{2}|XX[A-C])$", "two capital letters of ISO 3166, as NL; without a state XXA, XXB or XXC"
)
LANGUAGE = written(r"^[a-z]{2,3}$", "two or three small letters of ISO 639, as en")
OCCUPATION = written(r"^[0-9]{1,4}$", "one to four of the digits 0 to 9, a code of ISCO-08")
DIGEST = written(r"^[0-9a-f]{64}$", "64 digits of a hexadecimal number, in lower case")
DECIMAL = written(r"^-?[0-9]{1,30}(\.[0-9]{1,6})?$", "a number with a decimal point, as 12.5")
SIGNATURE = written(r"^[A-Za-z0-9_-]{86}$", "an Ed25519 signature as base64url without padding")
