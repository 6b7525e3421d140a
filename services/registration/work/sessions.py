"""Sessions as documents, one an account, found by a keyed hash of what the browser holds."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.registration.domain.sessions import SEEN_EVERY, Account, Session
from services.registration.identifiers import SERVICE
from services.registration.store import ACCOUNTS
from shared.clock import retrying, text_of
from shared.errors import Conflict
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.passes import Pass
from shared.identity.tokens import Principal
from shared.replica import Replica
from shared.store.documents import new_document
from shared.store.port import Document

SECRET_BYTES = 32
# 32 bytes as base64url.
SECRET_CHARACTERS = 43


@dataclass(frozen=True)
class SignedIn:
    """Whose session was found, and the session."""

    id: str
    account: Account
    session: Session
    news: tuple[Session, ...] = ()

    @property
    def principal(self) -> Principal:
        return Principal(self.id, self.session.role, self.session.office)

    @property
    def given(self) -> Pass:
        return Pass(self.principal, self.session.id, self.account.language, bool(self.news))


class Sessions:
    """The store holds no secret: whoever reads it can open no session."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys

    async def begin(self, principal: Principal, browser: str) -> str:
        """A new session's secret, for the browser alone. Raises Unavailable, UnknownOutcome."""
        secret = base64.urlsafe_b64encode(self._runtime.rng.randbytes(SECRET_BYTES)).decode().rstrip("=")
        now = self._runtime.now()
        session = Session(
            id=self._name(secret),
            role=principal.role,
            office=principal.office,
            browser=browser,
            epoch=self._replica.kernel.epoch,
            began_at=now,
            seen_at=now,
            looked_at=now,
        )
        await self._change(principal.account, lambda account: account.with_one(session, now))
        return secret

    async def find(self, secret: str | None) -> SignedIn | None:
        """The live session that the secret opens. Raises Unavailable."""
        if secret is None or len(secret) != SECRET_CHARACTERS or not secret.isascii():
            return None
        name, now = self._name(secret), self._runtime.now()
        for document in await self._store.find(ACCOUNTS.name, "session", name, limit=1):
            account = _read(document)
            session = account.find(name, now, self._replica.kernel.epoch)
            if session is not None:
                return SignedIn(document["_id"], account, session, account.news_for(session, now))
        return None

    async def seen(self, found: SignedIn, language: str | None, reads: str) -> SignedIn:
        """Keeps the session alive, the language that was chosen (None: none was) and the one that is read. Raises
        Unavailable, UnknownOutcome."""
        now, account = self._runtime.now(), found.account
        said = {"language": language or account.language, "reads": reads}
        if now - found.session.seen_at < SEEN_EVERY and said == {"language": account.language, "reads": account.reads}:
            return found
        return await self._told(found, {"seen_at": now}, now, said)

    async def reads(self, account: str, language: str) -> None:
        """In which somebody reads pages who may have no session. Raises Unavailable, UnknownOutcome."""
        await self._change(account, lambda found: found.model_copy(update={"reads": language}))

    async def looked(self, found: SignedIn) -> SignedIn:
        """The list of sessions was shown in this one."""
        now = self._runtime.now()
        return await self._told(found, {"seen_at": now, "looked_at": now}, now, {})

    async def end(self, account: str, session: str | None = None) -> None:
        """Ends one session of the account, or all of them; nothing happens where there is none such."""
        await self._change(account, lambda found: found.without(session))

    async def fire(self, document: Document) -> None:
        """Drops the sessions that have ended, when their time is over."""
        now, epoch = self._runtime.now(), self._replica.kernel.epoch
        await self._change(document["_id"], lambda found: found.model_copy(update={"sessions": found.live(now, epoch)}))

    async def _told(
        self, found: SignedIn, changes: dict[str, datetime], now: datetime, said: Mapping[str, str | None]
    ) -> SignedIn:
        session, epoch = found.session.model_copy(update=changes), self._replica.kernel.epoch

        def told(account: Account) -> Account:
            # Ended meanwhile elsewhere, it stays so.
            if account.find(session.id, now, epoch) is None:
                return account
            return account.with_one(session, now).model_copy(update=said)

        account = await self._change(found.id, told)
        return SignedIn(found.id, account, session, account.news_for(session, now))

    async def _change(self, id: str, change: Callable[[Account], Account]) -> Account:
        async def once() -> Account:
            document = await self._store.load(ACCOUNTS.name, id) or new_document(id)
            before = _read(document)
            after = change(before)
            if after != before:
                await self._store.save(ACCOUNTS.name, _written(document, after), document["version"])
            return after

        return await retrying(once, self._runtime, (Conflict,))

    def _name(self, secret: str) -> str:
        return keyed_digest(derived_key(self._keys.command_key(SERVICE), "sessions"), secret)


def _read(document: Document) -> Account:
    return Account.model_validate(document["state"] or {})


def _written(document: Document, account: Account) -> Document:
    until = min((one.until for one in account.sessions), default=None)
    return {
        **document,
        "version": document["version"] + 1,
        "state": account.model_dump(mode="json"),
        "timed": until is not None,
        "next_at": None if until is None else text_of(until),
    }
