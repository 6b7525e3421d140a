"""Reminders of an application that was begun and not sent: before its programme closes, and before it is destroyed.

For whoever gave an address and asked for them. That the programme closes on another day is told to whoever gave one.
What is due follows from drafts and definitions at each look, so a programme that closes on another day needs nothing
rewritten.
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from services.registration.domain.contact import night_until
from services.registration.domain.drafts import CLOSING_NOTICE, Draft, Reminder, same_address
from services.registration.identifiers import SERVICE
from services.registration.mailing.draft_words import of_reminder
from services.registration.store import DRAFTS, REMINDED, closing_on
from services.registration.work.draft_mail import DraftMail
from services.registration.work.drafts import Opened
from services.registration.work.sending import AT_ONCE, TRIES
from shared.clock import derived_id, retrying, text_of, together
from shared.errors import Conflict, Refusal
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.keys import Keys
from shared.programmes.model import Definition, Office
from shared.store.documents import new_document
from shared.store.port import Document
from shared.telemetry.observability import count


class Stops:
    """Links that end the reminders at an address, which they do not tell: its id is a digest under a key."""

    def __init__(self, keys: Keys) -> None:
        self._tokens = derived_key(keys.command_key(SERVICE), "reminders")
        self._addresses = derived_key(keys.command_key(SERVICE), "addresses without reminders")

    def known_as(self, address: str) -> str:
        return derived_id("no reminders", keyed_digest(self._addresses, same_address(address)))

    def token_of(self, address: str) -> str:
        return self._token(self.known_as(address))

    def address_of(self, token: str) -> str:
        """By which id the address of mail is known that a mail's token ends the reminders of. Refusal 404."""
        id, _, _ = token.partition(".")
        if not hmac.compare_digest(token.encode(), self._token(id).encode()):
            raise Refusal("not_found", status=404)
        return id

    def _token(self, id: str) -> str:
        return f"{id}.{keyed_digest(self._tokens, id)}"


class Reminding:
    def __init__(self, mail: DraftMail, base_url: str) -> None:
        self._mail = mail
        self._drafting = mail.drafting
        self._definitions = mail.replica.definitions
        self._store = mail.replica.ports.store
        self._runtime = mail.runtime
        self._keys = mail.replica.ports.keys
        self.stops = Stops(self._keys)
        self._base_url = base_url

    async def sweep(self) -> None:
        """One round over what is due. Raises Unavailable where the store does not answer."""
        if not self._definitions.ready:
            return
        now = self._runtime.now()
        for code in self._definitions.codes():
            definition = self._definitions.newest(code)
            for day in self._definitions.former_ends(code):
                await self._due("moved", closing_on(code, day))
            first, last = definition.closes_at(definition.closes_first_at.code), definition.closes_at(None)
            if first - CLOSING_NOTICE <= now < last:
                await self._due("closing", code)
        await self._due("ending", "open")

    async def stop(self, token: str) -> None:
        """No more reminders to the address of mail, of no draft, now or later.

        Refusal 404 for a token that no mail had. Raises Conflict, Unavailable, UnknownOutcome.
        """
        id = self.stops.address_of(token)

        async def once() -> None:
            if await self._store.load(REMINDED.name, id) is None:
                await self._store.save(REMINDED.name, _new(id, {"stopped_at": text_of(self._runtime.now())}), 0)

        await retrying(once, self._runtime, (Conflict,))

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
        tries, definition = opened.draft.tries + 1, self._definitions.newest(opened.draft.programme)
        done = opened.draft.done_with(reminder, definition.dates.ends)
        too_late = reminder == "closing" and definition.is_over(_closing_at(definition, opened).code, now)
        if opened.address is None or tries > TRIES or too_late:
            if tries > TRIES:
                count("reminder_given_up")
            await self._drafting.note(document, **done)
            return
        if await self._store.load(REMINDED.name, self.stops.known_as(opened.address)) is not None:
            stopped = {"reminds": False, "tries": 0, "claimed": None}
            await self._drafting.note(document, **(done if reminder == "moved" else stopped))
            return
        if later := self._not_before(opened, definition, reminder, now):
            await self._drafting.note(document, claimed=later)
            return
        mail = derived_id(opened.id, reminder, _occasion(opened.draft, definition, reminder))
        if await self._others_turn(opened.address, mail):
            await self._drafting.note(document, claimed=_next_day(now))
            return
        await self._drafting.note(document, claimed=now + self._mail.pause(tries), tries=tries, mail=mail)
        if await self._send(opened, opened.address, reminder, mail):
            await self._finish(opened.id, reminder, definition.dates.ends)

    def _not_before(self, opened: Opened, definition: Definition, reminder: Reminder, now: datetime) -> datetime | None:
        """Until when it is too early for the reminder, by the calendar of its office; None where it is not."""
        if reminder == "closing":
            notice = definition.closes_at(_closing_at(definition, opened).code) - CLOSING_NOTICE
            if now < notice:
                return notice
        return night_until(now, self._mail.zone_of(opened))

    async def _send(self, opened: Opened, address: str, reminder: Reminder, mail: str) -> bool:
        stop = f"{self._base_url}/{SERVICE}/drafts/reminders/{self.stops.token_of(address)}"
        definition, about = self._definitions.newest(opened.draft.programme), self._mail.about(opened)
        until = opened.draft.ends_at
        if reminder != "ending":
            office = _closing_at(definition, opened)
            about, until = replace(about, zone=office.zone), definition.closes_at(office.code)
        lost = f"{self._base_url}/{SERVICE}/drafts/lost"
        somewhere_later = reminder != "ending" and not opened.office and until < definition.closes_at(None)
        words = of_reminder(about, reminder, until, lost, stop, first_of_several=somewhere_later)
        return await self._mail.post(mail, (opened,), words, stop=stop)

    async def _finish(self, id: str, reminder: Reminder, closes_on: date) -> None:
        async def once() -> None:
            document = await self._store.load(DRAFTS.name, id)
            if document is not None:
                draft = Draft.model_validate(document["state"])
                await self._drafting.note(document, **draft.done_with(reminder, closes_on))

        await retrying(once, self._runtime, (Conflict,))


def _new(id: str, state: dict[str, str]) -> Document:
    return {**new_document(id), "version": 1, "state": state}


def _next_day(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


def _closing_at(definition: Definition, opened: Opened) -> Office:
    """The office by whose calendar the person is told when the programme closes: without a choice yet the one where it
    closes first, for whoever keeps to that is late at none."""
    return definition.office(opened.office) or definition.closes_first_at


def _occasion(draft: Draft, definition: Definition, reminder: Reminder) -> str:
    """What tells one reminder of a draft from another one of its kind."""
    ends = definition.dates.ends.isoformat()
    said = {"ending": text_of(draft.edited_at), "closing": ends, "moved": f"{draft.closes_on} {ends}"}
    return said[reminder]
