"""What people may write: one form for each text, and nothing in it that a page or a file would obey."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from services.matching.domain.assignments import AssignmentDraft, Revision
from services.registration.domain.institutions import InstitutionRegistration
from shared.cases.bodies import Input
from shared.contracts.matching.assignments import Terms
from shared.contracts.registration.persons import Attributes, LanguageSkill
from shared.texts import LATIN_AT_MOST, exact, fold_number, latin, lines, one_line

BELL, ESCAPE, SEPARATOR, NEXT_LINE, OVERRIDE, BYTE_ORDER = "\x07", "\x1b", "\x1e", "\x85", "\u202e", "\ufeff"


@pytest.mark.parametrize("character", [BELL, ESCAPE, SEPARATOR, NEXT_LINE, "\x7f", "\ue000"])
@pytest.mark.parametrize("form", [one_line, lines, exact])
def test_control_characters_are_refused(form: Any, character: str) -> None:
    for text in (f"a{character}b", character, f"a {character}"):
        with pytest.raises(Exception, match="without control characters") as refused:
            form(text)
        assert refused.value.type == "control_character"


@pytest.mark.parametrize(
    "mark", [OVERRIDE, BYTE_ORDER, "\u200e", "\u200f", "\u2066", "\u2069", "\u061c", "\u200b", "\u00ad"]
)
def test_invisible_marks_of_a_pasted_text_are_taken_out(mark: str) -> None:
    """An account's subject, which has to equal another text, is refused instead."""
    for text in (f"{mark}Amina{mark} Rahimi", f"Ami{mark}na Rahimi"):
        assert one_line(text) == lines(text) == "Amina Rahimi"
        with pytest.raises(Exception, match="without control characters"):
            exact(text)


LATIN_PLAIN = "AB0123456"


@pytest.mark.parametrize(
    "written",
    [
        "ab-012 3456",
        "\u0410\u0412O123456",  # Cyrillic A and Ve, the letter O
        "\u0391\u0392\u039f123456",  # Greek Alpha, Beta, Omicron
        "\uff21\uff22\uff10\uff11\uff12\uff13\uff14\uff15\uff16",  # full width
        "AB\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6",  # Persian digits
        "ABOI23456",
        "\u202aAB0123456\u202c",
    ],
)
def test_letters_and_digits_that_look_alike_fold_to_one_document_number(written: str) -> None:
    assert fold_number(written) == fold_number(LATIN_PLAIN)


def test_other_numbers_stay_others() -> None:
    folded = {fold_number(number) for number in (LATIN_PLAIN, "AB0123457", "AC0123456", "A80123456", "AB0123S56", "X")}
    assert len(folded) == 6


def test_each_text_has_one_form() -> None:
    assert one_line("  Ame\u0301lie \t Rose\r\n") == "Am\u00e9lie Rose"
    assert one_line("\u0645\u06cc\u200c\u0631\u0648\u062f") == "\u0645\u06cc\u200c\u0631\u0648\u062f"
    assert lines("One:\r\n\t- two\n") == "One:\n\t- two\n"
    assert exact(" as it is ") == " as it is "
    assert one_line(3) == lines(3) == 3
    assert {form(text) for form in (one_line, lines) for text in (" \t", "\u3164\u2800", "\u200f ")} == {""}


def _bodies() -> list[type[BaseModel]]:
    """Every model of a request's body, with the contracts that stand in one."""
    found: list[type[BaseModel]] = [Terms, LanguageSkill, Attributes]
    for service in ("registration", "matching", "placement", "monitoring"):
        import_module(f"services.{service}.api")
    for model in (waiting := [Input]):
        waiting.extend(model.__subclasses__())
    return [*found, *(model for model in waiting if model.__module__.startswith(("services.", "shared.")))]


@pytest.mark.parametrize(
    ("model", "field"),
    [(model, field) for model in _bodies() for field in model.model_fields],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_no_field_of_any_body_takes_a_control_character(model: type[BaseModel], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate_json(f'{{"{field}": "a\\u0007b"}}', strict=True)
    assert field in [row["loc"][0] for row in refused.value.errors() if row["type"] != "missing"]


# One of two names is enough, a file may have none, and a telephone is read with the country beside it.
NOT_SAID_AT_ALL = frozenset({"given_name", "family_name", "telephone"})
UNNAMED = frozenset({"FileBegun"})


@pytest.mark.parametrize("blank", ["   ", " \t\u2003\u200f"])
@pytest.mark.parametrize(
    ("model", "field"),
    [(model, field) for model in _bodies() for field in model.model_fields],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_no_field_of_any_body_takes_blanks_for_a_text(model: type[BaseModel], field: str, blank: str) -> None:
    said = json.dumps({field: blank})
    try:
        value = getattr(model.model_validate_json(said, strict=True), field)
    except ValidationError as refused:
        wrong = [row["loc"][:1] for row in refused.errors() if row["type"] != "missing"]
        assert (field,) in wrong or field in NOT_SAID_AT_ALL or model.__name__ in UNNAMED
    else:
        assert value is None


def test_the_rule_is_named_where_the_text_stands() -> None:
    for model, field in ((AssignmentDraft, "title"), (Revision, "description"), (InstitutionRegistration, "account")):
        with pytest.raises(ValidationError) as refused:
            model.model_validate_json(f'{{"{field}": "a\\u0007b"}}')
        assert ("control_character", (field,)) in [(row["type"], row["loc"]) for row in refused.value.errors()]


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        (" 7K2M-QX9D ", "7K2M-QX9D"),
        ("\u200f7K2M\u2011QX9D\u200e", "7K2M-QX9D"),
        ("\u20667K2M\u2212QX9D\u2069", "7K2M-QX9D"),
        ("7\u00adK2M\u2010QX9D\ufeff", "7K2M-QX9D"),
        ("\uff17\uff2b\uff12\uff2d\uff0d\uff31\uff38\uff19\uff24", "7K2M-QX9D"),
        ("٢٠٢٧\u2014٠٣\u2013۳۱", "2027-03-31"),
        ("\u202b+٤٤ ٢٠\u00a0٧٩٤٦\u202c", "+44 20 7946"),
        ("\uff0b44\u202f20", "+44 20"),
        ("1²", "1²"),
        ("①", "①"),
    ],
)
def test_codes_numbers_and_days_are_read_as_a_latin_keyboard_writes_them(typed: str, plain: str) -> None:
    assert latin(typed) == latin(latin(typed)) == plain


def test_what_is_longer_than_any_number_stays_as_it_was_typed() -> None:
    assert latin(" ٢٠٢٦ ") == "2026"
    at_most = "٢" * LATIN_AT_MOST
    assert latin(at_most) == "2" * LATIN_AT_MOST
    assert latin(at_most + "٢") == at_most + "٢"
