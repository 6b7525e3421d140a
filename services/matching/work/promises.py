"""Matching's two promises over several documents: seats of an assignment, the open matches of a person.

Guards are taken first and released last; nothing here releases a hold but `settle`, after it saw the match.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.matching.domain.assignments import ENDED, not_open
from services.matching.domain.knowledge import WANTED
from services.matching.domain.matches import MATCH
from services.matching.domain.usage import pool_usage, seat_usage
from services.matching.store import ASSIGNMENTS, MATCHES, POOLS, SHADOWS
from shared.cases.holds import Usage
from shared.clock import derived_id
from shared.contracts.matching.matches import MatchParties
from shared.errors import Refusal, SankofaError
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.guards import Guard, Holds
from shared.store.port import Document


class SeatsFull(SankofaError):
    """No seat is free now. No refusal: the guard would remember it, and a reserve could never follow."""


class Promises:
    """Takes and settles the holds of matches."""

    def __init__(self, replica: Replica) -> None:
        self._kernel = replica.kernel
        self._guards = replica.guards
        self.seats = Guard(ASSIGNMENTS.collection, MATCHES.name, admit_seat, _seat_usage, self._void_seat, ASSIGNMENTS)
        self.pools = Guard(POOLS, MATCHES.name, admit_open_match, _pool_usage, self._void_open_match)

    async def take_seat(self, match: str, parties: MatchParties, event: str | None = None) -> None:
        """Holds a seat for the match; `event`: what it follows from, so that a second delivery knows its own.

        Raises SeatsFull, or Refusal with what the guard answered for good (`assignment_not_open`, `hold_released`).
        """
        claim = {"parties": parties.model_dump(mode="json", exclude_none=True), "event": event}
        await self._guards.take(self.seats, parties.assignment, match, claim)

    async def check_pool(self, person: str) -> None:
        """Raises Refusal: the reason for which the person's pool is closed by now."""
        pool = await self._kernel.store.load(POOLS.name, person)
        if pool and pool["closed"]:
            raise Refusal(pool["closed"], WANTED.get(pool["closed"], ""))

    async def take_pool(self, match: str, parties: MatchParties) -> None:
        """Holds the person's pool for the match that is about to be. Raises Refusal: the reason of its closing."""
        pool = await self._kernel.store.load(POOLS.name, parties.person)
        if pool and pool["closed"] and match not in pool["holds"]:
            # Refused early the guard remembers nothing: after a new consent the expert may apply again.
            raise Refusal(pool["closed"], WANTED.get(pool["closed"], ""))
        claim = {"parties": parties.model_dump(mode="json", exclude_none=True)}
        await self._guards.take(self.pools, parties.person, match, claim, known=pool)

    async def settle(self, match: str, parties: MatchParties) -> None:
        """Confirms what the match uses and gives back what it can no longer use."""
        await self._guards.settle(self.seats, parties.assignment, match)
        await self._guards.settle(self.pools, parties.person, match)

    async def placement_of(self, match: str) -> Mapping[str, Any]:
        """What placement has told by now of the placement that followed from the match; empty where nothing."""
        shadow = await self._kernel.store.load(SHADOWS.name, derived_id(match, "placement"))
        known: Mapping[str, Any] = shadow["knowledge"].get("placement", {}) if shadow else {}
        return known

    async def give_back_spent(self, document: Document) -> None:
        """Frees the seats whose matches have ended, before the events that say so have come round."""
        for match in standing(document):
            await self._guards.settle(self.seats, document["_id"], match)

    async def close_pool(self, person: str, rule: str) -> dict[str, MatchParties]:
        """Closes the person's pool; the open matches that it listed at that moment, with their parties."""
        matches = await self._guards.close(self.pools, person, rule)
        pool = await self._kernel.store.load(POOLS.name, person)
        holds = pool["holds"] if pool else {}
        return {id: MatchParties.model_validate(holds[id]["claim"]["parties"]) for id in matches}

    async def reopen_pool(self, person: str) -> bool:
        """Whether there is a pool that could be reopened."""
        pool = await self._guards.reopen(self.pools, person)
        return int(pool["version"]) > 0

    async def _void_seat(self, guard_id: str, match: str, claim: Mapping[str, Any]) -> None:
        await self._void("seat", claim, guard_id, match)

    async def _void_open_match(self, guard_id: str, match: str, claim: Mapping[str, Any]) -> None:
        await self._void("pool", claim, guard_id, match)

    async def _void(self, hold: str, claim: Mapping[str, Any], guard_id: str, match: str) -> None:
        command = MATCH.ask("void", hold=hold, parties=MatchParties.model_validate(claim["parties"]))
        await self._kernel.execute(MATCHES, match, command, Cause(derived_id("void", hold, guard_id, match)))


def standing(document: Document) -> dict[str, Mapping[str, Any]]:
    """The holds that keep a place, by match id."""
    return {id: hold for id, hold in document["holds"].items() if hold["status"] in ("held", "confirmed")}


def admit_seat(document: Document, holds: Holds, _claim: Mapping[str, Any]) -> None:
    """At most `seats` standing holds, and only while the assignment is being matched."""
    state = ASSIGNMENTS.read(document)
    if state is None or state.status in ENDED:
        raise not_open(state)
    if state.status != "matching" or len(holds) >= state.terms.seats:
        raise SeatsFull


def admit_open_match(_document: Document, _holds: Holds, _claim: Mapping[str, Any]) -> None:
    """A person may stand on any number of assignments; only a closed pool refuses, and the guard sees to that."""


def _seat_usage(document: Document | None) -> Usage:
    return seat_usage(MATCHES.read(document))


def _pool_usage(document: Document | None) -> Usage:
    return pool_usage(MATCHES.read(document))
