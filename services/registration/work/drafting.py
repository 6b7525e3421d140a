"""Drafts as documents: sealed under a key of their own, which their code opens, and their programme's offices.

Both ways to that key go through the key of the day of the last edit, which is destroyed when no draft of that day is
kept any longer: what is left of one in a backup can then be opened by nobody, not even with its code.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta
from itertools import product
from typing import Any

from services.registration.domain.drafts import (
    CODE_CHARACTERS,
    GIVEN_BACK_AT_MOST,
    KEPT,
    LINK_LASTS,
    Draft,
    GivenBack,
    code_of,
    fact_to_repeat,
    facts_of,
    folded,
    merged,
    new_code,
    read_code,
    same_address,
    says_anew,
)
from services.registration.identifiers import SERVICE
from services.registration.mailing.channel import Channel
from services.registration.store import DRAFTS, FORMER, RENEWAL
from services.registration.work.draft_cases import DraftCases
from services.registration.work.drafts import Fact, Opened, Sent, foremost, of_each_order
from services.registration.work.filing import Filing
from shared.clock import retrying, text_of
from shared.errors import CommandReused, Conflict, Refusal, Unavailable
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.sealing import SealBroken, open_sealed, seal
from shared.replica import Replica
from shared.store.documents import new_document
from shared.store.paging import every
from shared.store.port import Document
from shared.telemetry.observability import logger

# The accounts of those who apply without one: a draft's id stands for its person until an account is assigned.
DRAFTS_ISSUER = "urn:sankofa:drafts"
KEY_BYTES = 32
RETIRE_EVERY_SECONDS = 3_600.0
# A replica whose clock is a little behind may still edit as of the day before.
RETIRED_AFTER = KEPT + timedelta(days=2)
ENDED = "draft_ended"
SUBMITTED = "draft_submitted"
CHANGED = "draft_changed"
FOUND_AT_MOST, LOOKED_AT_ONCE = 10, 50
# Links in one mail, and how many drafts are held meanwhile to choose them from.
LINKS_AT_ONCE, CHOSEN_FROM = 30, 300
# Codes of a draft that open nothing any more, of which it is still known why.
FORMER_AT_MOST = 10
# In the private part: the code that an office gave last, under the draft's key, until the draft is edited.
GIVEN = "given"


class Drafting:
    """The store holds no code and nothing that was typed but sealed. `channel`: of mail, None where none is sent."""

    def __init__(self, replica: Replica, filing: Filing, channel: Channel | None) -> None:
        self._store = replica.ports.store
        self._definitions = replica.definitions
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys
        self.cases = DraftCases(replica.ports.store, replica.ports.keys.accounts(DRAFTS_ISSUER))
        self._filing = filing
        self._channel = channel

    async def begin(self, programme: str) -> Opened:
        """A new draft with nothing in it. Raises Unavailable, UnknownOutcome."""
        now = self._runtime.now()
        code = self._new_code()
        draft = Draft(programme=programme, began_at=now, edited_at=now, closes_on=self._closes_on(programme))
        key, offices = self._runtime.rng.randbytes(KEY_BYTES), self._offices(programme)
        opened = Opened(self._runtime.new_id(), code, draft, key, offices=offices)
        await self._store.save(DRAFTS.name, self._written(new_document(opened.id), opened), 0)
        return opened

    def _closes_on(self, programme: str) -> date:
        return self._definitions.newest(programme).dates.ends

    def _new_code(self) -> str:
        code = read_code(new_code(self._runtime.rng))
        if code is None:
            raise TypeError("a new code is no code")
        return code

    async def find(self, code: str) -> Opened | None:
        """The draft of the code; None for one that does not exist or has ended, and for one whose person is handed
        over. Raises Unavailable."""
        found = await self._found(code)
        return None if found is None else found[1]

    async def keep(self, code: str, part: str, sent: Sent, *, done: bool) -> Opened:
        """Keeps what one part sends; `done`: the person has finished the part. What another tab sends of another part
        stays, and so does what another form has changed in this one since the form was shown.

        Refusal `draft_ended` (410), `draft_submitted`, `draft_changed` (412). Raises Conflict, Unavailable,
        UnknownOutcome.
        """

        def change(opened: Opened) -> Opened:
            draft = opened.draft
            others = tuple(one for one in draft.finished if one != part)
            typed = merged(opened.typed, sent.fields, sent.names)
            anew = says_anew(opened.typed, typed)
            if anew and not sent.knows(draft.kept_by.get(part, "")):
                raise Refusal(CHANGED, "the part as it stands now", status=412)
            changes = {
                "edited_at": self._runtime.now(),
                "finished": (*others, part) if done else others,
                "language": sent.language,
                "closes_on": draft.closes_on or self._closes_on(draft.programme),
                "reminds": draft.reminds if sent.reminds is None else sent.reminds,
                # The end has moved, so its reminder comes anew.
                "reminded": tuple(one for one in draft.reminded if one != "ending"),
                "kept_by": {**draft.kept_by, part: sent.form or ""} if anew else draft.kept_by,
            }
            kept = replace(opened, draft=draft.model_copy(update=changes), typed=typed)
            return kept.with_fact(fact_to_repeat(dict(typed)))

        return await self._change(code, change)

    async def submitted(self, code: str, receipt: str, person: str) -> Opened:
        """The draft was submitted: it is edited no more, and its code leads to what became of it.

        What was typed stays until it ends, for a submission may still be refused.
        """

        def change(opened: Opened) -> Opened:
            changes = {"status": "submitted", "receipt": receipt, "person": person, "sent": opened.draft.sent + 1}
            return replace(opened, draft=opened.draft.model_copy(update=changes))

        return await self._change(code, change)

    async def reopened(self, code: str) -> Opened:
        """What was submitted was refused, and can be put right and submitted again."""

        def change(opened: Opened) -> Opened:
            return replace(opened, draft=opened.draft.model_copy(update={"status": "open", "finished": ()}))

        return await self._change(code, change, to_submitted=True)

    async def found_by(self, programme: str, pointer: str, said: str, office: str) -> list[Opened]:
        """The drafts of the programme in which that was typed, of that office or of none yet; ten at most. What was
        submitted is the office's that has the case now.

        Whose a draft is stands in no index: a case moves without its draft. So all in which that was typed are looked
        at before ten are taken, and what other offices have changes no answer. Raises Unavailable, SealBroken.
        """
        found = dict[str, Opened]()
        for day, text in product(self._keys.draft_days(SERVICE), folded(pointer, said)):
            name = self._fact_name(day, programme, pointer, text)
            async for document in every(self._store, DRAFTS.name, "fact", name, at_once=LOOKED_AT_ONCE):
                if (opened := await self._by_its_office(document, office)) is not None:
                    found[opened.id] = opened
                if len(found) == FOUND_AT_MOST:
                    return list(found.values())
        return list(found.values())

    async def give_back(self, id: str, given: GivenBack) -> Opened:
        """The draft under a new code, which the answer holds; the old code opens nothing any more.

        The same request gives the same code until the person edits the draft. Raises Refusal 404, `draft_ended`,
        `given_back_already`, `given_back_too_often`; CommandReused, Conflict, Unavailable, UnknownOutcome.
        """

        async def once() -> Opened:
            document = await self._store.load(DRAFTS.name, id)
            before = None if document is None else await self._by_its_office(document, given.office)
            if document is None or before is None:
                raise Refusal("not_found", status=404)
            draft = before.draft
            if any(one.command == given.command for one in draft.given_back):
                return _given_again(document, before, given)
            if len(draft.given_back) >= GIVEN_BACK_AT_MOST:
                raise Refusal("given_back_too_often", "an office gives a draft no more new codes than that")
            code = self._new_code()
            kept = draft.model_copy(update={"given_back": (*draft.given_back, given)})
            after = replace(before, code=code, draft=kept)
            sealed = seal(before.key, code, person=id, field=GIVEN, rng=self._runtime.rng)
            written = self._written(_without_renewal(document), after)
            written["private"] |= {GIVEN: sealed, FORMER: _former(document)}
            await self._store.save(DRAFTS.name, written, document["version"])
            return after

        return await retrying(once, self._runtime, (Conflict,))

    async def found_at(self, address: str) -> list[Opened]:
        """The drafts in which that address of mail was typed, opened without their codes: of all the thirty that come
        first by `foremost`. Raises Unavailable, SealBroken.
        """
        found = list[Opened]()
        for day in self._keys.draft_days(SERVICE):
            name = self._address_name(day, address)
            async for document in every(self._store, DRAFTS.name, "address", name, at_once=LOOKED_AT_ONCE):
                if (opened := await self._open_still(document)) is not None:
                    found.append(opened)
                if len(found) > CHOSEN_FROM:
                    found = of_each_order(found, LINKS_AT_ONCE)
        return foremost(found, LINKS_AT_ONCE)

    async def opened(self, id: str) -> Opened | None:
        """The draft without its code, for what concerns it alone; None for one that has ended, or whose
        person is handed over.

        Raises Unavailable, SealBroken.
        """
        document = await self._store.load(DRAFTS.name, id)
        return None if document is None else await self._open_still(document)

    async def _open_still(self, document: Document) -> Opened | None:
        draft, key = Draft.model_validate(document["state"]), self._key(document)
        if key is None or draft.ends_at <= self._runtime.now():
            return None
        opened = self._opened(document, draft, "", key)
        return None if await self.cases.handed_over(opened) else opened

    async def linked(self, id: str, request: str, mail: str) -> Opened | None:
        """The draft with the code of a new link, in the place of one that was sent before and not used; the code that
        opens it now goes on doing so. The same request gives the same code. None for one that has ended.

        `mail`: the id of the mail that takes the link. Raises Conflict, Unavailable, UnknownOutcome.
        """

        async def once() -> Opened | None:
            document, before = await self._store.load(DRAFTS.name, id), await self.opened(id)
            if document is None or before is None:
                return None
            drawn = hmac.digest(derived_key(before.key, "a link by mail"), request.encode(), "sha256")
            code, day = code_of(drawn[:CODE_CHARACTERS]), self._runtime.now().date().isoformat()
            by_code, text = self._by_code(day, code), base64.b64encode(before.key).decode()
            renewal = {
                "code": self._name(code),
                "day": day,
                "until": text_of(self._runtime.now() + LINK_LASTS),
                "address": before.address_digest,
                "by_code": seal(by_code, text, person=id, field="by_code", rng=self._runtime.rng),
            }
            private = {**document["private"], RENEWAL: renewal}
            await self._restate(document, before.draft.with_mail(mail), private)
            return replace(before, code=code)

        return await retrying(once, self._runtime, (Conflict,))

    async def renewed(self, code: str) -> Opened:
        """The link that came by mail is used: its code opens the draft from now on, and the one before nothing.

        Refusal `draft_ended` (410). Raises Conflict, Unavailable, UnknownOutcome.
        """

        async def once() -> Opened:
            found = await self._found(code)
            if found is None:
                raise Refusal(ENDED, status=410)
            document, opened = found
            if not opened.renews:
                return opened
            changes = {"renewed_at": self._runtime.now(), "proven": document["private"][RENEWAL].get("address")}
            draft = opened.draft.model_copy(update=changes)
            after = replace(opened, draft=draft, renews=False)
            written = self._written(_without_renewal(document), after)
            written["private"][FORMER] = _former(document)
            await self._store.save(DRAFTS.name, written, document["version"])
            return after

        return await retrying(once, self._runtime, (Conflict,))

    async def overtaken(self, code: str) -> Draft | None:
        """The draft of a code that opens nothing any more since another one took its place, for whoever held that code;
        None for any other. Raises Unavailable."""
        found = await self._store.find(DRAFTS.name, FORMER, self._name(read_code(code) or ""), limit=1)
        return Draft.model_validate(found[0]["state"]) if found else None

    async def note(self, document: Document, *, mail: str | None = None, **changes: Any) -> None:
        """Changes the draft's state alone, which takes no key. `mail`: the id of one more mail about it.

        Raises Conflict for a document that was saved since, Unavailable, UnknownOutcome.
        """
        noted = Draft.model_validate(document["state"]).model_copy(update=changes)
        await self._restate(document, noted.with_mail(mail) if mail else noted, document["private"])

    async def _restate(self, document: Document, draft: Draft, private: Mapping[str, Any]) -> None:
        """Neither edits the draft nor puts off its end."""
        version, state = document["version"], draft.model_dump(mode="json")
        await self._store.save(
            DRAFTS.name, {**document, "version": version + 1, "state": state, "private": dict(private)}, version
        )

    async def _by_its_office(self, document: Document, office: str) -> Opened | None:
        """The draft as its offices open it, without its code; None for another office's, and for one that ended."""
        opened = await self._open_still(document)
        return opened if opened and await self.cases.office_of(opened) in ("", office) else None

    async def key_of(self, id: str) -> bytes | None:
        """The draft's key as its offices have it, which needs no code; None for one that has ended.

        Raises Unavailable, SealBroken.
        """
        document = await self._store.load(DRAFTS.name, id)
        return None if document is None else self._key(document)

    def _key(self, document: Document) -> bytes | None:
        draft, private = Draft.model_validate(document["state"]), document["private"]
        if draft.status == "ended" or draft.day not in self._keys.draft_days(SERVICE):
            return None
        by_office = self._by_office(draft.day, draft.programme)
        return _unwrapped(open_sealed(by_office, private["by_office"], person=document["_id"], field="by_office"))

    async def forget(self, person: str) -> None:
        """Ends the drafts of an erased person."""
        async for document in every(self._store, DRAFTS.name, "person", person):
            await self._end(document)

    async def fire(self, document: Document) -> None:
        """Destroys a draft whose time is over."""
        if Draft.model_validate(document["state"]).ends_at <= self._runtime.now():
            await self._end(document)

    async def run(self) -> None:
        """Destroys the keys of days of which no draft is kept, each hour."""
        while True:
            try:
                self.retire()
            except Unavailable as error:
                logger.warning("draft_keys_wait", error=type(error).__name__)
            await self._runtime.sleep(RETIRE_EVERY_SECONDS)

    def retire(self) -> None:
        oldest = (self._runtime.now() - RETIRED_AFTER).date().isoformat()
        for day in self._keys.draft_days(SERVICE):
            if day < oldest:
                self._keys.destroy_draft_day(SERVICE, day)

    async def _end(self, document: Document) -> None:
        """With the files that are the draft's still, and with the mails about it that a folder keeps.

        Raises Conflict where it is just being edited: its timer, or the erasure, comes again.
        """
        await self._filing.end("draft", document["_id"])
        draft = Draft.model_validate(document["state"])
        if self._channel is not None:
            for mail in draft.mails:
                await self._channel.forget(mail)
        draft = draft.model_copy(update={"status": "ended", "person": None, "mails": ()})
        ended = {"state": draft.model_dump(mode="json"), "private": {}, "timed": False, "next_at": None}
        await self._store.save(
            DRAFTS.name, {**document, **ended, "version": document["version"] + 1}, document["version"]
        )

    async def _change(self, code: str, change: Callable[[Opened], Opened], *, to_submitted: bool = False) -> Opened:
        async def once() -> Opened:
            found = await self._found(code)
            if found is None:
                raise Refusal(ENDED, status=410)
            document, before = found
            if before.renews:
                # Its link was not used yet, so the one before counts.
                raise Refusal(ENDED, status=410)
            if (before.draft.status == "submitted") is not to_submitted:
                raise Refusal(SUBMITTED, "what was submitted is edited no more")
            after = change(before)
            await self._store.save(DRAFTS.name, self._written(document, after), document["version"])
            return after

        return await retrying(once, self._runtime, (Conflict,))

    async def _found(self, text: str) -> tuple[Document, Opened] | None:
        code, now = read_code(text), self._runtime.now()
        if code is None:
            return None
        for document in await self._store.find(DRAFTS.name, "code", self._name(code), limit=1):
            draft = Draft.model_validate(document["state"])
            if draft.status == "ended" or draft.ends_at <= now or draft.day not in self._keys.draft_days(SERVICE):
                return None
            private, renewal = document["private"], document["private"].get(RENEWAL)
            renews = renewal is not None and private["code"] != self._name(code)
            if renewal is not None and renews and renewal["until"] <= text_of(now):
                return None
            held, day = (renewal, renewal["day"]) if renewal is not None and renews else (private, draft.day)
            by_code = self._by_code(day, code)
            key = _unwrapped(open_sealed(by_code, held["by_code"], person=document["_id"], field="by_code"))
            opened = replace(self._opened(document, draft, code, key), renews=renews)
            if await self.cases.handed_over(opened) or (not renews and await self.cases.passed_on_since(opened)):
                return None
            return document, opened
        return None

    def _opened(self, document: Document, draft: Draft, code: str, key: bytes) -> Opened:
        private = document["private"]
        typed = json.loads(open_sealed(key, private["typed"], person=document["_id"], field="typed"))
        fact = Fact(**private["fact"]) if private["fact"] else None
        pairs, offices = tuple((name, value) for name, value in typed), self._offices(draft.programme)
        return Opened(document["_id"], code, draft, key, pairs, fact, offices=offices)

    def _offices(self, programme: str) -> frozenset[str]:
        return frozenset(office.code for office in self._definitions.newest(programme).offices)

    def _written(self, document: Document, opened: Opened) -> Document:
        """The document of the draft, with its key wrapped anew under the day of its last edit."""
        id, draft, rng, text = opened.id, opened.draft, self._runtime.rng, base64.b64encode(opened.key).decode()
        typed = json.dumps(opened.typed, ensure_ascii=False, separators=(",", ":"))
        by_code, by_office = self._by_code(draft.day, opened.code), self._by_office(draft.day, draft.programme)
        private = {
            "code": self._name(opened.code),
            "typed": seal(opened.key, typed, person=id, field="typed", rng=rng),
            "fact": asdict(opened.fact) if opened.fact else None,
            "facts": [
                self._fact_name(draft.day, draft.programme, pointer, text)
                for pointer, forms in facts_of(dict(opened.typed)).items()
                for text in forms
            ],
            "by_code": seal(by_code, text, person=id, field="by_code", rng=rng),
            "by_office": seal(by_office, text, person=id, field="by_office", rng=rng),
        }
        if opened.address is not None:
            private["address"] = self._address_name(draft.day, opened.address)
        private |= {name: document["private"][name] for name in (RENEWAL, FORMER) if name in document["private"]}
        return {
            **document,
            "version": document["version"] + 1,
            "state": draft.model_dump(mode="json"),
            "private": private,
            "timed": True,
            "next_at": text_of(draft.ends_at),
        }

    def _by_code(self, day: str, code: str) -> bytes:
        return derived_key(self._keys.draft_day_key(SERVICE, day), f"code {code}")

    def _by_office(self, day: str, programme: str) -> bytes:
        return derived_key(self._keys.draft_day_key(SERVICE, day), f"offices {programme}")

    def _fact_name(self, day: str, programme: str, pointer: str, text: str) -> str:
        """By which an office finds the draft. With the day's key what a backup has of it tells nothing any more."""
        return keyed_digest(
            derived_key(self._keys.draft_day_key(SERVICE, day), f"facts {programme}"), f"{pointer} {text}"
        )

    def _address_name(self, day: str, address: str) -> str:
        """By which a draft is found by its address of mail; as with facts, it dies with the day's key."""
        key = derived_key(self._keys.draft_day_key(SERVICE, day), "addresses")
        return keyed_digest(key, same_address(address))

    def _name(self, code: str) -> str:
        return keyed_digest(derived_key(self._keys.command_key(SERVICE), "drafts"), code)


def _given_again(document: Document, opened: Opened, given: GivenBack) -> Opened:
    known = next(one for one in opened.draft.given_back if one.command == given.command)
    if known.reason != given.reason:
        raise CommandReused
    sealed = document["private"].get(GIVEN)
    if sealed is None or opened.draft.given_back[-1].command != given.command:
        raise Refusal("given_back_already", "the draft was opened with the new code, or has another one by now")
    return replace(opened, code=open_sealed(opened.key, sealed, person=opened.id, field=GIVEN))


def _without_renewal(document: Document) -> Document:
    """Without the link that was sent by mail: it opens nothing any more."""
    return {**document, "private": {name: one for name, one in document["private"].items() if name != RENEWAL}}


def _former(document: Document) -> list[str]:
    """By their keyed hashes the codes that opened the draft before, with the one that did so until now."""
    private = document["private"]
    return [*private.get(FORMER, ()), private["code"]][-FORMER_AT_MOST:]


def _unwrapped(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SealBroken from None
