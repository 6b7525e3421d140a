"""What nobody can mend: it is dropped with a reason and listed; and what stops people does not wait behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
from shared.errors import Overloaded, Refusal
from shared.messaging import shadow as shadows
from shared.messaging.handlers import Delivery, Handler
from shared.messaging.port import Message, Record
from shared.messaging.shadow import Position, parked_at
from shared.messaging.shadows import Consumer
from shared.replica import PARKED
from tests.unit.kernel.case import INSTITUTIONS, SHADOWS, Activate, Case, Register, cause

TOPIC = "registration.institutions"
SAID = {"reason": "refused_for_good", "by": "operator"}


@dataclass
class World:
    """A consumer of two types: the first one's effect fails while `mends` is False, the second one's may be a stop."""

    case: Case
    stops: bool = False
    mends: bool = False
    effects: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        handlers = {
            InstitutionRegistered: Handler(effect=self.first),
            InstitutionActivated: Handler(know=self.active, effect=self.second, stops=self.stops),
        }
        self.consumer = Consumer(self.case.kernel, self.case.log, handlers, SHADOWS)

    @staticmethod
    def active(known: dict[str, Any], _event: Any, envelope: Any) -> dict[str, Any]:
        return {**known, "by": envelope.sequence}

    async def first(self, _delivery: Delivery) -> None:
        if not self.mends:
            raise Refusal("never_allowed")
        self.effects.append("first")

    async def second(self, delivery: Delivery) -> None:
        self.effects.append(f"second {delivery.cause('stop').command_id}")

    async def published(self, id: str = "i1") -> list[Record]:
        await self.case.kernel.execute(INSTITUTIONS, id, Register(), cause(f"a {id}"))
        saved = await self.case.kernel.execute(INSTITUTIONS, id, Activate(), cause(f"b {id}"))
        await self.case.relay.send("institutions", saved.document)
        return [r for r in await self.case.topic(TOPIC) if r.key == id.encode()]

    async def shadow(self, id: str = "i1") -> dict[str, Any]:
        shadow = await self.case.store.load("shadows", id)
        assert shadow
        return shadow


def place(record: Record) -> Position:
    return record.topic, record.partition, record.offset


async def test_a_dropped_record_is_listed_and_later_ones_go_on() -> None:
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        await world.consumer.batch([first, second])
        assert len((await world.shadow())["parked"]) == 2
        for _ in range(2):
            await world.consumer.drop("i1", place(first), SAID)
        shadow = await world.shadow()
        assert shadow["parked"] == []
        assert shadow["marks"] == {"registration/institutions": [1, 2]}
        assert len(world.effects) == 1
        [dropped] = shadow["dropped"]
        assert parked_at(dropped) == place(first)
        assert {name: dropped[name] for name in ("parked", "reason", "by", "epoch", "sequence")} == {
            "parked": "refused:never_allowed",
            "reason": "refused_for_good",
            "by": "operator",
            "epoch": 1,
            "sequence": 1,
        }
        # Both come again, and neither is parked or applied a second time.
        await world.consumer.batch([first, second])
        assert (await world.shadow())["version"] == shadow["version"]
        assert await case.store.count("shadows", PARKED, "all") == 0


async def test_only_the_first_parked_record_can_be_dropped() -> None:
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        await world.consumer.batch([first, second])
        with pytest.raises(Refusal, match="not_the_first_parked"):
            await world.consumer.drop("i1", place(second), SAID)
        for subject, wrong in (("i1", (TOPIC, 0, 99)), ("nobody", place(first))):
            with pytest.raises(Refusal, match="not_parked"):
                await world.consumer.drop(subject, wrong, SAID)
        assert len((await world.shadow())["parked"]) == 2


async def test_where_the_record_is_lost_its_sequence_is_noted_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark stays: should the event come all the same, it is applied, and the one after it is no gap."""
    async with Case() as case:
        world = World(case)
        first, second = await world.published()
        await world.consumer.batch([first])
        read = case.log.read

        async def nothing(topic: str, partition: int, offset: int, limit: int = 1000) -> list[Record]:
            return [one for one in await read(topic, partition, offset, limit) if place(one) != place(first)]

        monkeypatch.setattr(case.log, "read", nothing)
        await world.consumer.drop("i1", place(first), {**SAID, "reason": "lost"})
        shadow = await world.shadow()
        assert (shadow["marks"], shadow["missing"]) == ({}, {"registration/institutions": [1]})
        assert "sequence" not in shadow["dropped"][0]
        await world.consumer.batch([second])
        assert (await world.shadow())["marks"] == {"registration/institutions": [1, 2]}
        assert len(world.effects) == 1


async def test_a_record_without_a_readable_subject_is_dropped_alone() -> None:
    async with Case() as case:
        world = World(case)
        await case.log.append(TOPIC, 0, [Message("nobody", b"{}", (("ce_id", b"x"),))])
        [foreign] = [one for one in await case.topic(TOPIC) if one.key == b"nobody"]
        await world.consumer.batch([foreign])
        name = ":".join(map(str, place(foreign)))
        await world.consumer.drop(name, place(foreign), {**SAID, "reason": "not_ours"})
        shadow = await world.shadow(name)
        assert (shadow["parked"], shadow["marks"], shadow["missing"]) == ([], {}, {})
        await world.consumer.batch([foreign])
        assert (await world.shadow(name))["parked"] == []


async def test_the_list_of_what_was_dropped_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "DROPPED_AT_MOST", 0)
    async with Case() as case:
        world = World(case)
        first, _ = await world.published()
        await world.consumer.batch([first])
        with pytest.raises(Overloaded):
            await world.consumer.drop("i1", place(first), SAID)
        assert len((await world.shadow())["parked"]) == 1


async def test_a_stop_is_heard_behind_a_parked_record_and_is_applied_in_its_turn_as_a_second_delivery() -> None:
    async with Case() as case:
        world = World(case, stops=True)
        first, second = await world.published()
        await world.consumer.batch([first, second, second])
        shadow = await world.shadow()
        assert [entry["reason"] for entry in shadow["parked"]] == ["refused:never_allowed", "behind"]
        assert shadow["marks"] == {}
        assert shadow["knowledge"] == {"active": {"by": 2}}
        assert len(world.effects) == 1
        world.mends = True
        assert await world.consumer.retry("i1", forced=True)
        assert (await world.shadow())["marks"] == {"registration/institutions": [1, 2]}
        # Its commands have the ids that they had the first time, so that they find what they did.
        assert world.effects == [world.effects[0], "first", world.effects[0]]


async def test_a_stop_behind_a_gap_is_heard() -> None:
    async with Case() as case:
        world = World(case, stops=True)
        _, second = await world.published()
        await world.consumer.batch([second])
        shadow = await world.shadow()
        assert [entry["reason"] for entry in shadow["parked"]] == ["gap"]
        assert (shadow["marks"], len(world.effects)) == ({}, 1)


async def test_what_does_not_stop_waits_for_its_turn() -> None:
    async with Case() as case:
        world = World(case)
        await world.consumer.batch(await world.published())
        assert world.effects == []
        assert (await world.shadow())["knowledge"] == {}
