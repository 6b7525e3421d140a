"""Names of countries, nationalities, languages, currencies and occupations, by the codes of standards."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import pycountry

from shared.contracts.iso_codes import WITHOUT_A_STATE, country_codes, language_codes, state_codes
from shared.web.pages.formatting import locale_of
from shared.web.pages.words import code_key, reason_words, translations

UNIT_GROUP_DIGITS = 4
_TITLES = Path(__file__).parent / "occupations"
# States that CLDR calls otherwise than ISO 3166-1 does (`PS`: Palestinian Territories).
_NAMED_BY_ISO = frozenset({"PS"})
# What CLDR calls otherwise than ISO 639 does.
_CLDR: Mapping[str, str] = {"prs": "fa_AF", "cmn": "zh", "kmr": "ku"}


@dataclass(frozen=True)
class Names:
    """What codes are called in a language."""

    language: str

    def country(self, code: str) -> str:
        """Of ISO 3166-1, of XK, and of a former state of ISO 3166-3."""
        if code in states_named_here():
            return self.code("country", code)
        return str(locale_of(self.language).territories[code])

    def nationality(self, code: str) -> str:
        """The state's name; for people without one's nationality what ICAO Doc 9303 has."""
        return self.code("nationality", code) if code in WITHOUT_A_STATE else self.country(code)

    def spoken(self, code: str) -> str:
        """The language's name; where CLDR has none, that of ISO 639-3, which is English."""
        found = locale_of(self.language).languages.get(_CLDR.get(code, code))
        return str(found) if found else _in_english(code)

    def currency(self, code: str) -> str:
        """The currency's name; its code for one that is in use no more and that CLDR does not name."""
        return str(locale_of(self.language).currencies.get(code, code))

    def occupation(self, code: str) -> str:
        """The title of a group of ISCO-08, of any level: in English the standard's own, in other languages ours."""
        return _occupations(self.language)[code]

    def code(self, field: str, code: str) -> str:
        """What a code says in that field, as the tables declare it."""
        return translations(self.language).gettext(code_key(field, code))

    def reason(self, code: str) -> str:
        """As `reason_words`."""
        return reason_words(self.language, code)


@cache
def occupations(language: str) -> tuple[tuple[str, str], ...]:
    """Code and title of the unit groups, by title: what somebody's occupation is chosen from."""
    return by_name((code, title) for code, title in _occupations(language).items() if len(code) == UNIT_GROUP_DIGITS)


@cache
def _occupations(language: str) -> Mapping[str, str]:
    found: dict[str, str] = json.loads((_TITLES / f"{language}.json").read_text(encoding="utf-8"))
    return found


@cache
def states_named_here() -> frozenset[str]:
    """States whose names the catalogues have: CLDR has none of those that are gone, and a few of another kind."""
    return (state_codes() - frozenset(locale_of("en").territories)) | _NAMED_BY_ISO


@cache
def countries(language: str) -> tuple[tuple[str, str], ...]:
    """Code and name of every country of today, by name."""
    return by_name((code, Names(language).country(code)) for code in country_codes())


@cache
def nationalities(language: str) -> tuple[tuple[str, str], ...]:
    """As `countries`, then what people have who have no state's."""
    names = Names(language)
    return (*countries(language), *((code, names.nationality(code)) for code in sorted(WITHOUT_A_STATE)))


@cache
def states(language: str) -> tuple[tuple[str, str], ...]:
    """As `countries`, with those that are gone."""
    return by_name((code, Names(language).country(code)) for code in state_codes())


@cache
def languages(language: str) -> tuple[tuple[str, str], ...]:
    """Code and name of the languages that CLDR names: some six hundred of the seven thousand that may be stated."""
    named = locale_of(language).languages
    return by_name((code, Names(language).spoken(code)) for code in language_codes() if _CLDR.get(code, code) in named)


def by_name(rows: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Codes and names, by name."""
    return tuple(sorted(rows, key=lambda row: (_folded(row[1]), row[0])))


@lru_cache(maxsize=8_192)
def _folded(name: str) -> str:
    """Marks apart, so that É stands beside E; the Arabic article too."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return plain.casefold().removeprefix("ال")


def _in_english(code: str) -> str:
    found = pycountry.languages.get(alpha_2=code) if len(code) == 2 else pycountry.languages.get(alpha_3=code)
    return str(found.name) if found else code


# By what a field says that it is chosen from.
LISTED: Mapping[str, Callable[[str], tuple[tuple[str, str], ...]]] = {
    "countries": countries,
    "states": states,
    "nationalities": nationalities,
    "languages": languages,
    "occupations": occupations,
}
