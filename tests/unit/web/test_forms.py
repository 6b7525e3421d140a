"""A form says what the body's model lets somebody say, keeps what was typed, and knows no rule of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.cli.files import definition_path, read_definition
from deploy.generate import GROUPS, built
from shared.cases.case import Move
from shared.errors import Problem, Refusal
from shared.programmes.sections.trainings import TrainingsSection
from shared.web.acting import Served
from shared.web.bodies import body_of
from shared.web.pages.cases import fields_for
from shared.web.pages.choices import Choices
from shared.web.pages.filled import Form
from shared.web.pages.forms import LESS, MORE, Field, Posted, fields_of, json_of, leaves, sent_of
from shared.web.pages.languages import LANGUAGES

ANY = [
    pytest.param(served, verb, id=f"{served.name} {verb}")
    for service in GROUPS
    for served in built(service).cases
    for verb in served.case.verbs
]
ASKED = ("experts", "persons")
# Names of fields and what is typed in them, as nobody but an attacker sends them together.
NAMES = st.one_of(st.text(max_size=30), st.sampled_from(["/person/given_name", "/reason", "/items/0", "/items/999/x"]))


def refused(move: Move, raw: bytes) -> tuple[Problem, ...]:
    """What the JSON edge finds wrong with the body."""
    try:
        body_of(move.body, raw)
    except Refusal as refusal:
        return refusal.problems
    return ()


@pytest.mark.parametrize(("served", "verb"), ANY)
def test_what_a_form_says_is_the_body_that_it_was_filled_from(served: Served, verb: str) -> None:
    move = served.case.rows[verb][0]
    fields = fields_for(served, move)
    posted = Posted.of([*sent_of(fields, move.example)])
    asked_for = _asked_for(fields, json.loads(json.dumps(dict(move.example))))
    assert json.loads(json_of(fields, posted)) == asked_for
    assert refused(move, json_of(fields, posted)) == ()


def _asked_for(fields: Iterable[Field], body: Any) -> Any:
    """The body without what follows from something else, which no form asks for."""
    known = {one.name: one for one in fields}
    kept = {name: value for name, value in body.items() if name in known}
    return {
        name: _asked_for(known[name].inner, value) if known[name].kind == "group" else value
        for name, value in kept.items()
    }


def test_a_year_of_birth_is_asked_for_where_no_birth_is() -> None:
    experts, persons = (next(one for one in built("registration").cases if one.name == name) for name in ASKED)
    asked = {
        (served.name, verb): {one.pointer for one in leaves(fields_for(served, served.case.rows[verb][0]), Posted({}))}
        for served, verb in ((experts, "create"), (persons, "request-identity-change"), (persons, "correct-profile"))
    }
    born = {name for name, pointers in asked.items() if any("/born/" in one for one in pointers)}
    years = {name for name, pointers in asked.items() if any(one.endswith("/birth_year") for one in pointers)}
    assert born == {("experts", "create"), ("persons", "request-identity-change")}
    assert years == {("persons", "correct-profile")}


@pytest.mark.parametrize(("served", "verb"), ANY)
def test_what_an_empty_form_lacks_is_said_in_words_at_fields_that_it_has(served: Served, verb: str) -> None:
    move = served.case.rows[verb][0]
    fields = fields_for(served, move)
    problems = refused(move, json_of(fields, Posted({})))
    for language in LANGUAGES:
        summary = Form(language, fields, Posted({}), problems).summary
        assert [words for _, words in summary if "rule:" in words] == []
        assert [words for id, words in summary if not id] == []


@given(st.lists(st.tuples(NAMES, st.text(max_size=60)), max_size=20))
@settings(max_examples=60, deadline=None)
def test_whatever_is_typed_is_kept_and_no_more_than_refused(sent: list[tuple[str, str]]) -> None:
    for param in ANY[::9]:
        served, verb = param.values
        assert isinstance(served, Served)
        move = served.case.rows[str(verb)][0]
        fields, posted = fields_for(served, move), Posted.of(sent)
        refused(move, json_of(fields, posted))
        for one in leaves(fields, posted):
            # An empty line beside a choice says nothing against it.
            typed = [value for name, value in sent if name == one.pointer and value]
            assert posted.text(one.pointer) == (typed[-1] if typed else "")


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("1,5", 1.5),
        ("١٢", 12),
        ("۱۲٫۵", 12.5),
        (" 7 ", 7),
        ("1 000", 1000),
        ("1,000", "1,000"),
        ("0,125", 0.125),
        ("1.2.3", "1.2.3"),
        ("1²", "1²"),
        ("seven", "seven"),
    ],
)
def test_numbers_are_read_in_any_digits_and_what_is_none_is_left_to_the_rules(typed: str, read: object) -> None:
    fields = fields_of({"properties": {"count": {"type": "number"}}})
    assert json.loads(json_of(fields, Posted.of([("/count", typed)]))) == {"count": read}


def test_whoever_has_no_states_nationality_finds_it_in_the_list() -> None:
    (field,) = fields_of({"properties": {"nationality": {"pattern": "^([A-Z]{2}|XX[A-C])$"}}})
    for language in LANGUAGES:
        options = dict(Form(language, (field,), Posted({})).options(field))
        assert {"XXA", "XXB", "XXC", "SO"} <= options.keys()


def test_a_row_is_added_without_a_script_and_an_empty_one_says_nothing() -> None:
    item = {"type": "object", "properties": {"language": {"type": "string"}, "level": {"enum": ["A1", "B2"]}}}
    fields = fields_of({"properties": {"languages": {"type": "array", "items": item}}})
    sent = [("/languages/0/language", "so"), ("/languages/0/level", "B2"), ("/languages/1/language", "")]
    posted = Posted.of([*sent, (MORE, "/languages")])
    assert [row.pointer for row in Form("en", fields, posted).rows(fields[0])] == [f"/languages/{n}" for n in range(3)]
    assert json.loads(json_of(fields, posted)) == {"languages": [{"language": "so", "level": "B2"}]}


LANGUAGES_OF = fields_of(
    {
        "properties": {
            "languages": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"language": {"type": "string"}, "level": {"type": "string"}},
                },
            }
        }
    }
)


def test_what_is_wrong_stands_at_the_row_that_was_typed_in() -> None:
    sent = [("/languages/0/language", " "), ("/languages/1/language", "so"), ("/languages/3/language", "zz")]
    problems = (Problem("language_unknown", "/languages/1/language"),)
    form = Form("en", LANGUAGES_OF, Posted.of(sent), problems)
    rows = form.rows(LANGUAGES_OF[0])
    assert [form.value(row.inner[0]) for row in rows] == ["so", "zz"]
    assert [bool(form.wrong(row.inner[0])) for row in rows] == [False, True]


def test_a_row_is_taken_away_without_a_script_and_those_below_move_up() -> None:
    sent = [(f"/languages/{n}/language", code) for n, code in enumerate(("so", "ar", "fr"))]
    for row, left in (("/languages/1", ["so", "fr"]), ("/languages/9", ["so", "ar", "fr"]), ("x", ["so", "ar", "fr"])):
        edited = Posted.of([*sent, ("/languages/0/level", "B2"), (LESS, row)]).edited()
        assert edited
        form = Form("en", LANGUAGES_OF, edited)
        assert [form.value(one.inner[0]) for one in form.rows(LANGUAGES_OF[0])] == left
        assert form.value(LANGUAGES_OF[0].row(0).inner[1]) == "B2"
    assert Posted.of(sent).edited() is None


def test_codes_of_a_programme_are_chosen_by_its_texts() -> None:
    definition = read_definition(definition_path("institution-capacity"))
    rain = {"code": "heavy_rain", "name": {"en": "Heavy rain"}}
    section = TrainingsSection.model_validate({**definition.section(TrainingsSection).model_dump(), "reasons": [rain]})
    definition = definition.model_copy(update={"trainings": section})
    served = next(one for one in built("placement").cases if one.name == "trainings")

    def options(verb: str, pointer: str) -> dict[str, str]:
        move = served.case.rows[verb][0]
        fields, lists = fields_for(served, move), Choices([definition], "en", served.section).to_choose(move)
        form = Form("en", fields, Posted.of([(f"{pointer}", "")]), lists=lists)
        one = next(one for one in leaves(fields, form.typed) if one.pointer == pointer)
        assert form.is_chosen(one)
        return dict(form.options(one))

    kinds = {one.code: one.name["en"] for one in section.kinds}
    assert options("create", "/training_kind") == kinds
    people = {one.code: one.name["en"] for one in section.participants}
    assert options("hold", "/participants/0/category") == people
    # Reasons of the verb in the catalogue's words, and the programme's own in its texts.
    reasons = options("cancel", "/reason")
    assert reasons["heavy_rain"] == "Heavy rain"
    assert set(served.case.rows["cancel"][0].reasons) < set(reasons)


def test_a_list_has_as_many_rows_as_its_body_may_have_and_one_too_many_is_left_to_the_rules() -> None:
    schema = {"properties": {"groups": {"type": "array", "maxItems": 200, "items": {"type": "string"}}}}
    fields = fields_of(schema)
    for sent, read in ((200, 200), (201, 201), (900, 201)):
        posted = Posted.of([(f"/groups/{number}", "one") for number in range(sent)])
        assert len(json.loads(json_of(fields, posted))["groups"]) == read


def test_a_date_and_an_instant_are_read_in_any_digits() -> None:
    fields = fields_of({"properties": {"on": {"type": "string", "format": "date-time"}}})
    assert json.loads(json_of(fields, Posted.of([("/on", "٢٠٢٧-03-31T09:30:00Z")]))) == {"on": "2027-03-31T09:30:00Z"}
