"""A new link to an application, by the address of mail that was typed in it, for whoever lost the one before.

Whoever asks is answered before any draft is looked for, and the same is saved whether or not there is one: neither the
answer nor its time tells whether somebody applies. What was asked is looked at afterwards, by a loop of its own.
"""

from __future__ import annotations

from typing import Any

from services.registration.domain.drafts import LINK_LASTS, same_address
from services.registration.identifiers import SERVICE
from services.registration.mailing.draft_words import Link, of_links
from services.registration.store import WAYS_BACK
from services.registration.work.draft_mail import DraftMail
from services.registration.work.drafts import Opened
from services.registration.work.sending import AT_ONCE, TRIES
from shared.clock import derived_id, retrying, text_of, together
from shared.errors import Conflict
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.sealing import open_sealed, seal
from shared.store.documents import new_document
from shared.store.port import TIMER_INDEX, Document

# Mails with links to one address in a day (UTC). Whoever asks more often reads the same answer.
LINKS_A_DAY = 3
ADDRESS = "address"


class WaysBack:
    def __init__(self, mail: DraftMail, base_url: str) -> None:
        self._mail = mail
        self._drafting = mail.drafting
        self._store = mail.replica.ports.store
        self._keys = mail.replica.ports.keys
        self._runtime = mail.runtime
        self._base_url = base_url

    @property
    def sends(self) -> bool:
        return self._mail.sends

    async def ask(self, address: str) -> None:
        """Notes that a link was asked for. Raises Conflict, Unavailable, UnknownOutcome."""
        day = self._runtime.now().date().isoformat()
        id = derived_id("way back", keyed_digest(self._key(day, "names"), same_address(address)))
        request = self._runtime.new_id()
        sealed = seal(self._key(day, ADDRESS), address, person=id, field=ADDRESS, rng=self._runtime.rng)
        private = {ADDRESS: sealed}

        async def once() -> None:
            found = await self._store.load(WAYS_BACK.name, id)
            document = found or new_document(id)
            before: dict[str, Any] = document["state"] or {"day": day, "asked": 0}
            counts = before["asked"] < LINKS_A_DAY
            asked = {"day": day, "asked": before["asked"] + 1, "request": request, "tries": 0}
            # The same is written for one that asks too often, but that nothing comes of it.
            said = {"state": asked, "private": private, "timed": True, "next_at": text_of(self._runtime.now())}
            kept = {name: document[name] for name in said}
            await self._save(document, said if counts else kept)

        await retrying(once, self._runtime, (Conflict,))

    async def sweep(self) -> None:
        """One round over what was asked for. Raises Unavailable where the store does not answer."""
        if not self._mail.replica.definitions.ready:
            return
        now = text_of(self._runtime.now())
        due = await self._store.find(WAYS_BACK.name, TIMER_INDEX, "timed", until=now, limit=AT_ONCE)
        await together(*(self._mail.each(document, self._answer) for document in due))

    async def _answer(self, document: Document) -> None:
        state, tries = document["state"], document["state"]["tries"] + 1
        if tries > TRIES or state["day"] not in self._keys.draft_days(SERVICE):
            await self._done(document)
            return
        later = {"state": {**state, "tries": tries}, "next_at": text_of(self._runtime.now() + self._mail.pause(tries))}
        claimed = await self._save(document, later)
        private, key = document["private"], self._key(state["day"], ADDRESS)
        address = open_sealed(key, private[ADDRESS], person=document["_id"], field=ADDRESS)
        if await self._send(address, state["request"]):
            await self._done(claimed)

    async def _send(self, address: str, request: str) -> bool:
        """Whether the question is done with: one mail has the links of all its drafts, so nobody's drafts multiply it.

        It goes to the address as it was typed in the first of them.
        """
        mail = derived_id("way back", "mail", request)
        found = [await self._drafting.linked(one.id, request, mail) for one in await self._drafting.found_at(address)]
        # Whoever types another address meanwhile gets none of the others' links.
        asked = same_address(address)
        linked = [one for one in found if one and one.address and same_address(one.address) == asked]
        if not linked:
            return True
        return await self._mail.post(mail, linked, of_links([self._link(one) for one in linked]))

    def _link(self, opened: Opened) -> Link:
        until = min(self._runtime.now() + LINK_LASTS, opened.draft.ends_at)
        return Link(self._mail.about(opened), f"{self._base_url}/{SERVICE}/drafts/{opened.shown_code}", until)

    async def _done(self, document: Document) -> None:
        """The address is not kept; that somebody asked counts until the day is over."""
        await self._save(document, {"private": {}, "timed": False, "next_at": None})

    async def _save(self, document: Document, changes: dict[str, Any]) -> Document:
        saved = {**document, **changes, "version": document["version"] + 1}
        await self._store.save(WAYS_BACK.name, saved, document["version"])
        return saved

    def _key(self, day: str, purpose: str) -> bytes:
        """Dies with the day's drafts, so that a backup tells of no address afterwards."""
        return derived_key(self._keys.draft_day_key(SERVICE, day), f"ways back {purpose}")
