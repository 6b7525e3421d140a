"""Who a history calls eligible meets every criterion, and who it calls ineligible fails the one that it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.replay.history import lint_history
from shared.programmes.loader import load_definition
from tests.unit.replay.files import EXAMPLE, RETURNS_PROGRAMME, check_found

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
INELIGIBLE = "{criterion: experience, attribute: experience_years, value: 0, persons: 3}"


def ineligible(criterion: str, attribute: str, value: str) -> tuple[str, str]:
    return INELIGIBLE, f"{{criterion: {criterion}, attribute: {attribute}, value: {value}, persons: 3}}"


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        (ineligible("education", "education", "4"), "value", "other_criterion"),
        (ineligible("experience", "experience_years", "2"), "value", "other_criterion"),
        (ineligible("experience", "education", "0"), "attribute", "other_attribute"),
        (ineligible("age", "education", "0"), "attribute", "other_attribute"),
        (ineligible("education", "education", "-1"), "value", "greater_than_equal"),
        (ineligible("education", "education", "none"), "value", "int_parsing"),
        (ineligible("residence", "country_of_residence", "NL"), "value", "other_criterion"),
        (ineligible("right_of_return", "residence_status", "permanent"), "value", "other_criterion"),
        (ineligible("right_of_return", "residence_status", "visitor"), "value", "unknown_code"),
    ],
)
def test_an_ineligible_person_fails_the_criterion_that_is_named(change: tuple[str, str], field: str, rule: str) -> None:
    check_found(EXAMPLE, change, f"population/ineligible/0/{field}", rule)


@pytest.mark.parametrize(
    "change",
    [
        ineligible("education", "education", "3"),
        ineligible("residence", "country_of_residence", "FR"),
        ineligible("right_of_return", "residence_status", "temporary"),
    ],
)
def test_a_value_that_fails_it_is_taken(change: tuple[str, str]) -> None:
    assert lint_history(EXAMPLE.replace(*change), RETURNS_PROGRAMME) == []


@pytest.mark.parametrize(
    ("old", "new", "pointer", "rule"),
    [
        ("least: 5, most: 7", "least: 3, most: 7", "education/0/least", "not_eligible"),
        ("least: 5, most: 7", "least: 5, most: 9", "education/0/most", "less_than_equal"),
        ("least: 2, most: 9", "least: 1, most: 9", "experience_years/0/least", "not_eligible"),
        ("least: 1970, most: 1980", "least: 1970, most: 1989", "birth_years/1/most", "not_eligible"),
        ("least: 1950, most: 1969", "least: 1850, most: 1969", "birth_years/0/least", "greater_than_equal"),
        ("{code: DE,", "{code: FR,", "residences/1/code", "not_eligible"),
        ("origin: AF,", "origin: IQ,", "groups/0/origin", "not_eligible"),
        ("{code: permanent,", "{code: temporary,", "residence_statuses/1/code", "not_eligible"),
    ],
)
def test_an_eligible_person_meets_every_criterion(old: str, new: str, pointer: str, rule: str) -> None:
    check_found(EXAMPLE, (old, new), f"population/{pointer}", rule)


def test_what_a_criterion_looks_at_is_stated() -> None:
    start = EXAMPLE.index("      residence_statuses:")
    text = EXAMPLE[:start] + EXAMPLE[EXAMPLE.index("      professions:") :]
    (found,) = lint_history(text, RETURNS_PROGRAMME)
    assert (found.pointer, found.rule) == ("/chapters/0/population/residence_statuses", "not_eligible")


def test_nobody_of_a_line_without_persons_has_to_meet_anything() -> None:
    line = "- {least: 5, most: 7, persons: 65}"
    assert (
        lint_history(EXAMPLE.replace(line, f"- {{least: 1, most: 1, persons: 0}}\n        {line}"), RETURNS_PROGRAMME)
        == []
    )


def test_a_level_that_is_too_low_is_found_at_its_line() -> None:
    text = (DEPLOY / "histories/quests-mida.yaml").read_text(encoding="utf-8")
    low = text.replace("{level: B2, persons: 60}", "{level: B1, persons: 60}")
    (found,) = lint_history(low, load_definition(DEPLOY / "programmes/quests-mida.yaml"))
    assert (found.pointer, found.rule) == ("/chapters/0/population/languages/en/0/level", "not_eligible")
    assert "{level: B1, persons: 60}" in low.splitlines()[found.line - 1]


def test_of_two_languages_one_is_enough_where_the_criterion_says_so() -> None:
    definition = load_definition(DEPLOY / "programmes/mida-somalia-sida.yaml")
    text = (DEPLOY / "histories/mida-somalia-sida.yaml").read_text(encoding="utf-8")
    low = text.replace("{level: B2, persons: 100}", "{level: A1, persons: 100}")
    assert lint_history(low, definition) == []
    neither = low.replace("languages: {so: C2}, female: 5, male: 20", "languages: {so: A2}, female: 5, male: 20")
    (found,) = lint_history(neither, definition)
    assert (found.pointer, found.rule) == ("/chapters/0/population/languages/en/0/level", "not_eligible")


def test_a_language_that_a_group_does_not_speak_is_found_at_the_group() -> None:
    text = (DEPLOY / "histories/quests-mida.yaml").read_text(encoding="utf-8")
    start, end = text.index("      languages:\n        en:"), text.index("      # A woman who was placed")
    found = lint_history(text[:start] + text[end:], load_definition(DEPLOY / "programmes/quests-mida.yaml"))
    groups = [f"/chapters/0/population/groups/{n}/languages" for n in range(7)]
    assert [(one.pointer, one.rule) for one in found] == [(group, "not_eligible") for group in groups]
