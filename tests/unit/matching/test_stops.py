"""What stops a person is heard although the person's subject is parked; what lets begin waits for its turn."""

from __future__ import annotations

from typing import Any

import pytest

from services.matching.domain import knowledge
from services.matching.domain.knowledge import consent_to_placement, expert_status, is_suspended
from shared.contracts.registration.experts import ExpertReinstated, ExpertSuspended, ExpertWithdrawn
from shared.contracts.registration.persons import ConsentGiven, ConsentWithdrawn, PersonErased, Profile
from shared.identity.keyfiles import KeyDestroyed
from shared.messaging.shadow import parked_at
from tests.unit.matching.facts import LONG_AGO, expert_id, person_id
from tests.unit.matching.world import World

ANNA = person_id("anna")
_profile = knowledge.profile


def unmendable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever profile comes next, matching can do nothing with it."""

    def profile(known: dict[str, Any], event: Profile, envelope: Any) -> dict[str, Any]:
        if envelope.sequence > 1:
            raise ArithmeticError
        return _profile(known, event, envelope)

    monkeypatch.setattr(knowledge, "profile", profile)


async def shortlisted(world: World) -> str:
    await world.others.host()
    await world.others.expert("anna")
    await world.run()
    assignment = await world.assignment()
    await world.decide(await world.apply(assignment, "anna"))
    await world.others.studied("anna", LONG_AGO.date())
    await world.hear()
    assert [entry["reason"] for entry in (await shadow(world))["parked"]] == ["ArithmeticError"]
    return assignment


async def shadow(world: World, subject: str = ANNA) -> dict[str, Any]:
    found = await world.store.load("shadows", subject)
    assert found
    return found


async def closed(world: World) -> Any:
    return (await world.store.load("pools", ANNA) or {}).get("closed")


async def test_a_consent_taken_back_behind_a_record_that_nobody_mends_stops_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unmendable(monkeypatch)
    async with World() as world:
        assignment = await shortlisted(world)
        given = ConsentGiven(happened_at=LONG_AGO, purpose="placement")
        await world.others.tell(ANNA, given, ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"), given)
        await world.hear()
        assert await world.states(assignment, "anna") == ["not_selected"]
        found = await shadow(world)
        # The consents that were given, before it and after it, wait; nothing was applied.
        assert [entry["reason"] for entry in found["parked"]] == ["ArithmeticError", *["behind"] * 3]
        assert found["marks"]["registration/persons"] == [1, 2]
        assert (consent_to_placement(found["knowledge"]), await closed(world)) == ("withdrawn", "consent_withdrawn")
        said = {"reason": "refused_for_good", "by": "operator"}
        await world.replica.drop(ANNA, parked_at(found["parked"][0]), said)
        found = await shadow(world)
        assert (found["parked"], found["marks"]["registration/persons"]) == ([], [1, 5])
        assert (consent_to_placement(found["knowledge"]), await closed(world)) == ("stands", None)


async def test_a_consent_given_before_never_turns_a_withdrawal_back_that_was_heard_ahead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unmendable(monkeypatch)
    async with World() as world:
        await shortlisted(world)
        given = ConsentGiven(happened_at=LONG_AGO, purpose="placement")
        await world.others.tell(ANNA, given, ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"))
        await world.hear()
        turned = []
        reopen = world.works.promises.reopen_pool

        async def noted(person: str) -> Any:
            turned.append(person)
            return await reopen(person)

        monkeypatch.setattr(world.works.promises, "reopen_pool", noted)
        monkeypatch.setattr(knowledge, "profile", _profile)
        await world.replica.drop(
            ANNA, parked_at((await shadow(world))["parked"][0]), {"reason": "lost", "by": "operator"}
        )
        assert turned == []
        assert await closed(world) == "consent_withdrawn"


async def test_a_suspension_heard_before_the_expert_is_known_stops_the_person_and_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither the registration nor an earlier reinstatement, read in their turn, takes it back; a later one does."""
    known_of, mended = knowledge.expert, [False]

    def expert(known: dict[str, Any], event: Any, envelope: Any) -> dict[str, Any]:
        if envelope.sequence == 1 and not mended[0]:
            raise ArithmeticError
        return known_of(known, event, envelope)

    monkeypatch.setattr(knowledge, "expert", expert)
    async with World() as world:
        await world.others.person("anna")
        await world.others.registered("anna")
        suspended = ExpertSuspended(happened_at=LONG_AGO, person=ANNA, reason="conduct")
        reinstated = ExpertReinstated(happened_at=LONG_AGO, person=ANNA)
        await world.others.tell(expert_id("anna"), suspended, reinstated, suspended)
        await world.hear()
        found = await shadow(world, expert_id("anna"))
        assert (len(found["parked"]), expert_status(found["knowledge"])) == (4, "unknown")
        assert is_suspended(found["knowledge"])
        assert await closed(world) == "expert_suspended"
        mended[0] = True
        assert await world.replica.replay(expert_id("anna"))
        assert is_suspended((await shadow(world, expert_id("anna")))["knowledge"])
        assert await closed(world) == "expert_suspended"
        await world.others.tell(expert_id("anna"), reinstated)
        await world.hear()
        assert await closed(world) is None


ERASURE = (
    ConsentWithdrawn(happened_at=LONG_AGO, purpose="placement"),
    Profile(happened_at=LONG_AGO, entries=(), erased=True),
    PersonErased(happened_at=LONG_AGO, reason="own_request"),
)


async def forgotten(world: World) -> None:
    known = (await shadow(world))["knowledge"]
    assert known.get("profile", {}).get("entries", []) == []
    assert knowledge.is_erased(known)
    assert await closed(world) in ("consent_withdrawn", "no_consent", "person_erased")
    with pytest.raises(KeyDestroyed):
        await world.replica.ports.keys.persons("matching").existing(ANNA)


@pytest.mark.parametrize("seed", range(5))
async def test_an_erasure_stops_the_person_and_is_for_ever_delivered_twice_and_in_any_order(seed: int) -> None:
    """The topics of persons, profiles and experts share no order; each record may come again."""
    async with World() as world:
        world.rng.seed(seed)
        assignment = await world.shortlisted(["anna", "berta"], reason="few_candidates")
        await world.replica.ports.keys.persons("matching").key(ANNA)
        withdrawn = ExpertWithdrawn(happened_at=LONG_AGO, person=ANNA, reason="person_erased")
        await world.others.tell(ANNA, *ERASURE)
        await world.others.tell(expert_id("anna"), withdrawn)
        await world.run(twice=True)
        assert await world.states(assignment, "anna", "berta") == ["not_selected", "shortlisted"]
        await forgotten(world)
        assert expert_status((await shadow(world, expert_id("anna")))["knowledge"]) == "withdrawn"
        # Nothing opens the pool again.
        await world.others.consents("anna")
        await world.run()
        await forgotten(world)


async def test_an_erasure_of_somebody_who_never_consented_closes_the_pool_too() -> None:
    async with World() as world:
        await world.others.tell(ANNA, ERASURE[2])
        await world.run()
        await forgotten(world)


async def test_an_erasure_behind_a_record_that_nobody_mends_stops_the_person_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unmendable(monkeypatch)
    async with World() as world:
        assignment = await shortlisted(world)
        await world.others.tell(ANNA, ERASURE[0], ERASURE[2])
        await world.hear()
        assert await world.states(assignment, "anna") == ["not_selected"]
        found = await shadow(world)
        assert [entry["reason"] for entry in found["parked"]] == ["ArithmeticError", "behind", "behind"]
        assert knowledge.is_erased(found["knowledge"])
