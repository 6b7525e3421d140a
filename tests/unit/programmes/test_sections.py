"""Sections of a definition: optional, each with its own checks and words; what topics hold in the flat shape stays."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.definition_tables import tables
from deploy.marked_page import with_part
from deploy.replay.history import lint_history
from services.matching.domain.terms import check_terms
from shared.contracts.registration.persons import Attributes
from shared.errors import Refusal
from shared.programmes.checks import known_codes
from shared.programmes.eligibility import failed_criteria
from shared.programmes.loader import definition_of, lint, load_definition
from shared.programmes.model import Definition, name_of, section_kinds
from shared.programmes.published import lifted, published
from shared.programmes.scoring import score
from shared.programmes.sections.base import Section
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.results import ResultsSection
from shared.programmes.sections.selection import SelectionSection
from shared.programmes.sections.trainings import TrainingsSection
from tests.unit.matching.facts import terms

ROOT = Path(__file__).resolve().parents[3]
TRQN = load_definition(ROOT / "deploy/programmes/trqn-1.yaml")
HISTORY = (ROOT / "deploy/histories/trqn-1.yaml").read_text(encoding="utf-8")
SAMPLE = json.loads((ROOT / "shared/contracts/samples/registration.ProgrammePublished.1.json").read_text())
EVERYBODY = Attributes(education=6, experience_years=5, languages=())


def named(*codes: str) -> list[dict[str, Any]]:
    return [{"code": code, "name": {"en": code}} for code in codes]


# A programme that holds trainings and improves sites, and neither selects nor places anybody.
BARE: dict[str, Any] = {
    "code": "example-2",
    "title": {"en": "An example"},
    "phase": "one",
    "dates": {"starts": "2026-01-01", "ends": "2027-01-01"},
    "offices": [{"code": "baku", "name": {"en": "Baku"}, "country": "AZ", "time_zone": "Asia/Baku"}],
    "countries_of_origin": ["AZ"],
    "sectors": named("water", "education"),
    "trainings": {
        "kinds": named("seminar", "study_visit"),
        "topics": named("migration_law"),
        "sectors": ["education"],
        "participants": named("ministry", "association"),
    },
    "results": {"site_kinds": named("village"), "work_kinds": named("water_system"), "reached": ["families"]},
}


def flat(definition: Definition) -> dict[str, Any]:
    """The definition as it was published before there were sections."""
    data: dict[str, Any] = copy.deepcopy(definition.as_json())
    selection, placement = data.pop("selection"), data.pop("placement")
    return {**data, **selection, **placement, "offer_expires_days": selection.pop("offers")["expires_days"]} | {
        name: selection[name] for name in ("eligibility", "score", "shortlist", "seats")
    }


def test_a_definition_published_in_the_flat_shape_means_the_same_in_sections() -> None:
    # The flat shape knew of no documents.
    selection = TRQN.section(SelectionSection).model_copy(update={"documents": ()})
    trqn = TRQN.model_copy(update={"selection": selection})
    old = flat(trqn)
    assert {"modalities", "offer_expires_days", "preparation"} <= old.keys()
    before = copy.deepcopy(old)
    assert published(old) == trqn
    assert old == before, "lifting is pure"
    assert lifted(lifted(old)) == lifted(old)


def test_the_sample_on_record_is_readable() -> None:
    definition = published(SAMPLE["body"]["definition"])
    assert definition.section(PlacementSection).obligatory_steps("temporary") == ("training",)
    assert definition.section(SelectionSection).offers.expires_days == 14


def test_what_has_sections_or_is_no_definition_is_left_as_it_is() -> None:
    for data in (TRQN.as_json(), BARE, {}, [], None, "modalities", {"code": "x"}):
        assert lifted(data) is data


@given(
    st.dictionaries(st.sampled_from(["modalities", "score", "seats", "selection", "code", "surplus"]), st.integers())
)
def test_lifting_loses_nothing_that_it_does_not_know(data: dict[str, Any]) -> None:
    new = lifted(data)
    if "modalities" in data:
        assert new["placement"]["modalities"] == data["modalities"]
    assert {name: new[name] for name in ("code", "surplus") if name in data} == {
        name: data[name] for name in ("code", "surplus") if name in data
    }


def test_a_file_in_the_flat_shape_is_refused_at_each_field() -> None:
    rules = {(one.pointer, one.rule) for one in lint(json.dumps(flat(TRQN)))}
    assert {("/modalities", "unknown_field"), ("/seats", "unknown_field")} <= rules


def test_a_programme_may_hold_trainings_and_nothing_else() -> None:
    definition = definition_of(BARE)
    assert set(definition.sections()) == {"trainings", "results"}
    assert definition.section(TrainingsSection).kinds[1].code == "study_visit"
    assert published(json.loads(json.dumps(definition.as_json()))) == definition


@pytest.mark.parametrize("kind", [SelectionSection, PlacementSection])
def test_a_section_that_the_programme_lacks_is_a_refusal(kind: type[Section]) -> None:
    with pytest.raises(Refusal) as caught:
        definition_of(BARE).section(kind)
    assert (caught.value.rule, caught.value.status) == ("not_in_programme", 409)
    assert name_of(kind) in caught.value.detail


def test_selecting_and_placing_ask_for_their_sections() -> None:
    bare = definition_of(BARE)
    asking = (
        lambda: failed_criteria(bare, EVERYBODY, date(2026, 3, 1)),
        lambda: score(bare, terms(), EVERYBODY),
        lambda: check_terms(bare, bare.office("baku"), terms()),
    )
    for ask in asking:
        with pytest.raises(Refusal) as caught:
            ask()
        assert caught.value.rule == "not_in_programme"
    without = Definition.model_validate({**TRQN.as_json(), "placement": None})
    with pytest.raises(Refusal, match="not_in_programme"):
        check_terms(without, without.office("kabul"), terms())


def test_every_section_has_one_field_and_words_that_its_lists_answer() -> None:
    kinds = section_kinds()
    assert len(set(kinds.values())) == len(kinds) >= 4
    words = [word for kind in kinds.values() for word in kind.words]
    assert len(set(words)) == len(words), "two sections give one word"
    for name, kind in kinds.items():
        assert name_of(kind) == name
        assert set(kind.words.values()) <= set(kind.model_fields)


def test_words_of_a_section_are_known_where_it_is() -> None:
    assert known_codes(TRQN)["host_type"] == {"public", "private", "non_profit"}
    known = known_codes(definition_of(BARE))
    assert known["participant_category"] == {"ministry", "association"}
    assert known["reached"] == {"families"}
    assert "host_type" not in known


@pytest.mark.parametrize(
    ("section", "changes", "pointer", "rule"),
    [
        ("trainings", {"sectors": ["health"]}, "/trainings/sectors/0", "unknown_code"),
        ("trainings", {"kinds": []}, "/trainings/kinds", "too_short"),
        ("trainings", {"kinds": named("seminar", "seminar")}, "/trainings/kinds/1/code", "repeated_code"),
        ("trainings", {"surplus": 1}, "/trainings/surplus", "unknown_field"),
        ("trainings", {"topics": [{"code": "a", "name": {"fr": "a"}}]}, "/trainings/topics/0/name/en", "text_missing"),
        ("results", {"reached": ["families", "families"]}, "/results/reached/1", "repeated_code"),
        ("results", {"reached": ["households"]}, "/results/reached/0", "literal_error"),
        ("results", {"work_kinds": None}, "/results/work_kinds", "tuple_type"),
    ],
)
def test_a_broken_rule_of_a_section_is_found_at_its_field(
    section: str, changes: dict[str, Any], pointer: str, rule: str
) -> None:
    data = {**BARE, section: {**BARE[section], **changes}}
    text = json.dumps(data, indent=1)
    findings = lint(text)
    assert (pointer, rule) in {(one.pointer, one.rule) for one in findings}
    assert all(text.splitlines()[one.line - 1].strip() for one in findings)
    with pytest.raises(Refusal) as refused:
        definition_of(data, "/definition")
    assert f"/definition{pointer}" in {one.pointer for one in refused.value.problems}


def test_a_history_of_returns_needs_what_returns_need() -> None:
    without = Definition.model_validate({**TRQN.as_json(), "selection": None})
    assert [one.rule for one in lint_history(HISTORY, without)] == ["not_in_programme"]
    assert lint_history(HISTORY, TRQN) == []


def test_results_count_things_and_numbers() -> None:
    assert definition_of(BARE).section(ResultsSection).reached == ("families",)


def test_the_page_shows_every_field_of_every_part_between_its_marks() -> None:
    shown = tables()
    for name, kind in section_kinds().items():
        assert f"### Section `{name}`" in shown
        assert all(f"| `{field}` |" in shown for field in kind.model_fields)
    core = shown[: shown.index("### Section")]
    assert all(f"| `{field}` |" in core for field in Definition.model_fields.keys() - section_kinds().keys())
    assert shown.count("#### `Listed`") == 1, "a part that several name is told once"


def test_a_generated_part_stands_between_its_marks_alone() -> None:
    page = "before\n<!-- generated: cases -->\nno longer so\n<!-- end of what is generated -->\nafter\n"
    written = with_part(page, "cases", "new")
    assert written == "before\n<!-- generated: cases -->\n\nnew\n<!-- end of what is generated -->\nafter\n"
    assert with_part(written, "cases", "new") == written
    with pytest.raises(ValueError, match="lacks"):
        with_part(page, "another", "new")
