"""A change of identity: asked for, then confirmed or refused by another account; the document's guard comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from services.registration.domain import documents
from services.registration.domain.claims import CLASH
from services.registration.domain.documents import IdentityDocument
from services.registration.domain.experts import EXPERT, STANDING
from services.registration.domain.flags import IDENTITY_PENDING
from services.registration.domain.identity import UNCHANGED, UNDECIDED, Identity, IdentityChange
from services.registration.domain.lives import RULES, beyond_a_life
from services.registration.domain.persons import PERSON, Person
from services.registration.domain.timeline import birth_year, born_in
from services.registration.identifiers import NOTHING_ASKED, SEALED_DOCUMENT, Identifiers
from services.registration.store import EXPERTS, PERSONS
from services.registration.work.claiming import CLAIMED
from shared.cases.bodies import Change, Reason
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.contracts.registration.persons import IdentityChangeConfirmed, ProfileEntry
from shared.errors import Conflict, PreconditionFailed, Problem, Refusal, TooEarly
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause, Saved, check_version, seen_by, settled
from shared.store.guards import Guard
from shared.store.paging import every
from shared.store.port import Document
from shared.web.acting import Call

# In the private part: the account of the officer who decided on the last change.
DECIDED_BY = "identity_decided_by"
# And the number of the document that came with it, whether another person held it, and then the document, sealed.
RENUMBERED = "renumbered"
# Cases on which somebody decides by who the person was.
UNDECIDED_IN = frozenset({"suspended", "appealed", CLASH})


class IdentityChanges:
    """`guard`: of the numbers of documents."""

    def __init__(self, replica: Replica, identifiers: Identifiers, guard: Guard) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._identifiers = identifiers
        self._guard = guard

    async def request(self, call: Call[IdentityChange]) -> Saved[Person]:
        """What is asked is sealed. Refusals: `identity_unchanged`; 422 for a year that is none of this life."""
        document, person = await self._kernel.load(PERSONS, call.id)
        if document is None or person is None or settled(document, call.cause):
            return await self._execute(call)
        PERSON.move(person, call.verb)
        await self._refuse_the_same(call.id, document, person, call.body)
        pointer = "/born/year" if call.body.born else "/birth_year"
        self._born(person, call.body, call.cause, pointer)
        return await self._execute(call, private=await self._identifiers.asked(call.id, call.body))

    async def confirm(self, call: Call[Reason]) -> Saved[Person]:
        """The number of the document is held before the person is changed.

        What was read is what is saved: somebody may ask for something else in between. A crash in between leaves the
        number with the person, and the verb comes again. A number that another person holds is kept apart until the
        protection role has decided (`Claiming`), and the answer is the same. Refusal `case_undecided`.
        """
        for _ in range(ATTEMPTS):
            document, person = await self._kernel.load(PERSONS, call.id)
            if document is None or person is None or settled(document, call.cause):
                return await self._execute(call)
            check_version(document, call.expected_version)
            PERSON.move(person, call.verb)
            # Whoever may not confirm takes no number for it either.
            seen_by(document, "checks", call.cause)
            try:
                return await self._confirmed(call, document, person)
            except PreconditionFailed:
                if call.expected_version is not None:
                    raise
        raise Conflict

    async def refuse(self, call: Call[Reason]) -> Saved[Person]:
        """What was asked is kept no longer."""
        return await self._execute(call, private={**NOTHING_ASKED, DECIDED_BY: call.cause.account})

    async def is_pending(self, person_id: str) -> bool:
        """Whether a change of the person's identity waits for a decision."""
        _, person = await self._kernel.load(PERSONS, person_id)
        return person is not None and person.identity_change == "pending"

    async def _confirmed(self, call: Call[Reason], document: Document, person: Person) -> Saved[Person]:
        identity = await self._identifiers.asked_for(call.id, document["private"])
        if identity is None:
            raise Refusal("identity_change_not_asked", "no change of identity waits for a decision")
        if identity.document is not None:
            await self._refuse_undecided(call.id)
        entries = self._born(person, identity, call.cause)
        known = (entries or person.entries)[-1].attributes
        # Before the guard: a key that cannot be had now takes no number.
        private = await self._identifiers.changed(call.id, document["private"], identity, known)
        guard = await self._hold(call.id, identity)
        held = identity.document is not None and guard is None
        private |= self._renumbered(private, identity, call.cause.command_id, held=held)
        saved = await self._kernel.execute(
            PERSONS,
            call.id,
            Asked(call.verb, call.body, entries),
            call.cause,
            expected_version=document["version"],
            private={**private, DECIDED_BY: call.cause.account},
        )
        if guard is not None:
            guards = self._replica.guards
            await guards.settle(self._guard, guard["_id"], call.id, known=guard, target=saved.document)
        return saved

    async def _hold(self, person_id: str, identity: Identity) -> Document | None:
        """The guard with the person's hold; None without a document, and where the number is another person's."""
        if identity.document is None:
            return None
        guard_id = self._identifiers.guard_id(identity.document)
        try:
            return await self._replica.guards.take(self._guard, guard_id, person_id, {})
        except Refusal as refusal:
            if refusal.rule in documents.NOT_THEIRS:
                return None
            raise

    def _renumbered(self, private: Mapping[str, Any], identity: Identity, change: str, *, held: bool) -> dict[str, Any]:
        """What the person's cases are to follow; a document whose number is another's is not the person's so far."""
        if identity.document is None:
            return {RENUMBERED: None}
        sealed = {name: text for name, text in private.items() if held and name.startswith(SEALED_DOCUMENT)}
        number = self._identifiers.guard_id(identity.document)
        said = {"change": change, "number": number, "held": held, "sealed": sealed}
        return {**dict.fromkeys(sealed), RENUMBERED: said}

    async def _refuse_undecided(self, person_id: str) -> None:
        """Another document brings the cases back to screening, which would overrule what is decided elsewhere."""
        cases = [EXPERTS.read(one) async for one in every(self._store, EXPERTS.name, "own", person_id)]
        if any(one is not None and one.status in UNDECIDED_IN for one in cases):
            detail = "a case of the person is suspended, under appeal, or waits for whose a number is: that comes first"
            raise Refusal(UNDECIDED, detail)

    async def heard(self, delivery: Delivery) -> None:
        """A change was asked for, confirmed or refused: each of the person's cases says whether one waits, and follows
        another document. Raises TooEarly before the registration that made the person has made the case."""
        cases = [one["_id"] async for one in every(self._store, EXPERTS.name, "own", delivery.subject)]
        if not cases:
            raise TooEarly("expert")
        for case in cases:
            await self._follow(case, delivery)

    async def _follow(self, case: str, delivery: Delivery) -> None:
        for _ in range(ATTEMPTS):
            document, expert = await self._kernel.load(EXPERTS, case)
            owner, person = await self._kernel.load(PERSONS, delivery.subject)
            if document is None or expert is None or owner is None or person is None or person.status == "erased":
                return None
            if expert.status not in STANDING | {CLASH}:
                return None
            try:
                await self._noted(document, person, delivery)
                return await self._identified(document["_id"], owner, delivery)
            except PreconditionFailed:
                # Decided in between, or erased.
                continue
        raise Conflict

    async def _noted(self, case: Document, person: Person, delivery: Delivery) -> None:
        flag = {IDENTITY_PENDING: person.identity_change == "pending" or None}
        cause = delivery.cause(f"flag:{case['_id']}")
        command, version = EXPERT.ask("note-flag"), case["version"]
        await self._kernel.execute(EXPERTS, case["_id"], command, cause, expected_version=version, private=flag)

    async def _identified(self, case: str, owner: Document, delivery: Delivery) -> None:
        said = owner["private"].get(RENUMBERED)
        document, expert = await self._kernel.load(EXPERTS, case)
        if document is None or expert is None or not isinstance(delivery.event, IdentityChangeConfirmed) or not said:
            return
        # By the change that stands, whichever event is heard of first: a case follows each document once.
        cause = replace(delivery.cause("identify"), command_id=derived_id(said["change"], "identify", case))
        if settled(document, cause) or expert.status not in STANDING:
            return
        claimed = {CLAIMED: said["number"], **said["sealed"]} if said["held"] else None
        command = Asked("identify-anew", Change(), said["held"])
        await self._kernel.execute(EXPERTS, case, command, cause, expected_version=document["version"], private=claimed)

    async def _refuse_the_same(self, person_id: str, document: Document, person: Person, said: Identity) -> None:
        private, same = document["private"], list[bool]()
        if said.names:
            same.append(said.names == await self._identifiers.names(person_id, private))
        if said.born is not None:
            same.append(said.born == await self._identifiers.born(person_id, private))
        elif said.birth_year is not None:
            same.append(birth_year(person.entries) == said.birth_year)
        if said.document is not None:
            same.append(await self._holds_or_claims(person_id, private, said.document))
        if all(same):
            raise Refusal(UNCHANGED, "the person is recorded so already")

    async def _holds_or_claims(self, person_id: str, private: Mapping[str, Any], asked: IdentityDocument) -> bool:
        """A number that somebody else holds is answered as the own one is, while nobody has decided whose it is."""
        if self._identifiers.holds(private, asked):
            return True
        number, cases = self._identifiers.guard_id(asked), every(self._store, EXPERTS.name, "own", person_id)
        return any([one["private"].get(CLAIMED) == number and one["state"]["status"] == CLASH async for one in cases])

    def _born(self, person: Person, said: Identity, cause: Cause, pointer: str | None = None) -> Sequence[ProfileEntry]:
        """The entries that correct the year of birth on each day from which something was known."""
        if said.year is None:
            return ()
        now, found = self._kernel.runtime.now(), list[ProfileEntry]()
        for day, attributes in born_in(person.entries, said.year):
            for rule in beyond_a_life(attributes, day).values():
                problems = (Problem(rule, pointer),) if pointer else ()
                raise Refusal(rule, RULES[rule], problems=problems, status=422 if pointer else 409)
            id = derived_id(cause.command_id, "entry", day.isoformat())
            found.append(ProfileEntry(id=id, valid_from=day, recorded_at=now, attributes=attributes))
        return found

    async def _execute(self, call: Call[Any], private: Mapping[str, Any] | None = None) -> Saved[Person]:
        return await self._kernel.execute(
            PERSONS,
            call.id,
            Asked(call.verb, call.body),
            call.cause,
            expected_version=call.expected_version,
            private=private,
        )
