"""A period through the public edge: frozen, verified by another one, published as a signed statement, restated."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.canonical import canonical_json
from shared.identity.keys import verify_receipt
from tests.unit.monitoring.stating import ask, in_state, published
from tests.unit.monitoring.story import DEFINITION, PROGRAMME, Story
from tests.unit.monitoring.telling import monitoring, tell
from tests.unit.registration.serving import Serving

TABLES = [{"periods": ["january"]}, {"indicators": ["returns", "persons"], "periods": ["january"], "by": ["sex"]}]


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Serving]:
    async with monitoring(tmp_path) as serving:
        yield serving


def told(women: int = 40, men: int = 30) -> Story:
    story = Story()
    story.published(definition={**DEFINITION, "disclosure": {"threshold": 10, "protection": 10, "tables": TABLES}})
    for number in range(women + men):
        story.person(str(number), sex="female" if number < women else "male")
        story.returned(str(number))
    return story


async def test_a_period_is_frozen_verified_by_another_published_and_signed(edge: Serving) -> None:
    await tell(edge, told())
    opened = await ask(edge, "/statements", {"programme": PROGRAMME, "period": "january"}, status=201)
    id = opened["id"]
    assert opened["state"] == "freezing"
    frozen = await in_state(edge, id, "frozen")
    counted = (await edge.get(f"/statements/{id}/figures", "administrator")).json()
    assert counted["counted"] == frozen["counted"]
    refused = await edge.post(
        f"/statements/{id}/verify", "administrator", {"counted": frozen["counted"]}, subject="anna"
    )
    assert (refused.status_code, refused.json()["rule"]) == (409, "four_eyes")
    refused = await edge.post(f"/statements/{id}/verify", "administrator", {"counted": "0" * 64}, subject="berta")
    assert (refused.status_code, refused.json()["rule"]) == (409, "counted_again")
    done = await published(edge, id)
    assert (done["state"], done["number"], done["waits"]) == ("published", 1, None)
    (signed,) = (await edge.get(f"/programmes/{PROGRAMME}/statements", "evaluator")).json()["items"]
    data = canonical_json(signed["statement"])
    assert signed["digest"] == hashlib.sha256(data).hexdigest() == done["digest"]
    keys = (await edge.client.get("/v1/keys")).json()
    assert verify_receipt(keys, signed["key_id"], data, signed["signature"])
    tables = {(one["indicator"], *one.get("by", ())): one["cells"] for one in signed["statement"]["tables"]}
    assert tables["returns", "sex"] == [
        {"classes": [], "value": 70},
        {"classes": ["female"], "value": 40},
        {"classes": ["male"], "value": 30},
    ]
    assert tables["women_share",] == [{"classes": [], "value": "57.1", "numerator": 40, "denominator": 70}]
    assert (await edge.get(f"/programmes/{PROGRAMME}/statements/1", "officer")).json() == signed


async def test_what_is_small_is_withheld_and_so_is_what_would_tell_it(edge: Serving) -> None:
    await tell(edge, told(women=4, men=40))
    opened = await ask(edge, "/statements", {"programme": PROGRAMME, "period": "january"}, status=201)
    done = await published(edge, opened["id"])
    assert done["state"] == "published", done
    (signed,) = (await edge.get(f"/programmes/{PROGRAMME}/statements", "evaluator")).json()["items"]
    cells = {
        (table["indicator"], tuple(table.get("by", ())), tuple(cell.get("classes", ()))): cell
        for table in signed["statement"]["tables"]
        for cell in table["cells"]
    }
    women = cells["returns", ("sex",), ("female",)]
    assert (women.get("value"), women["withheld"]) == (None, "withheld")
    # The total less the men would tell it, as would the share and the count of women alone.
    shown = {key for key, cell in cells.items() if "withheld" not in cell}
    assert not {("returns", ("sex",), ()), ("returns", ("sex",), ("male",))} <= shown
    assert ("women", (), ()) not in shown
    assert ("women_share", (), ()) not in shown


async def test_evaluators_see_what_was_published_and_nothing_else(edge: Serving) -> None:
    await tell(edge, told())
    path = f"/programmes/{PROGRAMME}/indicators/returns"
    before = (await edge.get(f"{path}?period=january", "evaluator")).json()
    assert (before["value"], before["withheld"], before["state"]) == (None, "nothing_published_yet", "provisional")
    opened = await ask(edge, "/statements", {"programme": PROGRAMME, "period": "january"}, status=201)
    await published(edge, opened["id"])
    told_now = (await edge.get(f"{path}?period=january&by=sex", "evaluator")).json()
    assert (told_now["value"], told_now["state"], told_now["statement"]) == (70, "published", 1)
    assert told_now["by"] == [{"sex": "female", "value": 40}, {"sex": "male", "value": 30}]
    for query, rule in (("?period=january&by=age", "breakdown_withheld"), ("?by=sex", "breakdown_withheld")):
        refused = await edge.get(f"{path}{query}", "evaluator")
        assert (refused.status_code, refused.json()["rule"]) == (403, rule)
    for period in ("february", "whole"):
        assert (await edge.get(f"{path}?period={period}", "evaluator")).json()["suppressed"]
    periods = (await edge.get(f"/programmes/{PROGRAMME}/periods", "evaluator")).json()["items"]
    assert {one["code"]: one["state"] for one in periods}["january"] == "published"
    early = (await edge.get(f"{path}?period=january&as_of=2026-01-20T00:00:00Z", "evaluator")).json()
    assert early["suppressed"]


async def test_a_restatement_tells_large_changes_and_keeps_small_ones(edge: Serving) -> None:
    story = told()
    await tell(edge, story)
    opened = await ask(edge, "/statements", {"programme": PROGRAMME, "period": "january"}, status=201)
    id = opened["id"]
    await published(edge, id)
    stood = len(story.records)
    for number in range(70, 85):
        story.person(str(number), sex="female")
        story.returned(str(number))
    story.person("alone", sex="male")
    story.returned("alone")
    await tell(edge, story, stood)
    await ask(edge, f"/statements/{id}/restate", {"reason": "late_facts"}, by="berta")
    frozen = await in_state(edge, id, "frozen")
    await ask(edge, f"/statements/{id}/verify", {"counted": frozen["counted"]}, by="anna")
    await ask(edge, f"/statements/{id}/publish")
    done = await in_state(edge, id, "restated", "verified")
    assert (done["state"], done["number"], done["reason"]) == ("restated", 2, "late_facts")
    first, second = (await edge.get(f"/programmes/{PROGRAMME}/statements", "evaluator")).json()["items"]
    assert second["statement"]["previous"] == first["digest"]
    assert second["statement"]["restates"] == 1
    tables = {(one["indicator"], *one.get("by", ())): one["cells"] for one in second["statement"]["tables"]}
    by_sex = tables["returns", "sex"]
    men = next(one for one in by_sex if one.get("classes") == ["male"])
    # One man more is told to nobody: what stood stays, as it would had nothing changed.
    assert (men["value"], men["withheld"]) == (30, "change_withheld")
    shown = {tuple(one.get("classes", ())): one["value"] for one in by_sex if "withheld" not in one}
    assert len(shown) == 1, "the total and the women together would tell the one man"


async def test_asking_twice_and_replicas_side_by_side_issue_one_statement(edge: Serving) -> None:
    await tell(edge, told())
    body = {"programme": PROGRAMME, "period": "january"}
    opened = await ask(edge, "/statements", body, status=201)
    again = await edge.post("/statements", "administrator", body, subject="anna")
    assert (again.status_code, again.json()["rule"]) == (409, "statement_exists")
    id = opened["id"]
    await in_state(edge, id, "frozen")
    service = edge.service
    document = await edge.store.load("statements", id)
    assert document is not None
    await service.freezing.count({**document, "state": {**document["state"], "status": "freezing"}})
    done = await published(edge, id)
    document = await edge.store.load("statements", id)
    assert document is not None
    # Killed after the statement was issued and before the period said so: what is done is found done.
    await service.issuing.issue({**document, "state": {**document["state"], "status": "publishing"}})
    items = (await edge.get(f"/programmes/{PROGRAMME}/statements", "evaluator")).json()["items"]
    assert [one["digest"] for one in items] == [done["digest"]]


async def test_a_key_may_begin_with_any_of_its_characters(edge: Serving) -> None:
    """The thumbprint of one key in thirty-two begins with a hyphen or an underscore."""
    await tell(edge, told())
    while edge.keys.receipt_key_id("monitoring")[0] not in "-_":
        edge.keys.retire_receipt_key("monitoring")
    opened = await ask(edge, "/statements", {"programme": PROGRAMME, "period": "january"}, status=201)
    assert (await published(edge, opened["id"]))["state"] == "published"


async def test_what_cannot_be_asked_is_refused_by_its_rule(edge: Serving) -> None:
    await tell(edge, told(1, 0))
    for body, status, rule in (
        ({"programme": "nowhere", "period": "january"}, 404, "programme_unknown"),
        ({"programme": PROGRAMME, "period": "march"}, 422, "period_unknown"),
        ({"programme": PROGRAMME, "period": "whole"}, 409, "period_not_over"),
        ({"programme": PROGRAMME}, 422, "required"),
        ({"programme": PROGRAMME, "period": "january", "force": True}, 422, "unknown_field"),
    ):
        answer = await edge.post("/statements", "administrator", body)
        problem = answer.json()
        assert answer.status_code == status, answer.text
        assert rule in (problem["rule"], problem["errors"][0]["rule"])
    for role in ("officer", "evaluator"):
        answer = await edge.post("/statements", role, {"programme": PROGRAMME, "period": "january"})
        assert answer.status_code == 403
    assert (await edge.get("/programmes/nowhere/statements", "evaluator")).status_code == 404
    for number in ("0", "1", "x", "9" * 30):
        assert (await edge.get(f"/programmes/{PROGRAMME}/statements/{number}", "evaluator")).status_code == 404
