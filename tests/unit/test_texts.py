"""What people may write: one form for each text, and nothing in it that a page or a file would obey."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from services.matching.domain.assignments import AssignmentDraft, Revision
from services.registration.domain.institutions import InstitutionRegistration
from shared.cases.bodies import Input
from shared.contracts.matching import Terms
from shared.contracts.registration import Attributes, LanguageSkill
from shared.texts import exact, lines, one_line

BELL, ESCAPE, SEPARATOR, NEXT_LINE, OVERRIDE, BYTE_ORDER = "\x07", "\x1b", "\x1e", "\x85", "\u202e", "\ufeff"


@pytest.mark.parametrize("character", [BELL, ESCAPE, SEPARATOR, NEXT_LINE, OVERRIDE, BYTE_ORDER, "\x7f", "\ue000"])
@pytest.mark.parametrize("form", [one_line, lines, exact])
def test_control_and_formatting_characters_are_refused(form: Any, character: str) -> None:
    for text in (f"a{character}b", character, f"a {character}"):
        with pytest.raises(Exception, match="breaks the rule") as refused:
            form(text)
        assert refused.value.type == "control_character"


def test_each_text_has_one_form() -> None:
    assert one_line("  Ame\u0301lie \t Rose\r\n") == "Am\u00e9lie Rose"
    assert one_line("\u0645\u06cc\u200c\u0631\u0648\u062f") == "\u0645\u06cc\u200c\u0631\u0648\u062f"
    assert lines("One:\r\n\t- two\n") == "One:\n\t- two\n"
    assert exact(" as it is ") == " as it is "
    assert one_line(3) == lines(3) == 3


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


def test_the_rule_is_named_where_the_text_stands() -> None:
    for model, field in ((AssignmentDraft, "title"), (Revision, "description"), (InstitutionRegistration, "account")):
        with pytest.raises(ValidationError) as refused:
            model.model_validate_json(f'{{"{field}": "a\\u0007b"}}')
        assert ("control_character", (field,)) in [(row["type"], row["loc"]) for row in refused.value.errors()]
