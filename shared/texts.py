"""Texts that people write: one form for each, and no character in them that a page or a file would obey."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from shared.contracts.patterns import written

CONTROL_CHARACTER = "control_character"
# An address of mail as a header can hold it unquoted: none of RFC 5322's specials, no dot at an end or beside another.
_OF_MAIL = r"[^@\s.,:;<>()\[\]\\\"]"
MAIL_ADDRESS = written(
    rf"^{_OF_MAIL}(\.?{_OF_MAIL}){{0,63}}@{_OF_MAIL}+(\.{_OF_MAIL}+)+$", "one address of mail, as name@example.org"
)
# Zero-width joiners belong to the spelling of Persian and other names.
_JOINERS = "\u200c\u200d"
# Letters and symbols by their category, yet nothing to see: the fillers of Hangul and the empty cell of Braille.
_BLANKS = "\u115f\u1160\u3164\uffa0\u2800"
LINE_ENDS_AND_TABS = "\n\t"
# Not punctuation by their category: minus, modifier letter minus, hyphen bullet.
_MINUSES = "\u2212\u02d7\u2043"
# Characters of a code, a number, a day or a telephone, however it is written.
LATIN_AT_MOST = 100
# By which Unicode's data say that a character is another one in another width.
_WIDTHS = ("<wide>", "<narrow>", "<small>", "<noBreak>")


def one_line(value: Any) -> Any:
    """NFC, single spaces, for a `BeforeValidator`; control characters are refused, not dropped.

    Tabs and line ends count as spaces, as forms and copied cells bring them. Invisible marks, such as those of
    direction, come with pasted text, say nothing and are taken out. Where nothing is to be seen it is empty.
    """
    if not isinstance(value, str):
        return value
    # Checked first: `split` takes some control characters for spaces too.
    return _said(" ".join(_checked(unicodedata.normalize("NFC", visible(value)), "\r" + LINE_ENDS_AND_TABS).split()))


def lines(value: Any) -> Any:
    """A text of several lines in NFC, for a `BeforeValidator`; of control characters it may hold tabs and line ends.

    Where nothing is to be seen it is empty, so that a text of blanks is refused as an empty one is.
    """
    if not isinstance(value, str):
        return value
    return _said(_checked(unicodedata.normalize("NFC", visible(value)).replace("\r\n", "\n"), LINE_ENDS_AND_TABS))


def visible(text: str) -> str:
    """The text without formatting characters, but for the joiners that belong to a spelling."""
    if text.isascii():
        return text
    return "".join(one for one in text if one in _JOINERS or unicodedata.category(one) != "Cf")


def latin(text: str) -> str:
    """A code, a number, a day or a telephone as a Latin keyboard writes it: digits of any script as 0 to 9, every
    hyphen, dash and minus as `-`, full-width characters as plain ones, any blank as a space, and without marks that
    nobody sees, as they come with pasted text.

    A superscript or a circled digit is none of a number: 1² is not 12. What is longer than any of these stays as it is.
    """
    typed = text.strip()
    if typed.isascii() or len(typed) > LATIN_AT_MOST:
        return typed
    return "".join(_of_latin(one) for one in typed if unicodedata.category(one) != "Cf").strip()


def _of_latin(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    if unicodedata.decomposition(character).startswith(_WIDTHS):
        character = unicodedata.normalize("NFKC", character)
    kind = unicodedata.category(character)
    if kind == "Pd" or character in _MINUSES:
        return "-"
    return " " if kind == "Zs" else character


def has_visible_character(text: str) -> bool:
    """Whether there is something to see: a letter, digit, punctuation or symbol that is not drawn as a blank."""
    return any(unicodedata.category(one)[0] in "LNPS" and one not in _BLANKS for one in text)


def _said(text: str) -> str:
    return text if has_visible_character(text) else ""


def exact(value: str) -> str:
    """The text as it is, for an `AfterValidator`: one that has to equal another, such as an account's subject."""
    return _checked(value)


def fold_number(number: str) -> str:
    """A document number as it is compared: NFKC, capitals, digits of any script, without separators.

    Of characters that look alike (Unicode Technical Standard 39) one stands for all: Latin, Greek and Cyrillic A, or O
    and 0. What one stands for may look like a further one (a small capital y like y, and that is Y), so it is folded
    until it stays.
    """
    return number.translate(_of_ascii()) if number.isascii() else _folded_until_it_stays(number)


def _folded_until_it_stays(number: str) -> str:
    folded = _folded_once(number)
    while (again := _folded_once(folded)) != folded:
        folded = again
    return folded


def _folded_once(number: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", number).upper())
    return "".join(_folded(character) for character in folded if unicodedata.category(character)[0] in "LN")


@cache
def _of_ascii() -> Mapping[int, str]:
    """What each character of ASCII is folded to: most numbers hold no others."""
    return {code: _folded_until_it_stays(chr(code)) for code in range(128)}


def has_control_character(text: str, allowed: str = "") -> bool:
    """Whether a control, formatting or unassigned character other than the joiners and `allowed` stands in it."""
    # Of what counts so, ASCII has none that can be printed.
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(one)[0] == "C" and one not in _JOINERS and one not in allowed for one in text)


def _checked(text: str, allowed: str = "") -> str:
    if has_control_character(text, allowed):
        raise PydanticCustomError(CONTROL_CHARACTER, "text without control characters")
    return text


def _folded(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    plain = character if digit is None else str(digit)
    return _look_alikes().get(plain, plain)


@cache
def _look_alikes() -> Mapping[str, str]:
    """Each character that is taken for another one -> the least of those that look like it."""
    from confusable_homoglyphs.confusables import confusables_data

    kin: dict[str, set[str]] = {}
    for character, rows in confusables_data.items():
        alike = {one for row in rows if len(one := visible(row["c"])) == 1}
        if len(character) == 1 and alike:
            group = set().union({character}, alike, *(kin.get(one, ()) for one in {character, *alike}))
            kin.update(dict.fromkeys(group, group))
    return {character: min(group) for character, group in kin.items()}


# A line by which people tell one thing from another; no event carries it.
Title = Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(one_line)]
