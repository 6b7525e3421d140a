"""A directed schedule: matching can do nothing with a person's profile, so what the person says next waits behind it.

A consent that is then taken back has to be heard at once, although the subject is parked; some operators drop the
record, and what waited goes on, the consent that is given anew among it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from unittest import mock

from services.matching.domain import knowledge
from services.matching.domain.knowledge import Knowledge
from services.matching.store import MATCHES, SHADOWS
from shared.clock import derived_id
from shared.contracts.base import Envelope
from shared.contracts.registration.persons import Profile
from shared.messaging.shadow import parked_at
from shared.store.port import Document
from tests.simulation import promise_checks, requests
from tests.simulation.cast import CODE, OFFICER, Person, Post
from tests.simulation.client import Client
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.history import History
from tests.simulation.journal import Journal
from tests.simulation.scenario import check_all_streams
from tests.simulation.schedule import Scenario
from tests.simulation.services import services, without_edges
from tests.simulation.world import World

PERSON = Person("withdrawn", 9)
POST = Post("ward", "2026-04-05", sourced=(PERSON,))
MATCH = derived_id(POST.id, PERSON.expert)
DROPS, COMES_BACK, ACCEPTS = 0.5, 0.6, 0.5
SERVICE = "matching"

_profile = knowledge.profile


def profile(known: Knowledge, event: Profile, envelope: Envelope) -> Knowledge:
    """Matching's own, and of no use for a profile that was changed."""
    if envelope.sequence > 1:
        raise ArithmeticError
    return _profile(known, event, envelope)


@contextmanager
def _unmendable() -> Iterator[None]:
    with without_edges(), mock.patch.object(knowledge, "profile", profile):
        yield


async def _shadow(service: Any) -> Document:
    return await service.ports.store.load(SHADOWS.name, PERSON.id) or {"parked": [], "dropped": []}


class _Play:
    def __init__(self, client: Client, journal: Journal) -> None:
        self.client = client
        self.steps = History(client, journal)

    async def __call__(self) -> None:
        client = self.client
        await client.put(requests.publish_programme(1))
        await self.steps.begin_institution()
        await self.steps._join(PERSON)
        for request in (requests.draft, requests.submit, requests.approve, requests.publish):
            await client.put(request(POST))
        await self._shortlist()
        for verb in ("allocate", "confirm-candidate", "offer", *(["accept"] if client.rng.random() < ACCEPTS else [])):
            await self.steps._ask(verb, MATCH)
        while await client.put(requests.correct(PERSON, sex="male")) is None:
            # A replica whose clock is behind takes it for earlier than the consent.
            await client.pause(1.0)
        await self._until(_parked)
        await client.put(requests.withdraw_consent(PERSON))
        # Whatever waits for a person goes on waiting; nobody does anything until the match has been stopped.
        await self._until(_stopped)
        if client.rng.random() < COMES_BACK:
            await client.put(requests.give_consent(PERSON))
        if client.rng.random() < DROPS:
            await client.pause(3.0)
            await client.look(SERVICE, _drop)

    async def _shortlist(self) -> None:
        """What has not been heard of the person yet refuses, and passes."""
        for attempt in count():
            if await self.client.put(requests.shortlist(POST, (PERSON.expert,), attempt)) is not None:
                return
            await self.client.pause(1.0)

    async def _until(self, holds: Any) -> None:
        while not await self.client.look(SERVICE, holds):
            await self.client.pause(1.0)


async def _parked(service: Any) -> bool:
    return bool((await _shadow(service))["parked"])


async def _stopped(service: Any) -> bool:
    _, state = await service.replica.kernel.load(MATCHES, MATCH)
    # A match follows from its shortlist, which may have been acknowledged alone so far.
    return state is not None and state.status in promise_checks.ENDED


async def _drop(service: Any) -> None:
    for entry in [one for one in (await _shadow(service))["parked"] if one["reason"] == ArithmeticError.__name__]:
        said = {"reason": "refused_for_good", "by": OFFICER}
        await service.replica.drop(PERSON.id, parked_at(entry), said)


async def _history(client: Client, journal: Journal) -> None:
    journal.ask(CODE)
    await _Play(client, journal)()


def check_dropped(evidence: Evidence) -> Iterator[Violation]:
    """What nobody can mend is parked with all that is behind it, or dropped and listed with nothing left.

    What the owner says again of the profile, because an older record came after it, is a further one of the kind.
    """
    for shadow in evidence.documents[SERVICE][SHADOWS.name]:
        reasons, dropped = [entry["reason"] for entry in shadow["parked"]], shadow["dropped"]
        if shadow["_id"] != PERSON.id:
            if reasons:
                yield Violation("I12", f"shadow/{shadow['_id']}", f"{reasons} parked")
        elif bool(reasons) == bool(dropped) and not (reasons and _said_again(shadow)):
            yield Violation("I10", f"shadow/{shadow['_id']}", f"{reasons} parked, {len(dropped)} dropped")


def _said_again(shadow: Document) -> bool:
    """Whether all that waits begins with a record of the profile behind the last one that was dropped."""
    first, last = shadow["parked"][0], shadow["dropped"][-1]
    place = [(one["topic"], one["partition"]) for one in (first, last)]
    return place[0] == place[1] and first["offset"] > last["offset"] and first["reason"] == ArithmeticError.__name__


def _check(_world: World, evidence: Evidence, _journal: Journal) -> Iterator[Violation]:
    yield from check_all_streams(evidence)
    for promise in (promise_checks.check_holds, promise_checks.check_both_sides, promise_checks.check_withdrawn):
        yield from promise(evidence)
    yield from check_dropped(evidence)


def _without_monitoring() -> list[Any]:
    return [service for service in services() if service.name != "monitoring"]


DEAD_LETTERS = Scenario(_without_monitoring, _history, _check, around=_unmendable)
