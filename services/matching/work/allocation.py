"""From the shortlist to the accepted offer: seats, reserves, succession.

Everything that follows from one match's turn is done by `align`, which looks at how the assignment stands and
does what is missing. So the order in which events arrive does not matter, and neither does a second delivery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from services.matching.domain.assignments import ASSIGNMENT, Assignment, ShortlistRequest
from services.matching.domain.knowledge import expert_status
from services.matching.domain.matches import MATCH, Match
from services.matching.store import ASSIGNMENTS, MATCHES
from services.matching.work.promises import Promises, SeatsFull, standing
from services.matching.work.selection import Selection
from services.matching.work.shortlisting import Shortlists
from shared.cases.bodies import Change
from shared.cases.case import Asked
from shared.contracts.base import Envelope
from shared.contracts.matching.assignments import AssignmentMatchingStarted
from shared.contracts.matching.matches import MatchParties
from shared.errors import Conflict, PreconditionFailed, Refusal, TooEarly
from shared.messaging.handlers import Delivery
from shared.programmes.sections.selection import SelectionSection
from shared.replica import Replica
from shared.store.aggregates import ATTEMPTS, Cause, Saved, check_version, settled
from shared.store.port import Document
from shared.web.acting import Call


class Allocation:
    """Commands on matches that need the assignment, and what follows from them."""

    def __init__(self, replica: Replica, promises: Promises, selection: Selection, shortlists: Shortlists) -> None:
        self._kernel = replica.kernel
        self._promises = promises
        self._selection = selection
        self._shortlists = shortlists

    async def shortlist(self, call: Call[ShortlistRequest]) -> Saved[Assignment]:
        """The decision is saved in the assignment; the rest follows at once, or by the event that says it."""
        saved = await self._shortlists.decide(call)
        for delivery in own_deliveries(saved):
            await self.started(delivery)
        return saved

    async def started(self, delivery: Delivery) -> None:
        """The round's matches, ranked; where the seats are given already, they are reserves at once."""
        event = delivery.event
        if isinstance(event, AssignmentMatchingStarted):
            await self._shortlists.started(delivery, event)
            await self.align(delivery.subject, delivery)

    async def moved(self, delivery: Delivery) -> None:
        """A seat was given, an offer accepted, or a match kept that was to be taken back."""
        await self.align((await self._parties(delivery.subject)).assignment, delivery)

    async def ended(self, delivery: Delivery) -> None:
        """Seat and pool are given back first, then the next reserve takes the seat."""
        parties = await self._parties(delivery.subject)
        await self._promises.settle(delivery.subject, parties)
        await self.align(parties.assignment, delivery)

    async def _parties(self, match: str) -> MatchParties:
        _, state = await self._kernel.load(MATCHES, match)
        if state is None:
            raise TooEarly("match")
        return state.parties

    async def allocate(self, call: Call[Change]) -> Saved[Match]:
        """Seat, match, seat. Raises Refusal `seats_full`, `assignment_not_open`, `illegal_transition`."""
        id, cause, expected, command = call.id, call.cause, call.expected_version, Asked(call.verb, call.body)
        document, state = await self._kernel.load(MATCHES, id)
        if document is None or state is None:
            raise Refusal("not_found", status=404)
        if settled(document, cause):
            # The first try may have been cut off before it confirmed the seat.
            await self._promises.settle(id, state.parties)
            return Saved(document, state, repeated=True)
        check_version(document, expected)
        MATCH.move(state, call.verb)
        parties = state.parties
        assignment = await self._under_way(call)
        self._kernel.foreseen(MATCHES, id, document, command, cause)
        await self._selection.check_host(assignment)
        await self._make_room(parties.assignment)
        try:
            await self._promises.take_seat(id, parties)
        except SeatsFull:
            detail = "a seat is free again once an offer is declined, expires, or is taken back with the match"
            raise Refusal("seats_full", detail) from None
        try:
            return await self._kernel.execute(MATCHES, id, command, cause)
        finally:
            await self._promises.settle(id, parties)

    async def _make_room(self, assignment_id: str) -> None:
        document, state = await self._kernel.load(ASSIGNMENTS, assignment_id)
        if document and state and len(standing(document)) >= state.terms.seats:
            await self._promises.give_back_spent(document)

    async def offer(self, call: Call[Change]) -> Saved[Match]:
        assignment = await self._under_way(call)
        await self._still_eligible(call, assignment)
        return await self._execute(
            call, self._selection.definition(assignment).section(SelectionSection).offers.expires_days
        )

    async def accept(self, call: Call[Change]) -> Saved[Match]:
        """The terms were fixed by the assignment's approval, so reading them first is safe."""
        return await self._execute(call, (await self._under_way(call)).terms)

    async def _execute(self, call: Call[Change], given: Any) -> Saved[Match]:
        command = Asked(call.verb, call.body, given)
        return await self._kernel.execute(MATCHES, call.id, command, call.cause, expected_version=call.expected_version)

    async def _still_eligible(self, call: Call[Change], assignment: Assignment) -> None:
        """Raises Refusal `institution_not_active`, `expert_screening`, `expert_ineligible`, `expert_suspended` before
        an offer is made."""
        document, state = await self._kernel.load(MATCHES, call.id)
        if document is None or state is None or settled(document, call.cause):
            return
        MATCH.move(state, call.verb)
        await self._selection.check_host(assignment)
        status = expert_status(await self._selection.knowledge(state.parties.expert))
        if status == "unknown":
            raise TooEarly("expert")
        if status != "eligible":
            detail = "an offer is made to an expert who is eligible; registration decides, or the match is retracted"
            raise Refusal(f"expert_{status}", detail)

    async def _under_way(self, call: Call[Change]) -> Assignment:
        """The match's assignment. Raises Refusal `work_is_over`; a repetition of what was done is never refused."""
        assignment = await self._assignment_of(call.id)
        document = await self._kernel.store.load(MATCHES.name, call.id)
        if document is None or not settled(document, call.cause):
            assignment.refuse_over(call.cause.happened_at or self._kernel.runtime.now())
        return assignment

    async def _assignment_of(self, id: str) -> Assignment:
        _, state = await self._kernel.load(MATCHES, id)
        if state is None:
            raise Refusal("not_found", status=404)
        _, assignment = await self._kernel.load(ASSIGNMENTS, state.parties.assignment)
        if assignment is None:
            raise Refusal("not_found", status=404)
        return assignment

    async def align(self, id: str, delivery: Delivery) -> None:
        """What the assignment's matches call for, in this order: reopened before a seat is given anew, then filled."""
        await self._recount(id, ASSIGNMENT.ask("reopen"), _has_lost_one, delivery.cause("reopen"))
        await self._reserve_rest(id, delivery)
        await self._succeed(id, delivery)
        await self._recount(id, ASSIGNMENT.ask("fill"), _is_full, delivery.cause("fill"))

    async def _recount(
        self, id: str, command: Any, due: Callable[[Assignment, Counter[str]], bool], cause: Cause
    ) -> None:
        for _ in range(ATTEMPTS):
            document, state = await self._kernel.load(ASSIGNMENTS, id)
            if document is None or state is None or not due(state, await self._seated(document)):
                return
            try:
                # Giving back a seat raises the version, so a count that came too late is made again.
                await self._kernel.execute(ASSIGNMENTS, id, command, cause, expected_version=document["version"])
                return
            except PreconditionFailed:
                continue
        raise Conflict

    async def _seated(self, document: Document) -> Counter[str]:
        """How many of the matches that hold a seat are in which state."""
        counted: Counter[str] = Counter()
        for match in standing(document):
            _, state = await self._kernel.load(MATCHES, match)
            counted[state.status if state else "missing"] += 1
        return counted

    async def _reserve_rest(self, id: str, delivery: Delivery) -> None:
        """Once as many have been given a seat as there are seats, the rest of the shortlist are reserves by rank.

        Counting those who have since left makes this independent of who is heard of first.
        """
        document, state = await self._kernel.load(ASSIGNMENTS, id)
        if document is None or state is None or state.status not in ("matching", "filled"):
            return
        given = [hold for hold in document["holds"].values() if hold["status"] != "refused"]
        seats = self._selection.definition(state).section(SelectionSection).seats
        if len(given) < state.terms.seats or not seats.reserve:
            return
        position = 0
        for match in state.shortlisted:
            _, one = await self._kernel.load(MATCHES, match)
            if one is not None and one.position is not None:
                position = max(position, one.position)
            elif one is not None and one.status == "shortlisted" and match not in document["holds"]:
                position += 1
                command = MATCH.ask("reserve", position=position)
                await self._kernel.execute(MATCHES, match, command, delivery.cause(f"reserve:{match}"))

    async def _succeed(self, id: str, delivery: Delivery) -> None:
        """Gives every free seat to the next reserve."""
        await self._finish_own(id, delivery)
        while following := await self._next_reserve(id):
            try:
                await self._seat(*following, delivery)
            except SeatsFull:
                return

    async def _finish_own(self, id: str, delivery: Delivery) -> None:
        """A delivery that crashed between seat and match left a hold of its own; the second one goes on from there."""
        document, _ = await self._kernel.load(ASSIGNMENTS, id)
        for match, hold in standing(document).items() if document else ():
            if hold["status"] == "held" and hold["claim"]["event"] == delivery.envelope.id:
                _, state = await self._kernel.load(MATCHES, match)
                if state is not None:
                    await self._seat(match, state, delivery)

    async def _next_reserve(self, id: str) -> tuple[str, Match] | None:
        document, state = await self._kernel.load(ASSIGNMENTS, id)
        if document is None or state is None or state.status != "matching":
            return None
        if len(standing(document)) >= state.terms.seats:
            return None
        reserves = []
        for match in state.shortlisted:
            # Who ever had a seat here cannot be given one again: the guard remembers.
            if match not in document["holds"]:
                _, one = await self._kernel.load(MATCHES, match)
                if one is not None and one.status == "reserve":
                    reserves.append((one.position or 0, match, one))
        return min(reserves)[1:] if reserves else None

    async def _seat(self, match: str, state: Match, delivery: Delivery) -> None:
        """Raises SeatsFull. A reserve that meanwhile ended leaves its seat to the next one."""
        parties, command = state.parties, MATCH.ask("allocate")
        try:
            await self._promises.take_seat(match, parties, delivery.envelope.id)
            await self._kernel.execute(MATCHES, match, command, delivery.cause(f"allocate:{match}"))
        except Refusal:
            # Either the match has ended, which `settle` sees, or the assignment, and then nobody follows.
            pass
        await self._promises.settle(match, parties)


def _has_lost_one(state: Assignment, seated: Counter[str]) -> bool:
    return state.status == "filled" and seated["accepted"] + seated["retracting"] < state.terms.seats


def _is_full(state: Assignment, seated: Counter[str]) -> bool:
    return state.status == "matching" and seated["accepted"] == state.terms.seats


def own_deliveries(saved: Saved[Any]) -> list[Delivery]:
    """The events of a save as they will come round, so that what follows is done at once under the same ids."""
    entries = saved.document["outbox"][-len(saved.events) :] if saved.events else []
    pairs = zip(entries, saved.events, strict=True)
    return [Delivery(Envelope.of(entry["headers"]), event, {}) for entry, event in pairs]
