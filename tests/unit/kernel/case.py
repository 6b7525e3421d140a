"""A smallest case for the kernel's tests: institutions that are registered and activated, on local ports in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.cases.case import Timer
from shared.clock import RealRuntime, derived_id
from shared.contracts.base import Event, Scope
from shared.contracts.registration.institutions import InstitutionActivated, InstitutionRegistered
from shared.errors import Refusal
from shared.intake.submissions import SUBMISSIONS
from shared.messaging.local import LocalLog
from shared.messaging.relay import Relay
from shared.messaging.topics import TOPICS
from shared.store.aggregates import Aggregate, Cause, Kernel
from shared.store.collection import Collection, Index
from shared.store.local import LocalStore


class Institution(BaseModel):
    model_config = ConfigDict(frozen=True)
    office: str
    active: bool = False
    closes_at: datetime | None = None


@dataclass(frozen=True)
class Register:
    office: str = "NL"


@dataclass(frozen=True)
class Activate:
    pass


def decide(state: Institution | None, command: Any, now: datetime) -> list[Event]:
    if isinstance(command, Register):
        if state:
            raise Refusal("already_registered")
        return [
            InstitutionRegistered(
                happened_at=now, office=command.office, country="GH", sector="health", host_type="public"
            )
        ]
    if state is None:
        raise Refusal("not_found", status=404)
    if state.active:
        raise Refusal("illegal_transition")
    return [InstitutionActivated(happened_at=now)]


def evolve(state: Institution | None, event: Event) -> Institution:
    if isinstance(event, InstitutionRegistered):
        return Institution(office=event.office)
    assert state is not None
    return state.model_copy(update={"active": True})


def timer(state: Institution) -> Timer | None:
    return Timer(state.closes_at, Activate()) if state.closes_at else None


INSTITUTIONS = Aggregate(
    Collection("institutions", {"office": Index(lambda d: [d["state"]["office"]] if d["state"] else [])}),
    Institution,
    decide,
    evolve,
    timer,
    lambda state: Scope(office=state.office),
)
GUARD = Collection("calendars")
SHADOWS = Collection("shadows", {"parked": Index(lambda d: ["parked"] if d["parked"] else [])})


class Clock(RealRuntime):
    """The real runtime with a clock that a test can move."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = timedelta()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class Case:
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        collections = [INSTITUTIONS.collection, GUARD, SHADOWS, SUBMISSIONS]
        self.store = LocalStore(None, collections, self.clock)
        self.log = LocalLog(None, list(TOPICS.values()), self.clock)
        self.relay = Relay(self.store, self.log, self.clock)
        self.kernel = Kernel("registration", self.store, self.relay, self.clock)

    async def __aenter__(self) -> Case:
        await self.store.start()
        await self.log.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.log.stop()
        await self.store.stop()
        self.clock.close()

    async def topic(self, name: str) -> list[Any]:
        """Every record of the topic, partition by partition."""
        records = []
        for (topic, partition), _ in (await self.log.ends([name])).items():
            records += await self.log.read(topic, partition, 0)
        return records


def cause(name: str, **changes: Any) -> Cause:
    return Cause(command_id=derived_id(name), digest=changes.pop("digest", name), **changes)
