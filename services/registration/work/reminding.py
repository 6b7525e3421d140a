"""Reminders of an application that was begun and not sent: before its programme closes, and before it is destroyed.

For whoever gave an address and asked for them. What is due follows from drafts and definitions at each look, so a
programme that closes on another day needs nothing rewritten.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, time, timedelta

from services.registration.domain.contact import night_until
from services.registration.domain.drafts import CLOSING_NOTICE, Draft, Reminder, same_address
from services.registration.identifiers import SERVICE
from services.registration.mailing.draft_words import of_reminder
from services.registration.store import DRAFTS, REMINDED
from services.registration.work.draft_mail import DraftMail
from services.registration.work.drafts import Opened
from services.registration.work.sending import AT_ONCE, TRIES
from shared.clock import derived_id, retrying, text_of, together
from shared.errors import Conflict, Refusal
from shared.identity.digests import derived_key, keyed_digest
from shared.programmes.model import Definition
from shared.store.documents import new_document
from shared.store.port import Document
from shared.telemetry.observability import count


class Reminding:
    def __init__(self, mail: DraftMail, base_url: str) -> None:
        self._mail = mail
        self._drafting = mail.drafting
        self._definitions = mail.replica.definitions
        self._store = mail.replica.ports.store
        self._runtime = mail.runtime
        self._keys = mail.replica.ports.keys
        self._stops = derived_key(self._keys.command_key(SERVICE), "reminders")
        self._addresses = derived_key(self._keys.command_key(SERVICE), "addresses without reminders")
        self._base_url = base_url

    async def sweep(self) -> None:
        """One round over what is due. Raises Unavailable where the store does not answer."""
        if not self._definitions.ready:
            return
        now = self._runtime.now()
        for code in self._definitions.codes():
            closes = _closes_at(self._definitions.newest(code), None)
            if closes - CLOSING_NOTICE <= now < closes:
                await self._due("closing", code)
        await self._due("ending", "open")

    async def stop(self, token: str) -> None:
        """No more reminders to the address of mail, of no draft, now or later.

        Refusal 404 for a token that no mail had. Raises Conflict, Unavailable, UnknownOutcome.
        """
        id = self.address_of(token)

        async def once() -> None:
            if await self._store.load(REMINDED.name, id) is None:
                await self._store.save(REMINDED.name, _new(id, {"stopped_at": text_of(self._runtime.now())}), 0)

        await retrying(once, self._runtime, (Conflict,))

    def address_of(self, token: str) -> str:
        """By which id the address of mail is known that a mail's token ends the reminders of. Refusal 404."""
        id, _, _ = token.partition(".")
        if not hmac.compare_digest(token.encode(), self._token(id).encode()):
            raise Refusal("not_found", status=404)
        return id

    def _token(self, id: str) -> str:
        return f"{id}.{keyed_digest(self._stops, id)}"

    def _known_as(self, address: str) -> str:
        return derived_id("no reminders", keyed_digest(self._addresses, same_address(address)))

    async def _others_turn(self, address: str, mail: str) -> bool:
        """Whether another mail is the day's one to that address (UTC). Raises Conflict where two are just asking."""
        day = self._runtime.now().date().isoformat()
        # Dies with the day's drafts, so that a backup tells of no address afterwards.
        key = derived_key(self._keys.draft_day_key(SERVICE, day), "reminders")
        id = derived_id("reminded", keyed_digest(key, same_address(address)))
        found = await self._store.load(REMINDED.name, id)
        if found is None:
            await self._store.save(REMINDED.name, _new(id, {"mail": mail}), 0)
            return False
        return bool(found["state"]["mail"] != mail)

    async def _due(self, reminder: Reminder, equals: str) -> None:
        async def send(document: Document) -> None:
            await self._remind(document, reminder)

        now = text_of(self._runtime.now())
        due = await self._store.find(DRAFTS.name, reminder, equals, until=now, limit=AT_ONCE)
        await together(*(self._mail.each(document, send) for document in due))

    async def _remind(self, document: Document, reminder: Reminder) -> None:
        opened, now = await self._drafting.opened(document["_id"]), self._runtime.now()
        if opened is None:
            return
        tries, reminded = opened.draft.tries + 1, (*opened.draft.reminded, reminder)
        if opened.address is None or tries > TRIES:
            if opened.address is not None:
                count("reminder_given_up")
            await self._drafting.note(document, reminded=reminded, tries=0, claimed=None)
            return
        if await self._store.load(REMINDED.name, self._known_as(opened.address)) is not None:
            await self._drafting.note(document, reminds=False, tries=0, claimed=None)
            return
        if night := night_until(now, self._mail.zone_of(opened)):
            await self._drafting.note(document, claimed=night)
            return
        mail = derived_id(opened.id, reminder, text_of(opened.draft.edited_at) if reminder == "ending" else "")
        if await self._others_turn(opened.address, mail):
            await self._drafting.note(document, claimed=_next_day(now))
            return
        await self._drafting.note(document, claimed=now + self._mail.pause(tries), tries=tries, mail=mail)
        if await self._send(opened, opened.address, reminder, mail):
            await self._finish(opened.id, reminder)

    async def _send(self, opened: Opened, address: str, reminder: Reminder, mail: str) -> bool:
        stop = f"{self._base_url}/{SERVICE}/drafts/reminders/{self._token(self._known_as(address))}"
        definition = self._definitions.newest(opened.draft.programme)
        until = opened.draft.ends_at if reminder == "ending" else _closes_at(definition, opened.office)
        lost = f"{self._base_url}/{SERVICE}/drafts/lost"
        words = of_reminder(self._mail.about(opened), reminder, until, lost, stop)
        return await self._mail.post(mail, (opened,), words, stop=stop)

    async def _finish(self, id: str, reminder: Reminder) -> None:
        async def once() -> None:
            document = await self._store.load(DRAFTS.name, id)
            if document is not None:
                reminded = Draft.model_validate(document["state"]).reminded
                await self._drafting.note(document, reminded=(*reminded, reminder), tries=0, claimed=None)

        await retrying(once, self._runtime, (Conflict,))


def _new(id: str, state: dict[str, str]) -> Document:
    return {**new_document(id), "version": 1, "state": state}


def _next_day(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


def _closes_at(definition: Definition, office: str | None) -> datetime:
    """When nobody can apply any more, on the office's calendar; without one, in UTC."""
    found = definition.office(office) if office else None
    return datetime.combine(definition.dates.ends, time(), found.zone if found else UTC).astimezone(UTC)
