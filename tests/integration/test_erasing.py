"""A person is erased through the public edge: what is left, what is answered afterwards, and what a crash leaves."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.registration.app import build
from services.registration.domain.examples import DEFINITION, EXPERT
from services.registration.store import COLLECTIONS, SHADOWS
from services.registration.work.erasing import ERASED_BEFORE
from shared.clock import derived_id
from shared.contracts.matching.matches import AssignmentMatched, MatchParties, MatchRetracted, OfferMade
from shared.contracts.placement.placements import PlacementOpened
from shared.contracts.registration.persons import PersonErased, Profile
from shared.errors import Unavailable
from shared.identity.keyfiles import KeyDestroyed
from shared.messaging.handlers import Delivery
from shared.messaging.reading import parse
from shared.replica import stored
from tests.integration.test_registration_http import decided, registration
from tests.unit.placement.arriving import Arriving, terms
from tests.unit.registration.serving import Serving

STATISTICAL = {"sex", "country_of_origin"}
REASON = {"reason": "own_request"}


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        dimensions = [
            {"code": name, "name": {"en": name}, "attribute": name, "at": "now", "statistical": True}
            for name in sorted(STATISTICAL)
        ]
        definition = {**DEFINITION, "dimensions": dimensions}
        await serving.publish(definition)
        yield serving


async def registered(edge: Serving, number: str = "ZK4711ZK") -> dict[str, Any]:
    sent = copy.deepcopy(EXPERT)
    sent["person"]["document"]["number"] = number
    receipt = await edge.post("/experts", "officer", sent)
    assert receipt.status_code == 202, receipt.text
    await edge.quiet()
    expert: dict[str, Any] = (await edge.get(f"/experts/{receipt.json()['subject']}")).json()
    return expert


async def erase(edge: Serving, person: str, **how: Any) -> Any:
    return await edge.post(f"/persons/{person}/erase", "protection", REASON, **how)


async def naming(edge: Serving, person: str) -> list[str]:
    """The guards of document numbers that name the person."""
    found = [one async for one in edge.store.scan("documents")]
    return [one["_id"] for one in found if person in json.dumps(one)]


async def gone(edge: Serving, expert: dict[str, Any]) -> None:
    """Nothing of the person can be opened, and nothing is found by what the person was."""
    person = expert["person"]
    document = await edge.store.load("persons", person)
    assert document is not None
    assert (document["state"]["status"], list(document["private"])) == ("erased", ["office:kabul"])
    for kept in document["state"]["entries"]:
        assert {name for name, value in kept["attributes"].items() if value != []} <= STATISTICAL
    assert await naming(edge, person) == []
    case = await edge.store.load("experts", expert["id"])
    assert case is not None
    assert (case["state"]["status"], case["private"]) == ("withdrawn", {})
    with pytest.raises(KeyDestroyed):
        await edge.keys.persons("registration").existing(person)


async def told(edge: Serving, person: str, topic: str) -> list[Any]:
    read = [parse(one) for one in await edge.topic(topic)]
    return [one[1] for one in read if isinstance(one, tuple) and one[0].subject == person]


async def test_an_erasure_leaves_what_is_statistical_and_a_stub(edge: Serving) -> None:
    expert = await registered(edge)
    await edge.post(f"/experts/{expert['id']}/screen", "officer")
    person = expert["person"]
    assert len(await naming(edge, person)) == 1
    answer = await erase(edge, person, key="once")
    assert (answer.status_code, answer.json()["state"]) == (200, "erased"), answer.text
    await gone(edge, expert)
    await edge.quiet()
    await gone(edge, expert)
    last = (await told(edge, person, "registration.profiles"))[-1]
    assert isinstance(last, Profile)
    assert last.erased
    assert [type(one).__name__ for one in await told(edge, person, "registration.persons")][-1] == "PersonErased"
    # The number belongs to nobody: whoever brings it next is somebody else.
    assert (await registered(edge))["person"] != person


async def test_the_account_of_an_erased_person_registers_nobody_any_more(edge: Serving) -> None:
    await edge.publish({**DEFINITION, "code": "example-2"})
    receipt = (await edge.post("/experts", "expert", registration(), subject="leaves")).json()
    await decided(edge, receipt)
    path = f"/experts/{receipt['subject']}"
    person = (await edge.get(path, "expert", subject="leaves")).json()["person"]
    assert (await erase(edge, person, key="once")).status_code == 200
    await edge.quiet()
    for programme in (DEFINITION["code"], "example-2"):
        again = await edge.post("/experts", "expert", registration(programme=programme), subject="leaves")
        assert (again.status_code, again.json()["rule"]) == (410, "erased"), programme


async def test_asked_again_it_is_the_same_answer_and_every_other_verb_is_gone(edge: Serving) -> None:
    expert = await registered(edge)
    person = expert["person"]
    first = await erase(edge, person, key="once")
    await edge.quiet()
    repeated, anew = await erase(edge, person, key="once"), await erase(edge, person, key="twice")
    assert [one.status_code for one in (first, repeated, anew)] == [200, 200, 200]
    assert repeated.json()["state"] == anew.json()["state"] == "erased"
    events = await told(edge, person, "registration.persons")
    assert sum(isinstance(one, PersonErased) for one in events) == 1
    consent = await edge.post(f"/persons/{person}/give-consent", "officer", {"purpose": "placement"})
    screened = await edge.post(f"/experts/{expert['id']}/screen", "officer")
    for other in (consent, screened):
        assert (other.status_code, other.json()["rule"]) == (410, "erased")
    by_officer = await edge.post(f"/persons/{person}/erase", "officer", REASON)
    assert by_officer.status_code == 403


@pytest.mark.parametrize("place", ["holds", "cases", "key"])
async def test_what_a_crash_leaves_of_an_erasure_is_finished(
    edge: Serving, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Whoever hears of it goes on; also where the one who asked never comes again."""
    expert = await registered(edge)
    replica, failed = edge.service.replica, []
    persons = edge.keys.persons("registration")
    broken = {
        "holds": (replica.guards, "forget"),
        "cases": (replica.kernel, "execute"),
        "key": (persons, "destroy"),
    }
    target, name = broken[place]
    whole = getattr(target, name)

    async def once(*args: Any, **how: Any) -> Any:
        if not failed and (place != "cases" or args[0].name == "experts"):
            failed.append(place)
            raise Unavailable("for once")
        return await whole(*args, **how)

    monkeypatch.setattr(target, name, once)
    assert (await erase(edge, expert["person"])).status_code == 503
    assert failed == [place]
    await edge.quiet()
    await gone(edge, expert)


async def test_delivered_twice_an_erasure_changes_nothing_more(edge: Serving) -> None:
    expert = await registered(edge)
    await erase(edge, expert["person"])
    await edge.quiet()
    before = [await edge.store.load(*one) for one in (("persons", expert["person"]), ("experts", expert["id"]))]
    (record,) = [
        one
        for one in await edge.topic("registration.persons")
        if isinstance(read := parse(one), tuple) and isinstance(read[1], PersonErased)
    ]
    read = parse(record)
    assert isinstance(read, tuple)
    await edge.service.work.erasing.heard(Delivery(*read, {}))
    assert before == [await edge.store.load(*one) for one in (("persons", expert["person"]), ("experts", expert["id"]))]


async def test_whoever_comes_back_with_an_old_store_is_erased_again(edge: Serving) -> None:
    """The store is older than the keys, as after a restore: a destroyed key is what the erasure is known by."""
    expert = await registered(edge)
    await edge.keys.persons("registration").destroy(expert["person"])
    await edge.service.work.erasing.again()
    await edge.quiet()
    await gone(edge, expert)
    (erased,) = [
        one for one in await told(edge, expert["person"], "registration.persons") if isinstance(one, PersonErased)
    ]
    assert erased.reason == ERASED_BEFORE


async def test_an_offer_and_a_placement_stand_against_it(edge: Serving) -> None:
    expert = await registered(edge)
    arriving, match = Arriving(edge.log), derived_id("match")
    now = edge.clock.now()
    parties = MatchParties(
        assignment=derived_id("assignment"),
        expert=expert["id"],
        person=expert["person"],
        institution=derived_id("institution"),
        office="kabul",
        programme=DEFINITION["code"],
        programme_version=1,
    )
    matched = AssignmentMatched(happened_at=now, parties=parties)
    await arriving.append((match, matched), (match, OfferMade(happened_at=now, expires_at=now)))
    await edge.quiet()
    refused = await erase(edge, expert["person"])
    assert (refused.status_code, refused.json()["rule"]) == (409, "offer_stands")
    assert "consent" in refused.json()["detail"]
    await arriving.append((match, MatchRetracted(happened_at=now, reason="consent_withdrawn")))
    opened = PlacementOpened(happened_at=now, match=match, parties=parties, terms=terms("2026-01-05", "2026-04-05"))
    await arriving.append((derived_id(match, "placement"), opened))
    await edge.quiet()
    refused = await erase(edge, expert["person"])
    assert (refused.status_code, refused.json()["rule"]) == (409, "placement_reached")
    assert "not built" in refused.json()["detail"]
    person = await edge.get(f"/persons/{expert['person']}")
    assert person.json()["state"] == "recorded"
