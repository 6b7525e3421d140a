"""Registration with a letter box in the channel's place; nothing runs by itself."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from services.registration.domain.contact import Wishes
from services.registration.domain.examples import DEFINITION
from services.registration.domain.experts import EXPERT
from services.registration.domain.messages import MESSAGE
from services.registration.domain.persons import PERSON
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.mailing.channel import Mail
from services.registration.store import COLLECTIONS, EXPERTS, MESSAGES, PERSONS, SHADOWS
from services.registration.work.contacts import WISHES
from services.registration.work.recipients import Recipients
from services.registration.work.sending import Sending
from services.registration.work.telling import Telling
from shared.audit.chain import Reading
from shared.clock import RealRuntime, derived_id, text_of
from shared.contracts.base import Envelope, Event, Scope
from shared.contracts.registration.experts import ExpertRegistered
from shared.contracts.registration.persons import Attributes, ProfileEntry
from shared.contracts.registration.programmes import ProgrammePublished
from shared.errors import Overloaded
from shared.identity.keys import Keys
from shared.messaging.handlers import Delivery
from shared.messaging.local import LocalLog
from shared.messaging.port import Message
from shared.messaging.topics import TOPICS
from shared.replica import Ports, Replica, stored
from shared.store.aggregates import Cause
from shared.store.documents import new_document
from shared.store.local import LocalStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO, CASE = derived_id("somebody"), derived_id("a case")
ADDRESS = "somebody@example.org"


class Clock(RealRuntime):
    """Real in all but its clock, which stands still unless a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = random.Random(7)
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant


class Box:
    """A channel that keeps every mail, and first fails as it is told."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.failing: list[BaseException] = []

    async def send(self, mail: Mail) -> None:
        if self.failing:
            raise self.failing.pop(0)
        self.mails.append(mail)

    async def forget(self, id: str) -> None:
        self.mails = [mail for mail in self.mails if mail.id != id]


class Post:
    """One replica. `tell` delivers an event as it would come from the log."""

    def __init__(self, *, sends: bool = True) -> None:
        self.clock, self.box = Clock(), Box()
        self.store = LocalStore(None, stored(COLLECTIONS, SHADOWS), self.clock)
        self.keys = Keys.in_memory(random.Random(1))
        self.log = LocalLog(None, list(TOPICS.values()), self.clock)
        self.replica = Replica(SERVICE, Ports(self.store, self.log, self.clock, self.keys), COLLECTIONS, SHADOWS)
        self.identifiers = Identifiers(self.keys, self.clock.rng)
        recipients = Recipients(self.replica, self.identifiers)
        self.readings: list[Reading] = []
        self.sending = Sending(
            self.replica, recipients, self.box if sends else None, "http://127.0.0.1:8000", self._note
        )
        self.telling = Telling(self.replica, self.sending)
        self.sent = self.published = 0
        self.offices: list[dict[str, Any]] = []

    async def _note(self, reading: Reading) -> None:
        if self.box.failing and isinstance(self.box.failing[0], Overloaded):
            raise self.box.failing.pop(0)
        self.readings.append(reading)

    async def person(self, address: str | None = ADDRESS, *, account: str | None = None) -> None:
        """Somebody is recorded, with an address or without one; `account`: who registered without an officer."""
        attributes = Attributes(country_of_residence="NL")
        entry = ProfileEntry(id=derived_id("entry"), valid_from=NOW.date(), recorded_at=NOW, attributes=attributes)
        asked = PERSON.ask("record", office="kabul", entry=entry, account=account)
        private = await self.identifiers._sealed(WHO, {"email": address} if address else {})
        await self.replica.kernel.execute(PERSONS, WHO, asked, Cause(derived_id("recorded")), private=private)

    async def case(self) -> None:
        """The person is an expert of a programme, as that is recorded."""
        registered = ExpertRegistered(happened_at=NOW, person=WHO, programme="p", office="kabul", channel="self")
        state = EXPERT.evolve(None, registered).model_dump(mode="json")
        await self.store.save(EXPERTS.name, {**new_document(CASE), "version": 1, "state": state}, 0)

    async def office(self, code: str, **mailbox: Any) -> None:
        """A programme's office, which may have an address."""
        offices = [{**DEFINITION["offices"][0], "code": code, **({"mailbox": mailbox} if mailbox else {})}]
        others = [one for one in self.offices if one["code"] != code]
        self.offices = [*others, *offices]
        version = self.published = self.published + 1
        definition = {**DEFINITION, "offices": self.offices}
        event = ProgrammePublished(
            happened_at=NOW, code=definition["code"], definition_version=version, definition=definition
        )
        envelope = Envelope(
            id=derived_id("programme", str(version)),
            type=event.type_name(),
            version=event.version,
            source="/registration",
            subject=event.code,
            time=text_of(NOW),
            epoch=1,
            sequence=version,
        )
        headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
        await self.log.append(event.topic, 0, [Message(event.code, event.body().encode(), headers)])
        while not self._knows(event.code, version):
            await self.clock.sleep(0.001)

    def _knows(self, code: str, version: int) -> bool:
        definitions = self.replica.definitions
        return code in definitions.codes() and definitions.newest_version(code) >= version

    async def wishes(self, **said: Any) -> None:
        """How the person wants to be written to."""
        document = await self.store.load(PERSONS.name, WHO)
        assert document is not None
        private = {**document["private"], WISHES: Wishes(**said).model_dump(mode="json")}
        changed = {**document, "private": private, "version": document["version"] + 1}
        await self.store.save(PERSONS.name, changed, document["version"])

    async def tell(self, event: Event, subject: str = CASE, **known: Any) -> Delivery:
        self.sent += 1
        envelope = Envelope(
            id=known.pop("id", derived_id("event", str(self.sent))),
            type=event.type_name(),
            version=event.version,
            source="/registration",
            subject=subject,
            time=text_of(event.happened_at),
            epoch=1,
            sequence=known.pop("sequence", 1),
            scope=known.pop("scope", Scope("kabul")),
            recorded_time=text_of(known.pop("recorded_at", self.clock.instant)),
            by_role=known.pop("by_role", None),
            by_office=known.pop("by_office", None),
        )
        delivery = Delivery(envelope, event, known)
        await self.telling.heard(delivery)
        return delivery

    async def ledger(self) -> list[dict[str, Any]]:
        return [one async for one in self.store.scan(MESSAGES.name)]

    async def states(self) -> list[tuple[str, str, str | None]]:
        """Template, state and reason of each message."""
        found = [one["state"] for one in await self.ledger()]
        return sorted((one["template"], one["status"], one.get("reason")) for one in found)

    async def sweep(self, **later: float) -> None:
        # What is due now is found in the next instant.
        self.clock.instant += timedelta(milliseconds=1, **later)
        await self.sending.sweep()

    async def ask(self, verb: str, **said: Any) -> None:
        """Of the one message that there is."""
        (document,) = await self.ledger()
        command = MESSAGE.ask(verb, **said)
        await self.replica.kernel.execute(MESSAGES, document["_id"], command, Cause(self.clock.new_id()))


@asynccontextmanager
async def posting(*, sends: bool = True) -> AsyncIterator[Post]:
    post = Post(sends=sends)
    await post.store.start()
    await post.log.start()
    post.replica.definitions.start()
    while not post.replica.definitions.ready:
        await post.clock.sleep(0.001)
    try:
        yield post
    finally:
        await post.replica.definitions.stop()
        await post.store.stop()
        await post.log.stop()
        post.clock.close()
