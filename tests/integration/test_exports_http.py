"""Published figures as a file through the public edge: asked for as a job, fetched, gone after a week."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import httpx
import pytest
import pytest_asyncio

from services.monitoring.exports.formats import FORMATS
from services.monitoring.work import exporting
from services.monitoring.work.exporting import FormatCode, Language
from shared.identity.roles import Role
from shared.jobs.documents import FETCHES_KEPT, JOB_PIECES
from shared.jobs.kinds import Step, Work
from shared.jobs.running import Jobs
from shared.web.pages.languages import LANGUAGES
from tests.unit.monitoring.stating import ask, in_state, issued, published
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, Story
from tests.unit.monitoring.telling import monitoring, tell
from tests.unit.pages.test_cases import held, reader
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ODD = {"code": "odd", "name": {"en": "Odd days"}, "series": "o", "starts": "2026-01-01", "ends": "2026-01-20"}
DHIS2 = {"data_set": "SET", "org_unit": "AF", "elements": [{"indicator": "returns", "dhis2": "RETURNS"}]}
EXPORTS = f"/programmes/{PROGRAMME}/exports"


def told() -> Story:
    story = Story()
    changes = {
        "disclosure": {"threshold": 10, "protection": 10, "tables": [{"periods": ["january", "odd"]}]},
        "periods": [*DEFINITION["periods"], ODD],
        "reporting": {"dhis2": DHIS2},
    }
    story.published(definition={**DEFINITION, **changes})
    for number in range(70):
        story.person(str(number), sex="female" if number < 40 else "male")
        story.returned(str(number))
    return story


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Serving]:
    async with monitoring(tmp_path_factory.mktemp("monitoring")) as serving:
        nothing = await serving.post(EXPORTS, "evaluator", {"format": "csv"})
        assert nothing.status_code == 404, "nobody published such a programme"
        await tell(serving, told())
        early = await serving.post(EXPORTS, "evaluator", {"format": "csv"})
        assert (early.status_code, early.json()["rule"]) == (422, "nothing_published_yet")
        await issued(serving, "january", "odd")
        yield serving


async def until(edge: Serving, id: str, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def holds() -> bool:
        found.update((await edge.get(f"/jobs/{id}", "administrator")).json())
        return found["state"] in states

    await edge.eventually(holds)
    return found


async def asked(edge: Serving, role: Role = "evaluator", *, key: str | None = None, **body: Any) -> str:
    answer = await edge.post(EXPORTS, role, body, key=key, subject=role)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/monitoring/v1/jobs/{answer.json()['id']}"
    return str(answer.json()["id"])


async def made(edge: Serving, role: Role = "evaluator", **body: Any) -> dict[str, Any]:
    return await until(edge, await asked(edge, role, **body), "done", "failed")


async def fetched(edge: Serving, job: Mapping[str, Any], role: Role = "evaluator", subject: str = "") -> httpx.Response:
    (file,) = job["result"]["files"]
    return await edge.get(file["address"].removeprefix("/monitoring/v1"), role, subject=subject or role)


async def test_an_evaluator_gets_a_file_of_what_was_published_and_it_says_what_it_is(edge: Serving) -> None:
    job = await made(edge, format="csv", period="january", language="fr")
    assert (job["state"], job["kind"], job["done"] == job["total"]) == ("done", "export", True)
    statement = (await edge.get(f"/programmes/{PROGRAMME}/statements/1", "evaluator")).json()["statement"]
    said = job["result"]["said"]
    answer = await fetched(edge, job)
    assert answer.status_code == 200
    assert said.pop("digest") == hashlib.sha256(answer.content).hexdigest()
    assert said == {
        "programme": PROGRAMME,
        "format": "csv",
        "language": "fr",
        "period": "january",
        "statements": "1",
        "as_of": statement["as_of"],
        "definition_version": "1",
    }
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == job["result"]["counts"]["figures"] == sum(len(one["cells"]) for one in statement["tables"])
    cells = [cell for table in statement["tables"] for cell in table["cells"]]
    told = [(str(cell.get("value", "")), cell.get("withheld", "")) for cell in cells]
    assert [(row["value"], row["withheld"]) for row in rows] == told
    assert {("70", ""), ("", "withheld")} <= {*told}


async def test_every_form_is_made_in_the_language_that_was_asked_for(edge: Serving) -> None:
    assert {*get_args(FormatCode)} == {*FORMATS}
    assert {*get_args(Language)} == {*LANGUAGES}
    for form in ("xlsx", "hxl", "parquet", "report"):
        job = await made(edge, format=form, language="ar")
        (file,) = job["result"]["files"]
        assert re.fullmatch(rf"{PROGRAMME}-statement-1-2-{form}-ar\.\w+", file["name"])
        answer = await fetched(edge, job)
        assert answer.headers["content-type"].partition(";")[0] == FORMATS[form].media_type.partition(";")[0]


async def test_the_same_key_is_the_same_job_and_another_body_under_it_is_refused(edge: Serving) -> None:
    id = await asked(edge, key="once", format="csv")
    assert await asked(edge, key="once", format="csv") == id
    other = await edge.post(EXPORTS, "evaluator", {"format": "hxl"}, key="once", subject="evaluator")
    assert (other.status_code, other.json()["rule"]) == (422, "idempotency_key_reused")
    await until(edge, id, "done")


async def test_the_file_is_for_whoever_asked_and_for_administrators_and_who_fetched_it_is_noted(edge: Serving) -> None:
    job = await made(edge, "officer", format="hxl")
    others: list[tuple[Role, str]] = [("officer", "colleague"), ("evaluator", "evaluator")]
    for role, subject in others:
        assert (await fetched(edge, job, role, subject)).status_code == 404
    assert (await edge.get(f"/jobs/{job['id']}", "host")).status_code == 403
    assert (await edge.post(EXPORTS, "host", {"format": "csv"})).status_code == 403
    for role, subject in (("officer", "officer"), ("administrator", "anna")):
        assert (await fetched(edge, job, role, subject)).status_code == 200
    seen = (await edge.get(f"/jobs/{job['id']}", "officer", subject="officer")).json()
    assert [one["account"] for one in seen["fetches"]] == [edge.account("officer"), edge.account("anna")]
    jobs: Jobs = edge.service.jobs
    for _ in range(FETCHES_KEPT):
        await jobs.note_fetch(job["id"], "again")
    seen = (await edge.get(f"/jobs/{job['id']}", "officer", subject="officer")).json()
    assert (len(seen["fetches"]), seen["fetch_count"]) == (FETCHES_KEPT, FETCHES_KEPT + 2)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ({}, "required"),
        ({"format": "xls"}, "literal_error"),
        ({"format": "csv", "language": "de"}, "literal_error"),
        ({"format": "csv", "columns": ["value"]}, "unknown_field"),
        ({"format": "csv", "period": "february"}, "period_never_published"),
        ({"format": "csv", "period": "march"}, "period_unknown"),
        ({"format": "csv", "as_of": "2026-01-20T00:00:00Z"}, "nothing_published_then"),
        ({"format": "csv", "as_of": "yesterday"}, ""),
    ],
)
async def test_what_cannot_be_asked_is_refused_at_once(edge: Serving, body: Mapping[str, Any], rule: str) -> None:
    answer = await edge.post(EXPORTS, "evaluator", body)
    problem = answer.json()
    assert answer.status_code == 422, answer.text
    assert not rule or rule in (problem["rule"], problem["errors"][0]["rule"]), answer.text


async def test_what_a_definition_does_not_say_fails_the_job_by_its_rule(edge: Serving) -> None:
    odd = await made(edge, format="dhis2", period="odd")
    assert (odd["state"], odd["rule"]) == ("failed", "no_dhis2_period")
    assert "odd" in odd["result"]["said"]["detail"]
    assert odd["result"]["files"] == []
    assert (await made(edge, format="iati"))["rule"] == "export_not_declared"
    right = await made(edge, format="dhis2", period="january")
    values = json.loads((await fetched(edge, right)).content)["dataValues"]
    assert values == [{"dataElement": "RETURNS", "period": "202601", "orgUnit": "AF", "value": "70"}]


async def test_what_is_larger_than_a_form_or_a_job_holds_fails_by_its_rule(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "CONTENT_BYTES_AT_MOST", 1_000)
    large = await made(edge, format="csv")
    monkeypatch.setattr(exporting, "FORMATS", {**FORMATS, "csv": replace(FORMATS["csv"], most=3)})
    many = await made(edge, format="csv")
    assert {(one["state"], one["rule"]) for one in (large, many)} == {("failed", "export_too_large")}
    assert [one["result"]["said"]["detail"].partition(": ")[2] for one in (large, many)] == ["ask for one period"] * 2


async def test_as_of_an_instant_it_says_what_was_published_by_then(edge: Serving) -> None:
    items = (await edge.get(f"/programmes/{PROGRAMME}/statements", "evaluator")).json()["items"]
    first, second = (one["statement"]["issued_at"] for one in items[:2])
    for at, numbers in ((first, "1"), (second, "1-2")):
        assert (await made(edge, format="csv", as_of=at))["result"]["said"]["statements"] == numbers
    late = await edge.post(EXPORTS, "evaluator", {"format": "csv", "period": "odd", "as_of": first})
    assert late.json()["errors"][0]["rule"] == "period_never_published"


async def test_what_was_asked_for_says_the_same_whatever_is_published_before_it_is_made(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after it wrote the file and before the save that counts: another replica makes the same one."""
    kind, wrote = edge.service.jobs.kinds["export"], []
    chunk = kind.chunk

    async def killed(work: Work[Any]) -> Step:
        step: Step = await chunk(work)
        if step.then == "end":
            wrote.append(step.said["digest"])
            await edge.clock.sleep(3_600)
        return step

    object.__setattr__(kind, "chunk", killed)
    try:
        id = await asked(edge, format="csv", period="january")

        async def written() -> bool:
            return bool(wrote)

        await edge.eventually(written)
        await edge.service.jobs.stop()
    finally:
        object.__setattr__(kind, "chunk", chunk)
        edge.service.jobs.start()
    statement = f"/statements/{(await edge.get('/statements', 'administrator')).json()['items'][0]['id']}"
    await ask(edge, f"{statement}/restate", {"reason": "correction"})
    await published(edge, statement.rpartition("/")[2])
    await in_state(edge, statement.rpartition("/")[2], "restated")
    edge.clock.ahead += timedelta(seconds=31)
    other = Jobs("monitoring", edge.store, edge.clock, edge.keys, [kind])
    while await other.move(id):
        pass
    job = await until(edge, id, "done")
    assert (job["result"]["said"]["digest"], job["result"]["said"]["statements"]) == (wrote[0], "1")
    answer = await fetched(edge, job)
    assert hashlib.sha256(answer.content).hexdigest() == wrote[0]
    standing = await made(edge, format="adx", period="january")
    assert standing["result"]["said"]["statements"] == "3", "of a restated period what stands"


async def test_a_page_asks_for_a_file_and_lists_what_was_asked_for(edge: Serving) -> None:
    account = edge.account("page")
    async with reader("monitoring", edge.service.app, edge.keys, edge.clock, "evaluator", account=account) as http:
        for page in ("/monitoring/indicators", f"/monitoring/published/{PROGRAMME}"):
            assert f'href="/monitoring/exports/{PROGRAMME}"' in (await http.get(page)).text
        page = f"/monitoring/exports/{PROGRAMME}"
        for language, title in (
            ("fr", "Chiffres publiés sous forme de fichier"),
            ("ar", "الأرقام المنشورة في ملف"),
            ("en", "Published figures as a file"),
        ):
            shown = await http.get(f"{page}?lang={language}")
            assert (shown.status_code, title in shown.text, "code:" in shown.text) == (200, True, False)
        hidden = held(shown)
        instant = re.findall(r'<option value="(2\d{3}-[^"]*)"', shown.text)[-1]
        wrong = await http.post(page, data={**hidden, "format": "", "period": "january"})
        assert (wrong.status_code, 'href="#format"' in wrong.text) == (422, True)
        wrong = await http.post(page, data={**hidden, "format": "csv", "period": "february"})
        assert (wrong.status_code, "Nothing was published of this period by then" in wrong.text) == (422, True)
        assert (await http.post(page, data={**hidden, "csrf": "x", "format": "csv"})).status_code == 403
        fields = {**hidden, "format": "csv", "period": "january", "as_of": instant, "language": "en"}
        sent = [await http.post(page, data=fields) for _ in range(2)]
        (place,) = {one.headers["location"] for one in sent}
        job = await until(edge, place.rpartition("/")[2], "done")
        assert job["result"]["said"]["statements"] == "1"
        assert "A report to print" in shown.text
        listed = (await http.get(page)).text
        assert f'href="{place}"' in listed
        (link,) = re.findall(r'href="([^"]*/files/[^"]*)"', (await http.get(place)).text)
        assert (await http.get(link)).status_code == 200
        assert account in (await http.get(place)).text
        assert (await http.get("/monitoring/exports/nowhere")).status_code == 404
    async with reader("monitoring", edge.service.app, edge.keys, edge.clock, "host") as http:
        assert (await http.get(page)).status_code == 403


async def test_after_a_week_the_file_is_gone_and_what_it_was_is_known(edge: Serving) -> None:
    job = await made(edge, format="csv")
    assert (await fetched(edge, job)).status_code == 200
    edge.clock.ahead += timedelta(days=7, minutes=1)
    jobs: Jobs = edge.service.jobs
    await jobs.move(job["id"])
    gone = await fetched(edge, job)
    assert (gone.status_code, gone.json()["rule"]) == (410, "job_expired")
    left = (await edge.get(f"/jobs/{job['id']}", "evaluator", subject="evaluator")).json()
    assert (left["result"]["files"], left["fetch_count"]) == ([], 1)
    assert left["result"]["said"] == job["result"]["said"]
    pieces = [one async for one in edge.store.scan(JOB_PIECES.name) if one["job"] == job["id"] and one["sealed"]]
    assert pieces == []
