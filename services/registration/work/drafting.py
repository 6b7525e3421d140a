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
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from services.registration.domain.drafts import (
    KEPT,
    Draft,
    Typed,
    fact_to_repeat,
    folded,
    grouped,
    merged,
    new_code,
    read_code,
)
from services.registration.identifiers import SERVICE
from services.registration.store import DRAFTS
from shared.clock import retrying, text_of
from shared.errors import Conflict, Refusal, Unavailable
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.sealing import SealBroken, open_sealed, seal
from shared.replica import Replica
from shared.store.documents import new_document
from shared.store.port import Document
from shared.telemetry.observability import logger

KEY_BYTES = 32
RETIRE_EVERY_SECONDS = 3_600.0
# A replica whose clock is a little behind may still edit as of the day before.
RETIRED_AFTER = KEPT + timedelta(days=2)
ENDED = "draft_ended"
SUBMITTED = "draft_submitted"


@dataclass(frozen=True)
class Fact:
    """What whoever comes back is asked to repeat: where it was typed, and a digest of it under the draft's key."""

    pointer: str
    digest: str


@dataclass(frozen=True)
class Opened:
    """A draft that its code has opened. `code`: as it is compared; `key`: with which what was typed is sealed."""

    id: str
    code: str
    draft: Draft
    key: bytes
    typed: Typed = ()
    fact: Fact | None = None

    @property
    def shown_code(self) -> str:
        """The code as people read it."""
        return grouped(self.code)

    def is_repeated(self, said: str) -> bool:
        """Whether it is the fact that was typed; nothing has to be repeated where nothing was."""
        return self.fact is None or hmac.compare_digest(self._digest(self.fact.pointer, said), self.fact.digest)

    def with_fact(self, pointer: str | None, said: str) -> Opened:
        fact = Fact(pointer, self._digest(pointer, said)) if pointer else None
        return replace(self, fact=fact)

    def _digest(self, pointer: str, said: str) -> str:
        return keyed_digest(derived_key(self.key, "fact"), folded(pointer, said))


@dataclass(frozen=True)
class Sent:
    """What one part of the form sends: its fields, and the names of all that the part has.

    `facts`: by pointer what stands in fields that somebody can be known by.
    """

    fields: Typed
    names: frozenset[str]
    facts: Callable[[Typed], Mapping[str, str]]


class Drafting:
    """The store holds no code and nothing that was typed but sealed."""

    def __init__(self, replica: Replica) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys

    async def begin(self, programme: str) -> Opened:
        """A new draft with nothing in it. Raises Unavailable, UnknownOutcome."""
        now = self._runtime.now()
        code = read_code(new_code(self._runtime.rng))
        if code is None:
            raise TypeError("a new code is no code")
        draft = Draft(programme=programme, began_at=now, edited_at=now)
        opened = Opened(self._runtime.new_id(), code, draft, self._runtime.rng.randbytes(KEY_BYTES))
        await self._store.save(DRAFTS.name, self._written(new_document(opened.id), opened), 0)
        return opened

    async def find(self, code: str) -> Opened | None:
        """The draft of the code; None for one that does not exist or has ended. Raises Unavailable."""
        found = await self._found(code)
        return None if found is None else found[1]

    async def keep(self, code: str, part: str, sent: Sent, *, done: bool) -> Opened:
        """Keeps what one part sends; `done`: the person has finished the part. What another tab sends of another part
        stays.

        Refusal `draft_ended` (410), `draft_submitted`. Raises Conflict, Unavailable, UnknownOutcome.
        """

        def change(opened: Opened) -> Opened:
            others = tuple(one for one in opened.draft.finished if one != part)
            changes = {"edited_at": self._runtime.now(), "finished": (*others, part) if done else others}
            typed = merged(opened.typed, sent.fields, sent.names)
            said = sent.facts(typed)
            pointer = fact_to_repeat(said)
            kept = replace(opened, draft=opened.draft.model_copy(update=changes), typed=typed)
            return kept.with_fact(pointer, said[pointer] if pointer else "")

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

    async def forget(self, person: str) -> None:
        """Ends the drafts of an erased person."""
        for document in await self._store.find(DRAFTS.name, "person", person):
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
        """Raises Conflict where it is just being edited: its timer, or the erasure, comes again."""
        draft = Draft.model_validate(document["state"]).model_copy(update={"status": "ended", "person": None})
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
            if (before.draft.status == "submitted") is not to_submitted:
                raise Refusal(SUBMITTED)
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
            key, private = self._opened_key(document, draft, code), document["private"]
            typed = json.loads(open_sealed(key, private["typed"], person=document["_id"], field="typed"))
            fact = Fact(**private["fact"]) if private["fact"] else None
            fields = tuple((name, value) for name, value in typed)
            return document, Opened(document["_id"], code, draft, key, fields, fact)
        return None

    def _opened_key(self, document: Document, draft: Draft, code: str) -> bytes:
        text = open_sealed(
            self._by_code(draft.day, code), document["private"]["by_code"], person=document["_id"], field="by_code"
        )
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            raise SealBroken from None

    def _written(self, document: Document, opened: Opened) -> Document:
        """The document of the draft, with its key wrapped anew under the day of its last edit."""
        id, draft, rng, text = opened.id, opened.draft, self._runtime.rng, base64.b64encode(opened.key).decode()
        typed = json.dumps(opened.typed, ensure_ascii=False, separators=(",", ":"))
        by_code, by_office = self._by_code(draft.day, opened.code), self._by_office(draft.day, draft.programme)
        private = {
            "code": self._name(opened.code),
            "typed": seal(opened.key, typed, person=id, field="typed", rng=rng),
            "fact": asdict(opened.fact) if opened.fact else None,
            "by_code": seal(by_code, text, person=id, field="by_code", rng=rng),
            "by_office": seal(by_office, text, person=id, field="by_office", rng=rng),
        }
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

    def _name(self, code: str) -> str:
        return keyed_digest(derived_key(self._keys.command_key(SERVICE), "drafts"), code)
