"""A programme without a section: the services answer 409 `not_in_programme`, and a message is refused, not stuck."""

from __future__ import annotations

import copy
from typing import Any

from services.matching import app as matching
from services.matching import store as matching_store
from services.matching.domain.assignments import DRAFT
from services.placement import app as placement
from services.placement import store as placement_store
from services.registration import app as registration
from services.registration import store as registration_store
from services.registration.domain.examples import DEFINITION, EXPERT
from shared.programmes.model import Definition
from shared.replica import stored
from tests.unit.matching import facts
from tests.unit.placement import arriving
from tests.unit.registration.serving import Serving


async def known(edge: Serving, code: str) -> None:
    async def there() -> bool:
        return code in edge.service.replica.definitions.codes()

    await edge.eventually(there)


def without(definition: dict[str, Any], *sections: str) -> dict[str, Any]:
    return {name: part for name, part in definition.items() if name not in sections}


async def test_nobody_registers_where_nobody_is_selected() -> None:
    declared = stored(registration_store.COLLECTIONS, registration_store.SHADOWS)
    async with Serving("registration", declared, registration.build) as edge:
        body = {"definition": without(DEFINITION, "selection")}
        assert (await edge.post("/programmes", "administrator", body)).status_code == 201
        await known(edge, DEFINITION["code"])
        answer = await edge.post("/experts", "officer", EXPERT)
        assert (answer.status_code, answer.json()["rule"]) == (409, "not_in_programme")
        assert "selection" in answer.json()["detail"]


async def test_no_terms_are_written_where_nobody_is_placed() -> None:
    async with Serving("matching", stored(matching_store.COLLECTIONS, matching_store.SHADOWS), matching.build) as edge:
        others = facts.Others(edge.log)
        await others.programme(Definition.model_validate(without(facts.DEFINITION.as_json(), "placement")))
        await others.host()
        await known(edge, facts.CODE)
        await edge.quiet()
        body = copy.deepcopy(DRAFT) | {"programme": facts.CODE, "office": facts.OFFICE}
        body["terms"]["institution"] = facts.HOST
        answer = await edge.post("/assignments", "officer", body)
        assert (answer.status_code, answer.json()["rule"]) == (409, "not_in_programme")
        assert "placement" in answer.json()["detail"]


async def test_a_placement_of_a_programme_that_places_nobody_is_refused_and_told() -> None:
    declared = stored(placement_store.COLLECTIONS, placement_store.SHADOWS)
    async with Serving("placement", declared, placement.build) as edge:
        arrivals = arriving.Arriving(edge.log)
        content = without(arriving.DEFINITION, "placement")
        await arrivals.append(arriving.definition(content), *arriving.known(edge.account))
        await known(edge, "example-1")
        await arrivals.append((arriving.match(), arriving.accepted("2026-05-01", "2026-08-01")))
        await edge.quiet()
        answer = await edge.get(f"/placements/{arriving.placement()}")
        assert (answer.json()["state"], answer.json()["reason"]) == ("refused", "not_in_programme")
        told = [dict(r.headers)["ce_type"].decode() for r in await edge.topic("placement.placements")]
        assert told == ["org.sankofa.placement.PlacementRefused"]
        calendar = await edge.store.load("calendars", arriving.PERSON)
        assert not (calendar or {"holds": {}})["holds"], "no day is held for it"
