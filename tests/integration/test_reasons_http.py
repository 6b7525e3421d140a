"""Reasons and items are codes that a verb or its programme lists; what no code says is a note, and in no event."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from deploy.generate import built
from deploy.replay.cases.tables import tables
from services.registration import app as registration
from services.registration import store as registration_store
from services.registration.domain.examples import DEFINITION, EXPERT
from shared.cases.case import Case
from shared.cases.named import OWN_WORDS, listed_words
from shared.errors import Refusal
from shared.programmes.reasons import check_codes
from shared.replica import stored
from shared.store.aggregates import NOTES
from shared.web.contract import contract
from tests.integration.test_registration_http import decided
from tests.unit.registration.serving import Serving

SLUG = "ahmad-rahimi-ill"
NOTE = "Ahmad Rahimi told on the telephone that his mother is ill."


@pytest.mark.parametrize("case", tables().values(), ids=lambda case: case.name)
def test_every_verb_with_a_reason_or_an_item_refuses_a_code_that_nobody_lists(case: Case[Any]) -> None:
    for verb in case.verbs:
        row = case.rows[verb][0]
        for field, word in listed_words(row.body).items():
            if word not in OWN_WORDS:
                continue
            strange = {**row.example, field: [SLUG] if word == "item" else SLUG}
            with pytest.raises(Refusal) as refused:
                check_codes(row, row.body.model_validate(strange), None)
            assert refused.value.status == 422
            assert refused.value.problems[0].pointer == (f"/{field}/0" if word == "item" else f"/{field}")
            assert all(code in refused.value.detail for code in (*row.reasons, *row.items))
            assert SLUG not in refused.value.detail
            assert len({*row.reasons, *row.items}) == len((*row.reasons, *row.items))


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    declared = stored(registration_store.COLLECTIONS, registration_store.SHADOWS)
    async with Serving("registration", declared, registration.build) as serving:
        added = {"reasons": [{"code": "left_the_country", "name": {"en": "Has left the country"}}]}
        definition = {**DEFINITION, "selection": {**DEFINITION["selection"], **added}}
        await serving.publish(definition)
        yield serving


async def expert_of(edge: Serving) -> str:
    receipt = (await edge.post("/experts", "officer", EXPERT)).json()
    assert (await decided(edge, receipt))["status"] == "accepted"
    return f"/experts/{receipt['subject']}"


async def test_a_slug_that_names_a_person_never_reaches_the_log(edge: Serving) -> None:
    path = await expert_of(edge)
    for verb, sent, pointer in (
        ("suspend", {"reason": SLUG}, "/reason"),
        ("request-info", {"items": ["diploma", SLUG]}, "/items/1"),
    ):
        answer = await edge.post(f"{path}/{verb}", "officer", sent)
        problem = answer.json()
        assert (answer.status_code, problem["rule"]) == (422, "code_not_listed")
        assert problem["errors"] == [{"pointer": pointer, "rule": "code_not_listed"}]
        assert SLUG not in answer.text
    assert "unreachable" in (await edge.post(f"{path}/suspend", "officer", {"reason": SLUG})).json()["detail"]
    assert (await edge.post(f"{path}/suspend", "officer", {"reason": "left_the_country"})).status_code == 200
    await edge.quiet()
    assert all(SLUG.encode() not in record.value for record in await edge.topic("registration.experts"))


async def test_a_note_is_sealed_for_whoever_may_read_it_and_in_no_event(edge: Serving) -> None:
    path = await expert_of(edge)
    sent, key = {"reason": "unreachable", "note": NOTE}, "once"
    first = await edge.post(f"{path}/suspend", "officer", sent, key=key)
    again = await edge.post(f"{path}/suspend", "officer", sent, key=key)
    assert (first.status_code, again.status_code) == (200, 200)
    other = await edge.post(f"{path}/suspend", "officer", {**sent, "note": "Another."}, key=key)
    assert (other.status_code, other.json()["rule"]) == (422, "idempotency_key_reused")
    (note,) = (await edge.get(path)).json()["notes"]
    assert (note["verb"], note["text"]) == ("suspend", NOTE)
    document = await edge.store.load("experts", path.removeprefix("/experts/"))
    assert document is not None
    assert [one.get("text") for one in document["private"][NOTES]] == [None]
    assert "Rahimi" not in json.dumps(document)
    await edge.quiet()
    assert all(b"Rahimi" not in record.value for record in await edge.topic("registration.experts"))
    await edge.service.replica.ports.keys.persons("registration").destroy(document["state"]["person"])
    assert "notes" not in (await edge.get(path)).json(), "it ends with the person's key"


async def test_a_note_has_a_maximum_and_so_has_their_number(edge: Serving) -> None:
    path = await expert_of(edge)
    long = await edge.post(f"{path}/suspend", "officer", {"reason": "unreachable", "note": "x" * 2_001})
    assert (long.status_code, long.json()["errors"][0]["pointer"]) == (422, "/note")
    for _ in range(20):
        assert (await edge.post(f"{path}/suspend", "officer", {"reason": "conduct", "note": "x"})).status_code == 200
        assert (await edge.post(f"{path}/reinstate", "officer", {})).status_code == 200
    full = await edge.post(f"{path}/suspend", "officer", {"reason": "conduct", "note": "x"})
    assert (full.status_code, full.json()["rule"]) == (409, "notes_full")
    assert (await edge.post(f"{path}/suspend", "officer", {"reason": "conduct"})).status_code == 200


def test_the_contract_names_the_codes_and_that_a_programme_may_add_some() -> None:
    properties = body_of("registration", "/experts/{id}/suspend")
    own, added = properties["reason"]["anyOf"]
    assert "unreachable" in own["enum"]
    assert "selection" in added["description"]
    assert "merged" in body_of("registration", "/institutions/{id}/close")["reason"]["enum"]
    items = body_of("matching", "/assignments/{id}/request-edits")["items"]["items"]["anyOf"]
    assert "languages" in items[0]["enum"]


def body_of(service: str, path: str) -> dict[str, Any]:
    paths = contract(built(service).app, service)["paths"]
    (operation,) = (methods["post"] for name, methods in paths.items() if name.endswith(path))
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    properties: dict[str, Any] = schema["properties"]
    return properties
