"""Consuming through shadows: order, repetition, gaps, parking, and what heals by itself."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import derived_id, text_of
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
from shared.errors import Conflict, Overloaded, Refusal, TooEarly, Unavailable
from shared.messaging import shadows
from shared.messaging.handlers import Delivery, Handler
from shared.messaging.port import Message, Record
from shared.messaging.reading import parse
from shared.messaging.shadow import scheduled
from shared.messaging.shadows import Consumer
from shared.messaging.topics import TOPICS
from shared.telemetry.observability import counts, reset_counts
from tests.unit.kernel.case import INSTITUTIONS, SHADOWS, Activate, Case, Register, cause

TOPIC = "registration.institutions"


@dataclass
class World:
    """A consumer whose effect notes what it was given and may be told to fail."""

    case: Case
    effects: list[str] = field(default_factory=list)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        handlers = {
            InstitutionRegistered: Handler(know=self.institution),
            InstitutionActivated: Handler(effect=self.effect),
        }
        self.consumer = Consumer(self.case.kernel, self.case.log, handlers, SHADOWS)

    @staticmethod
    def institution(knowledge: dict[str, Any], event: InstitutionRegistered, _envelope: Any) -> dict[str, Any]:
        return {**knowledge, "office": event.office}

    async def effect(self, delivery: Delivery) -> None:
        if self.failure:
            raise self.failure
        self.effects.append(f"{delivery.subject}:{delivery.knowledge.get('institution', {}).get('office')}")

    async def published(self, id: str = "i1") -> list[Record]:
        await self.case.kernel.execute(INSTITUTIONS, id, Register(), cause(f"a {id}"))
        saved = await self.case.kernel.execute(INSTITUTIONS, id, Activate(), cause(f"b {id}"))
        await self.case.relay.send("institutions", saved.document)
        return [r for r in await self.case.topic(TOPIC) if r.key == id.encode()]

    async def shadow(self, id: str = "i1") -> dict[str, Any]:
        shadow = await self.case.store.load("shadows", id)
        assert shadow
        return shadow


async def test_knowledge_effect_mark_each_once_under_double_delivery() -> None:
    async with Case() as case:
        world = World(case)
        records = await world.published()
        await world.consumer.batch([r for record in records for r in (record, record)])
        await world.consumer.batch(records)
        shadow = await world.shadow()
        assert shadow["knowledge"] == {"institution": {"office": "NL"}}
        assert shadow["marks"] == {"registration/institutions": [1, 2]}
        assert world.effects == ["i1:NL"]


async def test_several_effects_have_names_that_their_commands_ids_follow_from() -> None:
    """The ids of a single effect follow from the event and the step alone."""
    async with Case() as case:
        ids: dict[str, str] = {}

        async def follow(delivery: Delivery) -> None:
            ids[delivery.effect] = delivery.cause("step").command_id

        world = World(case)
        records = await world.published()
        read = parse(records[1])
        assert isinstance(read, tuple)
        event = read[0].id
        for handler in (Handler(effect=follow), Handler(effects={"one": follow, "two": follow})):
            await handler.act(Delivery(*read, {}))
        assert ids == {
            "": derived_id(event, "step"),
            "one": derived_id(event, "one", "step"),
            "two": derived_id(event, "two", "step"),
        }
        with pytest.raises(ValueError, match="named"):
            Handler(effect=follow, effects={"one": follow})


async def test_what_each_knows_stands_under_its_name() -> None:
    async with Case() as case:

        def status(known: dict[str, Any], event: Any, _envelope: Any) -> dict[str, Any]:
            return {**known, "status": event.leads_to}

        world = World(case)
        first, second = [read for record in await world.published() if isinstance(read := parse(record), tuple)]
        known = Handler(know=world.institution).known({}, first[1], first[0])
        assert Handler(know=status).known(known, second[1], second[0]) == {
            "institution": {"office": "NL"},
            "status": {"status": "active"},
        }


async def test_a_gap_parks_and_later_events_join_it() -> None:
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        await world.consumer.batch([second])
        shadow = await world.shadow()
        assert [entry["reason"] for entry in shadow["parked"]] == ["gap"]
        assert not shadow["timed"]
        assert world.effects == []
        await world.consumer.batch([first])
        assert [entry["reason"] for entry in (await world.shadow())["parked"]] == ["gap", "behind"]


async def test_too_early_heals_by_itself_in_order() -> None:
    async with Case() as case:
        world = World(case, failure=TooEarly("programme_version"))
        await world.consumer.batch(await world.published())
        shadow = await world.shadow()
        assert shadow["timed"]
        assert [entry["reason"] for entry in shadow["parked"]] == ["too_early:programme_version"]
        assert not await world.consumer.retry("i1")
        again = await world.shadow()
        assert again["parked"][0]["tries"] == 1
        assert again["next_at"] > shadow["next_at"]
        world.failure = None
        assert await world.consumer.retry("i1")
        assert world.effects == ["i1:NL"]
        healed = await world.shadow()
        assert (healed["parked"], healed["timed"]) == ([], False)
        assert healed["marks"] == {"registration/institutions": [1, 2]}


async def test_the_pause_grows_to_five_minutes() -> None:
    async with Case() as case:
        now = case.clock.now()
        entry = {"topic": TOPIC, "partition": 0, "offset": 0, "reason": "too_early:x", "tries": 40}
        shadow = scheduled({"parked": [entry]}, now)
        assert shadow["next_at"] == text_of(now + timedelta(seconds=300))


@pytest.mark.parametrize(
    ("failure", "reason"), [(Refusal("four_eyes"), "refused:four_eyes"), (ZeroDivisionError(), "ZeroDivisionError")]
)
async def test_what_waits_for_a_person_stays_until_the_replay(failure: Exception, reason: str) -> None:
    async with Case() as case:
        world = World(case, failure=failure)
        await world.consumer.batch(await world.published("i1") + await world.published("i2"))
        assert (await world.shadow())["parked"][0]["reason"] == reason
        world.failure = None
        assert not await world.consumer.retry("i1")
        assert world.effects == []
        assert await world.consumer.retry("i1", forced=True)
        assert world.effects == ["i1:NL"]


async def test_a_retry_that_meets_another_reason_rewrites_it() -> None:
    async with Case() as case:
        world = World(case, failure=TooEarly("x"))
        await world.consumer.batch(await world.published())
        world.failure = Refusal("closed")
        assert not await world.consumer.retry("i1")
        shadow = await world.shadow()
        assert shadow["parked"][0]["reason"] == "refused:closed"
        assert not shadow["timed"]


async def test_other_subjects_move_on() -> None:
    async with Case() as case:
        world = World(case)
        first = await world.published("i1")
        second = await world.published("i2")
        await world.consumer.batch([first[1], *second])
        assert world.effects == ["i2:NL"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"headers": (("ce_id", b"\xff"),)}, "unreadable:headers"),
        ({"headers": ()}, "unreadable:headers"),
        ({"key": None}, "unreadable:subject"),
        ({"value": b"{"}, "unreadable:body"),
        ({"value": None}, "unreadable:body"),
    ],
)
async def test_an_unreadable_record_is_parked_by_name_or_position(change: dict[str, Any], reason: str) -> None:
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        await world.consumer.batch([first._replace(**change), *await world.published("i2")])
        named = reason == "unreadable:body"
        shadow = await world.shadow("i1" if named else f"{TOPIC}:{first.partition}:{first.offset}")
        assert shadow["parked"][0]["reason"] == reason
        assert world.effects == ["i2:NL"]
        assert second.offset > first.offset


async def test_an_unknown_type_is_parked_and_a_known_one_without_a_handler_only_marked() -> None:
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        unknown = tuple((n, v.replace(b"Registered", b"Renamed") if n == "ce_type" else v) for n, v in first.headers)
        await world.consumer.batch([first._replace(headers=unknown)])
        assert (await world.shadow())["parked"][0]["reason"] == "unregistered_type"
        quiet = Consumer(case.kernel, case.log, {}, SHADOWS)
        await quiet.batch(await world.published("i2"))
        assert (await world.shadow("i2"))["marks"] == {"registration/institutions": [1, 2]}
        assert second


async def test_a_conflict_loads_again() -> None:
    async with Case() as case:
        world = World(case)
        save, conflicts = case.store.save, [Conflict(), Conflict()]

        async def contended(collection: str, document: dict[str, Any], expected: int) -> None:
            if collection == "shadows" and conflicts:
                raise conflicts.pop()
            await save(collection, document, expected)

        records = await world.published()
        case.store.save = contended  # type: ignore[method-assign]
        await world.consumer.batch(records)
        assert set(world.effects) == {"i1:NL"}
        assert (await world.shadow())["marks"] == {"registration/institutions": [1, 2]}


async def test_a_store_that_stays_away_raises_and_never_parks() -> None:
    async with Case() as case:
        world = World(case, failure=Unavailable("store"))
        with pytest.raises(Unavailable):
            await world.consumer.batch(await world.published())
        assert (await world.shadow())["parked"] == []


@pytest.mark.parametrize("compacted", [True, False])
async def test_compaction_alone_may_take_what_was_parked(monkeypatch: pytest.MonkeyPatch, compacted: bool) -> None:
    async with Case() as case:
        world = World(case, failure=TooEarly("x"))
        await world.consumer.batch(await world.published())
        kept = (await world.shadow())["parked"]
        world.failure = None
        monkeypatch.setitem(TOPICS, TOPIC, replace(TOPICS[TOPIC], compacted=compacted))
        read = case.log.read

        async def nothing(*_: object, **__: object) -> list[Record]:
            return []

        case.log.read = nothing  # type: ignore[method-assign]
        assert await world.consumer.retry("i1") is compacted
        shadow = await world.shadow()
        assert [entry["reason"] for entry in shadow["parked"]] == ([] if compacted else ["record_missing"])
        assert not shadow["timed"]
        assert await world.consumer.retry("i1", forced=True) is compacted
        # Once the record is there again, as after a restore of the log, the operator's replay applies it.
        case.log.read = read  # type: ignore[method-assign]
        assert await world.consumer.retry("i1", forced=True)
        assert (len(kept), world.effects) == (1, [] if compacted else ["i1:NL"])


async def test_a_foreign_record_never_stops_the_group() -> None:
    async with Case() as case:
        world = World(case)
        await case.log.append(TOPIC, 0, [Message("junk", b"\x00", (("ce_type", b"x"),))])
        await world.consumer.batch(await case.topic(TOPIC))
        assert (await world.shadow(f"{TOPIC}:0:0"))["parked"][0]["reason"] == "unreadable:headers"


async def test_a_full_list_stops_its_partition_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "PARKED_AT_MOST", 1)
    reset_counts()
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        await world.consumer.batch([second])
        for _ in range(2):
            with pytest.raises(Overloaded):
                await world.consumer.deliver(first)
        assert [entry["reason"] for entry in (await world.shadow())["parked"]] == ["gap"]
        assert counts()["parked_full"] == 2
        assert await world.consumer.retry("i1", forced=True)
        await world.consumer.batch([first])
        assert (await world.shadow())["parked"] == []
        assert world.effects == ["i1:None"]


async def test_the_events_of_a_subject_in_one_batch_load_its_shadow_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        world = World(case)
        records = [*await world.published("i1"), *await world.published("i2")]
        loaded, load = list[str](), case.store.load

        async def noted(collection: str, id: str) -> dict[str, Any] | None:
            loaded.append(id)
            return await load(collection, id)

        monkeypatch.setattr(case.store, "load", noted)
        await world.consumer.batch(records)
        assert sorted(loaded) == ["i1", "i2"]
        assert sorted(world.effects) == ["i1:NL", "i2:NL"]


async def test_a_shadow_that_another_replica_saved_meanwhile_is_loaded_again() -> None:
    async with Case() as case:
        world, other = World(case), World(case)
        records = await world.published()
        effect = world.effect

        async def overtaken(delivery: Delivery) -> None:
            await other.consumer.batch(records)
            await effect(delivery)

        handler = Handler(effect=overtaken)
        world.consumer = Consumer(
            case.kernel,
            case.log,
            {InstitutionRegistered: Handler(know=world.institution), InstitutionActivated: handler},
            SHADOWS,
        )
        with pytest.raises(Conflict):
            await world.consumer.deliver(*records)
        await world.consumer.batch(records)
        assert (await world.shadow())["marks"] == {"registration/institutions": [1, 2]}
        assert (world.effects, other.effects) == (["i1:NL"], ["i1:NL"])


async def _saves(monkeypatch: pytest.MonkeyPatch, case: Case) -> list[dict[str, Any]]:
    saved, save = list[dict[str, Any]](), case.store.save

    async def noted(collection: str, document: dict[str, Any], expected_version: int) -> None:
        saved.append(document)
        await save(collection, document, expected_version)

    monkeypatch.setattr(case.store, "save", noted)
    return saved


async def test_events_from_which_nothing_follows_are_saved_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subject's run of a batch is one save, of types that nobody handles as well."""
    async with Case() as case:
        world = World(case)
        records = await world.published()
        table = {InstitutionRegistered: Handler(know=world.institution)}
        saved = await _saves(monkeypatch, case)
        await Consumer(case.kernel, case.log, table, SHADOWS).batch(records)
        assert [(one["knowledge"], one["marks"]) for one in saved] == [
            ({"institution": {"office": "NL"}}, {"registration/institutions": [1, 2]})
        ]


async def test_what_is_known_is_saved_before_an_effect_and_its_mark_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        world = World(case)
        records, seen = await world.published(), list[Any]()
        effect = world.effect

        async def looked(delivery: Delivery) -> None:
            shadow = await world.shadow()
            seen.append((shadow["knowledge"], shadow["marks"]))
            await effect(delivery)

        table = {InstitutionRegistered: Handler(know=world.institution), InstitutionActivated: Handler(effect=looked)}
        saved = await _saves(monkeypatch, case)
        await Consumer(case.kernel, case.log, table, SHADOWS).batch(records)
        assert seen == [({"institution": {"office": "NL"}}, {"registration/institutions": [1, 1]})]
        assert [one["marks"] for one in saved] == [{"registration/institutions": [1, n]} for n in (1, 2)]


async def test_what_waits_hears_of_a_subject_after_its_shadow_was_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        world = World(case)
        records, heard = await world.published(), list[Any]()

        async def hear(delivery: Delivery) -> None:
            heard.append((type(delivery.event).__name__, (await world.shadow())["marks"]))

        table = {InstitutionRegistered: Handler(know=world.institution, wakes=hear)}
        saved = await _saves(monkeypatch, case)
        await Consumer(case.kernel, case.log, table, SHADOWS).batch(records)
        assert heard == [("InstitutionRegistered", {"registration/institutions": [1, 2]})]
        assert len(saved) == 1


async def test_two_topics_of_one_subject_are_delivered_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        world = World(case)
        first, _ = await world.published()
        # A person is on two topics too: side by side they would meet in one shadow, and one of them would wait.
        elsewhere = first._replace(topic="registration.persons")
        asked, save, load = list[int](), case.store.save, case.store.load

        async def slow(collection: str, id: str) -> dict[str, Any] | None:
            found = await load(collection, id)
            await asyncio.sleep(0.001)
            return found

        async def noted(collection: str, document: dict[str, Any], expected_version: int) -> None:
            asked.append(expected_version)
            await save(collection, document, expected_version)

        monkeypatch.setattr(case.store, "load", slow)
        monkeypatch.setattr(case.store, "save", noted)
        await world.consumer.batch([first, elsewhere])
        shadow = await world.shadow()
        assert asked == [0]
        assert sorted(shadow["marks"]) == ["registration/institutions", "registration/persons"]
