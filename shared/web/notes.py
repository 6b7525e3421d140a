"""Notes: what somebody said beside a reason. They stay in the case's document and no event carries them.

One that concerns a person is sealed under the person's key in this service, so that it ends with the person's erasure.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.cases.case import Case
from shared.cases.movable import TRANSFER, Transfer
from shared.cases.transfers import ASK
from shared.clock import instant_of, short_hash
from shared.contracts.base import Instant
from shared.errors import Refusal
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.keys import Keys
from shared.identity.roles import Role
from shared.identity.sealing import open_sealed, seal
from shared.identity.tokens import Principal
from shared.store.aggregates import NOTES, Cause, Kernel
from shared.store.collection import belongs
from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.sayers import said_by

READ_ALL: Role = "officer"


class Note(BaseModel):
    """`verb`: with which it was written; `at`: when that happened; `by`: the role of whoever wrote it, `office` for
    anybody inside of one towards those outside; null for one from before that was kept."""

    model_config = ConfigDict(frozen=True)

    verb: str
    at: Instant
    text: str
    by: str | None = None


class Notes:
    """Writes and reads the notes of one service's cases."""

    def __init__(self, keys: Keys, kernel: Kernel) -> None:
        self._keys = keys
        self._service = kernel.service
        self._rng = kernel.runtime.rng

    async def write(self, person: str | None, verb: str, text: str, cause: Cause) -> Cause:
        """The cause with the note. Its digest is keyed, for a plain one would tell whether a guessed note is right.

        `person`: whom the case is about, None for one about nobody. Raises Refusal `person_erased`, Unavailable.
        """
        id = short_hash(cause.command_id)
        if person is None:
            key, kept = self._keys.blind_index_key(self._service), {"text": text}
        else:
            try:
                key = await self._keys.persons(self._service).key(person)
            except KeyDestroyed:
                raise Refusal("person_erased", "nothing more is written about this person") from None
            kept = {"sealed": seal(key, text, person=person, field=_field(id), rng=self._rng)}
        digest = hmac.new(key, cause.digest.encode(), hashlib.sha256).hexdigest()
        by = {"role": cause.by["role"]} if cause.by else {}
        return cause.noting({"id": id, "verb": verb, "account": cause.account, **by, **kept}, digest)

    async def read(
        self, case: Case[Any], person: str | None, document: Document, principal: Principal
    ) -> tuple[Note, ...]:
        """The notes that the caller may read, in the order in which they were written; none of an erased person.

        Whoever is asked to take the case over reads why, and nothing else that the office wrote: neither for itself nor
        for another office that was asked before.

        Raises SealBroken, Unavailable.
        """
        stranger = principal.office is not None and belongs(document, RECEIVING, principal.office)
        rows = [
            one
            for one in document["private"].get(NOTES, ())
            if (_asks(document, one) if stranger else _may_read(case, one, principal))
        ]
        if not rows or person is None:
            return tuple(_read(one, one["text"], principal.role) for one in rows)
        try:
            key = await self._keys.persons(self._service).existing(person)
        except KeyDestroyed:
            return ()
        if key is None:
            return ()
        # One that was written before notes on persons were sealed is as it was.
        opened = [
            one["text"] if "text" in one else open_sealed(key, one["sealed"], person=person, field=_field(one["id"]))
            for one in rows
        ]
        return tuple(_read(one, text, principal.role) for one, text in zip(rows, opened, strict=True))


def _asks(document: Document, note: Mapping[str, Any]) -> bool:
    """Whether it was written with the request that stands."""
    asked_at = Transfer.model_validate(document["state"][TRANSFER]).asked_at
    return bool(note["verb"] == ASK and instant_of(note["at"]) == asked_at)


def _may_read(case: Case[Any], note: Mapping[str, Any], principal: Principal) -> bool:
    """Officers, whoever wrote it, and the roles that its verb is meant to tell."""
    row = case.rows.get(note["verb"], (None,))[0]
    told = row.note_to if row else ()
    return principal.role in (READ_ALL, *told) or note["account"] == principal.account


def _read(row: Mapping[str, Any], text: str, reader: Role) -> Note:
    return Note(verb=row["verb"], at=row["at"], text=text, by=said_by({"role": row.get("role")}, reader)[0])


def _field(id: str) -> str:
    return f"note_{id}"
