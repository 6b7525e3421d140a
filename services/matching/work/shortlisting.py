"""How a shortlist is made: one decision that names its matches, and then the matches that it named.

What is refused has changed nothing: whoever was named comes to stand on the assignment only after the decision is
saved, and until then stands in its private part alone. So whoever hears of the decision finishes what a crash left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from services.matching.domain.assessment import Candidate, ranked
from services.matching.domain.assignments import ASSIGNMENT, Assignment, Ranked, ShortlistRequest, Unfit
from services.matching.domain.knowledge import NO_CONSENT, OfAnotherOffice, check_office, refusal_of_expert
from services.matching.domain.matches import ENDED, MATCH, OPEN_TO_ANOTHER, Entry
from services.matching.store import ASSIGNMENTS, MATCHES
from services.matching.work.promises import Promises
from services.matching.work.selection import Selection, ended, match_of
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.contracts.matching.assignments import AssignmentMatchingStarted
from shared.errors import Conflict, PreconditionFailed, Problem, Refusal, TooEarly
from shared.messaging.handlers import Delivery
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause, Saved, check_version, settled
from shared.store.port import Document
from shared.web.acting import Call

# In the private part of an assignment: whom its last round named who stood on no longlist yet, as they were assessed.
SOURCED = "sourced"
SOURCED_TOO_EARLY = {"eligibility": "expert_not_screened", "consent": NO_CONSENT}


class Shortlists:
    """Decides rounds, and carries them out match by match."""

    def __init__(self, replica: Replica, promises: Promises, selection: Selection) -> None:
        self._kernel = replica.kernel
        self._promises = promises
        self._selection = selection

    async def decide(self, call: Call[ShortlistRequest]) -> Saved[Assignment]:
        """Saves the next round. Raises Refusal `shortlist_too_short`, `expert_unknown`, ...

        Two rounds at once would both take the same longlist: the second one looks again.
        """
        for _ in range(ATTEMPTS):
            document, state = await self._kernel.load(ASSIGNMENTS, call.id)
            if document is None or state is None:
                raise Refusal("not_found", status=404)
            if settled(document, call.cause):
                return Saved(document, state, repeated=True)
            check_version(document, call.expected_version)
            ASSIGNMENT.move(state, call.verb)
            await self._selection.check_host(state)
            named = [await self._named(call, state, place) for place in range(len(call.body.experts))]
            chosen = await self._chosen(call.id, state, named)
            waiting = {match_of(one): one for one in (*await self._waiting(document), *(one for one in named if one))}
            kept = [one.model_dump(mode="json", exclude={"terms"}) for one in waiting.values()]
            try:
                return await self._kernel.execute(
                    ASSIGNMENTS,
                    call.id,
                    Asked(call.verb, call.body, chosen),
                    call.cause,
                    expected_version=int(document["version"]),
                    private={SOURCED: kept or None},
                )
            except PreconditionFailed:
                continue
        raise Conflict

    async def started(self, delivery: Delivery, event: AssignmentMatchingStarted) -> None:
        """Each match of the round stands and gets its rank, under the same ids whoever does it.

        Whoever asked for the round does it before its event is read, and so before events that precede it: the match is
        first taken to where the assignment was by then.
        """
        document, assignment = await self._kernel.load(ASSIGNMENTS, delivery.subject)
        if document is None or assignment is None:
            raise TooEarly("assignment")
        for entry in _sourced(document):
            await self._source(entry, delivery.cause(f"source:{match_of(entry)}"))
        asks_host = self._bounds(assignment).host_confirms or None
        for rank, match in enumerate(event.matches, 1):
            cause = delivery.cause(f"round:{event.round}:{match}")
            await self._selection.catch_up(match, cause)
            command = MATCH.ask("put-on-shortlist", rank=rank, asks_host=asks_host)
            await self._kernel.execute(MATCHES, match, command, cause)

    def _bounds(self, state: Assignment) -> Any:
        return self._selection.definition(state).section(SelectionSection).shortlist

    async def _source(self, entry: Entry, cause: Cause) -> None:
        """Whom something has stopped since the decision stands as taken back, as if it had come a moment later."""
        match = match_of(entry)
        try:
            await self._selection.enter("source", entry, cause)
        except Refusal as refusal:
            # Who applied a moment before stands on the longlist already, as the officer wishes.
            if (await self._kernel.load(MATCHES, match))[1] is None:
                stop = MATCH.ask("stop", reason=refusal.rule, parties=entry.parties)
                await self._kernel.execute(MATCHES, match, stop, cause.step("stopped"))

    async def _chosen(self, id: str, state: Assignment, named: Iterable[Entry | None]) -> Ranked:
        """The best of the longlist, as it will be once the named stand on it."""
        bounds = self._bounds(state)
        longlist = {
            document["_id"]: Candidate(document["_id"], one.parties.expert, one.score or 0)
            for document, one in await self._selection.matches_of(id)
            if one.status == "longlisted"
        }
        unfit = []
        for place, entry in enumerate(named):
            if entry is not None and entry.assessment.failed:
                unfit.append(Unfit(place, entry.assessment.failed))
            elif entry is not None:
                match = match_of(entry)
                longlist.setdefault(match, Candidate(match, entry.parties.expert, entry.assessment.score))
        # Who is on a round already, and is only about to be told so, is on no further one.
        further = (one for match, one in longlist.items() if match not in state.shortlisted)
        return Ranked(ranked(further, bounds), bounds.least, tuple(unfit))

    async def _waiting(self, document: Document) -> list[Entry]:
        """Whom the round before named and who does not stand yet: a crash came between, and its event is on its way."""
        found = []
        for entry in _sourced(document):
            if (await self._kernel.load(MATCHES, match_of(entry)))[1] is None:
                found.append(entry)
        return found

    async def _named(self, call: Call[ShortlistRequest], state: Assignment, place: int) -> Entry | None:
        """How the expert will come to stand on the assignment; None for one who does already.

        Whoever has stood on it is known to its office, also one of the office that had it before.
        """
        expert, reason, pointer = call.body.experts[place], call.body.again_reason, f"/experts/{place}"
        match, _, standing = await self._selection.last_match(derived_id(call.id, expert))
        if standing is not None:
            if standing.status not in ENDED:
                return None
            if standing.status not in OPEN_TO_ANOTHER or reason is None:
                raise ended(standing, Problem("match_ended", pointer))
        try:
            if standing is None:
                check_office(await self._selection.knowledge(expert), state.office)
            entry = await self._entry(call, state, expert)
        except OfAnotherOffice:
            rule = "expert_unknown"
        except TooEarly as early:
            rule = SOURCED_TOO_EARLY.get(early.reason, "expert_unknown")
        except Refusal as refusal:
            raise refusal_of_expert(refusal.rule, pointer) from None
        else:
            again = {"previous": match, "again_reason": reason} if standing is not None else {}
            return entry.model_copy(update=again)
        raise refusal_of_expert(rule, pointer)

    async def _entry(self, call: Call[ShortlistRequest], state: Assignment, expert: str) -> Entry:
        knowledge = await self._selection.knowledge(expert)
        self._selection.check_expert(state, knowledge)
        person = knowledge["expert"]["person"]
        await self._selection.check_consent(person)
        await self._promises.check_pool(person)
        return await self._selection.entry(call.id, state, expert, person, call.cause)


def _sourced(document: Document) -> list[Entry]:
    """Whom the last round named, under the terms of the assignment, which no longer change."""
    terms = document["state"]["terms"]
    return [Entry.model_validate({**one, "terms": terms}) for one in document["private"].get(SOURCED, ())]
