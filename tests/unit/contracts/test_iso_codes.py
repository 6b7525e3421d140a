"""Countries, former states, nationalities and languages, each by one code."""

from __future__ import annotations

import pycountry
import pytest

from shared.contracts.iso_codes import (
    country_codes,
    language_code,
    language_codes,
    nationality_codes,
    state_codes,
    text_language_codes,
)
from shared.contracts.registration.persons import LanguageSkill


@pytest.mark.parametrize("code", ["prs", "haz", "kri", "en", "fa", "so", "ti"])
def test_a_language_without_a_code_of_two_letters_has_one_of_three(code: str) -> None:
    assert code in language_codes()
    assert language_code(code) == code


def test_no_language_has_two_codes() -> None:
    """Of each that ISO 639-3 lists, exactly one form is a code here, and every form is read as that one."""
    for one in pycountry.languages:
        forms = {one.alpha_3, getattr(one, "alpha_2", one.alpha_3)}
        assert {language_code(form) for form in forms} == {getattr(one, "alpha_2", one.alpha_3)}
        assert len(forms & language_codes()) == (0 if one.scope == "S" else 1)


@pytest.mark.parametrize(("said", "held"), [("eng", "en"), ("fas", "fa"), ("som", "so"), ("prs", "prs"), ("en", "en")])
def test_a_skill_holds_the_shorter_code(said: str, held: str) -> None:
    assert LanguageSkill.model_validate_json(f'{{"language": "{said}", "level": "B1"}}').language == held


@pytest.mark.parametrize("code", ["und", "mul", "zxx", "mis", "xx", "qqq", "eng"])
def test_what_is_no_language_or_has_a_shorter_code_is_no_code(code: str) -> None:
    assert code not in language_codes()


def test_texts_are_in_languages_of_two_letters() -> None:
    assert {len(code) for code in text_language_codes()} == {2}
    assert "sw" in text_language_codes()


def test_former_states_are_states_and_no_countries_of_today() -> None:
    former = state_codes() - country_codes()
    assert {"CS", "YU", "SU", "DD", "ZR", "TP", "YD"} <= former
    # These codes were given anew.
    assert {"SK", "BY", "GE", "AI"} <= country_codes()
    assert "XK" in country_codes()


def test_a_nationality_may_be_none_of_a_state() -> None:
    assert nationality_codes() - state_codes() == {"XXA", "XXB", "XXC"}
