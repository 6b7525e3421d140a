"""How experts come to stand on an assignment, and which matches it has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.matching.domain.assessment import assess, attributes_on
from services.matching.domain.assignments import OPEN_TO_EXPERTS, Assignment, not_open
from services.matching.domain.knowledge import (
    NO_CONSENT,
    NotHeard,
    check_active,
    check_office,
    consent_to_placement,
    expert_status,
    refusal_of_expert,
    return_of,
)
from services.matching.domain.matches import ENDED, MATCH, OPEN_TO_ANOTHER, Entry, Match
from services.matching.store import ASSIGNMENTS, MATCHES, SHADOWS, returns_key
from services.matching.work.promises import Promises
from services.matching.work.refusals import Refusals, raise_refused
from services.matching.work.waiting import Waiting
from shared.cases.case import Asked
from shared.clock import derived_id, instant_of
from shared.contracts.matching.assignments import AssignmentTransferred
from shared.contracts.matching.matches import MatchParties
from shared.errors import Problem, Refusal, TooEarly
from shared.intake.submission import Submission
from shared.messaging.handlers import Delivery
from shared.programmes.model import Definition, Office
from shared.replica import Replica
from shared.store.aggregates import Cause, settled
from shared.store.paging import every
from shared.store.port import Document

APPLICATION = "application"
CANCELLED = "assignment_cancelled"
# An expert of whom nothing was heard for so long was never registered; until then the log may be slow.
UNKNOWN_FOR = timedelta(days=7)
# The consent stands on the log right behind the person; so long an application waits for it.
CONSENT_WITHIN = timedelta(minutes=1)
WAITS_AT_MOST = {"expert": (UNKNOWN_FOR, "expert_unknown"), "consent": (CONSENT_WITHIN, NO_CONSENT)}
LOOKED_AT_ONCE = 200


class Selection:
    """Applications, and how a match comes to stand."""

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

    def office(self, state: Assignment) -> Office | None:
        """The office whose assignment it is now. None for one that no version lists; TooEarly as `definition`."""
        if state.programme is None:
            return None
        return self._replica.definitions.office(state.programme, state.programme_version, state.office)

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
                heard_of = (submission.body["assignment"], *self.waiting.of(submission.id))
                raise TooEarly(early.reason, heard_of if isinstance(early, NotHeard) else ()) from None
            raise refusal_of_expert(rule, "/expert") from None

    async def _apply(self, submission: Submission) -> None:
        expert = submission.body["expert"]
        cause = submission.cause.step("match")
        known = await self._store.load(MATCHES.name, submission.subject)
        if known is None or not settled(known, cause):
            if known is not None and known["state"] is not None:
                raise await self._standing_already(submission.subject)
            raise_refused(known, submission.id)
            self.waiting.note(expert, submission.id)
            state = await self._open_assignment(submission.body["assignment"])
            self.waiting.note(state.terms.institution, submission.id)
            await self.check_host(state)
            knowledge = await self.knowledge(expert)
            if person := knowledge.get("expert", {}).get("person"):
                self.waiting.note(person, submission.id)
            if submission.channel == "officer":
                check_office(knowledge, state.office)
            self.check_expert(state, knowledge)
            person = knowledge["expert"]["person"]
            await self.check_consent(person)
            entry = await self.entry(submission.body["assignment"], state, expert, person, cause)
            await self.enter("apply", entry, cause, submission.id)
        else:
            await self._entered(submission.subject, known, cause)

    async def _open_assignment(self, id: str) -> Assignment:
        _, state = await self._kernel.load(ASSIGNMENTS, id)
        if state is None:
            raise Refusal("not_found", status=404)
        if state.status not in OPEN_TO_EXPERTS:
            raise not_open(state)
        return state

    async def check_host(self, state: Assignment) -> None:
        """Raises Refusal `institution_not_active`, TooEarly, by what is known of the assignment's institution here."""
        check_active(await self.knowledge(state.terms.institution))

    async def knowledge(self, subject: str) -> dict[str, Any]:
        """What is known of a foreign subject; empty where nothing is."""
        shadow = await self._store.load(SHADOWS.name, subject)
        return dict(shadow["knowledge"]) if shadow else {}

    async def check_filing(self, state: Assignment, expert: str, *, own: bool, stood: bool) -> None:
        """What an application is refused for before it is acknowledged, by what is known here by now.

        `own`: the expert applies; `stood`: the pair has a match, whose office learns nothing by it.

        Raises OfAnotherOffice, or Refusal `no_consent`: whoever gives the consent then may apply at once.
        """
        knowledge = await self.knowledge(expert)
        if not own and not stood:
            check_office(knowledge, state.office)
        person = knowledge.get("expert", {}).get("person", "")
        if consent_to_placement(await self.knowledge(person)) == "not_given":
            raise refusal_of_expert(NO_CONSENT, "/expert")

    def check_expert(self, state: Assignment, knowledge: dict[str, Any]) -> None:
        """Eligible, and of the assignment's programme. TooEarly before the screening has been heard of."""
        status = expert_status(knowledge)
        if status == "unknown":
            raise NotHeard("expert")
        if knowledge["expert"]["programme"] != state.programme:
            raise refusal_of_expert("expert_of_another_programme", "/expert")
        if status == "screening":
            raise NotHeard("eligibility")
        if status != "eligible":
            raise refusal_of_expert(f"expert_{status}", "/expert")

    async def check_consent(self, person: str) -> None:
        """TooEarly where the consent to be placed was not heard of yet. One that was taken back closed the pool."""
        consent = consent_to_placement(await self.knowledge(person))
        if consent in ("unknown", "not_given"):
            raise NotHeard("person" if consent == "unknown" else "consent")

    async def entry(self, assignment_id: str, state: Assignment, expert: str, person: str, cause: Cause) -> Entry:
        definition = self.definition(state)
        office = self.office(state)
        now = cause.happened_at or self._replica.ports.runtime.now()
        day = (now.astimezone(office.zone) if office else now).date()
        attributes = attributes_on((await self.knowledge(person)).get("profile", {}).get("entries", ()), day)
        if attributes is None:
            raise NotHeard("profile")
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
        assessment = assess(definition, state.terms, attributes, returns)
        return Entry(parties=parties, terms=state.terms, assessment=assessment)

    async def enter(self, verb: str, entry: Entry, cause: Cause, submission: str = "") -> None:
        """Pool, match, pool; then a look at whether the assignment still stands."""
        match = match_of(entry)
        await self._promises.take_pool(match, entry.parties)
        try:
            saved = await self._refusals.execute(match, Asked(verb, entry), cause, submission)
        except Refusal:
            await self._promises.settle(match, entry.parties)
            raise
        await self._entered(match, saved.document, cause)

    async def _entered(self, match: str, document: Document, cause: Cause) -> None:
        state = MATCHES.read(document)
        if state is None:
            return
        await self._promises.settle(match, state.parties)
        _, stands = await self._kernel.load(ASSIGNMENTS, state.parties.assignment)
        if stands is not None and stands.status == "cancelled":
            # The cancellation went through the matches before this one was saved; nobody else will stop it.
            command = MATCH.ask("stop", reason=CANCELLED)
            await self._kernel.execute(MATCHES, match, command, cause.step("cancelled"))
        await self.catch_up(match, cause)

    async def catch_up(self, match: str, cause: Cause) -> None:
        """The assignment may have gone to another office before the match was there to follow it."""
        while True:
            _, state = await self._kernel.load(MATCHES, match)
            if state is None:
                return
            document, assignment = await self._kernel.load(ASSIGNMENTS, state.parties.assignment)
            if document is None or assignment is None or assignment.office in (None, state.parties.office):
                return
            said, place = {"office": assignment.office, "time_zone": assignment.time_zone}, _last_event_of(document)
            command = MATCH.ask("follow", **said, **place)
            step = cause.step(f"follow:{document['version']}")
            if (await self._kernel.execute(MATCHES, match, command, step)).repeated:
                # It caught up before, and an event that it was ahead of is on its way to where the assignment is.
                return

    async def last_match(self, match: str) -> tuple[str, Document | None, Match | None]:
        """The pair's newest round, whose first one has that id."""
        document, state = await self._kernel.load(MATCHES, match)
        while state is not None and state.status in OPEN_TO_ANOTHER:
            following, next_state = await self._kernel.load(MATCHES, _next_round(match))
            if next_state is None:
                break
            match, document, state = _next_round(match), following, next_state
        return match, document, state

    async def _standing_already(self, first: str) -> Refusal:
        """Why the expert cannot apply: the pair stands, or stood, on the assignment."""
        _, _, standing = await self.last_match(first)
        if standing is not None and standing.status in ENDED:
            return ended(standing, Problem("match_ended", "/expert"))
        return Refusal("already_matched", "the expert stands on this assignment already")

    async def standing(self, assignment: str, expert: str) -> tuple[str, str | None]:
        """The pair's newest round, and where it stands; None where the expert never stood on the assignment."""
        match, _, state = await self.last_match(derived_id(assignment, expert))
        return match, state.status if state else None

    async def matches_of(self, id: str) -> list[tuple[Document, Match]]:
        """Every match of the assignment."""
        return [
            (document, state)
            async for document in every(self._store, MATCHES.name, "assignment", id, at_once=LOOKED_AT_ONCE)
            if (state := MATCHES.read(document))
        ]

    async def follow(self, delivery: Delivery) -> None:
        """AssignmentTransferred: every match, ended or not, is of the assignment's office.

        Each is asked, also one that is there already, so that what another replica does late for this event changes
        nothing any more; but not one that is where the assignment has gone on to since, for it was opened there. The
        assignment is looked at after the matches: one that is opened later is then not among them.
        """
        event, place = delivery.event, delivery.envelope
        if not isinstance(event, AssignmentTransferred):
            raise TypeError(type(event).__name__)
        matches = await self.matches_of(delivery.subject)
        _, assignment = await self._kernel.load(ASSIGNMENTS, delivery.subject)
        said = {"office": event.office, "time_zone": event.time_zone}
        command = MATCH.ask("follow", **said, after_epoch=place.epoch, after_sequence=place.sequence)
        for document, match in matches:
            if assignment is not None and match.parties.office == assignment.office != event.office:
                continue
            cause = delivery.cause(f"follow:{document['_id']}")
            await self._kernel.execute(MATCHES, document["_id"], command, cause)

    async def stop_all(self, delivery: Delivery) -> None:
        """The assignment was cancelled: seats are taken back, everybody else is not selected."""
        for document, _ in await self.matches_of(delivery.subject):
            if return_of(await self._promises.placement_of(document["_id"])) == "over":
                continue
            cause = delivery.cause(f"cancelled:{document['_id']}")
            await self._kernel.execute(MATCHES, document["_id"], MATCH.ask("stop", reason=CANCELLED), cause)


def _last_event_of(assignment: Document) -> dict[str, int]:
    """The place of the last event that the assignment has emitted, as a match that catches up with it notes it."""
    emitted = assignment["emitted"]["assignments"]
    return {"after_epoch": emitted["epoch"], "after_sequence": emitted["count"]}


def match_of(entry: Entry) -> str:
    """Every round of a pair is a match of its own, named by the one before: two requests open the same one."""
    if entry.previous is not None:
        return _next_round(entry.previous)
    return derived_id(entry.parties.assignment, entry.parties.expert)


def _next_round(match: str) -> str:
    return derived_id(match, "round")


def ended(standing: Match, problem: Problem) -> Refusal:
    what = "an officer may open a new round for them with `again_reason`"
    answered = "the expert's own answer ended it; one that was recorded by mistake is taken back first"
    detail = what if standing.status in OPEN_TO_ANOTHER else answered
    return Refusal("match_ended", f"the match of the pair is {standing.status}: {detail}", problems=(problem,))
