"""Who is not of the office gets what was published, and asking otherwise, elsewhere or later gives no more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.monitoring.answers import Asked, Figures
from services.monitoring.domain.disclosure import Viewer, check_known, size_of
from services.monitoring.records import Mark
from services.monitoring.store import ReadModel
from shared.errors import Refusal
from shared.messaging.topics import TOPICS
from tests.unit.monitoring.stating import signed_with
from tests.unit.monitoring.story import PROGRAMME, Story, model_of
from tests.unit.monitoring.test_indicators import figures

EVALUATOR = Viewer(live=False)
LIVE = Viewer(live=True)


def ms(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1000)


def read_until(model: ReadModel, instant_ms: int, **how: object) -> Figures:
    """The figures of a model whose log was read to its end at that instant."""
    for topic in TOPICS.values():
        for number in range(topic.partitions):
            high = model.marks.get((topic.name, number), Mark()).high_ms
            model.marks[(topic.name, number)] = Mark(0, high, instant_ms + 5_000)
    return figures(model, **how)  # type: ignore[arg-type]


def returns(women: int, men: int) -> Story:
    story = Story()
    story.published()
    for number in range(women + men):
        story.person(str(number), sex="female" if number < women else "male")
        story.returned(str(number))
    return story


async def test_an_evaluator_gets_what_the_statement_says_whatever_is_known_by_now() -> None:
    stated = {"january": signed_with("january", {"returns": 35, "women_share": None})}
    asking = read_until(model_of(returns(40, 40).records), ms(2026, 4, 1), stated=stated)
    for as_of in (None, "2026-03-01T00:00:00Z"):
        shown = await asking.indicator(PROGRAMME, "returns", Asked("january", as_of), EVALUATOR)
        assert (shown["value"], shown["state"], shown["final"]) == (35, "published", True)
    share = await asking.indicator(PROGRAMME, "women_share", Asked("january"), EVALUATOR)
    assert (share["value"], share["numerator"], share["withheld"]) == (None, None, "withheld")
    assert share["suppressed"]
    assert (await asking.indicator(PROGRAMME, "returns", Asked("january"), LIVE))["value"] == 80


async def test_what_was_not_published_is_said_to_be_so() -> None:
    asking = read_until(model_of(returns(40, 40).records), ms(2026, 4, 1))
    for period in ("january", None):
        answer = await asking.indicator(PROGRAMME, "returns", Asked(period), EVALUATOR)
        assert (answer["value"], answer["withheld"], answer["as_of"]) == (None, "nothing_published_yet", None)
    # The statement is of before the indicator was declared.
    older = read_until(model_of([]), ms(2026, 4, 1), stated={"january": signed_with("january", {"returns": 35})})
    assert (await older.indicator(PROGRAMME, "hosts", Asked("january"), EVALUATOR))[
        "withheld"
    ] == "nothing_published_yet"


async def test_an_evaluator_gets_no_breakdown_that_is_not_published() -> None:
    asking = read_until(model_of(returns(20, 20).records), ms(2026, 4, 1))
    for by in (("sex",), ("residence",), ("sector", "age")):
        for period in ("january", None):
            with pytest.raises(Refusal) as refused:
                await asking.indicator(PROGRAMME, "returns", Asked(period, by=by), EVALUATOR)
            assert (refused.value.rule, refused.value.status) == ("breakdown_withheld", 403)
            with pytest.raises(Refusal):
                await asking.indicators(PROGRAMME, Asked(period, by=by), EVALUATOR)
        assert (await asking.indicator(PROGRAMME, "returns", Asked(by=by), LIVE))["by"]


async def test_a_cell_that_may_not_tell_its_change_has_its_value_and_says_so() -> None:
    signed = signed_with("january", {"returns": 35})
    cell = signed.statement.tables[0].cells[0].model_copy(update={"withheld": "change_withheld"})
    table = signed.statement.tables[0].model_copy(update={"cells": (cell,)})
    statement = signed.statement.model_copy(update={"tables": (table,), "restates": 1, "number": 2})
    stated = {"january": signed.model_copy(update={"statement": statement})}
    asking = read_until(model_of([]), ms(2026, 4, 1), stated=stated)
    answer = await asking.indicator(PROGRAMME, "returns", Asked("january"), EVALUATOR)
    assert (answer["value"], answer["withheld"], answer["state"], answer["statement"]) == (
        35,
        "change_withheld",
        "restated",
        2,
    )
    assert "suppressed" not in answer


def test_many_things_of_few_persons_are_few() -> None:
    assert size_of(18, 3) == 3
    assert size_of(3, 18) == 3
    # Things that name nobody are counted themselves.
    assert size_of(18, 0) == 18


def test_nobody_gets_beyond_the_watermark() -> None:
    check_known(5, 5)
    check_known(None, 5)
    with pytest.raises(Refusal):
        check_known(6, 5)
