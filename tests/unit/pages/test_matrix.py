"""Role by verb: a form and a button stand on a page for exactly those whom the policy's rows let do it."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from deploy.generate import GROUPS, InMemory
from services.matching.domain.matches import MATCH
from services.matching.store import MATCHES
from shared.cases.case import GIVE_BACK, PASS_ON
from shared.clock import derived_id
from shared.identity.keys import Keys
from shared.identity.policy import Subjects
from shared.identity.roles import ROLES, Role
from shared.identity.tokens import Principal
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.programmes.model import Definition
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from shared.web.acting import Served
from tests.unit.matching.facts import CODE, DEFINITION, Others
from tests.unit.matching.world import World, match_id
from tests.unit.pages.test_cases import reader
from tests.unit.programmes.test_sections import BARE
from tests.unit.registration.serving import Clock

NOBODY = derived_id("nobody")
# Does what the cases of every service are about.
EVERYTHING = Definition.model_validate(
    {**DEFINITION.as_json(), "sectors": BARE["sectors"], **{one: BARE[one] for one in ("trainings", "results")}}
)


@dataclass
class Desk:
    """One service in memory, and a browser for each role."""

    name: str
    service: Any
    browsers: dict[Role, httpx.AsyncClient]

    def may(self, role: Role, served: Served, verb: str) -> bool:
        policy = self.service.app.state.edge.policy
        return bool(policy.allowed(Principal("a", role, "kabul"), served.name, verb))


@pytest.fixture(params=GROUPS)
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    name, clock = request.param, Clock()
    declared = importlib.import_module(f"services.{name}.store")
    store = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), clock)
    log, keys = LocalLog(None, list(TOPICS.values()), clock), Keys.in_memory(random.Random(1))
    service = importlib.import_module(f"services.{name}.app").build(Ports(store, log, clock, keys), InMemory())
    await log.start()
    # Where no programme does what a case is about, nobody is offered to open one.
    await Others(log).programme(EVERYTHING)
    await service.start()
    while CODE not in service.replica.definitions.codes():
        await clock.sleep(0.001)
    browsers = {role: reader(name, service.app, keys, clock, role) for role in ROLES}
    yield Desk(name, service, browsers)
    for one in browsers.values():
        await one.aclose()
    await service.stop()
    await log.stop()
    clock.close()


async def test_a_form_is_there_for_exactly_the_roles_of_its_row(desk: Desk) -> None:
    asked = 0
    for served in desk.service.cases:
        for verb, rows in ((one, served.case.rows[one]) for one in served.case.verbs):
            opens = rows[0].opens
            path = f"/{desk.name}/{served.name}/{'new' if opens else NOBODY}/{verb}"
            for role, http in desk.browsers.items():
                answer, may = await http.get(path), desk.may(role, served, verb)
                # Who has the right finds the form, or that there is no such case; who has not is told so before.
                assert answer.status_code == ((200 if opens else 404) if may else 403), (path, role)
                assert ('name="idempotency-key"' in answer.text) is (may and opens), (path, role)
                asked += 1
    assert asked > 8 * 4


async def test_a_list_offers_to_open_a_case_to_exactly_the_roles_of_the_row(desk: Desk) -> None:
    for served in desk.service.cases:
        path = f"/{desk.name}/{served.name}"
        opening = {verb for verb in served.case.verbs if served.case.rows[verb][0].opens}
        for role, http in desk.browsers.items():
            answer = await http.get(path)
            assert answer.status_code == (200 if desk.may(role, served, "list") else 403), (path, role)
            offered = set(re.findall(rf'href="{path}/new/([a-z-]+)"', answer.text))
            right = {verb for verb in opening if desk.may(role, served, verb)}
            assert offered == (right if answer.status_code == 200 else set()), (path, role)


async def test_buttons_are_what_the_json_edge_says_is_open_and_the_rest_is_said_with_why() -> None:
    async with World() as world:
        assignment = await world.shortlisted(["ada", "bea", "cem"])
        match = match_id(assignment, "ada")
        for step in ("shortlisted", "allocated", "offered", "declined"):
            if step != "shortlisted":
                move = {"allocated": world.allocate, "offered": world.offer}.get(step)
                await (move(assignment, "ada") if move else world.do(assignment, "ada", "decline", reason="family"))
            document = await world.store.load(MATCHES.name, match)
            assert document
            assert document["state"]["status"] == step
            parties = document["state"]["parties"]
            stands = Subjects(parties["person"], parties["institution"])
            await _check_buttons(world, match, stands)


async def _check_buttons(world: World, match: str, stands: Subjects) -> None:
    app, state = world.service.app, MATCHES.read(await world.store.load(MATCHES.name, match))

    async def subjects_of(_account: str) -> Subjects:
        return stands

    app.state.edge = replace(app.state.edge, subjects_of=subjects_of)
    roles: tuple[Role, ...] = ("officer", "expert", "host")
    for role in roles:
        async with reader("matching", app, world.keys, world.clock, role) as http:
            page = (await http.get(f"/matching/matches/{match}")).text
        buttons = set(re.findall(rf'href="/matching/matches/{match}/([a-z-]+)">', page)) - {"timeline"}
        # Nobody has taken it, which the state does not tell.
        assert buttons == set(MATCH.open_to(state, role)) - {PASS_ON, GIVE_BACK}, role
        shut = page.count('class="shut"')
        assert shut + len(buttons) == sum(role in MATCH.rows[verb][0].by for verb in MATCH.verbs), role
