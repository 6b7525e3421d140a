"""Indicators as queries: measures, shares, periods in the office's time zone, as-of, breakdowns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.monitoring import answers, queries
from services.monitoring.answers import Asked, Figures, asked_instant
from services.monitoring.domain.disclosure import Viewer
from services.monitoring.domain.rows import milliseconds_of
from services.monitoring.follower import Follower
from services.monitoring.queries import cells
from services.monitoring.question import Question
from services.monitoring.store import ReadModel
from services.monitoring.work.kept import Signed
from shared.clock import RealRuntime, text_of
from shared.contracts.placement.placements import PlacementExtended, ReturnStarted
from shared.errors import Refusal, TooEarly
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.programmes.indicators import NOT_STATED, DimensionClass
from shared.programmes.model import Definition
from shared.zones import ZONE_DATA
from tests.unit.monitoring.stating import Stated
from tests.unit.monitoring.story import (
    DEFINITION,
    OFFICE,
    PROGRAMME,
    START,
    Story,
    batch_of,
    definition,
    entry,
    model_of,
)

LIVE = Viewer(live=True)


class Published:
    """One programme's definition."""

    def __init__(self, changes: dict[str, Any] | None = None) -> None:
        self._definition = Definition.model_validate({**DEFINITION, **(changes or {})})

    def newest(self, code: str) -> Definition:
        return self.version(code, self.newest_version(code))

    def newest_version(self, code: str) -> int:
        if code != PROGRAMME:
            raise Refusal("programme_unknown", status=404)
        return 3

    def version(self, code: str, version: int) -> Definition:
        if version == 2:
            return Definition.model_validate({**DEFINITION, "indicators": DEFINITION["indicators"][:1]})
        if version != 3:
            raise TooEarly("programme_version")
        return self._definition


def figures(
    model: ReadModel, changes: dict[str, Any] | None = None, stated: Mapping[str, Signed] | None = None
) -> Figures:
    runtime = RealRuntime()
    follower = Follower(LocalLog(None, list(TOPICS.values()), runtime), model, runtime)
    return Figures(follower, Published(changes), runtime, Stated(stated))


async def value(model: ReadModel, code: str, **asked: Any) -> Any:
    return (await figures(model).indicator(PROGRAMME, code, Asked(**asked), LIVE))["value"]


def count(model: ReadModel, code: str, as_of_ms: int, period: str | None = None, by: Sequence[str] = ()) -> Any:
    asked = definition()
    indicator = asked.indicator(code)
    assert indicator is not None
    dimensions = tuple(d for name in by if (d := asked.dimension(name)) is not None)
    question = Question(asked, indicator, as_of_ms, asked.period(period) if period else None, dimensions)
    with model.database.reader() as connection:
        total, found = cells(connection, question)
    return (total.part, {cell.classes: cell.part for cell in found}) if by else total.part


async def test_persons_and_contracts_are_two_counts() -> None:
    story = Story()
    for number in range(12):
        placement = story.returned(str(number))
        if number < 5:
            story.tell(placement, PlacementExtended(happened_at=START, ends_on=date(2026, 5, 11)))
    for number in range(3):
        story.tell(story.opened(str(number), number=2), ReturnStarted(happened_at=START))
    model = model_of(story.records)
    assert await value(model, "persons") == 12
    assert await value(model, "returns") == 15
    assert await value(model, "contracts") == 20
    assert await value(model, "contract_days") == 5 * 10


async def test_what_was_counted_is_counted_anew_once_more_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    story, counted, really = Story(), list[int](), answers._count
    story.returned("0")
    model = model_of(story.records)
    asked = figures(model)

    def counting(model: ReadModel, questions: Sequence[Question]) -> list[Any]:
        counted.append(len(questions))
        return really(model, questions)

    monkeypatch.setattr(answers, "_count", counting)

    async def found(code: str, **how: Any) -> Any:
        return (await asked.indicator(PROGRAMME, code, Asked(**how), LIVE))["value"]

    assert [await found("persons") for _ in range(3)] == [1, 1, 1]
    assert counted == [1]
    assert [await found("persons", by=("sex",)), await found("persons", office=OFFICE), await found("returns")] == [
        1,
        1,
        1,
    ]
    assert counted == [1, 1, 1, 1]
    story.returned("1")
    model.apply(batch_of(story.records))
    assert await found("persons") == 2
    assert len(await asked.indicators(PROGRAMME, Asked(), LIVE)) - 1 == counted[-1]


async def test_a_share_names_its_denominator_and_is_rounded_half_up() -> None:
    story = Story()
    for number in range(16):
        story.person(str(number), sex="female" if number < 5 else "male")
        story.returned(str(number))
    model = model_of(story.records)
    answer = await figures(model).indicator(PROGRAMME, "women_share", Asked(), LIVE)
    assert (answer["value"], answer["numerator"], answer["denominator"]) == ("31.3", 5, 16)
    assert (answer["unit"], answer["state"], answer["period"], answer["by"]) == ("percent", "provisional", None, [])


async def test_a_share_of_nothing_has_no_value() -> None:
    answer = await figures(ReadModel(None)).indicator(PROGRAMME, "women_share", Asked(), LIVE)
    assert (answer["value"], answer["numerator"], answer["denominator"]) == (None, 0, 0)
    assert "suppressed" not in answer


@pytest.mark.parametrize(
    ("office", "last", "first"),
    [
        # Kabul is 4:30 ahead of UTC, Bogota 5 hours behind it.
        ("kabul", datetime(2026, 1, 31, 19, 29, 59, tzinfo=UTC), datetime(2026, 1, 31, 19, 30, tzinfo=UTC)),
        ("bogota", datetime(2026, 2, 1, 4, 59, 59, tzinfo=UTC), datetime(2026, 2, 1, 5, 0, tzinfo=UTC)),
    ],
)
def test_a_period_is_half_open_in_the_time_zone_of_the_office(office: str, last: datetime, first: datetime) -> None:
    story = Story(office=office)
    story.published()
    for number, happened in enumerate((last, first)):
        story.returned(str(number), at=happened)
    model = model_of(story.records)
    now = story.now_ms + 1
    assert (count(model, "returns", now, "january"), count(model, "returns", now, "february")) == (1, 1)
    assert count(model, "returns", now, "whole") == 2


def test_a_new_time_zone_of_an_office_moves_its_days() -> None:
    story = Story(office="kabul")
    story.returned("a", at=datetime(2026, 1, 31, 20, tzinfo=UTC))
    model = model_of(story.records)
    assert count(model, "returns", story.now_ms + 1, "january") == 1
    before = len(story.records)
    story.published()
    model.apply(batch_of(story.records[before:]))
    assert count(model, "returns", story.now_ms + 1, "january") == 0
    assert model.digests() == model_of(story.records).digests()


async def test_a_corrected_sex_changes_past_periods_and_no_answer_as_of_before() -> None:
    story = Story()
    story.published()
    story.person("a", sex="male")
    story.returned("a")
    asked_at = story.now_ms + 500
    model = model_of(story.records)
    before = count(model, "women", asked_at, "january")
    known = len(story.records)
    story.profile("a", [entry("a", "first", sex="male"), entry("a", "second", hours=1, sex="female")])
    model.apply(batch_of(story.records[known:]))
    assert (before, count(model, "women", asked_at, "january")) == (0, 0)
    assert count(model, "women", story.now_ms + 1, "january") == 1
    # As of the very instant of the correction it is not known yet; a moment later it is, and never both or neither.
    assert count(model, "women", story.now_ms, "january") == 0
    assert count(model, "returns", story.now_ms, "january") == count(model, "returns", story.now_ms + 1, "january") == 1


def test_cells_are_those_of_the_declared_classes() -> None:
    story = Story()
    people = [
        ("1", "female", 1940),
        ("2", "female", 1966),
        ("3", "male", 1967),
        ("4", "male", 1996),
        ("5", "male", 1997),
    ]
    for name, sex, year in people:
        story.person(name, sex=sex, birth_year=year)
        story.returned(name, sector="health" if name < "4" else "education")
    story.person("6", sex="other")
    story.returned("6")
    story.returned("nobody knows")
    model = model_of(story.records)
    total, found = count(model, "returns", story.now_ms + 1, None, ["age"])
    assert (total, found) == (7, {("old",): 2, ("middle",): 2, ("young",): 1, (NOT_STATED,): 2})
    _, found = count(model, "returns", story.now_ms + 1, None, ["sex", "sector"])
    assert found == {
        ("female", "care"): 2,
        ("male", "care"): 1,
        ("male", "other"): 2,
        ("other", "care"): 1,
        (NOT_STATED, "care"): 1,
    }


BANDS: dict[str, list[dict[str, Any]]] = {
    "following each other": [{"below": 30}, {"at_least": 30, "below": 60}, {"at_least": 60}],
    "of two": [{"below": 30}, {"at_least": 30}],
    "with a gap": [{"below": 30}, {"at_least": 40, "below": 60}, {"at_least": 60}],
    "overlapping, where the first counts": [{"below": 60}, {"at_least": 30, "below": 80}, {"at_least": 80}],
    "from above": [{"at_least": 60}, {"at_least": 30, "below": 60}, {"below": 30}],
    "closed below": [{"at_least": 18, "below": 60}, {"at_least": 60}],
    "closed above": [{"below": 30}, {"at_least": 30, "below": 60}],
    "empty in the middle": [{"below": 60}, {"at_least": 60, "below": 30}, {"at_least": 30}],
    "with a rest": [{"below": 30}, {"at_least": 30, "below": 60}, {"rest": True}],
    "of nobody stated": [{"below": 30}, {"at_least": 30, "code": NOT_STATED}],
}


@pytest.mark.parametrize("bands", BANDS.values(), ids=BANDS)
def test_compiled_classes_are_those_of_the_reference(bands: list[dict[str, Any]]) -> None:
    """`Dimension.class_of` says what a value's class is; the query must say the same of every value."""
    years = [None, *range(1900, 2026)]
    story = Story()
    for number, year in enumerate(years):
        story.person(str(number), birth_year=year)
        story.returned(str(number))
    model, asked = model_of(story.records), definition()
    age, returns = asked.dimension("age"), asked.indicator("returns")
    assert age is not None
    assert returns is not None
    classes = tuple(
        DimensionClass.model_validate({"code": f"band-{number}", "name": {"en": "Band"}, **band})
        for number, band in enumerate(bands)
    )
    dimension = age.model_copy(update={"classes": classes})
    expected = Counter(dimension.class_of(None if year is None else START.year - year) for year in years)
    with model.database.reader() as connection:
        _, found = cells(connection, Question(asked, returns, story.now_ms + 1, None, (dimension,)))
    assert {cell.classes[0]: cell.part for cell in found} == expected


def test_what_belongs_to_no_programme_counts_in_the_programmes_of_its_office() -> None:
    story = Story()
    story.host("one")
    elsewhere = Story(office="lagos")
    elsewhere.host("two")
    assert count(model_of([*story.records, *elsewhere.records]), "hosts", story.now_ms + 1) == 1


async def test_an_answer_has_the_published_form() -> None:
    story = Story()
    story.published()
    story.opened("a")
    answer = await figures(model_of(story.records)).indicator(PROGRAMME, "contracts", Asked(period="whole"), LIVE)
    as_of = text_of(datetime.fromtimestamp((story.now_ms + 1) / 1000, UTC))
    assert answer == {
        "code": "contracts",
        "name": "Contracts",
        "unit": "contracts",
        "period": "whole",
        "value": 1,
        "numerator": None,
        "denominator": None,
        "target": 200,
        "as_of": as_of,
        "by": [],
        "state": "provisional",
        "final": False,
        "frames_unknown": False,
        "statement": None,
        "zone_data": ZONE_DATA,
        "definition_version": 3,
    }


async def test_an_officer_sees_the_own_office_alone() -> None:
    story, elsewhere = Story(), Story(office="bogota")
    story.opened("a")
    elsewhere.opened("b")
    asking = figures(model_of([*story.records, *elsewhere.records]))
    for viewer, expected in ((LIVE, 2), (Viewer(True, OFFICE), 1), (Viewer(True, "lagos"), 0)):
        assert (await asking.indicator(PROGRAMME, "contracts", Asked(), viewer))["value"] == expected


@pytest.mark.parametrize(
    ("asked", "rule", "status"),
    [
        (Asked(period="never"), "period_unknown", 422),
        (Asked(by=("colour",)), "dimension_unknown", 422),
        (Asked(by=("sex", "sex")), "dimensions_too_many", 422),
        (Asked(by=("residence", "sex", "age", "sector", "colour")), "dimensions_too_many", 422),
        (Asked(as_of="yesterday"), "time_malformed", 422),
        (Asked(as_of="2026-01-01"), "time_malformed", 422),
        (Asked(as_of="0001-01-01T00:00:00+14:00"), "time_malformed", 422),
        (Asked(as_of="20260101T000000Z"), "time_malformed", 422),
        (Asked(as_of="1199523600"), "time_malformed", 422),
        (Asked(as_of="2026-01-01T00:00:00Z"), "as_of_beyond_watermark", 422),
        (Asked(as_of="2999-12-31T23:59:59Z"), "as_of_beyond_watermark", 422),
    ],
)
async def test_a_question_that_cannot_be_answered_is_refused_by_its_rule(asked: Asked, rule: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        await figures(ReadModel(None)).indicator(PROGRAMME, "returns", asked, LIVE)
    assert (refused.value.rule, refused.value.status) == (rule, status)


async def test_an_unknown_programme_or_indicator_is_not_found() -> None:
    asking = figures(ReadModel(None))
    for code, name in ((PROGRAMME, "nothing"), ("nowhere", "returns")):
        with pytest.raises(Refusal) as refused:
            await asking.indicator(code, name, Asked(), LIVE)
        assert refused.value.status == 404


async def test_a_breakdown_that_an_indicator_cannot_carry_is_refused_for_it_and_left_out_of_the_list() -> None:
    asking = figures(model_of([]))
    with pytest.raises(Refusal) as refused:
        await asking.indicator(PROGRAMME, "hosts", Asked(by=("sex",)), LIVE)
    assert refused.value.rule == "dimension_not_of_this_indicator"
    found = {answer["code"]: answer for answer in await asking.indicators(PROGRAMME, Asked(by=("sex",)), LIVE)}
    assert (found["hosts"]["by"], found["hosts"]["value"]) == ([], 0)


def test_an_instant_is_rounded_up_to_the_millisecond() -> None:
    for text, expected in (
        ("1970-01-01T00:00:00.001000Z", 1),
        ("1970-01-01T00:00:00.001001Z", 2),
        ("1970-01-01T01:00:00+01:00", 0),
    ):
        asked = asked_instant(text)
        assert asked is not None
        assert milliseconds_of(asked) == expected
    assert asked_instant(None) is None


def test_a_person_in_two_cells_is_one_person_in_the_total() -> None:
    story = Story()
    story.person("a", sex="female")
    for number, sector in enumerate(("health", "education", "health"), start=1):
        story.tell(story.opened("a", number, sector=sector), ReturnStarted(happened_at=START))
    model = model_of(story.records)
    total, found = count(model, "persons", story.now_ms + 1, None, ["sector"])
    assert (total, found) == (1, {("care",): 1, ("other",): 1})
    assert count(model, "returns", story.now_ms + 1, None, ["sector"]) == (3, {("care",): 2, ("other",): 1})


def test_a_share_of_two_kinds_is_broken_down_and_adds_up() -> None:
    changed = {**DEFINITION, "indicators": [dict(one) for one in DEFINITION["indicators"]]}
    changed["indicators"].append(
        {
            "code": "started",
            "name": {"en": "Contracts that began"},
            "unit": "percent",
            "measure": {"share": {"of": "returns", "in": "contracts"}},
        }
    )
    asked = Definition.model_validate(changed)
    story = Story()
    for number in range(6):
        story.person(str(number), sex="female" if number < 2 else "male")
        if number % 2:
            story.returned(str(number))
        else:
            story.opened(str(number))
    indicator, dimension = asked.indicator("started"), asked.dimension("sex")
    assert indicator is not None
    assert dimension is not None
    with model_of(story.records).database.reader() as connection:
        total, found = cells(connection, Question(asked, indicator, story.now_ms + 1, None, (dimension,)))
    assert (total.part, total.whole) == (3, 6)
    assert [(cell.classes, cell.part, cell.whole) for cell in found] == [(("female",), 1, 2), (("male",), 2, 4)]


@pytest.mark.parametrize("by", [("sex",), ("age", "sector"), ("sex", "age", "residence", "sector")])
def test_persons_counted_by_the_bits_of_their_numbers_are_the_same(by: tuple[str, ...]) -> None:
    story = Story()
    for number in range(9):
        name = str(number)
        story.person(name, sex="female" if number % 3 else "male", birth_year=1940 + 8 * number)
        for placement in range(1, 3):
            sector = "health" if (number + placement) % 2 else "education"
            story.tell(story.opened(name, placement, sector=sector), ReturnStarted(happened_at=START))
    story.tell(story.opened("nobody knows"), ReturnStarted(happened_at=START))
    model, asked = model_of(story.records), definition()
    indicator = asked.indicator("persons")
    assert indicator is not None
    dimensions = tuple(d for name in by if (d := asked.dimension(name)) is not None)
    for as_of in (story.now_ms + 1, story.now_ms - 9_000, 0):
        question = Question(asked, indicator, as_of, None, dimensions)
        with model.database.reader() as connection:
            plain = cells(connection, question)
            first = cells(connection, question, model.cells_seen)
            again = cells(connection, question, model.cells_seen)
            # Of whom there were fewer when room was made.
            model.cells_seen[queries._ROOM] = 3
            since = cells(connection, question, model.cells_seen)
        assert plain == first == again == since
        assert as_of <= story.now_ms or model.cells_seen[queries._ROOM] > 3


def test_cells_that_would_take_too_much_memory_are_counted_without_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story()
    for number in range(12):
        story.person(str(number), sex="female")
        story.returned(str(number))
    model, asked = model_of(story.records), definition()
    indicator, dimension = asked.indicator("persons"), asked.dimension("sex")
    assert indicator is not None
    assert dimension is not None
    question = Question(asked, indicator, story.now_ms + 1, None, (dimension,))
    used: list[int] = []
    genuine = queries._as_bits

    def as_bits(asked: Question, persons: int) -> Any:
        used.append(persons)
        return genuine(asked, persons)

    monkeypatch.setattr(queries, "_as_bits", as_bits)
    with model.database.reader() as connection:
        for _ in range(3):
            cells(connection, question, model.cells_seen)
        assert len(used) == 2
        assert used[0] == used[1] > 12
        monkeypatch.setattr(queries, "BITS_BYTES", 2)
        cells(connection, question, model.cells_seen)
    assert len(used) == 2
