"""Who of an office works on a case: one at a time, once however often it is asked, and told to the office alone."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.generate import GROUPS, cases_of
from services.matching.domain.assignments import ASSIGNMENT
from services.matching.store import ASSIGNMENTS
from shared.cases.case import GIVE_BACK, PASS_ON, TAKE
from shared.clock import derived_id
from shared.identity.roles import Role
from shared.store.port import Document
from tests.unit.matching.facts import HOST_ACCOUNT, OFFICE
from tests.unit.matching.world import World
from tests.unit.pages.test_cases import held, reader

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADA, BEA = derived_id("officer", "ada"), derived_id("officer", "bea")
PAGE = "/matching/assignments"


class Desk:
    """Assignments of one office, with the browsers of two of its officers."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ada, self.bea = self.browser(account=ADA), self.browser(account=BEA)
        self.ids: list[str] = []

    def browser(self, role: Role = "officer", office: str = OFFICE, **how: Any) -> httpx.AsyncClient:
        world = self.world
        return reader("matching", world.service.app, world.keys, world.clock, role, office, **how)

    async def draft(self) -> str:
        self.ids.append(await self.world.draft())
        return self.ids[-1]

    async def document(self, id: str) -> Document:
        document = await self.world.store.load(ASSIGNMENTS.name, id)
        assert document
        return document

    async def has(self, id: str) -> str | None:
        account: str | None = (await self.document(id))["private"].get("taken", {}).get("account")
        return account


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    async with World() as world:
        await world.others.host()
        await world.run()
        one = Desk(world)
        yield one
        await one.ada.aclose()
        await one.bea.aclose()


async def do(http: httpx.AsyncClient, id: str, verb: str, **said: str) -> httpx.Response:
    path = f"{PAGE}/{id}/{verb}"
    return await http.post(path, data={**held(await http.get(path)), **{f"/{name}": one for name, one in said.items()}})


async def test_one_officer_has_a_case_until_it_is_passed_on_or_given_back(desk: Desk) -> None:
    id = await desk.draft()
    told = (await desk.document(id))["emitted"]
    assert (await do(desk.ada, id, TAKE)).status_code == 303
    assert await desk.has(id) == ADA
    refused = await do(desk.bea, id, TAKE)
    assert (refused.status_code, "Somebody works on this case already" in refused.text) == (409, True)
    assert (await do(desk.ada, id, PASS_ON, colleague=ADA)).status_code == 409
    wrong = await do(desk.ada, id, PASS_ON, colleague="nobody’s reference")
    assert (wrong.status_code, "<title>Error:" in wrong.text) == (422, True)
    assert (await do(desk.ada, id, PASS_ON, colleague=BEA)).status_code == 303
    assert await desk.has(id) == BEA
    # Whoever has it may be away.
    assert (await do(desk.ada, id, GIVE_BACK)).status_code == 303
    assert await desk.has(id) is None
    assert (await do(desk.ada, id, GIVE_BACK)).status_code == 409
    document = await desk.document(id)
    # The log is told nothing, and the case stands where it stood.
    assert (document["emitted"], document["state"]["status"], document["outbox"]) == (told, "draft", document["outbox"])
    assert json.dumps(document["outbox"]).count(ADA) == 0


async def test_a_form_sent_twice_takes_once(desk: Desk) -> None:
    id = await desk.draft()
    path = f"{PAGE}/{id}/{TAKE}"
    form, other = held(await desk.ada.get(path)), held(await desk.bea.get(path))
    assert [(await desk.ada.post(path, data=form)).status_code for _ in range(2)] == [303, 303]
    version = (await desk.document(id))["version"]
    # Two who want it at once: the second sees that the case changed.
    assert (await desk.bea.post(path, data=other)).status_code == 412
    assert (await desk.has(id), (await desk.document(id))["version"]) == (ADA, version)


async def test_the_office_alone_is_told_and_finds_its_own_and_what_nobody_has(desk: Desk) -> None:
    mine, hers, free = [await desk.draft() for _ in range(3)]
    await do(desk.ada, mine, TAKE)
    await do(desk.bea, hers, TAKE)

    async def listed(http: httpx.AsyncClient, query: str) -> set[str]:
        page = await http.get(f"{PAGE}?limit=200&{query}")
        assert page.status_code == 200, page.text
        return {id for id in (mine, hers, free) if f'href="{PAGE}/{id}"' in page.text}

    for also in ("", "&status=draft", "&programme=example-1"):
        assert await listed(desk.ada, f"taken_by=me{also}") == {mine}, also
        assert await listed(desk.bea, f"taken_by=me{also}") == {hers}, also
        assert await listed(desk.ada, f"taken_by=nobody{also}") == {free}, also
    assert await listed(desk.ada, "") == {mine, hers, free}
    assert (await desk.ada.get(f"{PAGE}?taken_by=you")).status_code == 422
    shown = (await desk.ada.get(f"{PAGE}/{hers}")).text
    assert (f">{BEA[:8]}<" in shown, "works on this case already" in shown) == (True, True)
    async with (
        desk.browser("host", account=HOST_ACCOUNT) as host,
        desk.browser(office="tbilisi", account=ADA) as stranger,
    ):
        page, narrowed = await host.get(f"{PAGE}/{hers}"), await host.get(f"{PAGE}?taken_by=me")
        assert (page.status_code, BEA[:8] in page.text, "Who works on it" in page.text) == (200, False, False)
        assert (narrowed.status_code, (await host.get(f"{PAGE}/{hers}/{TAKE}")).status_code) == (422, 403)
        assert mine not in (await stranger.get(f"{PAGE}?taken_by=me")).text
        form = held(await desk.ada.get(f"{PAGE}/{free}/{TAKE}"))
        assert (await stranger.get(f"{PAGE}/{free}/{TAKE}")).status_code == 404
        assert (await stranger.post(f"{PAGE}/{free}/{TAKE}", data=form)).status_code in (403, 404)
    assert await desk.has(free) is None
    # What is over is nobody's work.
    await do(desk.ada, mine, "cancel", reason="no_funds")
    assert await listed(desk.ada, "taken_by=me") == set()


async def test_today_counts_what_is_ones_own_and_what_nobody_has(desk: Desk) -> None:
    for id in desk.ids:
        if (await desk.document(id))["state"]["status"] == "draft" and await desk.has(id) != BEA:
            await do(desk.ada, id, "cancel", reason="no_funds")
    first, second = await desk.draft(), await desk.draft()
    await do(desk.ada, second, TAKE)
    page = (await desk.ada.get("/matching/today")).text
    found = dict(re.findall(r"status=draft&amp;taken_by=(\w+)[^>]*>[^<]*</a> (\d+)", page))
    others = sum([await desk.has(id) == BEA for id in desk.ids])
    assert found == {"me": "1", "nobody": "1"}
    assert re.search(rf'assignments\?status=draft"[^>]*>[^<]*</a>\s*<span class="number">{2 + others}<', page)
    assert page.index(first[:8]) < page.index(second[:8])


async def test_what_is_shared_out_are_the_cases_that_go_on() -> None:
    kinds = {case.name: case for service in GROUPS for case in cases_of(service) if case.taken_in}
    assert set(kinds) == {"experts", "assignments", "matches", "placements"}
    for case in kinds.values():
        for verb in (TAKE, PASS_ON, GIVE_BACK):
            (row,) = case.rows[verb]
            assert (row.before, dict(row.by)) == (case.taken_in, {"officer": "office"})
            assert all(row.leads_to(status) == {status} for status in row.before)
    assert set(ASSIGNMENT.statuses) - ASSIGNMENT.taken_in == {"rejected", "cancelled"}
