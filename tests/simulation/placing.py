"""The officer's part from an opened placement to the end of the return."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from services.placement.domain.placements import PLACEMENT
from services.placement.store import PLACEMENTS
from services.placement.work.placing import placement_of
from shared.cases.revisions import REVISING
from shared.programmes.sections.placement import PlacementSection
from tests.simulation import requests
from tests.simulation.cast import DEFINITION
from tests.simulation.client import Client
from tests.simulation.walking import Walking

NEVER_BEGUN = frozenset({"no_show", "cancelled", "refused"})
OVER = NEVER_BEGUN | {"completed", "ended_early"}
PAUSE_SECONDS = 0.6
EXTENDED_BY = timedelta(days=10)
TAKEN_BACK = 0.3
PUT_RIGHT = 0.35
REVISED_AT_MOST, REVISIONS = 2, REVISING | {"correct-contract"}
COURSES = ("plain", "plain", "extended", "early", "no show", "reported", "no visa")


class Placing:
    """Moves placements on, step by step, each as its state calls for."""

    def __init__(self, client: Client, walking: Walking) -> None:
        self._client = client
        self._walking = walking
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._courses: dict[str, str] = {}
        self._arrived: set[str] = set()
        self._revised: Counter[str] = Counter()

    async def see_through(self, match: str) -> bool:
        """Takes the placement as far as it goes today; False where nothing was left to do or to wait for."""
        id, moved = placement_of(match), False
        while (state := await self._state(id)) is None or state.status not in OVER:
            if state is None:
                await self._client.pause(PAUSE_SECONDS)
                continue
            await self._walking.shares(PLACEMENT, id)
            if state.status == "active" and match not in self._arrived:
                self._arrived.add(match)
                await self._overtake(match)
            await self._client.pause(PAUSE_SECONDS)
            if not await self._move(id, state):
                break
            moved = True
            if self._client.rng.random() < PUT_RIGHT:
                await self._put_right(id)
        # One that will not be frees the seat: that is on its way to the match.
        return moved or state.status in NEVER_BEGUN

    async def _put_right(self, id: str) -> None:
        """The time of the last fact was noted wrongly, or the fact was of another case, or the contract's days were."""
        # Refused where the day has not come.
        if self._revised[id] < REVISED_AT_MOST and await self._walking.asks(PLACEMENT, id, REVISIONS):
            self._revised[id] += 1

    async def _overtake(self, match: str) -> None:
        """Sometimes the match is taken back while the news of the arrival is on its way: too late, so it is kept."""
        if self._client.rng.random() < TAKEN_BACK:
            await self._client.put(requests.on_match("retract", match, 0))

    async def _state(self, id: str) -> Any:
        async def state(service: Any) -> Any:
            return (await service.replica.kernel.load(PLACEMENTS, id))[1]

        return await self._client.look("placement", state)

    async def _move(self, id: str, state: Any) -> bool:
        verb, said = self._next(id, state)
        # What was taken back is done once more, as a request of its own.
        attempt = self._attempts[verb, id] + state.told
        answer = await self._client.put(requests.on_placement(verb, id, attempt, **said))
        self._attempts[verb, id] += answer is None
        # Refused: somebody else was faster, or the day has not come.
        return answer is not None or (await self._state(id)).status != state.status

    def _next(self, id: str, state: Any) -> tuple[str, dict[str, Any]]:
        course = self._courses.setdefault(id, self._client.rng.choice(COURSES))
        steps = DEFINITION.section(PlacementSection).obligatory_steps(state.terms.modality)
        match state.status:
            case "host_confirmed":
                return "contract", {"starts_on": state.terms.starts_on, "ends_on": state.terms.ends_on}
            case "contracted" if course == "no visa":
                return "cancel", {"reason": "visa_refused"}
            case "contracted" if course == "no show" and state.starts_on <= date(2026, 1, 5):
                return "report-no-show", {}
            case "contracted" | "pre_departure" if len(state.steps) < len(steps):
                return "complete-step", {"step": steps[len(state.steps)]}
            case "pre_departure":
                return ("confirm-arrival" if state.terms.modality == "virtual" else "depart"), {}
            case "travelling":
                return "confirm-arrival", {}
            case "reports_due":
                return self._reporting(state)
        if course == "early":
            return "end-early", {"party": "expert", "reason": "family"}
        if course == "extended" and state.contracts == 1:
            return "extend", {"ends_on": state.ends_on + EXTENDED_BY}
        return ("call-for-reports" if course == "reported" else "complete"), {}

    def _reporting(self, state: Any) -> tuple[str, dict[str, Any]]:
        if not state.report:
            return "submit-report", {"text": "Eighteen teachers were trained."}
        if not state.accepted_report:
            return "accept-report", {}
        return ("complete" if state.certified else "certify"), {}
