"""The office's trainings and sites: plain cases beside all that draws people together, in the same storm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import Any

from services.placement.domain.sites import SITE
from services.placement.domain.trainings import TRAINING
from services.placement.store import PLAIN
from shared.cases.case import Case
from shared.clock import derived_id
from shared.identity.policy import Equality
from shared.store.aggregates import Cause
from shared.web.acting import NOTHING_YET, Call, act
from tests.simulation.cast import CODE, OFFICE
from tests.simulation.client import Client, Step
from tests.simulation.journal import Journal
from tests.simulation.requests import INSTITUTION, About, Work, acting, behind, step
from tests.simulation.walking import Walking

PAUSE_SECONDS = 1.5
PUT_RIGHT = 0.25
WALKED = 4
TRAININGS_OPENED, SITES_OPENED = 3, 2
PLACE = {"programme": CODE, "office": OFFICE, "title": "An example", "country": "AF", "sector": "education"}
DAYS = {"starts_on": "2026-01-05", "ends_on": "2026-01-07"}
WOMEN, MEN = {"sex": "female", "persons": 12}, {"sex": "male", "persons": 9}
# What an opening names is still on its way to this replica.
PASSING = frozenset({"programme_unknown", "institution_unknown"})


class Office:
    """The caller as far as a plain case asks: of which office."""

    async def equalities(self) -> tuple[Equality, ...]:
        return (("office", OFFICE),)


class Plain:
    """Opens some trainings and sites, and takes each as far as its course goes."""

    def __init__(self, client: Client, journal: Journal, walking: Walking) -> None:
        self._client = client
        self._walking = walking
        self._journal = journal
        self._attempts: Counter[tuple[str, str]] = Counter()

    def plays(self) -> Iterator[Awaitable[None]]:
        yield from (self._train(number) for number in range(TRAININGS_OPENED))
        yield from (self._build(number) for number in range(SITES_OPENED))

    async def _train(self, number: int) -> None:
        id = await self._open(TRAINING, number, **PLACE, **DAYS, training_kind="workshop", institution=INSTITUTION)
        await self._trains(id)
        await self._walking.walks(TRAINING, id, WALKED)

    async def _trains(self, id: str) -> None:
        course = self._client.rng.choice(("cancelled", "held", "corrected"))
        if course == "cancelled":
            await self._move(TRAINING, id, "cancel", reason="trainer_ill")
            return
        await self._move(TRAINING, id, "reschedule", **DAYS)
        await self._move(TRAINING, id, "hold", sessions=2, participants=(WOMEN, MEN))
        for recount in range(2 if course == "corrected" else 0):
            said = {"participants": ({**WOMEN, "persons": 10 + recount},), "reason": "attendance_list"}
            await self._move(TRAINING, id, "correct-participants", **said)

    async def _build(self, number: int) -> None:
        id = await self._open(SITE, number, **PLACE, site_kind="village")
        await self._builds(id)
        await self._walking.walks(SITE, id, WALKED)

    async def _builds(self, id: str) -> None:
        await self._move(SITE, id, "assess")
        for _ in range(2):
            await self._move(SITE, id, "begin-works", work_kind="water_system")
        await self._move(SITE, id, "complete-works", work=1, families=64)
        if self._client.rng.random() < 0.5:
            await self._move(SITE, id, "drop", reason="spring_dried_up")
            return
        await self._move(SITE, id, "complete-works", work=2, families=36)
        await self._move(SITE, id, "hand-over")

    async def _open(self, case: Case[Any], number: int, **said: Any) -> str:
        name = f"open {case.name} {number}"
        id = derived_id("client", name)
        self._journal.ask(id)
        await self._client.pause(PAUSE_SECONDS)
        about = About("placement", case.name, id)
        await self._client.put(step(name, about, _opening(case, id, **said), patient=PASSING, id=id))
        return id

    async def _move(self, case: Case[Any], id: str, verb: str, **said: Any) -> None:
        await self._client.pause(PAUSE_SECONDS)
        if await self._put(case, id, verb, **said) and self._client.rng.random() < PUT_RIGHT:
            await self._put_right(case, id, verb, **said)

    async def _put_right(self, case: Case[Any], id: str, verb: str, **said: Any) -> None:
        """It happened at another time than was noted, or it was another case's, and happens here a moment later.

        What was counted anew is taken back with the training; to count it once more is then refused.
        """
        if self._client.rng.random() < 0.5:
            await self._put(case, id, "correct-time", **await self._earlier(case, id))
        elif await self._put(case, id, "take-back", reason="mistake"):
            await self._put(case, id, verb, **said)

    async def _put(self, case: Case[Any], id: str, verb: str, **said: Any) -> bool:
        """Whether it was accepted; each time it is a request of its own."""
        attempt = self._attempts[verb, id]
        self._attempts[verb, id] += 1
        return await self._client.put(_moving(case, id, verb, attempt, **said)) is not None

    async def _earlier(self, case: Case[Any], id: str) -> dict[str, Any]:
        """Half way to the fact before."""
        aggregate = next(one.aggregate for one in PLAIN if one.case is case)

        async def state(service: Any) -> Any:
            return (await service.replica.kernel.load(aggregate, id))[1]

        before, last = (await self._client.look("placement", state)).trail[-2:]
        half = before.happened_at + (last.happened_at - before.happened_at) / 2
        return {"reason": "wrong_date", "happened_at": half}


def _moving(case: Case[Any], id: str, verb: str, attempt: int, **said: Any) -> Step:
    about = About("placement", case.name, id)
    return step(
        f"{verb} {case.name} {id} {attempt}", about, acting(case, verb, id, **said), happened_at=said.get("happened_at")
    )


def _opening(case: Case[Any], id: str, **said: Any) -> Work:
    async def work(service: Any, cause: Cause) -> None:
        served = next(one for one in service.cases if one.case is case)
        office: Any = Office()
        body = case.ask("create", **said).body
        call = Call(id, "create", body, cause, None, NOTHING_YET, office)
        await act(served, behind(service), call)

    return work
