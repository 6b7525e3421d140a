"""The codes of countries, former states, nationalities and languages: ISO 3166, ICAO Doc 9303 and ISO 639."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pycountry

# What a refusal says that a field wants.
A_COUNTRY = "a country is one of ISO 3166-1 alpha-2, or XK"
A_STATE = "a state is a country of ISO 3166-1 alpha-2, XK, or a former one of ISO 3166-3 by two letters"
A_NATIONALITY = f"{A_STATE}; without one it is XXA (stateless), XXB or XXC (refugees)"
A_LANGUAGE = "a language is one of ISO 639-1, or of ISO 639-3 where that has none"
# Who has a travel document and no state's nationality (ICAO Doc 9303, part 3, section 5): the stateless by the
# Convention of 1954, refugees by the Convention of 1951 and its protocol, other refugees.
WITHOUT_A_STATE = frozenset({"XXA", "XXB", "XXC"})


@cache
def country_codes() -> frozenset[str]:
    """ISO 3166-1 alpha-2, and XK, which users' systems know."""
    return frozenset({one.alpha_2 for one in pycountry.countries} | {"XK"})


@cache
def state_codes() -> frozenset[str]:
    """Countries, and those of ISO 3166-3 that are gone, but for a code that another country has today (as SK).

    CS is Czechoslovakia as well as Serbia and Montenegro.
    """
    return country_codes() | {one.alpha_2 for one in pycountry.historic_countries}


@cache
def nationality_codes() -> frozenset[str]:
    """States that are or were, and what ICAO has for people without one."""
    return state_codes() | WITHOUT_A_STATE


@cache
def text_language_codes() -> frozenset[str]:
    """ISO 639-1: the languages that texts are written in."""
    return frozenset(_shorter().values())


@cache
def language_codes() -> frozenset[str]:
    """The languages that people speak: ISO 639-1, and ISO 639-3 for those that have no code there.

    ISO 639-3 also has four codes for what is no language (`und`, `mul`, ...).
    """
    longer = {one.alpha_3 for one in pycountry.languages if one.scope != "S"}
    return text_language_codes() | (longer - _shorter().keys())


def language_code(code: str) -> str:
    """The one code of the language: of ISO 639-1 where there is one, as `en` for `eng`."""
    return code if len(code) == 2 else _shorter().get(code, code)


@cache
def _shorter() -> Mapping[str, str]:
    return {one.alpha_3: one.alpha_2 for one in pycountry.languages if hasattr(one, "alpha_2")}
