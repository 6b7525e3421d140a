"""The linter: what is wrong is found at its line and field, and nothing dangerous is built first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.errors import Refusal
from shared.programmes.loader import FileRefused, definition_of, lint, load_definition
from shared.programmes.marked_yaml import read_marked
from shared.programmes.model import Definition, editor_schema, section_kinds
from shared.programmes.texts import named_in

FILE = Path(__file__).resolve().parents[3] / "deploy/programmes/trqn-1.yaml"
TEXT = FILE.read_text(encoding="utf-8")
LINES = TEXT.splitlines()


def line_of(part: str) -> int:
    """The number of the one line that holds this."""
    (number,) = [number for number, line in enumerate(LINES, 1) if part in line]
    return number


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) == 1, f"{old} stands {TEXT.count(old)} times"
    return TEXT.replace(old, new)


def test_every_definition_file_of_the_project_can_be_published() -> None:
    for path in sorted(FILE.parent.glob("*.yaml")):
        assert lint(path.read_text(encoding="utf-8")) == []
        assert load_definition(path).code == path.stem


def test_a_published_definition_is_read_back_as_it_was() -> None:
    definition = load_definition(FILE)
    published = json.loads(json.dumps(definition.as_json()))
    assert Definition.model_validate(published) == definition
    assert definition_of(published) == definition


def test_an_older_replica_reads_a_published_definition_with_fields_that_it_does_not_know() -> None:
    published = load_definition(FILE).as_json()
    published["added_later"] = 1
    assert Definition.model_validate(published) == load_definition(FILE)


@pytest.mark.parametrize(
    ("old", "new", "pointer", "rule"),
    [
        ("expires_days: 14", "expires_days: fourteen", "/selection/offers/expires_days", "int_type"),
        ("expires_days: 14", 'expires_days: "14"', "/selection/offers/expires_days", "int_type"),
        ("expires_days: 14", "expire_days: 14", "/selection/offers/expire_days", "unknown_field"),
        ("modalities: [temporary]", "modalities: [brief]", "/placement/modalities/0", "literal_error"),
        (
            "shortlist: {least: 3, most: 5}",
            "shortlist: {least: 5, most: 4}",
            "/selection/shortlist/most",
            "shortlist_backwards",
        ),
        (
            "countries_of_residence: [NL]",
            "countries_of_residence: [NN]",
            "/countries_of_residence/0",
            "unknown_country",
        ),
        ("time_zone: Asia/Kabul", "time_zone: Asia/Nowhere", "/offices/1/time_zone", "unknown_time_zone"),
        ("component: first_time, weight: 5", "component: first_time, weight: 6", "/selection/score", "weights_sum"),
        (
            "component: first_time, weight: 5",
            "component: sex, weight: 5",
            "/selection/score/6/component",
            "literal_error",
        ),
        ("threshold: 10", "threshold: 1", "/disclosure/threshold", "greater_than_equal"),
        (
            "threshold: 10",
            "threshold: 10\n  step: 1",
            "/disclosure/step",
            "unknown_field",
        ),
        ("{by: [country]}", "{by: [colour]}", "/disclosure/tables/2/by/0", "unknown_dimension"),
        ("{by: [country]}", "{periods: [never]}", "/disclosure/tables/2/periods/0", "unknown_period"),
        ("{by: [country]}", "{indicators: [nothing]}", "/disclosure/tables/2/indicators/0", "unknown_indicator"),
        (
            "{by: [country]}",
            "{indicators: [registrations], by: [country]}",
            "/disclosure/tables/2/indicators/0",
            "dimension_not_of_this_indicator",
        ),
        (
            "required: [citizen, permanent]",
            "required: [citizen, tourist]",
            "/selection/eligibility/2/required/1",
            "unknown_code",
        ),
        ("operator: age_at_least", "operator: at_least", "/selection/eligibility/3/required", "operator_mismatch"),
        (
            "      required: 18\n",
            "      required: 1800\n",
            "/selection/eligibility/3/required",
            "criterion_not_possible",
        ),
        ("dates: {starts: 2006", "dates: {starts: 0006", "/dates/starts", "date_malformed"),
        # A date that the calendar does not have ends PyYAML's own reading without a place.
        ("dates: {starts: 2006-04", "dates: {starts: 2006-13", "/dates/starts", "date_malformed"),
        ("share: {of: assignments_by_women, in: assignments}", "share: {of: assignments_by_women}", "", "required"),
        ("in: assignments}}", "in: placements}}", "/indicators/8/measure/share/in", "unknown_indicator"),
        ("in: assignments}}", "in: persons_placed}}", "/indicators/8/measure/share", "share_of_different_units"),
        ("at_least: 60}", "at_least: 61}", "", ""),
        (
            "temporary: [training, insurance, ticket]",
            "virtual: [training]",
            "/placement/preparation",
            "preparation_missing",
        ),
        (
            "{distinct: expert}\n    facts: {kinds: [expert_eligible]}",
            "half\n    facts: {kinds: [expert_eligible]}",
            "",
            "",
        ),
        (
            "facts: {kinds: [assignment_requested]}\n    by: [country",
            "facts: {kinds: [assignment_requested]}\n    by: [sex",
            "",
            "",
        ),
        ("starts: 2007-08-01\n", "starts: 2007-07-01\n", "/periods/1/starts", "periods_overlap"),
        ("starts: 2007-08-01\n", "starts: 2009-08-01\n", "/periods/1", "period_backwards"),
        ("starts: 2007-08-01\n", "starts: soon\n", "/periods/1/starts", "date_malformed"),
        ("one_of: [female]", "one_of: [women]", "/indicators/7/facts/where/0/one_of/0", "unknown_code"),
        ("{en: Kabul, fr", "{fr", "/offices/1/name/en", "text_missing"),
        ("{en: Kabul, fr", "{en: ' ', fr", "/offices/1/name/en", "text_missing"),
        ("en: Kabul,", 'en: "Ka\\abul",', "/offices/1/name/en", "control_character"),
    ],
)
def test_a_finding_names_line_field_and_rule(old: str, new: str, pointer: str, rule: str) -> None:
    text = changed(old, new)
    findings = lint(text)
    assert findings
    first = next((one for one in findings if one.rule == rule), findings[0])
    if rule:
        assert first.rule == rule
    assert first.pointer.startswith(pointer)
    start = TEXT[: TEXT.index(old)].count("\n") + 1
    assert abs(first.line - start) <= 3 or pointer in ("/selection/score", "/placement/preparation")
    assert first.column >= 1
    with pytest.raises(FileRefused) as caught:
        load_definition(text)
    assert f"line {first.line}, column {first.column}" in str(caught.value)


def test_the_place_is_exact() -> None:
    (finding,) = lint(changed("expires_days: 14", "expires_days: soon"))
    assert (finding.line, finding.column) == (line_of("expires_days"), len("  offers: {expires_days: ") + 1)
    (finding,) = lint(TEXT + "surplus: 1\n")
    assert (finding.line, finding.column, finding.rule) == (len(LINES) + 1, 1, "unknown_field")


def test_what_is_missing_is_found_at_the_part_that_lacks_it() -> None:
    (finding,) = lint(changed("    unit: percent\n", ""))
    assert (finding.pointer, finding.rule) == ("/indicators/8/unit", "required")
    assert finding.line == line_of("code: women_share")


def test_a_code_that_becomes_a_key_has_no_dot_for_linter_and_edge_alike() -> None:
    """Documents allow no dots in keys: a period's code stands before its target, a dimension's before its class."""
    sent: dict[str, Any] = load_definition(FILE).as_json()
    sent["periods"][0]["code"] = "2007.h1"
    sent["dimensions"][0]["code"] = "age.band"
    linted = {(one.pointer, one.rule) for one in lint(json.dumps(sent))}
    assert {("/periods/0/code", "string_pattern_mismatch"), ("/dimensions/0/code", "string_pattern_mismatch")} <= linted
    with pytest.raises(Refusal) as refused:
        definition_of(sent)
    assert {(one.pointer, one.rule) for one in refused.value.problems} == linted


def test_targets_name_a_period() -> None:
    text = changed("    unit: percent\n", "    unit: percent\n    targets: {whole: 25, later: 30}\n")
    (finding,) = lint(text)
    assert (finding.pointer, finding.rule) == ("/indicators/8/targets/later", "unknown_period")
    assert finding.line == line_of("unit: percent") + 1


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("code: trqn-1\ncode: trqn-2\n", "duplicate_key"),
        ("a: &x [1]\nb: *x\n", "alias"),
        ("a: !!python/object/apply:os.system [ls]\n", "tag"),
        ("a: !include other.yaml\n", "tag"),
        ("a: 1\n---\nb: 2\n", "documents"),
        ("[" * 100 + "]" * 100, "too_deep"),
        ("a: [" + "1," * 60_000 + "1]", "too_large"),
        ("# " + "x" * 600_000, "too_large"),
        ("a: [1\n", "yaml_syntax"),
        ("a: 'b\n", "yaml_syntax"),
        ("a: b\x00\n", "yaml_character"),
        ('a: "\\U00110000"\n', "yaml_syntax"),
        ('a: "\\UFFFFFFFF"\n', "yaml_syntax"),
        ('"\\ud800": 1\n"\\ud800": 2\n', "yaml_syntax"),
        ("", "empty"),
        ("# only a remark\n", "empty"),
        ("1: a\n", "key"),
        ("[a]: b\n", "key"),
        ("- a\n", "not_an_object"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_before_it_is_built(text: str, rule: str) -> None:
    findings = lint(text)
    assert rule in {one.rule for one in findings}
    assert all(one.line >= 1 for one in findings)


def test_an_escape_of_no_character_is_found_at_its_line_and_two_of_one_character_are_one() -> None:
    (finding,) = lint('a: b\nc:\n  - "\\U00110000"\n')
    assert (finding.line, finding.column) == (3, 5)
    marked, findings = read_marked('a: "\\ud83d\\ude00"')
    assert (marked.data, findings) == ({"a": "\U0001f600"}, [])


def test_an_alias_bomb_is_refused_while_it_is_read() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    assert {one.rule for one in lint(bomb)} == {"alias"}


def test_norway_stays_a_country_and_a_leading_zero_a_code() -> None:
    text = changed("countries_of_residence: [NL]", "countries_of_residence: [NO]")
    assert load_definition(text).countries_of_residence == ("NO",)
    (finding,) = lint(changed("expires_days: 14", "expires_days: 014"))
    assert finding.rule == "int_type"


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"code: \xff\n")
    with pytest.raises(FileRefused) as caught:
        load_definition(path)
    assert caught.value.findings[0].rule == "encoding"


def test_over_http_each_broken_rule_is_a_problem_with_its_pointer() -> None:
    data = load_definition(FILE).as_json()
    data["countries_of_origin"] = ["AF", "QQ"]
    with pytest.raises(Refusal) as caught:
        definition_of(data, "/definition")
    assert caught.value.status == 422
    assert [(one.pointer, one.rule) for one in caught.value.problems] == [
        ("/definition/countries_of_origin/1", "unknown_country")
    ]
    for wrong in (None, [], "x", {}, {"code": "\ud800"}):
        with pytest.raises(Refusal):
            definition_of(wrong)


@pytest.mark.parametrize(
    ("classes", "rule"),
    [
        ([{"at_least": 0, "below": 30}, {"at_least": 30}], "classes_do_not_cover"),
        ([{"below": 30}, {"at_least": 31}], "classes_do_not_cover"),
        ([{"below": 30}, {"at_least": 30, "below": 60}], "classes_do_not_cover"),
        ([{"below": 30}, {"at_least": 30, "below": 20}, {"at_least": 20}], "band_backwards"),
        ([{"below": 30}, {"rest": True}], "class_of_other_type"),
        ([{"below": 30}, {"at_least": 30}], None),
    ],
)
def test_bands_cover_every_number_once(classes: list[dict[str, Any]], rule: str | None) -> None:
    check_dimension({"attribute": "age"}, classes, rule)


@pytest.mark.parametrize(
    ("classes", "rule"),
    [
        ([{"values": ["female"]}], "classes_do_not_cover"),
        ([{"values": ["female"]}, {"rest": True}], None),
        ([{"values": ["female"]}, {"values": ["male", "other", "not_stated"]}], None),
        ([{"values": ["female"]}, {"values": ["female"]}, {"rest": True}], "repeated_code"),
        ([{"values": ["feminine"]}, {"rest": True}], "unknown_code"),
        ([{"rest": True}, {"rest": True}], "classes_do_not_cover"),
        ([{"at_least": 1}], "class_of_other_type"),
    ],
)
def test_lists_cover_every_code_once(classes: list[dict[str, Any]], rule: str | None) -> None:
    check_dimension({"attribute": "sex"}, classes, rule)


def check_dimension(source: dict[str, str], classes: list[dict[str, Any]], rule: str | None) -> None:
    data = load_definition(FILE).as_json()
    named = [{"code": f"c{n}", "name": dict.fromkeys(data["title"], f"x {n}"), **one} for n, one in enumerate(classes)]
    data["dimensions"] = [{"code": "tested", "name": {**data["title"]}, **source, "classes": named}]
    data["indicators"], data["disclosure"] = [], {}
    found = {one.rule for one in lint(yaml.safe_dump(data))}
    assert (rule in found) if rule else (found == set())


def test_the_editors_schema_accepts_what_the_loader_accepts() -> None:
    validator = Draft202012Validator(editor_schema())
    Draft202012Validator.check_schema(editor_schema())
    published = load_definition(FILE).as_json()
    validator.validate(published)
    absent = set(section_kinds()) - {"selection", "placement"}
    assert set(published) == set(Definition.model_fields) - absent, "a published definition says everything"
    assert not validator.is_valid({**published, "surplus": 1})


def mutations(text: str) -> st.SearchStrategy[str]:
    cut: Callable[[tuple[int, int]], str] = lambda place: text[: place[0]] + text[place[0] + place[1] :]  # noqa: E731
    places = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 40))
    return places.map(cut) | st.tuples(places, st.text(max_size=5)).map(
        lambda one: text[: one[0][0]] + one[1] + text[one[0][0] :]
    )


@settings(max_examples=25, deadline=None)
@given(mutations(TEXT))
def test_whatever_is_broken_the_linter_answers_with_places_in_the_file(text: str) -> None:
    findings = lint(text)
    count = len(text.splitlines()) + 1
    assert all(1 <= one.line <= count and one.column >= 1 and one.rule and one.detail for one in findings)


@pytest.mark.parametrize("file", sorted(FILE.parent.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_programmes_say_every_text_in_each_language_of_the_pages(file: Path) -> None:
    definition = load_definition(file)
    for texts in (definition.title, *(one.texts for one in named_in(definition))):
        assert [*texts] == ["en", "fr", "ar"], texts
        # A year alone is written as it is everywhere.
        assert re.search("[\u0621-\u064a]", texts["ar"]) or texts["ar"].isdigit(), texts


@pytest.mark.parametrize("mark", ["\u200f", "\u200e", "\u061c", "\u2067\u2069", "\ufeff"])
def test_a_mark_of_direction_in_an_arabic_title_is_no_fault_and_is_not_kept(mark: str) -> None:
    plain = load_definition(TEXT)
    title = plain.title["ar"]
    text = TEXT.replace(title, f"{mark}{title}{mark}", 1)
    assert text != TEXT
    assert [one for one in lint(text) if not one.warning] == []
    assert load_definition(text) == plain
