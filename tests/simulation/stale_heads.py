"""A directed schedule: between a relay's acknowledgement and its `sent`, a replica that slept appends older profiles.

In the other histories this comes up once in a thousand schedules (decision 0006). Here it happens to everybody, in the
same storm: persons whose profiles change, and a store that is slow to empty their outboxes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from services.registration.domain.persons import PERSON
from services.registration.store import PERSONS
from shared.clock import derived_id
from shared.contracts.registration.persons import Attributes, ProfileEntry
from shared.errors import PortError
from shared.messaging.port import Message, Record
from shared.messaging.topics import PROFILES
from shared.store.port import Store
from tests.simulation.case_checks import check_acknowledged, check_invented
from tests.simulation.cast import FIRST, FOURTH, OFFICE, THIRD, Person
from tests.simulation.client import Client, Step
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal
from tests.simulation.nodes import Service
from tests.simulation.promise_checks import check_parked
from tests.simulation.requests import execute
from tests.simulation.schedule import Scenario
from tests.simulation.services import TOPICS_OF, services, without_edges
from tests.simulation.stream_checks import Reader, check_fold, check_outboxes, check_reader, check_streams
from tests.simulation.world import World

PEOPLE = (FIRST, THIRD, FOURTH)
CHANGES = 3
STRIKES_AT_MOST = 4
STRIKES = 0.6
SLOW_SECONDS = 3.0
# In a model of one subject, no schedule out of 200,000 needed more.
REISSUES_AT_MOST = 12
SERVICE = "registration"
STREAMS = ("registration.persons", PROFILES.name)


class Sleeper:
    """Registration's store, slow to empty an outbox; meanwhile somebody who slept sends what was sent long ago."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._strikes: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def sent(self, collection: str, id: str, version: int) -> bool:
        if collection == PERSONS.name:
            await self._wake(id)
        return await self._store.sent(collection, id, version)

    async def _wake(self, person: str) -> None:
        rng, partition = self._world.runtime.rng, self._world.bare_log.partition_of(PROFILES.name, person)
        records = await self._world.bare_log.read(PROFILES.name, partition, 0, 10_000)
        theirs = [record for record in records if record.key == person.encode()]
        if len(theirs) > 1 and self._strikes[person] < STRIKES_AT_MOST and rng.random() < STRIKES:
            self._strikes[person] += 1
            await self._send(partition, theirs[: rng.randint(1, len(theirs) - 1)][-2:])
        await asyncio.sleep(rng.uniform(0, SLOW_SECONDS))

    async def _send(self, partition: int, records: Sequence[Record]) -> None:
        messages = [Message((one.key or b"").decode(), one.value or b"", one.headers) for one in records]
        try:
            await self._world.log.append(PROFILES.name, partition, messages)
        except PortError:
            # Who slept does not try again; the next one does.
            return


def _interfere(world: World) -> None:
    world.stores[SERVICE] = Sleeper(world.stores[SERVICE], world)  # type: ignore[assignment]


def _registration() -> list[Service]:
    return [service for service in services() if service.name == SERVICE]


def _entry(person: Person, number: int, client: Client) -> ProfileEntry:
    return ProfileEntry(
        id=derived_id(person.id, "entry", str(number)),
        valid_from=date(2025, 1, 1),
        recorded_at=client.world.loop.now(),
        attributes=Attributes.model_validate(person.attributes(experience_years=number)),
    )


def _change(person: Person, number: int, client: Client) -> Step:
    entry = _entry(person, number, client)
    said = {"attributes": entry.attributes, "valid_from": entry.valid_from}
    command = PERSON.ask("correct-profile", entry, **said)
    if not number:
        command = PERSON.ask("record", account=person.account, office=OFFICE, entry=entry)
    return execute(f"profile {number} of {person.name}", SERVICE, PERSONS, person.id, command)


async def _history(client: Client, journal: Journal) -> None:
    async def tell(person: Person) -> None:
        journal.ask(person.id)
        for number in range(CHANGES + 1):
            await client.put(_change(person, number, client))
            await client.pause(5.0)

    await asyncio.gather(*(tell(person) for person in PEOPLE))


def check_reissues(evidence: Evidence) -> Iterator[Violation]:
    """I12: mending comes to an end."""
    for person in evidence.documents[SERVICE][PERSONS.name]:
        reissues = person["emitted"][PROFILES.name.split(".")[1]]["count"] - len(person["state"]["entries"])
        if reissues > REISSUES_AT_MOST:
            yield Violation("I12", f"persons/{person['_id']}", f"its profile was said again {reissues} times")


def _check(_world: World, evidence: Evidence, journal: Journal) -> Iterator[Violation]:
    yield from check_acknowledged(evidence, journal)
    yield from check_invented(evidence, SERVICE, PERSONS.name, journal)
    yield from check_outboxes(evidence, SERVICE)
    yield from check_streams(evidence, SERVICE, (PROFILES.name,))
    yield from check_fold(evidence, SERVICE, PERSONS.name, STREAMS, PERSONS.evolve)
    yield from check_reader(evidence, Reader(SERVICE, TOPICS_OF[SERVICE]))
    yield from check_parked(evidence)
    yield from check_reissues(evidence)


STALE_HEADS = Scenario(_registration, _history, _check, around=without_edges, interfere=_interfere)
