"""The feed through the public edge: who is told what, from any place on, and by which refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from services.monitoring.domain.telling import EVERYTHING
from services.monitoring.feed import pulling
from shared.canonical import canonical_json
from shared.identity.keys import verify_receipt
from shared.identity.roles import Role
from tests.integration.feed_town import two_offices
from tests.unit.monitoring.stating import issued
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, Story
from tests.unit.monitoring.telling import append, monitoring, tell
from tests.unit.registration.serving import Serving


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Serving]:
    async with monitoring(tmp_path) as serving:
        yield serving


async def pull(
    edge: Serving, role: Role, after: str | None = None, *, office: str | None = None, limit: int = 200
) -> dict[str, Any]:
    asked = f"/feed/messages?limit={limit}" + (f"&after={quote(after)}" if after is not None else "")
    answer = await edge.get(asked, role, office=office)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def ids(page: dict[str, Any]) -> list[str]:
    return [one["event"]["id"] for one in page["items"]]


async def test_pulling_in_any_steps_gives_the_same_once_and_goes_on_with_what_is_new(edge: Serving) -> None:
    story = two_offices()
    await append(edge, story.records)
    whole = await pull(edge, "officer", office="kabul")
    assert {one["event"]["office"] for one in whole["items"]} == {"kabul"}
    assert not [one for one in whole["items"] if "Person" in one["event"]["type"] or "Profile" in one["event"]["type"]]
    for limit in (1, 7):
        found, after = list[str](), None
        while page := await pull(edge, "officer", after, office="kabul", limit=limit):
            found += ids(page)
            after = page["next"]
            if not page["items"]:
                break
        assert found == ids(whole)
    stood = len(story.records)
    story.office = "kabul"
    story.person("eva")
    await append(edge, story.records[stood:])
    more = await pull(edge, "officer", whole["next"], office="kabul")
    assert [one["event"]["type"].rsplit(".", 1)[1] for one in more["items"]] == [
        "ExpertRegistered",
        "ExpertDeclaredEligible",
    ]
    # From any place once more: the same again.
    assert ids(await pull(edge, "officer", whole["next"], office="kabul")) == ids(more)


async def test_what_stands_on_the_log_twice_comes_twice_under_one_id(edge: Serving) -> None:
    """A relay sends again what it does not know to have arrived."""
    story = two_offices()
    for record in tuple(story.records):
        if record.topic == "registration.experts":
            story.again(record)
    await append(edge, story.records)
    found = ids(await pull(edge, "officer", office="kabul"))
    again = [one for one in found if found.count(one) == 2]
    assert len(set(again)) == 6
    assert len(set(found)) == len(found) - 6


async def test_order_within_a_case_is_that_of_its_sequence(edge: Serving) -> None:
    await append(edge, two_offices().records)
    last: dict[str, str] = {}
    for one in (await pull(edge, "administrator"))["items"]:
        event = one["event"]
        place = event["type"].split(".")[2] + event["subject"]
        assert last.get(place, "") < event["sequence"]
        last[place] = event["sequence"]


async def test_another_office_learns_nothing_not_even_how_much_there_is(edge: Serving) -> None:
    await append(edge, two_offices().records)
    nothing = await pull(edge, "officer", office="tbilisi")
    own = await pull(edge, "officer", office="kabul")
    assert nothing["items"] == []
    # Equally long, whatever was passed over; sealed, so no two can be compared.
    later = await pull(edge, "officer", nothing["next"], office="tbilisi")
    assert len(later["next"]) == len(nothing["next"])
    assert later["next"] != nothing["next"]
    assert set(nothing) == {"items", "next"}
    for role, office in (("officer", "tbilisi"), ("evaluator", None), ("administrator", None)):
        refused = await edge.get(f"/feed/messages?after={own['next']}", role, office=office)  # type: ignore[arg-type]
        assert (refused.status_code, refused.json()["rule"]) == (422, "cursor_not_of_this_feed")


async def test_roles_without_figures_are_refused_and_an_officer_of_no_office_too(edge: Serving) -> None:
    for role in ("expert", "host", "panel", "finance", "protection"):
        assert (await edge.get("/feed/messages", role)).json()["rule"] == "role_may_not"  # type: ignore[arg-type]
    nowhere = await edge.get("/feed/messages", "officer", office="")
    assert (nowhere.status_code, nowhere.json()["rule"]) == (403, "token_without_office")


async def test_evaluators_get_published_statements_alone_with_both_signatures(edge: Serving) -> None:
    story = Story()
    tables = [{"periods": ["january"]}]
    story.published(definition={**DEFINITION, "disclosure": {"threshold": 10, "protection": 10, "tables": tables}})
    for number in range(30):
        story.person(str(number), sex="female" if number % 2 else "male")
        story.returned(str(number))
    await tell(edge, story)
    start = (await pull(edge, "evaluator", "now"))["next"]
    await issued(edge, "january")
    await edge.quiet()
    page = await pull(edge, "evaluator", start)
    (message,) = page["items"]
    event, keys = message["event"], (await edge.client.get("/v1/keys")).json()
    assert event["type"] == "org.sankofa.monitoring.StatementIssued"
    assert verify_receipt(keys, message["key_id"], canonical_json(event), message["signature"])
    told = event["data"]
    assert verify_receipt(keys, told["key_id"], canonical_json(told["statement"]), told["signature"])
    listed = (await edge.get(f"/programmes/{PROGRAMME}/statements", "evaluator")).json()["items"]
    assert [told["digest"]] == [one["digest"] for one in listed]
    assert ids(await pull(edge, "evaluator")) == ids(page)
    assert (await pull(edge, "evaluator", page["next"]))["items"] == []
    published = [one for one in (await pull(edge, "officer", office="kabul"))["items"] if "office" not in one["event"]]
    assert [one["event"] for one in published] == [event]


async def test_a_scan_is_bounded_and_still_moves_on(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "RECORDS_AT_MOST", 5)
    await append(edge, two_offices().records)
    found, after, asked = list[str](), None, 0
    while len(found) < 2:
        page = await pull(edge, "officer", after, office="bogota")
        found, after, asked = found + ids(page), page["next"], asked + 1
        assert asked < 50
    assert asked > 2, "some pages were empty and moved on"


async def test_many_at_once_are_told_to_come_again(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    await append(edge, two_offices().records)
    monkeypatch.setattr(pulling, "WAITING_AT_MOST", 3)
    answers = await asyncio.gather(*(edge.get("/feed/messages", "officer") for _ in range(12)))
    refused = [one for one in answers if one.status_code != 200]
    assert {(one.status_code, one.headers["retry-after"]) for one in refused} <= {(429, "5")}
    assert len(answers) - len(refused) >= 3
    assert (await edge.get("/feed/messages", "officer")).status_code == 200


async def test_a_large_message_ends_a_page_early(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    await append(edge, two_offices().records)
    monkeypatch.setattr(pulling, "BYTES_AT_MOST", 1)
    page = await pull(edge, "administrator")
    assert len(page["items"]) == 1


async def test_what_cannot_be_asked_is_refused_by_its_rule(edge: Serving) -> None:
    for asked, status, rule in (
        ("?limit=0", 422, "limit_out_of_range"),
        ("?limit=201", 422, "limit_out_of_range"),
        ("?after=nowhere", 422, "cursor_not_of_this_feed"),
        ("?after=", 422, "cursor_not_of_this_feed"),
        ("?after=now&after=now", 422, "duplicate_parameter"),
        ("?since=now", 422, "unknown_parameter"),
    ):
        answer = await edge.get(f"/feed/messages{asked}", "administrator")
        assert (answer.status_code, answer.json()["rule"]) == (status, rule), asked


async def test_a_place_before_a_restore_is_refused_and_so_is_one_beyond_the_log(edge: Serving) -> None:
    await append(edge, two_offices().records)
    after = (await pull(edge, "administrator"))["next"]
    pulled = edge.service.feed._pulling
    ahead = {one: at + 1 for one, at in pulled.cursors.read(after, EVERYTHING).items()}
    beyond = pulled.cursors.written(ahead, EVERYTHING)
    edge.service.replica.kernel.epoch += 1
    for cursor in (after, beyond):
        refused = await edge.get(f"/feed/messages?after={cursor}", "administrator")
        assert (refused.status_code, refused.json()["rule"]) == (409, "cursor_before_restore")
        edge.service.replica.kernel.epoch = 1
