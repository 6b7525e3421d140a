"""Cases beside those of the history, of which whatever their tables allow is asked, in the same storm."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import replace
from typing import Any

from services.matching.domain.assignments import ASSIGNMENT
from services.registration.domain.experts import EXPERT
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.messages import MESSAGE
from services.registration.domain.persons import PERSON
from services.registration.store import EXPERTS, MESSAGES
from shared.clock import derived_id
from shared.store.port import Document
from tests.simulation import requests
from tests.simulation.cast import AGAIN, LEAST_YEARS, OFFICE, OTHER_CODE, WANDERING, Post
from tests.simulation.client import Client
from tests.simulation.journal import Journal
from tests.simulation.walking import Walking

INSTITUTIONS, POSTS, MAILS = 2, 2, 3
STEPS, SECONDS = 3, 2.0
SEEN_AT_ONCE = 50


class Wandering:
    """Opens cases, and lets each go where its table leads."""

    def __init__(self, client: Client, journal: Journal, walking: Walking) -> None:
        self._client = client
        self._journal = journal
        self._walking = walking

    def plays(self) -> Iterator[Awaitable[None]]:
        yield from (self._institution(number) for number in range(INSTITUTIONS))
        yield from (self._post(number) for number in range(POSTS))
        yield self._person()
        yield self._mails()

    async def _institution(self, number: int) -> None:
        id = derived_id("client", f"another institution {number}")
        self._journal.ask(id)
        account = derived_id("account", f"another host {number}")
        await self._client.put(requests.propose_institution(id, account))
        await self._walking.goes_somewhere(INSTITUTION, id, STEPS)

    async def _post(self, number: int) -> None:
        post = Post(f"another post {number}", "2026-08-05", starts_on="2026-04-20")
        self._journal.ask(post.id)
        await self._client.put(requests.draft(post))
        await self._walking.goes_somewhere(ASSIGNMENT, post.id, STEPS)

    async def _person(self) -> None:
        """Registered in a second programme under another name, of which an officer says that it is the same person."""
        for person in (WANDERING, AGAIN):
            self._journal.ask(person.id, person.expert, person.command_id, person.programme)
        await self._client.put(requests.publish_programme(1, OTHER_CODE))
        years = self._client.rng.choice((LEAST_YEARS - 1, LEAST_YEARS))
        await self._register(replace(WANDERING, experience_years=years))
        await self._walking.goes_somewhere(EXPERT, WANDERING.expert, STEPS)
        await self._register(AGAIN)
        await self._client.put(requests.on_expert("keep-identity", AGAIN, reason="typing_error"))
        await self._walking.goes_somewhere(EXPERT, AGAIN.expert, STEPS)
        await self._walking.walks(PERSON, WANDERING.id, STEPS)

    async def _register(self, person: Any) -> None:
        await self._client.put(requests.register(person, self._journal))

        async def is_recorded(service: Any) -> bool:
            return await service.replica.ports.store.load(EXPERTS.name, person.expert) is not None

        while not await self._client.look("registration", is_recorded):
            await self._client.pause(SECONDS)

    async def _mails(self) -> None:
        """An officer looks at what was written to people, and does something about one or the other of them."""
        for _ in range(MAILS):
            await self._client.pause(4 * SECONDS)
            written = await self._client.look("registration", _written)
            if written:
                await self._walking.walks(MESSAGE, self._client.rng.choice(written)["_id"], 2)


async def _written(service: Any) -> list[Document]:
    """The newest that somebody may still do something about."""
    found: list[Document] = await service.replica.ports.store.find(
        MESSAGES.name, "office", OFFICE, limit=SEEN_AT_ONCE, descending=True
    )
    return [one for one in found if MESSAGE.open_to(MESSAGES.read(one), "officer")]
