"""Names, documents and telephones as people have and write them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.registration.domain.documents import DOCUMENT_TYPES
from services.registration.domain.examples import EXPERT
from services.registration.domain.registrants import PersonInput
from services.registration.domain.telephones import is_doubtful, same_telephone
from shared.web.problems import validation_problems


def person(**changes: Any) -> dict[str, Any]:
    body = {**copy.deepcopy(EXPERT["person"]), **changes}
    return {name: value for name, value in body.items() if value != "left out"}


def read(**changes: Any) -> PersonInput:
    return PersonInput.model_validate_json(json.dumps(person(**changes)), strict=True)


def refused(**changes: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(ValidationError) as error:
        read(**changes)
    rows = error.value.errors(include_url=False, include_context=False, include_input=False)
    return [(one.pointer, one.rule, one.detail) for one in validation_problems(rows)]


@pytest.mark.parametrize("nothing", ["", "  ", "left out", "\u200e"])
@pytest.mark.parametrize("name", ["given_name", "family_name"])
def test_one_name_is_enough(name: str, nothing: str) -> None:
    found = read(**{name: nothing})
    assert getattr(found, name) is None
    assert {found.given_name, found.family_name} & {"Given", "Family"}


def test_nobody_is_without_any_name() -> None:
    ((pointer, rule, detail),) = refused(given_name="", family_name="left out")
    assert (pointer, rule) == ("", "name_missing")
    assert "one of them is enough" in detail


@pytest.mark.parametrize("type", ["Passport", "travel-document", "pass", ""])
def test_a_documents_type_is_a_code_of_the_list_and_the_refusal_names_it(type: str) -> None:
    ((pointer, rule, detail),) = refused(document={"type": type, "country": "NL", "number": "X1"})
    assert pointer == "/document/type"
    assert rule == "document_type_unknown" if type else rule
    assert not type or all(code in detail for code in DOCUMENT_TYPES)


WRITTEN = [
    ("+44 20 7946 0018", "+44 20 7946 0018"),
    ("0044 (20) 7946-0018", "+44 20 7946 0018"),
    ("(020) 7946 0018", "+44 20 7946 0018"),
    ("020 7946 0018 ext 4", "+44 20 7946 0018 ext. 4"),
    ("020.7946.0018 x4", "+44 20 7946 0018 ext. 4"),
    ("\u06f0\u06f2\u06f0 \u06f7\u06f9\u06f4\u06f6 \u06f0\u06f0\u06f1\u06f8", "+44 20 7946 0018"),
    ("\uff0b\u0664\u0664 \u0662\u0660 \u0667\u0669\u0664\u0666 \u0660\u0660\u0661\u0668", "+44 20 7946 0018"),
    ("\u202a+44 20 7946 0018\u202c", "+44 20 7946 0018"),
    # No list has it, and a phone may ring: the plan changed and the number did not.
    ("+381 44 000 000", "+381 44000000"),
]


@pytest.mark.parametrize(("written", "kept"), WRITTEN)
def test_a_telephone_is_read_as_people_write_it(written: str, kept: str) -> None:
    attributes = {**EXPERT["person"]["attributes"], "country_of_residence": "GB"}
    assert read(telephone=written, attributes=attributes).telephone == kept


NO_TELEPHONES = ["+44 20 7946 0018 / +44 20 7946 0019", "call me", "+44 2O 7946 0018", "0000000", "112", "+44", ""]


@pytest.mark.parametrize("written", NO_TELEPHONES)
def test_what_is_no_telephone_is_refused_with_what_is_expected(written: str) -> None:
    attributes = {**EXPERT["person"]["attributes"], "country_of_residence": "GB"}
    found = refused(telephone=written, attributes=attributes)
    assert [(pointer, rule) for pointer, rule, _ in found] == [("/telephone", "telephone_unreadable")]
    assert "country's code" in found[0][2]


def test_a_number_as_it_is_dialled_needs_the_country_of_residence() -> None:
    attributes = {name: v for name, v in EXPERT["person"]["attributes"].items() if name != "country_of_residence"}
    ((_, rule, detail),) = refused(telephone="020 7946 0018", attributes=attributes)
    assert rule == "telephone_unreadable"
    assert "country's code" in detail


@pytest.mark.parametrize(
    ("typed", "region"),
    [
        ("+442079460018", None),
        ("+44 20 7946 0018", None),
        ("0044 20 7946 0018", None),
        ("00442079460018", "NL"),
        ("+44 (20) 7946\u20110018", None),
        ("\u200f+٤٤ ٢٠ ٧٩٤٦ ٠٠١٨\u200f", None),
        ("\uff0b44 20 7946\u22120018", "AF"),
        ("020 7946 0018", "GB"),
        ("020 7946 0018 ext 4", "GB"),
    ],
)
def test_telephones_are_the_same_in_whatever_form_they_are_typed(typed: str, region: str | None) -> None:
    assert same_telephone(typed, region) == "442079460018"


@pytest.mark.parametrize(
    ("typed", "region", "doubtful"),
    [
        ("020 7946 0018", "NL", True),
        ("+31 20 7946 0018", None, True),
        ("+31 20 123 4567", None, False),
        ("020 7946 0018", "GB", False),
        # What cannot be read is refused, and not doubted.
        ("020 7946 0018", None, False),
        ("none", "NL", False),
    ],
)
def test_a_number_that_its_country_does_not_have_is_doubted(typed: str, region: str | None, doubtful: bool) -> None:
    assert is_doubtful(typed, region) is doubtful


def test_what_is_no_telephone_is_the_same_as_none() -> None:
    assert [same_telephone(one, "GB") for one in NO_TELEPHONES] == [None] * len(NO_TELEPHONES)
    assert same_telephone("020 7946 0018", None) is None
