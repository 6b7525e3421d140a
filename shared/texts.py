"""Texts that people write: one form for each, and no character in them that a page or a file would obey."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

CONTROL_CHARACTER = "control_character"
# Zero-width joiners belong to the spelling of Persian and other names.
_JOINERS = "\u200c\u200d"
LINE_ENDS_AND_TABS = "\n\t"


def one_line(value: Any) -> Any:
    """NFC, single spaces, for a `BeforeValidator`; control and formatting characters are refused, not dropped.

    Tabs and line ends count as spaces, as forms and copied cells bring them.
    """
    if not isinstance(value, str):
        return value
    # Checked first: `split` takes some control characters for spaces too.
    return " ".join(_checked(unicodedata.normalize("NFC", value), "\r" + LINE_ENDS_AND_TABS).split())


def lines(value: Any) -> Any:
    """A text of several lines in NFC, for a `BeforeValidator`; of control characters it may hold tabs and line ends."""
    if not isinstance(value, str):
        return value
    return _checked(unicodedata.normalize("NFC", value).replace("\r\n", "\n"), LINE_ENDS_AND_TABS)


def exact(value: str) -> str:
    """The text as it is, for an `AfterValidator`: one that has to equal another, such as an account's subject."""
    return _checked(value)


def fold_number(number: str) -> str:
    """A document number as it is compared: NFKC, one case, digits of any script, without separators."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).casefold())
    return "".join(_folded(character) for character in folded if unicodedata.category(character)[0] in "LN")


def has_control_character(text: str, allowed: str = "") -> bool:
    """Whether a control, formatting or unassigned character other than the joiners and `allowed` stands in it."""
    return any(unicodedata.category(one)[0] == "C" and one not in _JOINERS and one not in allowed for one in text)


def _checked(text: str, allowed: str = "") -> str:
    if has_control_character(text, allowed):
        raise PydanticCustomError(CONTROL_CHARACTER, "the value breaks the rule")
    return text


def _folded(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


# A line by which people tell one thing from another; no event carries it.
Title = Annotated[str, BeforeValidator(one_line), StringConstraints(min_length=1, max_length=200)]
