"""Pages of figures say what the JSON edge answers to the same reader, in words, in the chart and in the file."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from io import StringIO
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from services.monitoring.answers import Asked
from services.monitoring.breakdown import SEVERAL
from services.monitoring.domain.disclosure import Viewer
from services.monitoring.drawing import Drawing
from services.monitoring.pages import chart
from services.monitoring.pages.asking import Filters, of_indicator
from services.monitoring.pages.lines import Lines
from services.monitoring.pages.live import digest_of
from services.monitoring.pages.table import table_of
from shared.clock import derived_id
from shared.errors import Unavailable
from shared.identity.roles import ROLES, Role
from tests.unit.monitoring.stating import issued, signed_with
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, START, Story, model_of
from tests.unit.monitoring.telling import monitoring, tell
from tests.unit.monitoring.test_disclosure import EVALUATOR, LIVE, ms, read_until, returns
from tests.unit.pages.test_cases import reader
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODES = [one["code"] for one in DEFINITION["indicators"]]
# One of each measure, and one that has a target.
SOME = ["contracts", "women_share", "contract_days", "hosts"]
PERIODS = [None, "january", "february", "whole"]
DASHBOARD = "/monitoring/indicators"
CELL = re.compile(r'<td class="number" data-label="Actual">(.*?)</td>', re.DOTALL)
AHEAD = timedelta(days=130)


class Town:
    """Monitoring alone, with what somebody's browser and somebody's program ask it."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving

    def browser(self, role: Role = "officer", office: str | None = "kabul", **how: Any) -> httpx.AsyncClient:
        serving = self.serving
        return reader("monitoring", serving.service.app, serving.keys, serving.clock, role, office, **how)

    async def page(self, path: str, role: Role = "officer", office: str | None = "kabul", **how: Any) -> httpx.Response:
        async with self.browser(role, office, **how) as http:
            return await http.get(f"{DASHBOARD}{path}")

    async def json(self, path: str, role: Role = "officer", office: str | None = "kabul") -> httpx.Response:
        return await self.serving.get(f"/programmes/{PROGRAMME}/indicators{path}", role, office=office)


def told() -> Story:
    """Returns of 12 women and 13 men, of whom three begin in February."""
    story = Story()
    story.published()
    for number in range(25):
        story.person(str(number), sex="female" if number < 12 else "male")
        story.returned(str(number), at=START.replace(month=2 if number >= 22 else 1))
    return story


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with monitoring(tmp_path_factory.mktemp("monitoring"), idle_seconds=0.02) as serving:
        await tell(serving, told())
        # By then every period is over.
        serving.clock.ahead = AHEAD
        await serving.eventually(lambda: _reached(serving))
        await issued(serving, "january", "february", "whole")
        yield Town(serving)


async def _reached(serving: Serving, within: timedelta = timedelta(days=1)) -> bool:
    return bool(serving.service.follower.watermark > serving.clock.now() - within)


def cells(page: httpx.Response) -> list[str]:
    """What stands under "Actual", row by row."""
    return [unescape(re.sub("<[^>]*>", "", one)).strip() for one in CELL.findall(page.text)]


def words(answer: Any, unit: str) -> str:
    """What a page is to say of the answer of the JSON edge."""
    if answer["value"] is None:
        return "Withheld, or none yet" if answer.get("withheld") == "withheld" else "No data yet"
    return f"{answer['value']}%" if unit == "percent" else str(answer["value"])


@pytest.mark.parametrize(
    ("role", "office"),
    [("administrator", None), ("officer", "kabul"), ("officer", "bogota")],
)
async def test_a_page_says_what_the_json_edge_answers_to_the_same_reader(
    town: Town, role: Role, office: str | None
) -> None:
    for code in SOME:
        page = await town.page(f"/{PROGRAMME}/{code}", role, office)
        assert page.status_code == 200, page.text
        expected = []
        for period in PERIODS:
            asked = f"?period={period}" if period else ""
            answer = (await town.json(f"/{code}{asked}", role, office)).json()
            expected.append(words(answer, answer["unit"]))
        shown = cells(page)
        assert shown[: len(PERIODS)] == expected, code
        for dimension in DEFINITION["dimensions"]:
            answer = (await town.json(f"/{code}?by={dimension['code']}", role, office)).json()
            if "by" not in answer:
                continue
            for cell in answer["by"]:
                expected.append(words(cell, answer["unit"]))
        assert shown == expected, code
        assert "breakdown_withheld" not in page.text
    board = await town.page("", role, office)
    of_all = [(await town.json(f"/{code}", role, office)).json() for code in CODES]
    goal = (await town.json("/contracts?period=whole", role, office)).json()
    expected = [words(one, one["unit"]) for one in of_all]
    # The contracts have a target for one period, which is a row of its own.
    expected.insert(1, words(goal, goal["unit"]))
    assert cells(board) == expected
    narrowed = await town.page("?period=february", role, office)
    answers = (await town.json("?period=february", role, office)).json()["items"]
    assert cells(narrowed) == [words(one, one["unit"]) for one in answers]


async def test_an_evaluator_s_page_says_what_was_published_of_each_period(town: Town) -> None:
    def published(answers: list[Any]) -> list[str]:
        return [words(one, one["unit"]) for one in answers]

    for code in SOME:
        page = await town.page(f"/{PROGRAMME}/{code}", "evaluator", None)
        answers = [(await town.json(f"/{code}?period={one}", "evaluator", None)).json() for one in PERIODS if one]
        assert cells(page) == published(answers), code
        assert {one["state"] for one in answers} == {"published"}
    board = await town.page("", "evaluator", None)
    asked = [f"/{code}?period={period}" for code in CODES for period in PERIODS if period]
    assert cells(board) == published([(await town.json(one, "evaluator", None)).json() for one in asked])


async def test_other_roles_and_other_offices_get_what_the_json_edge_says(town: Town) -> None:
    for role in ROLES:
        expected = (await town.json("/returns", role)).status_code
        for path in (
            "",
            f"/{PROGRAMME}/returns",
            f"/{PROGRAMME}/returns/table.csv",
            "/live",
            f"/{PROGRAMME}/returns/live",
        ):
            if expected == 403:
                page = await town.page(path, role)
                assert page.status_code == 403, (role, path)
                assert "Returns" not in page.text
                assert str(len(CODES)) not in page.text.partition("<main")[2]
    for path in ("?office=bogota", f"/{PROGRAMME}/returns?office=bogota"):
        assert (await town.page(path)).status_code == 403
        assert (await town.page(path, "evaluator")).status_code == 403
        assert (await town.page(path, "administrator")).status_code == 200
    for asked, status in (("bogota", 403), ("kabul", 200)):
        assert (await town.json(f"/returns?office={asked}")).status_code == status
    assert (await town.json("/returns?office=kabul", "evaluator", None)).status_code == 403
    assert (await town.json("/returns?office=nowhere", "administrator", None)).json()["rule"] == "office_unknown"
    assert (await town.json("/returns?office=kabul", "administrator", None)).json()["value"] == 25
    assert (await town.json("/returns?office=bogota", "administrator", None)).json()["value"] == 0
    assert (await town.page("/nowhere/returns")).status_code == 404
    assert (await town.page(f"/{PROGRAMME}/nothing")).status_code == 404
    assert (await town.page("", office=None)).status_code == 403


async def test_the_service_s_own_address_leads_to_the_figures_with_what_was_asked(town: Town) -> None:
    async with town.browser() as http:
        for path in ("/monitoring", "/monitoring/"):
            answer = await http.get(f"{path}?period=whole")
            assert (answer.status_code, answer.headers["location"]) == (303, f"{DASHBOARD}?period=whole")
        part = await http.get("/monitoring/today")
        assert f'href="{DASHBOARD}" target="_top"' in part.text
    async with town.browser("finance", None) as http:
        assert DASHBOARD not in (await http.get("/monitoring/today")).text


async def test_withheld_and_no_data_are_said_apart_and_a_small_figure_stands_nowhere(town: Town) -> None:
    page = await town.page(f"/{PROGRAMME}/returns?lang=en", "evaluator")
    # Three of February are withheld, and the whole that would tell them beside January.
    assert cells(page) == ["22", "Withheld, or none yet", "Withheld, or none yet"]
    nothing = await town.page(f"/{PROGRAMME}/women_share?office=bogota", "administrator")
    assert set(cells(nothing)) == {"No data yet"}
    file = await town.page(f"/{PROGRAMME}/returns/table.csv", "evaluator")
    rows = [*csv.DictReader(StringIO(file.content.decode("utf-8-sig")))]
    assert [row["value"] for row in rows] == ["22", "", ""]
    assert [row["withheld"] for row in rows] == ["", "withheld", "withheld"]
    assert file.headers["content-disposition"] == f'attachment; filename="{PROGRAMME}-returns.csv"'


async def test_a_figure_that_changed_since_the_last_visit_says_what_it_was(town: Town) -> None:
    serving = town.serving
    async with town.browser(account=derived_id("somebody who comes back")) as http:
        first = await http.get(f"{DASHBOARD}?programme={PROGRAMME}")
        cookie = first.cookies["sankofa-figures"]
        assert "at your last visit" not in first.text
        story = told()
        before = len(story.records)
        story.host("a new one")
        await tell(serving, story, before)
        serving.clock.ahead += timedelta(minutes=31)
        # What was known at the first visit is told once the watermark has passed it.
        await serving.eventually(lambda: _reached(serving, timedelta(minutes=30)))
    async with town.browser(account=derived_id("somebody who comes back")) as http:
        http.headers["cookie"] += f"; sankofa-figures={cookie}"
        second = await http.get(f"{DASHBOARD}?programme={PROGRAMME}")
        assert re.findall(r"(\w+) at your last visit", second.text) == ["0"]
        # Whoever looks again a little later is still at that visit.
        http.headers["cookie"] = http.headers["cookie"].replace(cookie, second.cookies["sankofa-figures"])
        assert "0 at your last visit" in (await http.get(DASHBOARD)).text
    for text in ("x", f"{'0' * 16}.1.1", cookie.replace(".", "_"), f"{cookie[:16]}.99999999999.1"):
        async with town.browser(account=derived_id("somebody who comes back")) as http:
            http.headers["cookie"] += f"; sankofa-figures={text}"
            answer = await http.get(DASHBOARD)
            assert answer.status_code == 200
            assert "at your last visit" not in answer.text
    async with town.browser(account=derived_id("somebody else")) as http:
        http.headers["cookie"] += f"; sankofa-figures={cookie}"
        assert "at your last visit" not in (await http.get(DASHBOARD)).text


async def test_a_wrong_day_keeps_the_page_with_what_was_typed_and_shows_no_figure(town: Town) -> None:
    for typed in ("2026-02-30", "9999-12-31", "yesterday", '"><script>'):
        page = await town.page(f"/{PROGRAMME}/returns?as_of={quote(typed)}")
        assert page.status_code == 422
        assert page.text.count("<title>Error: ") == 1
        assert f'value="{typed}"' in unescape(page.text)
        assert "<script>" not in page.text
        assert cells(page) == []
    assert (await town.page(f"/{PROGRAMME}/returns?period=never")).status_code == 422
    for typed in ("2020-01-01", "1 1 2020", "1 January 2020"):
        past = await town.page(f"/{PROGRAMME}/returns?as_of={quote(typed)}")
        assert (past.status_code, cells(past)[0]) == (200, "0"), typed
    stepped = await town.page(f"/{PROGRAMME}/returns", "evaluator")
    step = re.search(r'<option value="(\d[^"]*)">', stepped.text)
    assert step
    chosen = await town.page(f"/{PROGRAMME}/returns?as_of={quote(step[1])}", "evaluator")
    assert chosen.status_code == 200
    assert "selected" in chosen.text


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
async def test_every_page_is_in_the_reader_s_language(town: Town, language: str) -> None:
    for path in ("", f"/{PROGRAMME}/women_share"):
        page = (await town.page(f"{path}?lang={language}", "administrator")).text
        for key in ("code:", "field:", "rule:", "case:"):
            assert key not in re.sub(r'(id|name|for|href|class)="[^"]*"', "", page), (path, key)
    assert f'lang="{language}"' in page


async def lines_of(women: int, men: int, code: str, viewer: Viewer, language: str = "en") -> Lines:
    stated = {"january": signed_with("january", {"returns": women + men if women + men > 9 else None})}
    figures = read_until(model_of(returns(women, men).records), ms(2026, 4, 1), stated=stated)

    def choose(definition: Any) -> Any:
        return of_indicator(definition, code, Filters(), viewer)

    return Lines(await figures.sheet(PROGRAMME, Asked(), viewer, choose), language)


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_chart_holds_the_figures_of_the_table_and_no_other(language: str) -> None:
    for code in ("women_share", "contracts"):
        lines = (await lines_of(12, 9, code, LIVE, language)).by_period()
        held = chart.rows_of(lines, language)
        assert len(held) == len(lines)
        for row, line in zip(held, lines, strict=True):
            value = line.answer["value"]
            assert row["size"] == (None if value is None else float(value))
            assert row["goal"] == line.answer["target"]
            assert chart._plain(line.said) in row["label"]
            assert chart._plain(line.name) in row["name"]
    goals = [line.goal for line in lines]
    assert 200 in goals


async def test_a_suppressed_figure_is_in_no_byte_of_chart_file_and_digest() -> None:
    """Whatever the small number is, they are the same."""
    seen = []
    for women, men in ((3, 2), (4, 5), (0, 0)):
        lines = await lines_of(women, men, "returns", EVALUATOR)
        rows = lines.by_period()
        assert {line.missing for line in rows} == {"withheld", "nothing"}
        seen.append((chart.spec_of(rows, "en", "wide"), table_of(lines), digest_of(lines.sheet.answers)))
    assert seen[0] == seen[1] == seen[2]
    assert digest_of((await lines_of(20, 20, "returns", EVALUATOR)).sheet.answers) != seen[0][2]


async def test_a_chart_is_drawn_by_vega_lite_with_the_words_of_the_table(town: Town) -> None:
    page = await town.page(f"/{PROGRAMME}/returns?lang=ar", "evaluator")
    address = re.search(r'src="/monitoring/indicators(/[^"]*narrow.svg[^"]*)"', page.text)
    assert address
    drawn = await town.page(f"{unescape(address[1])}&lang=ar", "evaluator")
    assert drawn.status_code == 200, drawn.text
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.text.startswith("<svg")
    for word in ("محجوب", ">\N{RIGHT-TO-LEFT ISOLATE}22<".replace("<", "")):
        assert word in drawn.text
    # The policy of pages refuses styles that stand in the document, and what is withheld has no bar.
    assert "style=" not in drawn.text
    # The library is in the process that draws, and takes neither time nor memory of this one.
    assert "vl_convert" not in sys.modules
    assert "<script" not in drawn.text
    assert drawn.text.count('fill="#0b5d4e"') == 1
    assert drawn.headers["content-security-policy"].startswith("default-src 'none'")
    assert (await town.page(f"/{PROGRAMME}/returns/chart/huge.svg", "evaluator")).status_code == 404
    assert (await town.page(f"/{PROGRAMME}/returns/chart/wide.svg", "expert")).status_code == 403


@pytest.mark.parametrize(
    "command", [("false",), ("sleep", "9"), ("sh", "-c", "read line; echo null"), ("nowhere-at-all",)]
)
async def test_a_chart_that_cannot_be_drawn_is_refused_and_leaves_nobody_waiting(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.monitoring.drawing.SECONDS_AT_MOST", 0.2)
    drawing = Drawing(command)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await drawing.svg({})
    await drawing.stop()
    assert drawing._process is None


@pytest.mark.parametrize(
    ("values", "total", "add_up"),
    [((5, 85, 81, 7), 178, True), ((5, 85, 81, 8), 178, False), ((178, None), 178, False)],
)
async def test_rows_are_said_not_to_add_up_only_where_they_do_not(
    values: tuple[int | None, ...], total: int, add_up: bool
) -> None:
    """What can be in several rows need not be: then the page says nothing of it."""
    lines = await lines_of(12, 9, "hosts", LIVE)
    (wanted, answer), *_ = lines._pairs
    by = [{"d": str(place), "value": value, "suppressed": value is None} for place, value in enumerate(values)]
    dimension = lines.sheet.definition.dimensions[0]
    told = {
        **answer,
        "value": total,
        "adds_up": False,
        "adds_up_rule": SEVERAL,
        "by": [{**one, dimension.code: one["d"]} for one in by],
    }
    assert lines._breakdown(wanted, dimension, told).adds_up is add_up
    assert lines._breakdown(wanted, dimension, {**told, "adds_up": True}).adds_up
