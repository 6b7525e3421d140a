"""Jobs through the edge: asked for, looked at, confirmed, ended, fetched, by whom it is allowed; the pages the same."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import Depends, Request
from starlette.responses import Response

from shared.identity.policy import Subjects
from shared.identity.roles import Role
from shared.replica import Ports, Replica, shadows_collection, stored
from shared.web.bodies import documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import key_of
from shared.web.contract import contract
from shared.web.jobs import accepted, asked_for, job_answers
from shared.web.lists import query
from shared.web.routing import Routes
from shared.web.served import served
from tests.unit.jobs.counting import EFFECTS, Counting, Numbers
from tests.unit.pages.test_cases import held, reader
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Counted:
    """A service that counts, and nothing more."""

    def __init__(self, ports: Ports) -> None:
        self.replica = Replica("monitoring", ports, [EFFECTS], shadows_collection({}))
        self.counting = Counting(ports.store)
        self._jobs = self.replica.works([self.counting.kind])
        self.app = served(self.replica, None, routers=[self._asking()], subjects_of=_nobody)

    def _asking(self) -> Routes:
        router, jobs = Routes(), self._jobs

        async def count(request: Request, granted: Granted = Depends(may("counts", "create"))) -> Response:
            query(request)
            sent = await read_body(request, Numbers)
            route, key = "POST /monitoring/v1/counts", key_of(request, granted)
            document = await asked_for(
                request, granted, jobs, "count", sent.model, route=route, key=key, digest=sent.digest
            )
            return await accepted(jobs, document, granted)

        extra = {**documented(Numbers, {"to": 7}), "responses": job_answers(jobs)}
        router.add_api_route("/counts", count, methods=["POST"], status_code=202, openapi_extra=extra)
        return router

    async def start(self) -> None:
        await self.replica.start()

    async def stop(self) -> None:
        await self.replica.stop()


async def _nobody(_account: str) -> Subjects:
    return Subjects()


class Edge(Serving):
    """`Serving` of a service that no package has."""

    def __init__(self) -> None:
        super().__init__("monitoring", stored([EFFECTS], shadows_collection({})), lambda ports, _: Counted(ports))
        # Its contract is not the one that the answers of that name are held to elsewhere.
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.service.app), base_url="http://test")

    def browser(self, role: Role = "officer", office: str = "kabul", subject: str = "") -> httpx.AsyncClient:
        account = self.account(subject or role)
        return reader("monitoring", self.service.app, self.keys, self.clock, role, office, account=account)

    async def asked(self, role: Role = "officer", *, key: str | None = None, **body: Any) -> str:
        answer = await self.post("/counts", role, {"to": 7, **body}, key=key, subject=role)
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/monitoring/v1/jobs/{answer.json()['id']}"
        return str(answer.json()["id"])

    async def until(self, id: str, state: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def holds() -> bool:
            found.update((await self.get(f"/jobs/{id}", "administrator")).json())
            return bool(found["state"] == state)

        await self.eventually(holds)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge() -> AsyncIterator[Edge]:
    serving = Edge()
    async with serving:
        yield serving


async def test_a_job_is_asked_for_once_and_told_to_its_end(edge: Edge) -> None:
    id = await edge.asked(key="once", wrong=5)
    assert await edge.asked(key="once", wrong=5) == id
    other = await edge.post("/counts", "officer", {"to": 8}, key="once", subject="officer")
    assert (other.status_code, other.json()["rule"]) == (422, "idempotency_key_reused")
    found = await edge.until(id, "done")
    assert (found["kind"], found["done"], found["total"], found["rule"], found["open"]) == ("count", 7, 7, None, [])
    assert found["problems"] == [{"row": n, "column": "n", "cell": "", "rule": "not_a_row"} for n in (0, 5)]
    (file,) = found["result"]["files"]
    assert (file["name"], file["size"], found["result"]["counts"]) == ("numbers.txt", 14, {"rows": 7})
    answer = await edge.get(file["address"].removeprefix("/monitoring/v1"), "officer", subject="officer")
    assert (answer.status_code, answer.text) == (200, "".join(f"{n}\n" for n in range(7)))
    assert answer.headers["content-disposition"] == 'attachment; filename="numbers.txt"'
    missing = await edge.get(f"/jobs/{id}/files/other.txt", "officer")
    assert missing.status_code == 404


async def test_a_preview_is_confirmed_or_ended(edge: Edge) -> None:
    id, ended = await edge.asked(previewed=True), await edge.asked(previewed=True)
    found = await edge.until(id, "waiting")
    assert (found["open"], found["result"]["counts"]) == (["cancel"], {"rows": 0}), "confirming is the asker's"
    own = (await edge.get(f"/jobs/{id}", "officer", subject="officer")).json()
    assert own["open"] == ["confirm", "cancel"]
    stale = await edge.post(f"/jobs/{id}/confirm", "officer", if_match='"1"')
    assert stale.status_code == 412
    confirmed = await edge.post(f"/jobs/{id}/confirm", "officer")
    assert confirmed.status_code == 200, confirmed.text
    assert (await edge.until(id, "done"))["done"] == 7
    await edge.until(ended, "waiting")
    for _ in range(2):
        answer = await edge.post(f"/jobs/{ended}/cancel", "officer")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    late = await edge.post(f"/jobs/{id}/cancel", "officer")
    assert (late.status_code, late.json()["rule"]) == (409, "job_ended")


async def test_whose_job_it_is(edge: Edge) -> None:
    of_officer, of_evaluator = await edge.asked(), await edge.asked("evaluator")
    for id in (of_officer, of_evaluator):
        await edge.until(id, "done")
    assert (await edge.get(f"/jobs/{of_officer}", "officer", office="osh")).status_code == 404
    assert (await edge.get(f"/jobs/{of_officer}", "officer", subject="colleague")).status_code == 200
    assert (await edge.get(f"/jobs/{of_evaluator}", "officer")).status_code == 404
    assert (await edge.get(f"/jobs/{of_evaluator}", "evaluator", subject="another")).status_code == 404
    assert (await edge.get(f"/jobs/{of_evaluator}", "host")).status_code == 403
    lists: dict[Role, set[str]] = {"evaluator": {of_evaluator}, "administrator": {of_evaluator, of_officer}}
    for role, seen in lists.items():
        items = (await edge.get("/jobs?limit=200", role, subject=role)).json()["items"]
        assert {one["id"] for one in items} & {of_evaluator, of_officer} == seen
        asked = [one["asked_at"] for one in items]
        assert asked == sorted(asked, reverse=True)
    done = (await edge.get("/jobs?state=done&limit=200", "administrator")).json()
    assert {one["state"] for one in done["items"]} == {"done"}
    assert (await edge.get("/jobs?state=over", "administrator")).status_code == 422
    # Files are for whoever asked alone.
    others: list[tuple[Role, str]] = [("administrator", ""), ("officer", "colleague")]
    for role, subject in others:
        answer = await edge.get(f"/jobs/{of_officer}/files/numbers.txt", role, subject=subject)
        assert answer.status_code == 404


async def test_a_page_tells_how_far_it_is_without_script(edge: Edge) -> None:
    waits = await edge.asked(previewed=True, wrong=2)
    await edge.until(waits, "waiting")
    async with edge.browser() as http:
        listed = await http.get("/monitoring/jobs")
        assert (listed.status_code, f'href="/monitoring/jobs/{waits}"' in listed.text) == (200, True)
        narrowed = await http.get("/monitoring/jobs?state=waiting")
        assert f'href="/monitoring/jobs/{waits}"' in narrowed.text
        assert f'href="/monitoring/jobs/{waits}"' not in (await http.get("/monitoring/jobs?state=failed")).text
        assert (await http.get("/monitoring/jobs?state=")).status_code == 200
        assert (await http.get("/monitoring/jobs?state=over")).status_code == 422
        today = (await http.get("/monitoring/today")).text
        assert 'href="/monitoring/jobs"' in today
        assert 'href="/monitoring/jobs?state=waiting"' in today
        page = await http.get(f"/monitoring/jobs/{waits}")
        assert "to be confirmed" in page.text
        csrf = held(page)["csrf"]
        assert (await http.post(f"/monitoring/jobs/{waits}/confirm", data={"csrf": "x"})).status_code == 403
        sent = await http.post(f"/monitoring/jobs/{waits}/confirm", data={"csrf": csrf})
        assert (sent.status_code, sent.headers["location"]) == (303, f"/monitoring/jobs/{waits}")
        await edge.until(waits, "done")
        for language, said in (("en", "It is done."), ("fr", "Elle est terminée."), ("ar", "أُنجز العمل.")):
            page = await http.get(f"/monitoring/jobs/{waits}?lang={language}")
            assert said in page.text
            assert "code:state" not in page.text
        rows = re.findall(r"<tr>\s*<td data-label", (await http.get(f"/monitoring/jobs/{waits}")).text)
        assert len(rows) == 4
        file = await http.get(f"/monitoring/jobs/{waits}/files/numbers.txt")
        assert (file.status_code, file.text[:2]) == (200, "0\n")
        late = await http.post(f"/monitoring/jobs/{waits}/cancel", data={"csrf": csrf})
        assert (late.status_code, "<title>Error:" in late.text) == (409, True)
    async with edge.browser() as http:
        assert "state=waiting" not in (await http.get("/monitoring/today")).text, "nothing waits any more"
    async with edge.browser("officer", "osh") as http:
        assert (await http.get(f"/monitoring/jobs/{waits}")).status_code == 404
    async with edge.browser("host") as http:
        assert (await http.get("/monitoring/jobs")).status_code == 403


async def test_a_page_of_what_goes_on_can_be_loaded_again(edge: Edge) -> None:
    async def for_ever(work: Any) -> Any:
        await edge.clock.sleep(60)

    kind, chunk = edge.service.counting.kind, edge.service.counting.chunk
    object.__setattr__(kind, "chunk", for_ever)
    id = await edge.asked()
    await edge.until(id, "running")
    async with edge.browser() as http:
        page = await http.get(f"/monitoring/jobs/{id}")
        assert "data-going" in page.text
        assert "Load this page again" in page.text
        sent = await http.post(f"/monitoring/jobs/{id}/cancel", data={"csrf": held(page)["csrf"]})
        assert sent.status_code == 303
        assert "data-going" not in (await http.get(f"/monitoring/jobs/{id}")).text
    object.__setattr__(kind, "chunk", chunk)


async def test_the_contract_names_the_kinds_and_every_answer(edge: Edge) -> None:
    document = contract(edge.service.app, "monitoring")
    seen = document["components"]["schemas"]["JobSeen"]
    assert seen["properties"]["kind"]["const"] == "count"
    asked = document["paths"]["/v1/counts"]["post"]["responses"]
    assert {"202", "429"} <= asked.keys()
    assert {"get"} == document["paths"]["/v1/jobs/{id}/files/{name}"].keys()
    bad = await edge.post("/counts", "officer", {"to": "seven"})
    assert bad.status_code == 422
