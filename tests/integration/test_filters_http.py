"""Every list of cases of every service is narrowed by each filter that its case declares, for whoever may list it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.generate import built
from shared.clock import RealRuntime, derived_id
from shared.identity.policy import Subjects
from shared.identity.roles import Relation, Role
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.store.collection import belongs
from shared.store.port import Document
from shared.store.relations import value_at
from shared.web.acting import Served
from shared.web.filters import filters_for
from tests.declared import document_of
from tests.integration.four import EVERY_TOPIC, Four, small_history

SERVICES = ("registration", "matching", "placement")
LISTS = [(service, one) for service in SERVICES for one in built(service).cases]
CANARY = "ahmad-rahimi"


@pytest.fixture
def runtime() -> Iterator[RealRuntime]:
    runtime = RealRuntime()
    yield runtime
    runtime.close()


def filters_of(served: Served) -> tuple[str, ...]:
    return ("status", *served.case.filters)


@pytest.mark.parametrize(("service", "served"), LISTS, ids=[served.name for _, served in LISTS])
def test_a_list_is_narrowed_by_status_programme_and_what_the_case_refers_to(service: str, served: Served) -> None:
    """The contract has each filter with its possible values, whatever the case's state names."""
    state = served.case.state.model_fields
    named = {"programme", "assignment", "match"} & {*state, *parts_of(state)}
    assert named <= set(served.case.filters) or served.name == "programmes"
    operation = document_of(service)["paths"][f"/v1/{served.name}"]["get"]
    schemas = {one["name"]: one["schema"] for one in operation["parameters"]}
    of_offices = {"taken_by"} if served.case.taken_in else set()
    of_offices |= {"transfer"} if "ask-transfer" in served.case.verbs else set()
    of_offices |= {"flag"} if served.name == "experts" else set()
    assert set(schemas) - {"order"} == {"limit", "after", *filters_of(served), *of_offices}
    assert ("order" in schemas) is (served.name != "programmes")
    assert schemas["status"]["enum"] == list(served.case.statuses)
    assert all(schemas[name].get("pattern") for name in served.case.filters)


def parts_of(fields: Mapping[str, Any]) -> set[str]:
    inner = [fields[name].annotation for name in ("parties", "frame") if name in fields]
    return {name for one in inner for name in one.model_fields}


@pytest.mark.timeout(300)
async def test_every_filter_answers_and_pages_for_everybody_who_may_list(runtime: RealRuntime, tmp_path: Path) -> None:
    """A page after the other gives what the stored cases say, under each relation and each value of each filter."""
    async with Four(LocalLog(None, list(TOPICS.values()), runtime), runtime) as four:
        for code, ends in EVERY_TOPIC.items():
            await four.put(small_history(*ends, code=code), tmp_path / code)
        met = set[Relation]()
        for service, served in LISTS:
            store = four.services[service].replica.ports.store
            stored = [one async for one in store.scan(served.aggregate.name) if one.get("state")]
            # A history of years ago tells nobody anything (decision 0047).
            assert bool(stored) == (served.name != "messages"), served.name
            for role, relation, equals in listers(served, stored):
                who = asking(four, service, role, relation, equals)
                mine = [one for one in stored if belongs(one, relation, equals)]
                assert mine
                met.add(relation)
                names = ("status", *filters_for(served.case, role))
                await check(four, f"/{service}/v1/{served.name}", names, mine, who)
                await refuse_hidden(four, f"/{service}/v1/{served.name}", served, names, who)
        assert met == {"all", "office", "own", "institution"}
        await refuse(four)


def listers(served: Served, stored: list[Document]) -> Iterator[tuple[Role, Relation, str]]:
    """Everybody who may list, in each relation to the first three that a case stands in it to."""
    case = served.case
    for role, relation in (case.readers if case.lists is None else case.lists).items():
        for equals in sorted({one["ix"][relation]["e"][0] for one in stored if relation in one["ix"]})[:3]:
            yield role, relation, equals


def asking(four: Four, service: str, role: Role, relation: Relation, equals: str) -> dict[str, str]:
    """A caller in that role who stands for that person or institution, or works in that office."""
    app = four.services[service].app

    async def stands_for(_account: str) -> Subjects:
        return Subjects(equals if relation == "own" else None, equals if relation == "institution" else None)

    app.state.edge = replace(app.state.edge, subjects_of=stands_for)
    return four.bearer(role, equals if relation == "office" else None)


async def refuse_hidden(four: Four, path: str, served: Served, names: tuple[str, ...], who: dict[str, str]) -> None:
    """Nobody narrows a list by what is hidden from the role."""
    for name in set(served.case.filters) - set(names):
        answer = await four.http.get(path, params={name: derived_id("a")}, headers=who)
        assert (answer.status_code, answer.json()["rule"]) == (422, "unknown_parameter"), (path, name)


async def check(four: Four, path: str, names: tuple[str, ...], mine: list[Document], who: dict[str, str]) -> None:
    whole = [one["id"] for one in await pages(four, path, who, {}, 3)]
    assert sorted(whole) == sorted(one["_id"] for one in mine)
    asked = [{name: value} for name in names for value in values(mine, name)]
    if "programme" in names:
        asked += [{**one, "programme": code} for one in asked for code in values(mine, "programme")]
    for filters in asked:
        right = {one["_id"] for one in mine if all(value_at(one, name) == filters[name] for name in filters)}
        assert right or len(filters) > 1
        found = [one["id"] for one in await pages(four, path, who, filters, 2)]
        assert found == [one for one in whole if one in right], (path, filters)


def values(documents: list[Document], name: str) -> list[str]:
    return sorted({value for one in documents if (value := value_at(one, name))})[:4]


async def pages(
    four: Four, path: str, who: dict[str, str], filters: Mapping[str, str], limit: int
) -> list[dict[str, Any]]:
    found, after = list[dict[str, Any]](), dict[str, str]()
    for _ in range(200):
        answer = await four.http.get(path, params={**filters, "limit": limit, **after}, headers=who)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}
    raise AssertionError("no end")


async def refuse(four: Four) -> None:
    """What cannot be asked for is told with the parameter and what may stand there, and without what came in."""
    office = next(step.office for step in small_history("complete") if step.office)
    who = four.bearer("officer", office)

    async def asked(query: str) -> httpx.Response:
        return await four.http.get(f"/placement/v1/placements?{query}", headers=who)

    for query, rule, pointer, words in (
        (f"status={CANARY}", "code_not_listed", "query/status", "one of host_confirmed, "),
        (f"programme={CANARY}", "programme_unknown", "query/programme", "published"),
        (f"match={CANARY}", "string_pattern_mismatch", "query/match", "an id"),
        (f"{CANARY}=1", "unknown_parameter", "query", "status, programme, match, assignment, person"),
        ("status=completed&status=active", "duplicate_parameter", "query/status", ""),
    ):
        answer = await asked(query)
        assert answer.status_code == 422, query
        assert CANARY not in answer.text
        (error,) = answer.json()["errors"]
        assert (error["rule"], error["pointer"]) == (rule, pointer)
        assert words in error.get("detail", "")
    await refuse_cursors(four)


async def refuse_cursors(four: Four) -> None:
    """A cursor is good for the filters that it was made under, and for no others."""
    path, who = "/registration/v1/experts", four.bearer("protection")
    programme = {"programme": "trqn-1"}
    first = (await four.http.get(path, params={**programme, "limit": 1}, headers=who)).json()
    assert first["next"]
    for filters in ({}, {"programme": "coswa-nar"}, {**programme, "status": "eligible"}, {"person": derived_id("a")}):
        answer = await four.http.get(path, params={**filters, "after": first["next"]}, headers=who)
        assert (answer.status_code, answer.json()["rule"]) == (422, "cursor_not_of_this_list")
    again = await four.http.get(path, params={**programme, "after": first["next"]}, headers=who)
    assert again.status_code == 200
