"""What registration does: load, decide, save. Rules are in domain/, identifiers in identifiers.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from services.registration.bodies import ExpertRegistration, IdentityDocument, ProfileCorrection, ProvidedInfo
from services.registration.domain import documents, experts
from services.registration.domain.experts import Expert, ProvideInfo, RegisterExpert, ScreenExpert
from services.registration.domain.persons import (
    CorrectProfile,
    NewEntry,
    Person,
    RecordPerson,
)
from services.registration.domain.transitions import existing
from services.registration.identifiers import Identifiers
from services.registration.listed import definitions_of, refuse_unlisted
from services.registration.store import DOCUMENTS, EXPERTS, PERSONS, PROGRAMMES, office_mark
from shared.clock import derived_id
from shared.contracts.registration import Attributes, attributes_on
from shared.errors import Refusal, TooEarly
from shared.intake.submission import Submission
from shared.programmes.eligibility import FailedCriterion, failed_criteria
from shared.programmes.model import Definition
from shared.replica import Replica
from shared.store.aggregates import UNREAD, Cause, Saved, settled
from shared.store.guards import Guard
from shared.store.port import Document

EXPERT_REGISTRATION = "expert-registration"
ALIKE_AT_MOST = 2


class Registering:
    """The commands of registration that touch more than one document, or need what a document does not hold."""

    def __init__(self, replica: Replica, identifiers: Identifiers) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self.identifiers = identifiers
        self.guard = Guard(DOCUMENTS, PERSONS.name, documents.admit, documents.usage, self._finish_submission)

    async def newest(self, code: str) -> tuple[Definition, int]:
        """The definition for a new case. Refusal `programme_unknown` (404); TooEarly right after its publication."""
        try:
            version = self._replica.definitions.newest_version(code)
        except Refusal:
            if await self._store.load(PROGRAMMES.name, code):
                raise TooEarly("programme_version") from None
            raise
        return self._replica.definitions.version(code, version), version

    async def register(self, submission: Submission) -> None:
        """Decides a submission: the document guard, the person, the guard again, the expert.

        Whatever could turn out otherwise the second time is checked before the submission is taken, so that
        what one replica began, another one finishes. Refusals: `already_registered`, `document_held_elsewhere`.
        """
        body = ExpertRegistration.model_validate(submission.body)
        channel: Literal["self", "officer"] = "self" if submission.channel == "self" else "officer"
        person_id = person_of(channel, submission.cause)
        cause = submission.cause.step("expert")
        # An officer's submission names a person of its own, whom only a repetition of it finds there.
        known = await self._unless_second(submission.subject, cause) if channel == "self" else None
        _, version = await self.newest(body.programme)
        guard = await self._hold(body.person.document, person_id, submission)
        person = await self._record(body, person_id, guard["_id"] if guard else None, submission)
        if guard:
            await self._replica.guards.settle(self.guard, guard["_id"], person_id, known=guard, target=person)
        private = {"possible_duplicate": True} if await self._resembles(person) else None
        command = RegisterExpert(person_id, body.programme, version, body.office, channel)
        await self._kernel.execute(EXPERTS, submission.subject, command, cause, private=private, known=known)

    async def _unless_second(self, expert_id: str, cause: Cause) -> Document | None:
        document = await self._store.load(EXPERTS.name, expert_id)
        if document is not None and not settled(document, cause):
            raise Refusal("already_registered", "the person is registered in this programme")
        return document

    async def _hold(self, document: IdentityDocument | None, person_id: str, submission: Submission) -> Document | None:
        if document is None:
            return None
        guard_id, claim = self.identifiers.guard_id(document), {"submission": submission.id}
        try:
            # Most numbers come once; one that is held already conflicts, and its guard answers.
            return await self._replica.guards.take(self.guard, guard_id, person_id, claim, known=None)
        except Refusal as refusal:
            if refusal.rule == documents.RULE:
                raise documents.held_elsewhere() from None
            raise

    async def _record(
        self, body: ExpertRegistration, person_id: str, guard_id: str | None, submission: Submission
    ) -> Document:
        private: dict[str, Any] = await self.identifiers.sealed(person_id, body.person, guard_id)
        private[office_mark(body.office)] = True
        account = submission.cause.account if submission.channel == "self" else None
        entry = self._entry(submission.cause, body.person.valid_from, body.person.attributes)
        command = RecordPerson(account, body.office, entry, body.consents)
        cause, known = submission.cause.step("person"), UNREAD if submission.channel == "self" else None
        saved = await self._kernel.execute(PERSONS, person_id, command, cause, private=private, known=known)
        return saved.document

    def _entry(self, cause: Cause, valid_from: date, attributes: Attributes) -> NewEntry:
        return NewEntry(derived_id(cause.command_id, "entry"), valid_from, self._runtime.now(), attributes)

    async def _resembles(self, person: Document) -> bool:
        """Whether another person has the same name, year of birth and origin: a flag, never a refusal."""
        likeness = person["private"].get("likeness")
        if not likeness:
            return False
        alike = await self._store.find(PERSONS.name, "likeness", likeness, limit=ALIKE_AT_MOST)
        return any(one["_id"] != person["_id"] for one in alike)

    async def _finish_submission(self, _guard_id: str, _person_id: str, claim: Mapping[str, Any]) -> None:
        """A hold whose time is over is not taken back: the acknowledged submission behind it is decided."""
        if self._replica.intake is not None:
            await self._replica.intake.decide(claim["submission"])

    async def screen(
        self, document: Document, cause: Cause, expected_version: int | None, *, eligible: bool | None = None
    ) -> Saved[Expert]:
        """Declares the expert eligible or not by the criteria of the version that the case was opened under.

        `eligible` is what the officer declares; a declaration against the criteria is refused with
        `criteria_failed` or `criteria_met`.
        """
        on, version, failed = await self._criteria(existing(EXPERTS.read(document)), cause)
        if eligible is not None and eligible == bool(failed) and not settled(document, cause):
            raise Refusal("criteria_failed" if failed else "criteria_met", "the programme's criteria say otherwise")
        rows = [{"criterion": f.criterion, "required": f.required, "actual": f.actual} for f in failed]
        return await self._kernel.execute(
            EXPERTS,
            document["_id"],
            ScreenExpert(tuple(one.criterion for one in failed)),
            cause,
            expected_version=expected_version,
            private={"screening": {"on": on.isoformat(), "version": version, "failed": rows}},
        )

    async def _criteria(self, expert: Expert, cause: Cause) -> tuple[date, int, tuple[FailedCriterion, ...]]:
        """The day in the office's time zone, the version that the case is under, and the criteria failed then."""
        version = expert.programme_version or self._replica.definitions.newest_version(expert.programme)
        definition = self._replica.definitions.version(expert.programme, version)
        office = definition.office(expert.office)
        instant = cause.happened_at or self._runtime.now()
        on = (instant.astimezone(office.zone) if office else instant).date()
        attributes = attributes_on((await self._person(expert.person)).entries, on)
        if attributes is None:
            raise Refusal("profile_begins_later", "nothing is known of the person as of that day")
        return on, version, failed_criteria(definition, attributes, on)

    async def _person(self, id: str) -> Person:
        _, person = await self._kernel.load(PERSONS, id)
        if person is None:
            raise Refusal("not_found", status=404)
        return person

    async def provide_info(
        self, document: Document, body: ProvidedInfo, cause: Cause, expected_version: int | None
    ) -> Saved[Expert]:
        """What screening asked for: new attributes go to the person first, then screening goes on."""
        expert = existing(EXPERTS.read(document))
        if not settled(document, cause):
            experts.decide(expert, ProvideInfo(), self._runtime.now())
            if body.attributes is not None and body.valid_from is not None:
                person = await self._person(expert.person)
                if attributes_on(person.entries, body.valid_from) != body.attributes:
                    change = ProfileCorrection(attributes=body.attributes, valid_from=body.valid_from)
                    await self.correct_profile(expert.person, change, cause.step("profile"), None)
        return await self._kernel.execute(
            EXPERTS, document["_id"], ProvideInfo(), cause, expected_version=expected_version
        )

    async def correct_profile(
        self, person_id: str, body: ProfileCorrection, cause: Cause, expected_version: int | None
    ) -> Saved[Person]:
        """A new entry of the timeline; what resembles the person follows the new attributes."""
        document = await self._store.load(PERSONS.name, person_id)
        if document is not None and not settled(document, cause):
            definitions = await definitions_of(self._store, self._replica.definitions, person_id)
            refuse_unlisted(definitions, body.attributes, "/attributes")
        private = await self.identifiers.likeness(person_id, (document or {}).get("private", {}), body.attributes)
        command = CorrectProfile(self._entry(cause, body.valid_from, body.attributes), body.corrects)
        return await self._kernel.execute(
            PERSONS, person_id, command, cause, expected_version=expected_version, private=private
        )


def person_of(channel: str, cause: Cause) -> str:
    """uuid5 of the account that registers itself, or of the submission where an officer registers somebody."""
    if channel == "self":
        return derived_id("account-person", cause.account or "")
    return derived_id("person", cause.command_id)
