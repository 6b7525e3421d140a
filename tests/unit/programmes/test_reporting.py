"""The section `reporting`: what must hold beyond the types of its fields, each broken rule at its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from shared.programmes.checks import check
from shared.programmes.loader import definition_of, lint
from shared.programmes.model import Definition
from shared.programmes.published import published
from shared.programmes.texts import named_in
from tests.unit.exports.samples import data


def changed(place: str, value: Any) -> dict[str, Any]:
    """The sample with the value at a pointer below `reporting`."""
    found = deepcopy(data())
    *path, last = place.split("/")
    part: Any = found["reporting"]
    for step in path:
        part = part[int(step) if isinstance(part, list) else step]
    part[int(last) if isinstance(part, list) else last] = value
    return found


@pytest.mark.parametrize(
    ("place", "value", "pointer", "rule"),
    [
        ("iati/activity", "XM-DAC-7-1", "iati/activity", "identifier_of_another"),
        ("iati/activity", "XM-DAC-47066-a/b", "iati/activity", "string_pattern_mismatch"),
        ("iati/sectors/0/percent", 61, "iati/sectors", "percentages_sum"),
        ("iati/sectors/1/code", "15190", "iati/sectors/1/code", "repeated_code"),
        ("iati/sectors/1/code", "1519", "iati/sectors/1/code", "string_pattern_mismatch"),
        ("iati/countries", [], "iati/countries", "percentages_missing"),
        ("iati/countries/1/code", "FR", "iati/countries/1/code", "unknown_code"),
        ("iati/organisation/type", "41", "iati/organisation/type", "literal_error"),
        ("iati/organisation/name", {"en": "IOM"}, "iati/organisation/name/fr", "text_missing"),
        ("iati/description", {"en": "About"}, "iati/description/ar", "text_missing"),
        ("iati/results/1/code", "returns", "iati/results/1/code", "repeated_code"),
        ("iati/results/1/indicators", ["assignments"], "iati/results/1/indicators/0", "repeated_code"),
        ("iati/results/1/indicators", ["nothing"], "iati/results/1/indicators/0", "unknown_indicator"),
        ("iati/results/1/falling", ["no_shows"], "iati/results/1/falling/0", "unknown_indicator"),
        ("dhis2/org_units/dimension", "area", "dhis2/org_units/dimension", "unknown_dimension"),
        ("dhis2/org_units/units/1/dhis2", "SO-HGA", "dhis2/org_units/units/1/dhis2", "repeated_code"),
        ("dhis2/categories/0/options/1/dhis2", "FMLE", "dhis2/categories/0/options/1/dhis2", "repeated_code"),
        ("dhis2/categories/0/dhis2", "value", "dhis2/categories/0/dhis2", "name_taken"),
        ("dhis2/categories/0/dhis2", "a b", "dhis2/categories/0/dhis2", "string_pattern_mismatch"),
        ("dhis2/combos/1/dhis2", "COC_F", "dhis2/combos/1/dhis2", "repeated_code"),
        ("dhis2/combos/1/classes", ["female"], "dhis2/combos/1/classes", "repeated_code"),
        ("dhis2/combos/1/classes", ["male", "young"], "dhis2/combos/1/classes", "classes_do_not_cover"),
        ("dhis2/combos/1/by", ["age"], "dhis2/combos/1/by/0", "unknown_dimension"),
        ("dhis2/elements/0/indicator", "nothing", "dhis2/elements/0/indicator", "unknown_indicator"),
        ("dhis2/elements/0/by", ["value"], "dhis2/elements/0/by", "not_mapped"),
        ("dhis2/elements/0/by", ["sex", "sex"], "dhis2/elements/0/by/1", "repeated_code"),
        ("dhis2/elements/1/by", [], "dhis2/elements/1/indicator", "repeated_code"),
        ("dhis2/elements/1/dhis2", "ASSIGN", "dhis2/elements/1/dhis2", "element_of_two"),
        ("dhis2/org_unit", " SO", "dhis2/org_unit", "string_pattern_mismatch"),
        ("surplus", 1, "surplus", "unknown_field"),
    ],
)
def test_a_broken_rule_is_found_at_its_place(place: str, value: Any, pointer: str, rule: str) -> None:
    text = json.dumps(changed(place, value), indent=1)
    assert (f"/reporting/{pointer}", rule) in {(one.pointer, one.rule) for one in lint(text)}


def test_the_sample_is_whole_and_is_read_back_as_it_was() -> None:
    definition = definition_of(data())
    assert check(definition) == []
    assert published(json.loads(json.dumps(definition.as_json()))) == definition


def test_one_element_may_stand_for_a_figure_of_the_whole_and_of_each_unit() -> None:
    elements = [{"indicator": "persons", "dhis2": "P"}, {"indicator": "persons", "by": ["office"], "dhis2": "P"}]
    assert check(definition_of(changed("dhis2/elements", elements))) == []


@pytest.mark.parametrize("leave_out", [lambda all: all.pop("iati"), lambda all: all.pop("dhis2")])
def test_each_part_may_be_left_out(leave_out: Callable[[dict[str, Any]], Any]) -> None:
    found = deepcopy(data())
    leave_out(found["reporting"])
    assert check(definition_of(found)) == []


def test_its_texts_are_among_those_of_the_definition() -> None:
    definition: Definition = definition_of(data())
    pointers = {one.pointer for one in named_in(definition)}
    assert {"/reporting/iati/organisation/name", "/reporting/iati/description"} <= pointers
    assert "/reporting/iati/results/1/name" in pointers


def test_it_has_no_cases_and_so_no_reasons() -> None:
    section = definition_of(data()).sections()["reporting"]
    assert section.adds == {}
    assert "reasons" not in type(section).model_fields
