"""The words of pages in each language: gettext catalogues, read as they stand in the repository.

Words of tables stand under keys in every language, English too; sentences of templates under the English sentence
(docs/words.md says which keys there are and how a text is added).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CATALOGUES = Path(__file__).parent / "catalogues"
# What is said of a rule that no catalogue has words for.
INVALID = "invalid"
# Fields whose codes are of a list that other fields name codes of as well.
_LISTS: Mapping[str, str] = {
    "again_reason": "reason",
    "consents_at": "consents",
    "override_reason": "reason",
    "failing": "criterion",
    "items": "item",
    "steps_missing": "step",
    "steps": "step",
    "steps_not_needed": "step",
}


def catalogue(language: str) -> Catalog:
    """The catalogue as it is written."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


@cache
def translations(language: str) -> GNUTranslations:
    """For Jinja's extension `i18n`. A key that nobody has words for comes back as it is, and fails a test before."""
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def called(language: str, field: str, group: str = "") -> str:
    """What the field is called: in a group of others by words of its own, where it has such."""
    words, apart = translations(language), f"field:{group}:{field}"
    said = words.gettext(apart)
    return words.gettext(f"field:{field}") if said == apart else said


def list_of(field: str) -> str:
    """By which word the codes of that field are listed."""
    return _LISTS.get(field, field)


def code_key(field: str, code: str) -> str:
    """The key of a code that may stand in that field."""
    return f"code:{list_of(field)}:{code}"


def names_level(language: str, field: str, level: str) -> bool:
    """Whether there are words for the levels of what the field says in a number, as for those of education."""
    key = code_key(field, level)
    return translations(language).gettext(key) != key


def rule_words(language: str, rule: str, pointer: str = "") -> str:
    """What is said of a broken rule: of the field at the pointer where that has words of its own, else of the rule
    wherever it is broken; of one that nobody has words for that something is wrong."""
    field = next((part for part in reversed(pointer.split("/")) if part and not part.isdecimal()), "")
    keys = (f"rule:{rule}:{field}", f"rule:{rule}", f"rule:{INVALID}")
    found = translations(language)
    return next((words for key in keys if (words := found.gettext(key)) != key), rule)


def reason_words(language: str, code: str) -> str:
    """The words of what stands as the reason of a case: a listed code, or the rule by which a service refused it.

    The code itself where a programme added it: its definition has the name.
    """
    found = translations(language)
    keys = (code_key("reason", code), f"rule:{code}")
    return next((words for key in keys if (words := found.gettext(key)) != key), code)
