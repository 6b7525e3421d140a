"""Monitoring through its public edge: who sees which figures, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.registration.programmes import ProgrammePublished
from shared.messaging.port import Message
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, START, Story, entry
from tests.unit.monitoring.telling import monitoring, tell
from tests.unit.registration.serving import Serving

INDICATORS = f"/programmes/{PROGRAMME}/indicators"


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Serving]:
    async with monitoring(tmp_path) as serving:
        yield serving


def told(women: int = 12, men: int = 12) -> Story:
    story = Story()
    story.published()
    for number in range(women + men):
        story.person(str(number), sex="female" if number < women else "male")
        story.returned(str(number))
    return story


async def value(edge: Serving, code: str, role: Any = "administrator", query: str = "", **how: Any) -> Any:
    answer = await edge.get(f"{INDICATORS}/{code}{query}", role, **how)
    assert answer.status_code == 200, answer.text
    return answer.json()["value"]


async def test_figures_appear_from_the_topics(edge: Serving) -> None:
    await tell(edge, told())
    answer = await edge.get(f"{INDICATORS}?period=whole&by=sex", "administrator")
    assert answer.status_code == 200
    found = {item["code"]: item for item in answer.json()["items"]}
    assert (found["returns"]["value"], found["women_share"]["value"]) == (24, "50.0")
    assert found["returns"]["by"] == [{"sex": "female", "value": 12}, {"sex": "male", "value": 12}]
    assert answer.json()["next"] is None
    programmes = (await edge.get("/programmes", "evaluator")).json()["items"]
    assert [(item["code"], item["version"]) for item in programmes] == [(PROGRAMME, 1)]
    periods = (await edge.get(f"/programmes/{PROGRAMME}/periods", "officer")).json()["items"]
    assert [item["code"] for item in periods] == ["january", "february", "whole"]


async def test_an_officer_sees_the_own_office_and_an_evaluator_no_breakdown(edge: Serving) -> None:
    await tell(edge, told())
    assert await value(edge, "returns", "officer", office="kabul") == 24
    assert await value(edge, "returns", "officer", office="bogota") == 0
    answer = (await edge.get(f"{INDICATORS}/returns", "evaluator")).json()
    assert (answer["value"], answer["suppressed"]) == (None, True)
    refused = await edge.get(f"{INDICATORS}/returns?by=sex", "evaluator")
    assert (refused.status_code, refused.json()["rule"]) == (403, "breakdown_withheld")
    for role in ("expert", "host", "panel", "finance", "protection"):
        assert (await edge.get(INDICATORS, role)).status_code == 403
    assert (await edge.client.get(f"/v1{INDICATORS}")).status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "rule"),
    [
        ("/programmes/nowhere/indicators", 404, "programme_unknown"),
        ("/programmes/nowhere/periods", 404, "programme_unknown"),
        (f"{INDICATORS}/nothing", 404, "indicator_unknown"),
        (f"{INDICATORS}?period=x' OR 1=1 --", 422, "period_unknown"),
        (f"{INDICATORS}?by=kind", 422, "dimension_unknown"),
        (f"{INDICATORS}?by=sex,sex", 422, "dimensions_too_many"),
        (f"{INDICATORS}?as_of=2099-01-01T00:00:00Z", 422, "as_of_beyond_watermark"),
        (f"{INDICATORS}?as_of=%00", 422, "time_malformed"),
        (f"{INDICATORS}?colour=red", 422, "unknown_parameter"),
        (f"{INDICATORS}?by=sex&by=age", 422, "duplicate_parameter"),
        (f"{INDICATORS}/hosts?by=sex", 422, "dimension_not_of_this_indicator"),
    ],
)
async def test_bad_questions_are_problems_that_name_their_rule(
    edge: Serving, path: str, status: int, rule: str
) -> None:
    await tell(edge, told(1, 0))
    answer = await edge.get(path, "administrator")
    assert (answer.status_code, answer.json()["rule"]) == (status, rule), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_names_are_told_in_the_language_that_is_asked_for_and_codes_are_codes(edge: Serving) -> None:
    def also(texts: dict[str, str]) -> dict[str, str]:
        return {**texts, "fr": f"{texts['en']} (fr)"}

    story, parts = Story(), {name: DEFINITION[name] for name in ("periods", "indicators")}
    definition = {**DEFINITION, "title": also(DEFINITION["title"])}
    for name, items in parts.items():
        definition[name] = [{**one, "name": also(one["name"])} for one in items]
    published = ProgrammePublished(happened_at=START, code=PROGRAMME, definition_version=1, definition=definition)
    story.tell(PROGRAMME, published, office=None)
    story.person("1", sex="female")
    story.returned("1")
    await tell(edge, story)
    for header, mark in (("fr-CH, en;q=0.5", " (fr)"), ("ar, fr;q=0.1", ""), ("tg", ""), (None, "")):
        headers = {} if header is None else {"Accept-Language": header}
        bearer = {"authorization": f"Bearer {edge.issuer.issue('administrator', None)}", **headers}
        programmes = await edge.client.get("/v1/programmes", headers=bearer)
        assert programmes.json()["items"][0]["title"] == f"An example{mark}"
        periods = (await edge.client.get(f"/v1/programmes/{PROGRAMME}/periods", headers=bearer)).json()["items"]
        assert {one["name"] for one in periods} == {f"{one['name']['en']}{mark}" for one in parts["periods"]}
        listed = (await edge.client.get(f"/v1{INDICATORS}", headers=bearer)).json()["items"]
        assert {one["name"] for one in listed} == {f"{one['name']['en']}{mark}" for one in parts["indicators"]}
        one = await edge.client.get(f"/v1{INDICATORS}/persons?by=sex", headers=bearer)
        assert one.headers["vary"] == programmes.headers["vary"] == "Accept-Language"
        (named,) = [row["name"]["en"] for row in parts["indicators"] if row["code"] == "persons"]
        assert one.json()["name"] == f"{named}{mark}"
        assert {cell["sex"] for cell in one.json()["by"]} <= {"female", "male", "other", "not_stated"}


async def test_a_correction_shows_in_the_figures(edge: Serving) -> None:
    story = told(1, 1)
    await tell(edge, story)
    assert await value(edge, "women") == 1
    before = len(story.records)
    story.profile("1", [entry("1", "first", sex="male"), entry("1", "second", hours=1, sex="female")])
    await tell(edge, story, before)
    assert await value(edge, "women", query="?period=january") == 2


async def test_a_rebuild_says_what_it_found_and_the_answers_go_on(edge: Serving, tmp_path: Path) -> None:
    await tell(edge, told(3, 3))
    assert (await edge.post("/read-model/rebuild", "officer")).status_code == 403
    for body in ({"tables": []}, [], "all", 1, [{}]):
        assert (await edge.post("/read-model/rebuild", "administrator", body)).status_code == 422, body
    for _ in range(2):
        answer = await edge.post("/read-model/rebuild", "administrator")
        assert answer.status_code == 200
        report = answer.json()
        assert report["equal"]
        assert all(digest["live"] == digest["new"] for digest in report["digests"].values())
        assert await value(edge, "returns") == 6
        assert len(list((tmp_path / "monitoring").glob("*.duckdb"))) == 1


async def test_the_backlog_says_what_is_unread_and_what_could_not_be_read(edge: Serving) -> None:
    await tell(edge, told(1, 0))
    await edge.log.append("matching.matches", 0, [Message("nobody", b"not an event", (("ce_type", b"\xff"),))])

    async def read() -> bool:
        return bool((await edge.service.unfinished())["unreadable"] == 1)

    await edge.eventually(read)
    answer = (await edge.client.get("/health/backlog")).json()
    assert (answer["unread"], answer["unsent"], answer["quiet"]) == (0, 0, True)
    assert answer["watermark"].endswith("Z")
    assert (await edge.client.get("/health/ready")).status_code == 200
