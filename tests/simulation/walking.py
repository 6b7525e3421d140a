"""Somebody who asks for whatever a case's table leaves open to people, so that no arrow of it is left out of the storm.

The verbs, the states and most bodies are the tables' own: a new move is walked from the day on which it is in a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from services.matching.domain.assignments import ASSIGNMENT
from services.placement.domain.placements import PLACEMENT
from services.placement.domain.trainings import TRAINING
from services.registration.domain.experts import EXPERT
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.persons import PERSON
from shared.cases.case import GIVE_BACK, PASS_ON, TAKE, Case, Move, status_of
from shared.cases.revisions import CORRECT_TIME
from shared.cases.transfers import ACCEPT, ASK, DECLINE
from shared.clock import derived_id
from shared.identity.tokens import Principal
from tests.simulation import requests
from tests.simulation.cast import OFFICE, OFFICER, OTHER_OFFICE, SECOND_OFFICER, WANDERING
from tests.simulation.client import Client
from tests.simulation.moves import SERVICE_OF, named

PAUSE_SECONDS = 1.0
SHARED_AT_MOST, DESK = 3, frozenset({TAKE, PASS_ON, GIVE_BACK})
COLLEAGUE = derived_id("account", "colleague")
OF_THE_PERSON = {"attributes": WANDERING.attributes(), "valid_from": "2025-01-01"}
DAYS = {"starts_on": "2026-01-05", "ends_on": "2026-01-07"}
# They take other cases with them, the person's account, or a choice of experts: the history asks for them itself.
NOT_WALKED = frozenset({(PERSON.name, "erase"), (PERSON.name, "assign-account"), (ASSIGNMENT.name, "shortlist")})
# What the body says where the table's own example is of other cases than these.
SAID: Mapping[tuple[str, str], Callable[[Any], Mapping[str, Any]]] = {
    (PERSON.name, "correct-profile"): lambda _: OF_THE_PERSON,
    (PERSON.name, "request-identity-change"): lambda _: {"birth_year": 1981, "reason": "mistaken_entry"},
    (EXPERT.name, "provide-info"): lambda _: OF_THE_PERSON,
    (INSTITUTION.name, "assign-account"): lambda state: {
        "account": f"another {state.account}",
        "reason": "contact_left",
    },
    (ASSIGNMENT.name, "revise"): lambda state: {"terms": state.terms.model_copy(update={"experience_years": 4})},
    (PLACEMENT.name, "correct-contract"): lambda state: {
        "starts_on": state.starts_on,
        "ends_on": state.ends_on - timedelta(days=1),
        "reason": "mistake",
    },
    (TRAINING.name, "reschedule"): lambda _: DAYS,
}


def _other(office: str | None) -> str:
    return OFFICE if office == OTHER_OFFICE else OTHER_OFFICE


def is_walked(case: Case[Any], move: Move) -> bool:
    """Whether people ask for it, and it concerns the case alone."""
    return bool(move.by) and (case.name, move.verb) not in NOT_WALKED


def goals(case: Case[Any]) -> tuple[str, ...]:
    """The states to which people alone lead the case, once it was opened."""
    ways = {status: case.way_to(status)[1:] for status in case.statuses}
    return tuple(status for status, way in ways.items() if all(is_walked(case, move) for move in way))


class Walking:
    """Walks cases, and asks first for what was asked for least in this history."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self._shared: set[str] = set()

    async def goes_somewhere(self, case: Case[Any], id: str, steps: int) -> None:
        """By the shortest way of the table to some state, and so many steps on from where the case then stands."""
        for move in case.way_to(self._client.rng.choice(goals(case)))[1:]:
            await self._client.pause(PAUSE_SECONDS)
            state = await self._state(case, id)
            if status_of(state) in move.before:
                await self._ask(case, id, state, move)
        await self.walks(case, id, steps)

    async def walks(self, case: Case[Any], id: str, steps: int) -> None:
        for _ in range(steps):
            await self._client.pause(PAUSE_SECONDS)
            await self.asks(case, id)

    async def shares(self, case: Case[Any], id: str) -> None:
        """Once: an officer takes the case, and perhaps passes it on or gives it back. No event tells of that."""
        if id not in self._shared:
            self._shared.add(id)
            for _ in range(self._client.rng.randint(1, SHARED_AT_MOST)):
                await self.asks(case, id, DESK)

    async def asks(self, case: Case[Any], id: str, verbs: frozenset[str] = frozenset()) -> bool:
        """One of the verbs that stand open (of `verbs`, if some are given); whether it was accepted."""
        state = await self._state(case, id)
        open_now = [
            row
            for verb, rows in case.rows.items()
            for row in rows
            if is_walked(case, row) and row.is_open(state) and verb in (verbs or case.rows)
        ]
        if state is None or not open_now:
            return False
        least = min(self._asked[named(case, row)] for row in open_now)
        move = self._client.rng.choice([row for row in open_now if self._asked[named(case, row)] == least])
        return await self._ask(case, id, state, move)

    async def _ask(self, case: Case[Any], id: str, state: Any, move: Move) -> bool:
        self._asked[named(case, move)] += 1
        self._steps[id] += 1
        said = self._said(case, state, move)
        account = SECOND_OFFICER if move.checked_by_another else OFFICER
        role = "officer" if "officer" in move.by else next(iter(move.by))
        principal = Principal(account, role, self._office(case, state, move))
        step = requests.step(
            f"walk {move.verb} {id} {self._steps[id]}",
            requests.About(SERVICE_OF[case.name], case.name, id, account),
            requests.acting(case, move.verb, id, principal, **said),
            happened_at=said.get("happened_at"),
        )
        return await self._client.put(step) is not None

    def _said(self, case: Case[Any], state: Any, move: Move) -> dict[str, Any]:
        rng, own = self._client.rng, SAID.get((case.name, move.verb))
        said = dict(own(state) if own else move.example)
        if "reason" in said and move.reasons:
            said["reason"] = rng.choice(move.reasons)
        if move.verb == ASK:
            said["to_office"] = _other(case.scope(state).office)
        if move.verb == PASS_ON:
            said["colleague"] = COLLEAGUE
        if move.verb == CORRECT_TIME:
            before, last = state.trail[-2:]
            said["happened_at"] = before.happened_at + (last.happened_at - before.happened_at) / 2
        return said

    @staticmethod
    def _office(case: Case[Any], state: Any, move: Move) -> str | None:
        """Of whoever may do it: of the case's office, or of the one that is asked to take it over."""
        office = case.scope(state).office
        return state.transfer.to_office if move.verb in (ACCEPT, DECLINE) and state.transfer else office or OFFICE

    async def _state(self, case: Case[Any], id: str) -> Any:
        async def state(service: Any) -> Any:
            served = next(one for one in service.cases if one.case is case)
            return (await service.replica.kernel.load(served.aggregate, id))[1]

        return await self._client.look(SERVICE_OF[case.name], state)
