"""Reading identifiers: counted first, then written into the trail, and only then opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from services.registration.domain.files import FilePurpose
from services.registration.domain.names import fold_name
from services.registration.domain.readings import DOCUMENTS, FILES, NAMES, OPENS, Noted, PaperPurpose, Purpose, Used
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.settings import Issued
from services.registration.store import PERSONS, READERS
from shared.audit.chain import SUBJECTS_AT_MOST, Reading
from shared.audit.trail import Trail
from shared.clock import retrying, text_of, together
from shared.errors import Conflict, Refusal
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.tokens import Principal
from shared.replica import Replica
from shared.store.collection import SEPARATOR
from shared.store.documents import new_document
from shared.store.narrowing import LOOKED_AT_MOST, Listed, read
from shared.store.port import Document

FOUND_AT_MOST = 20
WITHOUT_LETTERS = "no_letter_or_digit"


class Readings:
    """`settings`: of how many persons an account reads the identifiers, searches included."""

    def __init__(self, replica: Replica, identifiers: Identifiers, trail: Trail, settings: Issued) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._identifiers = identifiers
        self._trail = trail
        self._an_hour = settings.readings_an_hour
        self._a_day = settings.readings_a_day

    async def note(self, principal: Principal, purpose: Noted, fields: Sequence[str], persons: Sequence[str]) -> None:
        """Durable when it returns. Raises Unavailable, Overloaded: then nothing may be shown."""
        at, account, role = text_of(self._runtime.now()), principal.account, principal.role
        office = principal.office or ""
        shares = [persons[n : n + SUBJECTS_AT_MOST] for n in range(0, len(persons), SUBJECTS_AT_MOST)] or [()]
        said = [Reading(at, account, role, office, SERVICE, purpose, tuple(fields), tuple(one)) for one in shares]
        await together(*(self._trail.write(one) for one in said))

    async def identity(
        self, document: Document, principal: Principal, purpose: Purpose, *, own: bool = False
    ) -> Mapping[str, Any]:
        """What the purpose opens of the person, by field; whoever reads the `own` is not counted, and noted as that.

        Of the own identifiers the documents stay sealed: a number that somebody else holds is not the person's so far,
        and that it is missing would tell that it is known here (`domain/claims.py`).

        Refusal `readings_used_up` (429).

        Raises KeyDestroyed for an erased person, SealBroken, Unavailable.
        """
        if PERSONS.state.model_validate(document["state"]).status == "erased":
            raise KeyDestroyed
        fields = tuple(name for name in OPENS[purpose] if not (own and name == DOCUMENTS))
        if not own:
            await self.count(principal)
        await self.note(principal, "own" if own else purpose, fields, [document["_id"]])
        return await self._identifiers.opened(document["_id"], document["private"], fields)

    async def names(self, id: str, principal: Principal, purpose: PaperPurpose, *, own: bool) -> Mapping[str, Any]:
        """Given and family name of the person for a paper, by field; whoever reads the `own` ones is not counted.

        Refusal `readings_used_up` (429). Raises KeyDestroyed for an erased person, SealBroken, Unavailable.
        """
        document = await self._store.load(PERSONS.name, id)
        if document is None or PERSONS.state.model_validate(document["state"]).status == "erased":
            raise KeyDestroyed
        if not own:
            await self.count(principal)
        await self.note(principal, purpose, NAMES, [id])
        found = await self._identifiers.opened(id, document["private"], NAMES)
        if not found:
            # A paper without the name that it is about would be nobody's.
            raise KeyDestroyed
        return found

    async def file(self, person: str, principal: Principal, purpose: FilePurpose | Literal["own"]) -> None:
        """Counts and notes that a file of the person is read next; the `own` one is noted alone.

        Refusal `readings_used_up` (429). Raises Unavailable.
        """
        if purpose != "own":
            await self.count(principal)
        await self.note(principal, purpose, (FILES,), [person])

    async def search(self, principal: Principal, name: str) -> tuple[list[Document], bool]:
        """The office's persons who have all the words of the name, and whether there are more of them.

        Refusal `readings_used_up` (429); `no_letter_or_digit` (422). Raises Unavailable.
        """
        words = fold_name(name).split()
        if not words:
            raise Refusal(
                WITHOUT_LETTERS,
                "a name with letters or digits",
                at="/name",
                status=422,
            )
        await self.count(principal)
        texts = [f"{principal.office}{SEPARATOR}{token}" for token in self._identifiers.tokens(name)]
        # Of a long name each word may be half an office's: how many more than are looked at tells nothing.
        at_most = LOOKED_AT_MOST + 1
        found_by = [(await self._store.count(PERSONS.name, "name", one, at_most=at_most), one) for one in texts]
        rarest = min(found_by)[1]

        def has_all(document: Document) -> bool:
            return set(texts) <= set(document["ix"]["name"]["e"])

        listed = Listed("name", (rarest,), has_all)
        found, following = await read(self._store, PERSONS.name, listed, None, FOUND_AT_MOST)
        await self.note(principal, "search", NAMES, [document["_id"] for document in found])
        return found, following is not None

    async def count(self, principal: Principal) -> None:
        """Counts one reading of the account before it happens: a crash after it costs one, and shows nothing."""

        async def once() -> None:
            document = await self._store.load(READERS.name, principal.account) or new_document(principal.account)
            used = Used.model_validate(document["state"] or {})
            after = used.with_one(self._runtime.now(), self._an_hour, self._a_day)
            changed = {**document, "version": document["version"] + 1, "state": after.model_dump(mode="json")}
            await self._store.save(READERS.name, changed, document["version"])

        await retrying(once, self._runtime, (Conflict,))
