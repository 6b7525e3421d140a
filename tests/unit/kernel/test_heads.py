"""Mending the head of a compacted topic: three conditions in the very save, and a timer that never forgets."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from shared.contracts.base import Event
from shared.contracts.registration.persons import ConsentGiven, Profile
from shared.identity.keys import Keys
from shared.messaging.handlers import Handler
from shared.messaging.heads import Reissue
from shared.messaging.port import Message, Record
from shared.messaging.relay import Relay
from shared.messaging.topics import PROFILES
from shared.replica import Ports, Replica
from shared.store.aggregates import Aggregate, Saved
from shared.store.port import Document
from shared.store.sweeper import Sweeper
from tests.unit.kernel.case import INSTITUTIONS, SHADOWS, Case, cause

SUBJECT = "p1"


class Told(BaseModel):
    office: str = "NL"
    profiles: int = 0


@dataclass(frozen=True)
class Tell:
    topics: tuple[type[Event], ...] = (Profile,)


def decide(_state: Told | None, command: Tell, now: datetime) -> list[Event]:
    return [Profile(happened_at=now, entries=()) if one is Profile else _consent(now) for one in command.topics]


def _consent(now: datetime) -> Event:
    return ConsentGiven(happened_at=now, purpose="placement")


def evolve(state: Told | None, event: Event) -> Told:
    return Told(profiles=(state.profiles if state else 0) + isinstance(event, Profile))


OWNED: Aggregate[Told] = Aggregate(INSTITUTIONS.collection, Told, decide, evolve)


class Owner:
    """One service that owns a compacted topic; the test sends, reads and fires by itself."""

    def __init__(self, case: Case) -> None:
        self.case = case
        ports = Ports(case.store, case.log, case.clock, Keys.in_memory(random.Random(1)))
        self.replica = Replica("registration", ports, [OWNED.collection], SHADOWS)
        self.replica.listens({Profile: Handler(reissue=Reissue(OWNED, Tell()))})
        self.relay = Relay(case.store, case.log, case.clock)
        self.read_to = 0
        self._told = 0

    async def tell(self, *topics: type[Event]) -> Saved[Told]:
        self._told += 1
        command = Tell(topics or (Profile,))
        return await self.case.kernel.execute(OWNED, SUBJECT, command, cause(f"tell {self._told}"))

    async def document(self) -> Document:
        found = await self.case.store.load(OWNED.name, SUBJECT)
        assert found
        return found

    async def send(self) -> None:
        """The relay's whole work: append, acknowledgement, `sent`."""
        await self.relay.send(OWNED.name, await self.document())

    async def acknowledged(self) -> Document:
        """A send that has been acknowledged and whose `sent` is on its way; gives what it sent."""
        document = await self.document()
        for topic, partition, messages in self.relay._batches(document["_id"], document["outbox"]):
            await self.case.log.append(topic, partition, messages)
        return document

    async def sent(self, document: Document) -> bool:
        return await self.case.store.sent(OWNED.name, SUBJECT, document["version"])

    async def records(self) -> list[Record]:
        return [one for one in await self.case.topic(PROFILES.name) if one.key == SUBJECT.encode()]

    async def zombie(self, number: int) -> None:
        """A replica that slept appends its copy of a record that was sent long ago."""
        old = next(one for one in await self.records() if sequence(one) == number)
        await self.case.log.append(PROFILES.name, old.partition, [Message(SUBJECT, old.value or b"", old.headers)])

    async def read(self) -> None:
        """Delivers what the owner has not read."""
        unread = (await self.records())[self.read_to :]
        self.read_to += len(unread)
        assert self.replica.consumer
        await self.replica.consumer.batch(unread)

    async def wait(self, seconds: float) -> None:
        """Lets time pass, and what is due then fire."""
        self.case.clock.ahead += timedelta(seconds=seconds)
        await Sweeper(self.case.store, self.relay, self.case.clock, [], self.replica._fires).sweep()

    async def heads(self) -> list[int]:
        return [sequence(one) for one in await self.records()]

    async def shadow(self) -> dict[str, Any]:
        found = await self.case.store.load(SHADOWS.name, SUBJECT)
        assert found
        return found

    async def waits(self) -> bool:
        return bool((await self.shadow())["timed"])


def sequence(record: Record) -> int:
    return int(dict(record.headers)["ce_sequence"])


async def two_told(case: Case) -> Owner:
    """Two profiles, sent and read one after the other."""
    owner = Owner(case)
    for _ in range(2):
        await owner.tell()
        await owner.send()
        await owner.read()
    return owner


async def test_an_old_record_that_stands_last_is_followed_by_the_current_one_after_a_second() -> None:
    async with Case() as case:
        owner = await two_told(case)
        assert not await owner.waits()
        await owner.zombie(1)
        await owner.read()
        assert await owner.waits()
        await owner.wait(0.5)
        assert (await owner.document())["emitted"]["profiles"]["count"] == 2
        await owner.wait(0.6)
        await owner.send()
        assert await owner.heads() == [1, 2, 1, 3]
        # Until it is read it may follow: the timer stands, and says nothing more.
        await owner.wait(400)
        assert await owner.waits()
        await owner.read()
        assert not await owner.waits()
        await owner.wait(400)
        assert (await owner.document())["emitted"]["profiles"]["count"] == 3
        assert len((await owner.document())["applied"]) == 2


async def test_old_records_of_an_outbox_that_is_sent_again_do_not_feed_themselves() -> None:
    """The story of decision 0006: each reissue moved the version, and the whole outbox came again."""
    async with Case() as case:
        owner = await two_told(case)
        for _ in range(3):
            await owner.tell()
        for _ in range(30):
            # Nobody empties it, so all of it is sent again; before `sent` comes, the owner has read it.
            sending = await owner.acknowledged()
            await owner.zombie(1)
            await owner.read()
            await owner.wait(300)
        assert (await owner.document())["emitted"]["profiles"]["count"] == 5
        assert await owner.sent(sending)
        for _ in range(4):
            await owner.wait(300)
            await owner.send()
            await owner.read()
        assert (await owner.heads())[-1] == (await owner.document())["emitted"]["profiles"]["count"] == 6
        assert not await owner.waits()


async def test_an_old_record_between_the_acknowledgement_and_sent_is_not_forgotten() -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.tell()
        sending = await owner.acknowledged()
        await owner.zombie(2)
        await owner.read()
        await owner.wait(1.1)
        assert await owner.heads() == [1, 2, 3, 2]
        assert await owner.sent(sending)
        await owner.wait(2.1)
        await owner.send()
        await owner.read()
        assert await owner.heads() == [1, 2, 3, 2, 4]
        assert not await owner.waits()


@pytest.mark.parametrize("topics", [(Profile,), (ConsentGiven, Profile)])
async def test_what_is_still_to_be_sent_may_follow_by_itself(topics: tuple[type[Event], ...]) -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.zombie(1)
        await owner.read()
        await owner.tell(*topics)
        await owner.wait(1.1)
        await owner.send()
        # Sent, and not yet read: the mark has not reached what was emitted.
        await owner.wait(2.1)
        await owner.send()
        await owner.read()
        assert await owner.heads() == [1, 2, 1, 3]
        assert not await owner.waits()


async def test_an_outbox_of_another_topic_hinders_nothing() -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.zombie(1)
        await owner.read()
        await owner.tell(ConsentGiven)
        await owner.wait(1.1)
        await owner.send()
        await owner.read()
        assert await owner.heads() == [1, 2, 1, 3]


async def test_it_asks_again_ever_later_and_at_last_every_five_minutes() -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.zombie(1)
        await owner.read()
        await owner.tell()
        pauses = []
        for _ in range(12):
            due = datetime.fromisoformat((await owner.shadow())["next_at"])
            pauses.append(round((due - case.clock.now()).total_seconds()))
            await owner.wait((due - case.clock.now()).total_seconds() + 0.001)
        assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


async def test_a_member_that_slept_does_not_end_the_timer_with_what_lies_before() -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.zombie(1)
        await owner.read()
        assert owner.replica.consumer
        newest = (await owner.records())[1]
        await owner.replica.consumer.batch([newest])
        assert await owner.waits()


async def test_a_copy_of_the_current_record_ends_it() -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.zombie(1)
        await owner.zombie(2)
        await owner.read()
        assert not await owner.waits()
        assert await owner.heads() == [1, 2, 1, 2]


async def test_two_replicas_that_fire_one_timer_say_it_once() -> None:
    async with Case() as case:
        owner = await two_told(case)
        await owner.zombie(1)
        await owner.read()
        other = Owner(case)
        case.clock.ahead += timedelta(seconds=2)
        for replica in (owner.replica, other.replica, owner.replica):
            await replica._fires[SHADOWS.name](await owner.shadow())
        case.clock.ahead += timedelta(seconds=10)
        await other.replica._fires[SHADOWS.name](await owner.shadow())
        assert (await owner.document())["emitted"]["profiles"]["count"] == 3


async def test_a_firing_that_has_nothing_to_tell_saves_nothing() -> None:
    async with Case() as case:
        owner = await two_told(case)
        before = await owner.document()
        fired = await case.kernel.fire(OWNED, SUBJECT, Tell(()), cause("fires"), lambda _document: True)
        assert fired is None
        assert await owner.document() == before
