"""The gate: what evaluators get, and that asking again, elsewhere or later gives them no more."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.monitoring.answers import Asked, Figures
from services.monitoring.domain.disclosure import Counted, Steps, Viewer, may_be_shown, shown_as_of, why_withheld
from services.monitoring.records import Mark
from services.monitoring.store import ReadModel
from shared.errors import Refusal
from shared.messaging.topics import TOPICS
from tests.unit.monitoring.story import PROGRAMME, Story, model_of
from tests.unit.monitoring.test_indicators import figures

EVALUATOR = Viewer(live=False)
LIVE = Viewer(live=True)
ENDS = [date(2026, 2, 1), date(2026, 3, 1)]


def ms(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1000)


def read_until(model: ReadModel, instant_ms: int) -> Figures:
    """The figures of a model whose log was read to its end at that instant."""
    for topic in TOPICS.values():
        for number in range(topic.partitions):
            high = model.marks.get((topic.name, number), Mark()).high_ms
            model.marks[(topic.name, number)] = Mark(0, high, instant_ms + 5_000)
    return figures(model)


def returns(women: int, men: int) -> Story:
    story = Story()
    story.published()
    for number in range(women + men):
        story.person(str(number), sex="female" if number < women else "male")
        story.returned(str(number))
    return story


async def seen(women: int, men: int, code: str, **asked: Any) -> dict[str, Any]:
    asking = read_until(model_of(returns(women, men).records), ms(2026, 4, 1))
    return await asking.indicator(PROGRAMME, code, Asked(**asked), EVALUATOR)


async def test_an_evaluator_sees_large_figures_and_no_small_one() -> None:
    assert (await seen(20, 15, "returns"))["value"] == 35
    for women, men in ((4, 5), (0, 0), (9, 0)):
        small = await seen(women, men, "returns")
        assert (small["value"], small["suppressed"]) == (None, True)


async def test_a_share_whose_rest_is_small_is_withheld_with_both_its_parts() -> None:
    assert (await seen(20, 15, "women_share"))["value"] == "57.1"
    for women, men in ((20, 3), (3, 20), (20, 0), (0, 20)):
        small = await seen(women, men, "women_share")
        assert (small["value"], small["numerator"], small["denominator"]) == (None, None, None)
        assert small["suppressed"]


async def test_many_things_of_few_persons_are_small() -> None:
    story = Story()
    story.published()
    for number in range(3):
        for contract in range(6):
            story.opened(str(number), contract)
    asking = read_until(model_of(story.records), ms(2026, 4, 1))
    assert (await asking.indicator(PROGRAMME, "contracts", Asked(), LIVE))["value"] == 18
    assert (await asking.indicator(PROGRAMME, "contracts", Asked(), EVALUATOR))["suppressed"]


async def test_an_evaluator_gets_no_breakdown_of_any_kind() -> None:
    asking = read_until(model_of(returns(20, 20).records), ms(2026, 4, 1))
    for by in (("sex",), ("residence",), ("sector", "age")):
        with pytest.raises(Refusal) as refused:
            await asking.indicator(PROGRAMME, "returns", Asked(by=by), EVALUATOR)
        assert (refused.value.rule, refused.value.status) == ("breakdown_withheld", 403)
        with pytest.raises(Refusal):
            await asking.indicators(PROGRAMME, Asked(by=by), EVALUATOR)
        assert (await asking.indicator(PROGRAMME, "returns", Asked(by=by), LIVE))["by"]


async def test_one_more_person_shows_to_an_evaluator_at_the_next_step_and_not_before() -> None:
    story = returns(12, 12)
    step = ms(2026, 2, 2)
    model = model_of(story.records)
    first = await read_until(model, step + 1).indicator(PROGRAMME, "returns", Asked(), EVALUATOR)
    story.now_ms = step + 10_000
    story.person("late", sex="male")
    story.returned("late")
    model = model_of(story.records)
    asking = read_until(model, story.now_ms + 60_000)
    answers = []
    for asked_ms in (None, step, step + 1, story.now_ms, story.now_ms + 1, story.now_ms + 60_000):
        text = None if asked_ms is None else datetime.fromtimestamp(asked_ms / 1000, UTC).isoformat()
        answers.append(await asking.indicator(PROGRAMME, "returns", Asked(as_of=text), EVALUATOR))
    assert all(answer == first for answer in answers)
    assert (await asking.indicator(PROGRAMME, "returns", Asked(), LIVE))["value"] == 25
    after = await read_until(model, ms(2026, 3, 5)).indicator(PROGRAMME, "returns", Asked(), EVALUATOR)
    assert after["value"] == 25


async def test_before_the_first_step_an_evaluator_sees_nothing() -> None:
    asking = read_until(model_of(returns(20, 20).records), ms(2026, 1, 20))
    answer = await asking.indicator(PROGRAMME, "returns", Asked(), EVALUATOR)
    assert (answer["value"], answer["suppressed"], answer["as_of"]) == (None, True, None)
    # Things that stand for nobody are shown however few they are, but none was counted yet.
    sites = why_withheld(EVALUATOR, 10, Counted(0, 0, of_people=False), 0)
    assert (answer["withheld"], sites) == ("nothing_published_yet", "nothing_published_yet")
    assert why_withheld(EVALUATOR, 10, Counted(0, 0, of_people=False), 1) is None


def test_steps_are_the_ends_of_periods_and_afterwards_quarters() -> None:
    def step(*when: int) -> datetime:
        found = shown_as_of(EVALUATOR, None, ms(*when), 0, Steps(ENDS))
        return datetime.fromtimestamp(found / 1000, UTC)

    assert step(2026, 2, 1, 23) == datetime(1970, 1, 1, tzinfo=UTC)
    assert step(2026, 2, 2) == step(2026, 3, 1) == datetime(2026, 2, 2, tzinfo=UTC)
    assert step(2026, 4, 1) == datetime(2026, 3, 2, tzinfo=UTC)
    assert step(2026, 4, 2) == step(2026, 7, 1) == datetime(2026, 4, 2, tzinfo=UTC)
    assert step(2027, 1, 15) == datetime(2027, 1, 2, tzinfo=UTC)


def test_a_step_before_the_programme_was_known_is_none() -> None:
    """What it would say follows from the publication alone, which is no secret: nobody can be told by it."""
    known, reached = ms(2026, 2, 10), ms(2026, 7, 1)
    assert shown_as_of(EVALUATOR, ms(2026, 2, 20), reached, 0, Steps(ENDS)) == ms(2026, 2, 2)
    assert shown_as_of(EVALUATOR, ms(2026, 2, 20), reached, 0, Steps(ENDS, (), known)) == 0
    assert shown_as_of(EVALUATOR, None, reached, 0, Steps(ENDS, (), known)) == ms(2026, 4, 2)
    assert shown_as_of(LIVE, 5, reached, 0, Steps(ENDS, (), known)) == 5


def test_a_definition_declares_further_steps() -> None:
    """Also where all its periods were over when it came to be known here, or where it has none."""
    known, declared = ms(2026, 2, 10), (ms(2026, 2, 12, 9), ms(2026, 2, 9), ms(2026, 8, 1))
    steps = Steps(ENDS, declared, known)
    assert shown_as_of(EVALUATOR, None, ms(2026, 2, 12, 8), 0, steps) == 0
    assert shown_as_of(EVALUATOR, None, ms(2026, 2, 12, 9), 0, steps) == ms(2026, 2, 12, 9)
    assert shown_as_of(EVALUATOR, None, ms(2026, 3, 2), 0, steps) == ms(2026, 3, 2)
    assert shown_as_of(EVALUATOR, None, ms(2026, 3, 2), 0, Steps((), declared, known)) == ms(2026, 2, 12, 9)
    assert sorted(steps.until(ms(2026, 9, 1))) == [
        ms(2026, 2, 12, 9),
        ms(2026, 3, 2),
        ms(2026, 4, 2),
        ms(2026, 7, 2),
        ms(2026, 8, 1),
    ]


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_nothing_below_the_threshold_can_be_read_from_what_is_shown(a: int, b: int, c: int, d: int) -> None:
    things, persons, rest, others = max(a, b), min(a, b), max(c, d), min(c, d)
    if may_be_shown(EVALUATOR, 10, Counted(things, persons, rest, others)):
        assert things >= 10
        assert rest >= 10
        assert persons == 0 or persons >= 10
        assert others == 0 or others >= 10
    assert may_be_shown(LIVE, 10, Counted(things, persons, rest, others))


def test_a_live_viewer_gets_the_head_and_nobody_gets_beyond_the_watermark() -> None:
    assert shown_as_of(LIVE, None, 5, 9, Steps(ENDS)) == 9
    assert shown_as_of(LIVE, 5, 5, 9, Steps(ENDS)) == 5
    for viewer in (LIVE, EVALUATOR):
        with pytest.raises(Refusal):
            shown_as_of(viewer, 6, 5, 9, Steps(ENDS))
