"""How experts come to stand on an assignment, and how its shortlist is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.matching.domain import assignment
from services.matching.domain.assignment import Assignment, StartMatching
from services.matching.domain.knowledge import (
    NO_CONSENT,
    OfAnotherOffice,
    check_office,
    consent_to_placement,
    expert_status,
    return_of,
)
from services.matching.domain.match import ReceiveApplication, ShortlistExpert, SourceExpert, StopMatch
from services.matching.domain.match_state import Match
from services.matching.domain.scoring import Assessment, Candidate, assess, attributes_on, ranked
from services.matching.promises import Promises
from services.matching.refusals import Refusals, raise_refused
from services.matching.store import ASSIGNMENTS, MATCHES, SHADOWS, returns_key
from services.matching.waiting import Waiting
from shared.clock import derived_id, instant_of
from shared.contracts.matching import MatchParties, Terms
from shared.errors import Conflict, PreconditionFailed, Problem, Refusal, TooEarly
from shared.intake.submission import Submission
from shared.messaging.shadows import Delivery
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause, Saved, settled
from shared.store.port import Document

APPLICATION = "application"
CANCELLED = "assignment_cancelled"
# An expert of whom nothing was heard for so long was never registered; until then the log may be slow.
UNKNOWN_FOR = timedelta(days=7)
# The consent stands on the log right behind the person; so long an application waits for it.
CONSENT_WITHIN = timedelta(minutes=1)
SOURCED_TOO_EARLY = {"eligibility": "expert_not_screened", "consent": NO_CONSENT}
WAITS_AT_MOST = {"expert": (UNKNOWN_FOR, "expert_unknown"), "consent": (CONSENT_WITHIN, NO_CONSENT)}
PAGE = 200


@dataclass(frozen=True)
class Entry:
    """An expert about to be put on an assignment's longlist, or turned away from it."""

    match: str
    parties: MatchParties
    terms: Terms
    assessment: Assessment


class Selection:
    """Applications, sourcing and shortlists."""

    def __init__(self, replica: Replica, promises: Promises) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._promises = promises
        self._refusals = Refusals(replica.kernel)
        self.waiting = Waiting(replica)

    def definition(self, state: Assignment) -> Definition:
        """The version under which the case was opened. Raises TooEarly where it has not arrived here."""
        if state.programme is None or state.programme_version is None:
            raise ValueError("an assignment without its programme")
        return self._replica.definitions.version(state.programme, state.programme_version)

    async def decide_application(self, submission: Submission) -> None:
        """Intake's decider. Raises Refusal for good, TooEarly until expert and profile are known here."""
        try:
            await self._apply_in_time(submission)
            self.waiting.forget(submission.id)
        except Refusal as refusal:
            self.waiting.forget(submission.id)
            if await self._refusals.remember(submission, refusal):
                raise

    async def _apply_in_time(self, submission: Submission) -> None:
        """Refuses what has waited for too long."""
        try:
            await self._apply(submission)
        except TooEarly as early:
            at_most, rule = WAITS_AT_MOST.get(early.reason, (timedelta.max, ""))
            if self._replica.ports.runtime.now() - instant_of(submission.body["received_at"]) <= at_most:
                raise
            raise Refusal(rule, problems=(Problem(rule, "/expert"),)) from None

    async def _apply(self, submission: Submission) -> None:
        expert = submission.body["expert"]
        cause = submission.cause.step("match")
        known = await self._store.load(MATCHES.name, submission.subject)
        if known is None or not settled(known, cause):
            if known is not None and known["state"] is not None:
                raise Refusal("already_matched", "the expert stands on this assignment already")
            raise_refused(known, submission.id)
            self.waiting.note(expert, submission.id)
            state = await self._open_assignment(submission.body["assignment"])
            knowledge = await self.knowledge(expert)
            if knowledge.get("person"):
                self.waiting.note(knowledge["person"], submission.id)
            if submission.channel == "officer":
                check_office(knowledge, state.office)
            self._check_expert(state, knowledge)
            await self._check_consent(knowledge["person"])
            entry = await self._entry(submission.body["assignment"], state, expert, knowledge, cause)
            command = ReceiveApplication(entry.parties, entry.terms, entry.assessment)
            await self._enter(entry, command, cause, submission.id)
        else:
            await self._entered(submission.subject, known, cause)

    async def _open_assignment(self, id: str) -> Assignment:
        _, state = await self._kernel.load(ASSIGNMENTS, id)
        if state is None:
            raise Refusal("not_found", status=404)
        if state.status not in assignment.OPEN_TO_EXPERTS:
            raise Refusal("assignment_not_open")
        return state

    async def knowledge(self, subject: str) -> dict[str, Any]:
        """What is known of a foreign subject; empty where nothing is."""
        shadow = await self._store.load(SHADOWS.name, subject)
        return dict(shadow["knowledge"]) if shadow else {}

    async def check_filing(self, state: Assignment, expert: str, *, own: bool) -> None:
        """What an application is refused for before it is acknowledged, by what is known here by now.

        Raises OfAnotherOffice, or Refusal `no_consent`: whoever gives the consent then may apply at once.
        """
        knowledge = await self.knowledge(expert)
        if not own:
            check_office(knowledge, state.office)
        if consent_to_placement(await self.knowledge(knowledge.get("person", ""))) == "not_given":
            raise Refusal(NO_CONSENT, problems=(Problem(NO_CONSENT, "/expert"),))

    def _check_expert(self, state: Assignment, knowledge: dict[str, Any]) -> None:
        """Eligible, and of the assignment's programme. TooEarly before the screening has been heard of."""
        status = expert_status(knowledge)
        if status == "unknown":
            raise TooEarly("expert")
        if knowledge["programme"] != state.programme:
            raise Refusal("expert_of_another_programme", problems=(Problem("same_programme", "/expert"),))
        if status == "registered":
            raise TooEarly("eligibility")
        if status != "eligible":
            raise Refusal(f"expert_{status}", problems=(Problem(f"expert_{status}", "/expert"),))

    async def _check_consent(self, person: str) -> None:
        """TooEarly where the consent to be placed was not heard of yet. One that was taken back closed the pool."""
        consent = consent_to_placement(await self.knowledge(person))
        if consent in ("unknown", "not_given"):
            raise TooEarly("person" if consent == "unknown" else "consent")

    async def _entry(
        self, assignment_id: str, state: Assignment, expert: str, knowledge: dict[str, Any], cause: Cause
    ) -> Entry:
        definition = self.definition(state)
        person = knowledge["person"]
        office = definition.office(state.office) if state.office else None
        now = cause.happened_at or self._replica.ports.runtime.now()
        day = (now.astimezone(office.zone) if office else now).date()
        attributes = attributes_on((await self.knowledge(person)).get("profile", ()), day)
        if attributes is None:
            raise TooEarly("profile")
        returns = await self._store.count(SHADOWS.name, "returns", returns_key(person, definition.code))
        parties = MatchParties(
            assignment=assignment_id,
            expert=expert,
            person=person,
            institution=state.terms.institution,
            office=state.office,
            programme=state.programme,
            programme_version=state.programme_version,
        )
        match = derived_id(assignment_id, expert)
        return Entry(match, parties, state.terms, assess(definition, state.terms, attributes, returns))

    async def _enter(
        self, entry: Entry, command: ReceiveApplication | SourceExpert, cause: Cause, submission: str = ""
    ) -> None:
        """Pool, match, pool; then a look at whether the assignment still stands."""
        await self._promises.take_pool(entry.match, entry.parties)
        try:
            saved = await self._refusals.execute(entry.match, command, cause, submission)
        except Refusal:
            await self._promises.settle(entry.match, entry.parties)
            raise
        await self._entered(entry.match, saved.document, cause)

    async def _entered(self, match: str, document: Document, cause: Cause) -> None:
        state = MATCHES.read(document)
        if state is None or state.parties is None:
            return
        await self._promises.settle(match, state.parties)
        _, stands = await self._kernel.load(ASSIGNMENTS, state.parties.assignment)
        if stands is not None and stands.status == "cancelled":
            # The cancellation went through the matches before this one was saved; nobody else will stop it.
            await self._kernel.execute(MATCHES, match, StopMatch(CANCELLED), cause.step("cancelled"))

    async def shortlist(
        self, id: str, experts: tuple[str, ...], override_reason: str | None, cause: Cause, expected: int | None
    ) -> Saved[Assignment]:
        """Sources the experts and saves the next round. Raises Refusal `shortlist_too_short`, `expert_unknown`, ..."""
        document, state = await self._kernel.load(ASSIGNMENTS, id)
        if document is None or state is None:
            raise Refusal("not_found", status=404)
        if settled(document, cause):
            return Saved(document, state, repeated=True)
        if expected is not None and expected != document["version"]:
            raise PreconditionFailed
        assignment.require(state, StartMatching)
        entries = [await self._sourced(id, state, expert, place, cause) for place, expert in enumerate(experts)]
        for entry in (entry for entry in entries if entry):
            await self._source(entry, _sourcing(cause, entry.match))
        return await self._start_matching(id, override_reason, cause)

    async def _source(self, entry: Entry, cause: Cause) -> None:
        try:
            await self._enter(entry, SourceExpert(entry.parties, entry.terms, entry.assessment), cause)
        except Refusal as refusal:
            # Who applied a moment before stands on the longlist already, as the officer wishes.
            if refusal.rule != "already_matched":
                raise

    async def _sourced(self, id: str, state: Assignment, expert: str, place: int, cause: Cause) -> Entry | None:
        """What sourcing the expert will write; None for one who stands on the assignment already."""
        match = derived_id(id, expert)
        document, standing = await self._kernel.load(MATCHES, match)
        if document is not None and standing is not None:
            own = _sourcing(cause, match)
            if settled(document, own):
                # An earlier try of this request was cut off; what it had left to do here is done now.
                await self._entered(match, document, own)
            return None
        knowledge = await self.knowledge(expert)
        try:
            check_office(knowledge, state.office)
            self._check_expert(state, knowledge)
            await self._check_consent(knowledge["person"])
            return await self._entry(id, state, expert, knowledge, cause)
        except OfAnotherOffice:
            rule = "expert_unknown"
        except TooEarly as early:
            rule = SOURCED_TOO_EARLY.get(early.reason, "expert_unknown")
        raise Refusal(rule, problems=(Problem(rule, f"/experts/{place}"),))

    async def _start_matching(self, id: str, override_reason: str | None, cause: Cause) -> Saved[Assignment]:
        for _ in range(ATTEMPTS):
            document, state = await self._kernel.load(ASSIGNMENTS, id)
            if document is None or state is None:
                raise Refusal("not_found", status=404)
            assignment.require(state, StartMatching)
            bounds = self.definition(state).section(SelectionSection).shortlist
            chosen = ranked(await self._candidates(id), bounds)
            if not chosen or (len(chosen) < bounds.least and override_reason is None):
                raise Refusal("shortlist_too_short", "fewer experts than the programme asks for passed every filter")
            reason = override_reason if len(chosen) < bounds.least else None
            command = StartMatching(chosen, reason)
            try:
                # Two rounds at once would both take the same longlist: the second one looks again.
                return await self._kernel.execute(ASSIGNMENTS, id, command, cause, expected_version=document["version"])
            except PreconditionFailed:
                continue
        raise Conflict

    async def _candidates(self, id: str) -> list[Candidate]:
        return [
            Candidate(document["_id"], state.parties.expert, state.score or 0)
            for document, state in await self.matches_of(id)
            if state.status == "longlisted" and state.parties
        ]

    async def matches_of(self, id: str) -> list[tuple[Document, Match]]:
        """Every match of the assignment."""
        found: list[tuple[Document, Match]] = []
        after: str | None = None
        while True:
            page = await self._store.find(MATCHES.name, "assignment", id, after=after, limit=PAGE)
            found += [(document, state) for document in page if (state := MATCHES.read(document))]
            if len(page) < PAGE:
                return found
            after = page[-1]["ix"]["assignment"]["o"]

    async def put_on_shortlist(self, delivery: Delivery, round: int, matches: tuple[str, ...]) -> None:
        """Each match of the round gets its rank, under the same ids whoever does it."""
        for rank, match in enumerate(matches, 1):
            cause = delivery.cause(f"round:{round}:{match}")
            await self._kernel.execute(MATCHES, match, ShortlistExpert(rank), cause)

    async def stop_all(self, delivery: Delivery) -> None:
        """The assignment was cancelled: seats are taken back, everybody else is not selected."""
        for document, _ in await self.matches_of(delivery.subject):
            if return_of(await self._promises.placement_of(document["_id"])) == "over":
                continue
            cause = delivery.cause(f"cancelled:{document['_id']}")
            await self._kernel.execute(MATCHES, document["_id"], StopMatch(CANCELLED), cause)


def _sourcing(cause: Cause, match: str) -> Cause:
    return cause.step(f"source:{match}")
