"""Somebody registers: taken in with a receipt, then decided over the document's guard, the person and the expert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.registration.domain import documents
from services.registration.domain.appeals import is_open
from services.registration.domain.experts import EXPERT, Applicant, Channel, ExpertRegistration
from services.registration.domain.flags import IDENTITY_DIFFERS, IDENTITY_PENDING, POSSIBLE_DUPLICATE
from services.registration.domain.names import fold_name
from services.registration.domain.persons import PERSON
from services.registration.domain.registrants import PersonInput
from services.registration.identifiers import SEALED_DOCUMENT, Identifiers
from services.registration.listed import refuse_unlisted
from services.registration.store import DOCUMENTS, EXPERTS, PERSONS, office_mark
from services.registration.work.claiming import CLAIMED
from services.registration.work.handing_over import HandingOver, person_following
from services.registration.work.limits import lived, own_office, within_a_life
from services.registration.work.profiles import entry_of
from services.registration.work.publishing import Publishing
from shared.cases.case import Asked
from shared.clock import derived_id, together
from shared.errors import PreconditionFailed, Refusal, UniqueViolated
from shared.identity.policy import Equality
from shared.identity.tokens import Principal
from shared.intake.submission import Submission
from shared.intake.submissions import SUBMISSIONS
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.store.aggregates import Cause, settled
from shared.store.collection import belongs
from shared.store.guards import Guard
from shared.store.port import Document
from shared.web.acting import Call
from shared.web.callers import Granted

EXPERT_REGISTRATION = "expert-registration"
ALIKE_AT_MOST = 2
AGAIN = "already_registered"
TAKEN_OVER = "account_taken_over"
UNKNOWN = "known_person_unknown"
# Of a person's private part what says who it is.
IDENTITY = frozenset({"sealed_given_name", "sealed_family_name", "sealed_born", "likeness", "name_tokens"})


class Registering:
    """Registrations of experts, and the guard of their document numbers."""

    def __init__(
        self, replica: Replica, publishing: Publishing, identifiers: Identifiers, handing_over: HandingOver
    ) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._publishing = publishing
        self._identifiers = identifiers
        self._handing_over = handing_over
        self.guard = Guard(
            DOCUMENTS, PERSONS.name, documents.admit, documents.usage, self._finish_submission, forgets=True
        )

    async def take(self, call: Call[ExpertRegistration]) -> Mapping[str, Any]:
        """The receipt. Whatever could turn out otherwise at the second decision is refused before it is given."""
        return await self.take_in(call.body, call.cause, call.principal, call.granted)

    async def take_in(
        self, body: ExpertRegistration, cause: Cause, principal: Principal, granted: Granted | None = None
    ) -> Mapping[str, Any]:
        """As `take`, of what somebody asked for in another way than by the verb's own request. `granted`: what the
        caller may do, where a person who is recorded may be named."""
        await self.check(body, cause, principal)
        channel: Channel = "self" if principal.role == "expert" else "officer"
        if body.known_person is not None:
            await self._readable(body.known_person, granted)
        person_id, recorded = await self._person_of(channel, body, cause)
        subject = derived_id(person_id, body.programme)
        # Nobody is an expert who is not recorded.
        if recorded:
            await self._not_again(subject, cause)
        stored = body.model_dump(mode="json", exclude_none=True)
        return await self._replica.submissions.submit(
            EXPERT_REGISTRATION,
            subject,
            stored,
            cause,
            office=body.office,
            channel=channel,
            person=person_id,
            read=body,
            first=not recorded,
        )

    async def check(self, body: ExpertRegistration, cause: Cause, principal: Principal) -> None:
        """What is refused of the body itself, by the programme's lists and dates and by a life's. Refusal 403, 404,
        409, 422; TooEarly right after a publication."""
        own_office(principal, body.office)
        person, now = body.person, self._runtime.now()
        within_a_life(person.valid_from, cause.happened_at or now, "/person/valid_from")
        lived(person.attributes, person.valid_from, "/person/attributes", "/person/born/year" if person.born else None)
        definition, _ = await self._publishing.newest(body.programme)
        if definition.office(body.office) is None:
            raise Refusal(
                "office_unknown",
                "the code of an office of the programme",
                at="/office",
                status=422,
            )
        await self._within(definition, body.office, cause, now)
        # Without a selection nobody could ever be screened, so the case could not go on.
        definition.section(SelectionSection)
        refuse_unlisted((definition,), body.person.attributes, "/person/attributes")

    async def _within(self, definition: Definition, office: str, cause: Cause, now: datetime) -> None:
        """Refuses what is outside of the programme's time; what was taken in time is answered again at any time."""
        try:
            definition.refuse_outside(office, cause.happened_at, now)
        except Refusal:
            if await self._store.load(SUBMISSIONS.name, cause.command_id) is None:
                raise

    async def _readable(self, person_id: str, granted: Granted | None) -> None:
        """An officer names a person of the own office; whoever registers itself names nobody. Refusal (422)."""
        found: tuple[Equality, ...] = ()
        if granted is not None and granted.principal.role == "officer":
            readable = granted.edge.policy.allowed(granted.principal, PERSONS.name, "read")
            found = await granted.equalities_of(readable)
        person = await self._store.load(PERSONS.name, person_id)
        if person is None or not any(belongs(person, index, equals) for index, equals in found):
            raise Refusal(
                UNKNOWN,
                "the id of a person of the own office",
                at="/known_person",
                status=422,
            )

    async def _not_again(self, expert_id: str, cause: Cause) -> None:
        """A second registration is no way round a decision: the refusal says what is possible instead."""
        state = EXPERTS.read(await self._store.load(EXPERTS.name, expert_id))
        if state is None or await self._store.load(SUBMISSIONS.name, cause.command_id):
            return
        now = self._runtime.now()
        verbs = [one for one in EXPERT.open_to(state, "expert") if one != "appeal" or is_open(state, now)]
        status = EXPERT.veiled.get(state.status, state.status)
        detail = f"the person's case in this programme is {status}; possible now: {', '.join(verbs) or 'nothing'}"
        raise Refusal(AGAIN, f"{detail}; an officer may screen again, with a reason")

    async def register(self, submission: Submission) -> None:
        """Decides a submission: the document guard, the person, the guard again, the expert.

        Whatever could turn out otherwise the second time is checked before the submission is taken, so that
        what one replica began, another one finishes. A number that another person holds is kept with the case alone,
        which is no expert's until that is decided (`Claiming`). Refusal: `already_registered`, `account_handed_over`;
        `account_taken_over` for an account that came to stand for another person after the submission was taken.
        """
        body = submission.as_model(ExpertRegistration)
        channel: Channel = "self" if submission.channel == "self" else "officer"
        # What the edge has just found is not looked for again: the save of the person says where it is so no more.
        person_id, recorded = person_of(channel, submission.cause), False
        if not submission.opened.first:
            person_id, recorded = await self._person_of(channel, body, submission.cause)
        try:
            await self._decided(body, channel, person_id, recorded, submission)
        except PreconditionFailed:
            # Recorded since, by another submission of the same account.
            person_id, recorded = await self._person_of(channel, body, submission.cause)
            await self._decided(body, channel, person_id, recorded, submission)

    async def _decided(
        self, body: ExpertRegistration, channel: Channel, person_id: str, recorded: bool, submission: Submission
    ) -> None:
        """`recorded`: the person may stand already. PreconditionFailed for one who signs in and has been recorded
        since."""
        guard_id = self._guard_of(body)
        if derived_id(person_id, body.programme) != submission.subject:
            raise await self._taken_over(body, submission)
        cause = submission.cause.step("expert")
        known = await self._unless_second(submission.subject, cause) if recorded else None
        _, version = await self._publishing.newest(body.programme)
        # The hold and the person's key wait for the disk side by side; so do the hold's settling and the expert.
        guard, private = await together(
            self._hold(guard_id, person_id, submission), self._identifiers.sealed(person_id, body.person, guard_id)
        )
        clashes = guard_id is not None and guard is None
        claimed = {name: private.pop(name) for name in [*private] if clashes and name.startswith(SEALED_DOCUMENT)}
        stood, kept = await self._kept(person_id, body.person) if recorded else (None, None)
        if kept is not None:
            private = {name: text for name, text in private.items() if name not in IDENTITY}
            body = body.model_copy(update={"person": kept})
        person = await self._record(body, person_id, private, submission, stood)
        flags = await self._flags(person, differs=kept is not None)
        if clashes:
            flags |= {CLAIMED: guard_id, **claimed}
        command = Asked("create", body, Applicant(person_id, version, channel, clashes))
        await together(
            self._settle(guard, person),
            self._kernel.execute(EXPERTS, submission.subject, command, cause, private=flags, known=known),
        )

    async def _person_of(self, channel: str, body: ExpertRegistration, cause: Cause) -> tuple[str, bool]:
        """The person whom the registration is about, and whether that one was recorded before it. Refusal for an
        account whose person was handed to another one, or erased."""
        if channel != "self":
            # Where no person is named the submission makes one of its own, whom only a repetition of it finds there.
            return body.known_person or person_of(channel, cause), body.known_person is not None
        person_id, recorded = await self._handing_over.who_registers(cause.account or "")
        if person_id is None:
            raise handed_over()
        return person_id, recorded

    def _guard_of(self, body: ExpertRegistration) -> str | None:
        document = body.person.document
        return self._identifiers.guard_id(document) if document else None

    async def _taken_over(self, body: ExpertRegistration, submission: Submission) -> Refusal:
        """The refusal; the number is given back that was held for a person whom nobody recorded."""
        person_id, guard_id = person_of("self", submission.cause), self._guard_of(body)
        if guard_id is not None and await self._store.load(PERSONS.name, person_id) is None:
            await self._replica.guards.forget(self.guard, guard_id, person_id)
        return Refusal(TAKEN_OVER, "the account came to stand for another person after the registration was sent")

    async def _kept(self, person_id: str, said: PersonInput) -> tuple[Document | None, PersonInput | None]:
        """The person as it stands, and what is recorded where that has another name or year of birth than said.

        Who that is stays as it was, for the first case was decided on it, and an officer looks at both.
        """
        document, person = await self._kernel.load(PERSONS, person_id)
        if document is None or person is None:
            return document, None
        years = [year for one in person.entries if (year := one.attributes.birth_year) is not None]
        names = await self._identifiers.names(person_id, document["private"])
        said_names = (name for name in (said.given_name, said.family_name) if name)
        another_name = bool(names) and fold_name(*names.values()) != fold_name(*said_names)
        another_year = bool(years) and said.attributes.birth_year not in (None, *years)
        if not (another_name or another_year):
            return document, None
        known = said.attributes.model_copy(update={"birth_year": years[-1]} if years else {})
        return document, said.model_copy(update={"attributes": known})

    async def _settle(self, guard: Document | None, person: Document) -> None:
        if guard is not None:
            await self._replica.guards.settle(self.guard, guard["_id"], person["_id"], known=guard, target=person)

    async def _unless_second(self, expert_id: str, cause: Cause) -> Document | None:
        document = await self._store.load(EXPERTS.name, expert_id)
        if document is not None and not settled(document, cause):
            raise Refusal(AGAIN, "the person is registered in this programme")
        return document

    async def _hold(self, guard_id: str | None, person_id: str, submission: Submission) -> Document | None:
        """The guard with the person's hold; None without a number, and where it is another person's."""
        if guard_id is None:
            return None
        claim = {"submission": submission.id}
        try:
            # Most numbers come once; one that is held already conflicts, and its guard answers.
            return await self._replica.guards.take(self.guard, guard_id, person_id, claim, known=None)
        except Refusal as refusal:
            if refusal.rule in documents.NOT_THEIRS:
                return None
            raise

    async def _record(
        self,
        body: ExpertRegistration,
        person_id: str,
        sealed: Mapping[str, str],
        submission: Submission,
        stood: Document | None,
    ) -> Document:
        """`stood`: the person's document, as it was just read."""
        itself, known = submission.channel == "self", body.person
        private = {**sealed, office_mark(body.office): True}
        command = PERSON.ask(
            "record",
            account=submission.cause.account if itself else None,
            office=body.office,
            entry=entry_of(submission.cause, known.valid_from, known.attributes, self._runtime),
            consents=body.consents,
        )
        cause = submission.cause.step("person")
        # What whoever stands already is asked for first, `_kept`, was not asked for whoever does not.
        at = 0 if itself and stood is None else None
        try:
            saved = await self._kernel.execute(
                PERSONS, person_id, command, cause, expected_version=at, private=private, known=stood
            )
        except UniqueViolated:
            raise await self._taken_over(body, submission) from None
        return saved.document

    async def _flags(self, person: Document, *, differs: bool) -> dict[str, Any]:
        """What an officer has to look at in the case."""
        pending = person["state"].get("identity_change") == "pending"
        alike = await self._resembles(person)
        return {POSSIBLE_DUPLICATE: alike, IDENTITY_DIFFERS: differs, IDENTITY_PENDING: pending}

    async def _resembles(self, person: Document) -> bool:
        """Whether another person has the same name, year of birth and origin: a flag, never a refusal."""
        likeness = person["private"].get("likeness")
        if not likeness:
            return False
        # The person itself, which was just saved, is one of them.
        return await self._store.count(PERSONS.name, "likeness", likeness, at_most=ALIKE_AT_MOST) > 1

    async def _finish_submission(self, _guard_id: str, _person_id: str, claim: Mapping[str, Any]) -> None:
        """A hold whose time is over is not taken back: the acknowledged submission behind it is decided."""
        if self._replica.intake is not None:
            await self._replica.intake.decide(claim["submission"])


def handed_over() -> Refusal:
    return Refusal("account_handed_over", "another account stands for the person whom this one registered")


def person_of(channel: str, cause: Cause) -> str:
    """uuid5 of the account that registers itself, or of the submission where an officer registers somebody."""
    if channel == "self":
        return person_following(cause.account or "")
    return derived_id("person", cause.command_id)
