"""Erasing a person: what says who it is goes in one save, what is left by whoever gets to it, the key last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.registration.domain.experts import EXPERT
from services.registration.domain.messages import mails_of
from services.registration.domain.persons import ErasureFor, Person, Standing
from services.registration.identifiers import SERVICE
from services.registration.listed import definitions_of
from services.registration.mailing.channel import Channel
from services.registration.store import DOCUMENTS, EXPERTS, MESSAGES, OFFICE_MARK, PERSONS
from services.registration.work.drafting import Drafting
from services.registration.work.filing import Filing
from services.registration.work.standing import is_offered, is_placed
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.errors import Conflict, PreconditionFailed, Refusal, TooEarly, Unavailable, UnknownOutcome
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause, Saved, check_version, settled
from shared.store.guards import Guard
from shared.store.paging import every
from shared.store.port import Document
from shared.telemetry.observability import count, logger
from shared.web.acting import Call

ERASED, ERASED_BEFORE = "person_erased", "erased_before"
WAIT_SECONDS = 1.0


class Erasing:
    """Erases, finishes what a crash left of it, and erases again whom a restore brought back.

    `guard`: that of the document numbers. `channel`: of mail, None where none is sent.
    """

    def __init__(
        self, replica: Replica, guard: Guard, drafting: Drafting, filing: Filing, channel: Channel | None
    ) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._keys = replica.ports.keys.persons(SERVICE)
        self._guard = guard
        self._drafting = drafting
        self._filing = filing
        self._channel = channel

    async def erase(self, call: Call[ErasureFor]) -> Saved[Person]:
        """Answered once nothing of the person can be opened here; asked again, it is answered the same.

        Raises Refusal `placement_reached`, `offer_stands`; TooEarly while a definition has not arrived here.
        """
        saved = await self._save(call.id, call.body, call.cause, call.expected_version)
        await self._finish(call.id)
        return saved

    async def heard(self, delivery: Delivery) -> None:
        """PersonErased: what a crash left is finished, and no older page of the store's file is left."""
        await self._finish(delivery.subject)
        await self._store.truncate()

    async def again(self) -> None:
        """Erases whoever has no key any more and stands in the store all the same, as in one that was restored.

        The keys are no part of a backup, so a destroyed one is what outlives it: the ledger of erasures.
        """
        while True:
            try:
                if not self._replica.not_ready():
                    return await self._follow_the_keys()
            except (Unavailable, UnknownOutcome, TooEarly, Conflict) as error:
                logger.warning("erasing_waits", error=type(error).__name__)
            await self._replica.ports.runtime.sleep(WAIT_SECONDS)

    async def _follow_the_keys(self) -> None:
        for person_id in await self._keys.destroyed():
            state = PERSONS.read(await self._store.load(PERSONS.name, person_id))
            if state is not None and state.status != "erased":
                cause = Cause(derived_id(person_id, ERASED_BEFORE, str(self._kernel.epoch)))
                await self._save(person_id, ErasureFor(reason=ERASED_BEFORE), cause, None, ledger=True)
                count("erased_again")

    async def _save(
        self, id: str, body: ErasureFor, cause: Cause, expected: int | None, *, ledger: bool = False
    ) -> Saved[Person]:
        forgetting = replace(cause, forgets=True)
        for _ in range(ATTEMPTS):
            document, person = await self._kernel.load(PERSONS, id)
            if document is None or person is None:
                raise Refusal("not_found", status=404)
            if not settled(document, cause):
                check_version(document, expected)
            stands = await self._stands(id, ledger) if person.status == "recorded" else None
            command, version = Asked("erase", body, stands), int(document["version"])
            try:
                return await self._kernel.execute(
                    PERSONS, id, command, forgetting, expected_version=version, private=_nothing_of(document)
                )
            except PreconditionFailed:
                # What was written meanwhile has to go as well.
                continue
        raise Conflict

    async def _stands(self, id: str, ledger: bool) -> Standing:
        definitions = await definitions_of(self._store, self._replica.definitions, id)
        kept = frozenset(name for one in definitions for name in one.statistical_attributes())
        if ledger:
            # It was decided before, when nothing stood against it.
            return Standing(kept)
        experts = [one["_id"] async for one in every(self._store, EXPERTS.name, "own", id)]
        offered = [await is_offered(self._store, expert) for expert in experts]
        placed = [await is_placed(self._store, expert) for expert in experts]
        return Standing(kept, any(offered), any(placed))

    async def _finish(self, person_id: str) -> None:
        """The numbers, the cases, the drafts, the files, the mails, the key: each may be done already, and the key is
        what ends it."""
        while held := await self._store.find(DOCUMENTS.name, "holder", person_id):
            for guard in held:
                await self._replica.guards.forget(self._guard, guard["_id"], person_id)
        async for expert in every(self._store, EXPERTS.name, "own", person_id):
            await self._end(expert["_id"])
        await self._drafting.forget(person_id)
        await self._filing.end("person", person_id)
        await self._forget_mails(person_id)
        await self._keys.destroy(person_id)

    async def _end(self, expert: str) -> None:
        """Raises Conflict, Unavailable."""
        cause = Cause(derived_id(expert, ERASED), forgets=True)
        for _ in range(ATTEMPTS):
            document = await self._store.load(EXPERTS.name, expert)
            if document is None:
                return
            command, private = EXPERT.ask("withdraw", reason=ERASED), dict.fromkeys(document["private"])
            version = int(document["version"])
            try:
                await self._kernel.execute(EXPERTS, expert, command, cause, expected_version=version, private=private)
                return
            except PreconditionFailed:
                # What was written beside it meanwhile has to go as well.
                continue
        raise Conflict

    async def _forget_mails(self, person_id: str) -> None:
        """Whatever was sent, also what a crash left unmarked. Raises Unavailable."""
        if self._channel is None:
            return
        async for message in every(self._store, MESSAGES.name, "person", person_id):
            for mail in mails_of(message["_id"]):
                await self._channel.forget(mail)


def _nothing_of(document: Document) -> Mapping[str, Any]:
    """The private part without a field but the offices that may see the case."""
    return {name: None for name in document["private"] if not name.startswith(OFFICE_MARK)}
