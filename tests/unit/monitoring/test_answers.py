"""What an answer says beside its figures: whether cells add up, what is empty, which definition, what is unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.monitoring.answers import Asked
from services.monitoring.breakdown import CELLS_AT_MOST, with_empty_classes
from services.monitoring.domain.disclosure import Viewer
from services.monitoring.queries import Cell
from services.monitoring.question import Question
from shared.clock import text_of
from shared.contracts.placement.placements import ReturnStarted
from shared.errors import Refusal
from shared.programmes.indicators import NOT_STATED
from tests.unit.monitoring.stating import signed_with
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, START, Story, definition, entry, id_of, model_of
from tests.unit.monitoring.test_disclosure import EVALUATOR
from tests.unit.monitoring.test_facts import as_version_1
from tests.unit.monitoring.test_indicators import LIVE, figures

APPLIED = {"code": "applied", "name": {"en": "Applied"}, "unit": "applications", "measure": "count"}
MATCHED = {
    **APPLIED,
    "code": "matched",
    "unit": "persons",
    "measure": {"distinct": "person"},
    "facts": {"kinds": ["application_received", "return_started"]},
}
BY_COUNTRY = {"code": "country", "name": {"en": "Country"}, "field": "country"}
CHANGES = {
    "indicators": [*DEFINITION["indicators"], {**APPLIED, "facts": {"kinds": ["application_received"]}}, MATCHED],
    "dimensions": [*DEFINITION["dimensions"], BY_COUNTRY],
}


async def asked(story: Story, code: str, *by: str, viewer: Viewer = LIVE) -> dict[str, Any]:
    return await figures(model_of(story.records), CHANGES).indicator(PROGRAMME, code, Asked(by=by), viewer)


@pytest.mark.parametrize(
    ("code", "by", "expected"),
    [
        ("returns", ("age", "sector"), (True, "each_fact_in_one_cell")),
        ("contract_days", ("age",), (True, "each_fact_in_one_cell")),
        ("women_share", ("sector",), (False, "shares_do_not_add_up")),
        ("persons", ("sex",), (True, "each_thing_in_one_cell")),
        ("registered", ("sex",), (True, "each_thing_in_one_cell")),
        ("persons", ("age",), (False, "a_thing_may_be_in_several_cells")),
        ("persons", ("sex", "sector"), (False, "a_thing_may_be_in_several_cells")),
        ("hosts", ("sector",), (True, "each_thing_in_one_cell")),
    ],
)
async def test_an_answer_says_whether_its_cells_add_up(
    code: str, by: tuple[str, ...], expected: tuple[bool, str]
) -> None:
    answer = await asked(Story(), code, *by)
    assert (answer["adds_up"], answer["adds_up_rule"]) == expected


async def test_a_person_of_two_ages_is_in_two_cells_and_the_answer_says_so() -> None:
    story = Story()
    story.person("a", birth_year=1967)
    for number, year in enumerate((2026, 2027), 1):
        story.tell(story.opened("a", number), ReturnStarted(happened_at=START.replace(year=year)))
    answer = await asked(story, "persons", "age")
    assert (answer["value"], sum(cell["value"] for cell in answer["by"]), answer["adds_up"]) == (1, 2, False)


async def test_who_has_several_nationalities_counts_once_under_the_first() -> None:
    story = Story()
    story.person("a", nationality="AF", other_nationalities=("NL", "SU"))
    story.person("b", nationality="XXA")
    for name in ("a", "b"):
        story.returned(name)
    by = {"code": "nationality", "name": {"en": "Nationality"}, "attribute": "nationality", "at": "now"}
    changes = {
        "dimensions": [*DEFINITION["dimensions"], by],
        "indicators": [
            one | ({"by": ["nationality"]} if one["code"] == "persons" else {}) for one in DEFINITION["indicators"]
        ],
    }
    known = figures(model_of(story.records), changes)
    answer = await known.indicator(PROGRAMME, "persons", Asked(by=("nationality",)), LIVE)
    assert {cell["nationality"]: cell["value"] for cell in answer["by"]} == {"AF": 1, "XXA": 1}
    assert (answer["value"], answer["adds_up"]) == (2, True)


async def test_an_answer_without_a_breakdown_says_nothing_of_cells() -> None:
    assert "adds_up" not in await asked(Story(), "returns")


async def test_declared_classes_that_hold_nothing_are_there_with_0() -> None:
    story = Story()
    story.person("a", sex="female", birth_year=1990)
    story.returned("a")
    answer = await asked(story, "returns", "sex", "age")
    assert {(cell["sex"], cell["age"]): cell["value"] for cell in answer["by"]} == {
        ("female", "middle"): 1,
        ("female", "old"): 0,
        ("female", "young"): 0,
    }
    share = await asked(story, "women_share", "age")
    assert {cell["age"]: cell["value"] for cell in share["by"]} == {"middle": "100.0", "old": None, "young": None}


def test_too_many_combinations_are_left_out() -> None:
    question = Question(definition(), definition().indicators[0], 1, None, definition().dimensions[:2])
    many = [Cell((f"a{number}", f"b{number}"), 1, None, 0, 0) for number in range(100)]
    assert CELLS_AT_MOST < 100 * 100
    assert with_empty_classes(question, many) == many


async def test_an_answer_names_its_definition_and_an_older_one_can_be_asked_for() -> None:
    asking = figures(model_of([]))
    newest = await asking.indicators(PROGRAMME, Asked(), LIVE)
    older = await asking.indicators(PROGRAMME, Asked(definition="2"), LIVE)
    assert ({one["definition_version"] for one in newest}, len(newest)) == ({3}, len(DEFINITION["indicators"]))
    assert ({one["definition_version"] for one in older}, len(older)) == ({2}, 1)


@pytest.mark.parametrize(
    ("version", "viewer", "status"),
    [("9", LIVE, 404), ("-1", LIVE, 422), ("x", LIVE, 422), ("9" * 30, LIVE, 422), ("2", EVALUATOR, 403)],
)
async def test_a_definition_that_cannot_be_asked_for_is_refused(version: str, viewer: Viewer, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        await figures(model_of([])).indicators(PROGRAMME, Asked(definition=version), viewer)
    assert refused.value.status == status


async def test_what_an_older_opening_did_not_say_is_not_stated_and_the_answer_says_so() -> None:
    story = Story()
    story.accepted("a")
    story.accepted("b")
    old = Story(records=[as_version_1(r) if applied_as(r, "a") else r for r in story.records], now_ms=story.now_ms)
    assert (await asked(story, "applied", "country"))["frames_unknown"] is False
    answer = await asked(old, "applied", "country")
    assert {cell["country"]: cell["value"] for cell in answer["by"]} == {"AF": 1, NOT_STATED: 1}
    assert answer["frames_unknown"] is True
    # What is not asked of the frame is known all the same.
    assert (await asked(old, "applied"))["frames_unknown"] is False
    assert (await asked(old, "applied", "sex"))["frames_unknown"] is False


def applied_as(record: Any, name: str) -> bool:
    return (
        record.key.decode() == id_of("match", name, name) and b"ApplicationReceived" in dict(record.headers)["ce_type"]
    )


async def test_facts_of_several_families_are_counted_together() -> None:
    story = Story()
    for name, sex in (("a", "female"), ("b", "male"), ("c", "male")):
        story.person(name, sex=sex)
    story.accepted("a")
    story.returned("a")
    story.accepted("b")
    story.returned("c")
    story.profile("c", [entry("c", "first", sex="male")])
    answer = await asked(story, "matched", "sex")
    assert answer["value"] == 3
    assert {cell["sex"]: cell["value"] for cell in answer["by"]} == {"female": 1, "male": 2}


async def test_what_was_issued_may_be_asked_for_before_every_clock_has_come_that_far() -> None:
    stated = {"january": signed_with("january", {"returns": 12})}
    known = figures(model_of([]), stated=stated)
    issued = stated["january"].statement.issued_at
    at = Asked(period="january", as_of=text_of(issued))
    assert (await known.indicator(PROGRAMME, "returns", at, EVALUATOR))["value"] == 12
    for viewer, asked in ((EVALUATOR, text_of(issued + timedelta(milliseconds=1))), (LIVE, text_of(issued))):
        with pytest.raises(Refusal) as refused:
            await known.indicator(PROGRAMME, "returns", Asked(period="january", as_of=asked), viewer)
        assert refused.value.rule == "as_of_beyond_watermark"
