"""The four services as the simulation runs them: whole, but for the HTTP edge that nobody calls here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from inspect import signature
from typing import Any
from unittest import mock

from fastapi import APIRouter
from pydantic import BaseModel

from deploy.generate import InMemory
from services.matching import app as matching
from services.matching.store import COLLECTIONS as MATCHING
from services.matching.store import SHADOWS as MATCHING_SHADOWS
from services.monitoring import app as monitoring
from services.monitoring.follower import Pace
from services.monitoring.records import Mark
from services.monitoring.store import COLLECTIONS as MONITORING
from services.monitoring.store import SHADOWS as MONITORING_SHADOWS
from services.monitoring.store import ReadModel
from services.placement import app as placement
from services.placement.store import COLLECTIONS as PLACEMENT
from services.placement.store import SHADOWS as PLACEMENT_SHADOWS
from services.registration import app as registration
from services.registration.store import COLLECTIONS as REGISTRATION
from services.registration.store import SHADOWS as REGISTRATION_SHADOWS
from shared.contracts.base import Event
from shared.messaging.handlers import Handlers
from shared.messaging.port import Position
from shared.replica import Ports, stored
from shared.store.collection import Collection
from tests.simulation.nodes import Service
from tests.simulation.post import LetterBox

# A transaction costs real milliseconds, so the read models are brought up in few of them.
PACE = Pace(linger_seconds=9.0, idle_seconds=9.0)


@contextmanager
def without_edges() -> Iterator[None]:
    """Nobody calls the edge here, and its routes would take longer to set up than all else that a replica is."""
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(APIRouter, "add_api_route", _nothing))
        patches.enter_context(mock.patch.object(BaseModel, "model_json_schema", _no_schema))
        for service in (registration, matching, placement, monitoring):
            patches.enter_context(mock.patch.object(service, "served", Nowhere()))
        for part in ("_entrance", "passes_router", "front_router", "SigningIn", "create_entrance"):
            patches.enter_context(mock.patch.object(registration, part, Nowhere()))
        yield


class Nowhere:
    """What stands where an edge would be, with all its parts."""

    def __getattr__(self, _name: str) -> Nowhere:
        return self

    def __call__(self, *_: object, **__: object) -> Nowhere:
        return self


def _nothing(*_: object, **__: object) -> None:
    return None


def _no_schema(*_: object, **__: object) -> dict[str, object]:
    return {}


# The process's one DuckDB in memory gets as many threads as its first model asks for; more than one only wait here.
ReadModel(None, threads=1).close()


def _monitoring(ports: Ports) -> monitoring.MonitoringService:
    service = monitoring.MonitoringService(ports, InMemory(), PACE)
    planned_simply(service.follower.model)
    return service


def planned_simply(model: ReadModel) -> None:
    """Its statements run as they are written: on a few hundred rows they take less time than their optimisation."""
    with model.database.reader() as reader:
        for connection in (model.database.writer, reader):
            connection.execute("PRAGMA disable_optimizer")


def _unread(service: monitoring.MonitoringService, ends: Mapping[Position, int]) -> int:
    marks = service.follower.model.marks
    return sum(end - marks.get(position, Mark()).next_offset for position, end in ends.items())


HANDLED: Mapping[str, Handlers] = {
    name: module.handlers(**dict.fromkeys(signature(module.handlers).parameters, mock.MagicMock()))
    for name, module in (("registration", registration), ("matching", matching), ("placement", placement))
}


def topics_of(handled: Handlers) -> Sequence[str]:
    events: set[type[Event]] = set(handled)
    return sorted({event.topic for event in events})


TOPICS_OF = {name: topics_of(handled) for name, handled in HANDLED.items()}


def services() -> list[Service]:
    return [
        _grouped("registration", stored(REGISTRATION, REGISTRATION_SHADOWS), _registration([])),
        _grouped("matching", stored(MATCHING, MATCHING_SHADOWS), matching.build),
        _grouped("placement", stored(PLACEMENT, PLACEMENT_SHADOWS), placement.build),
        Service(
            "monitoring",
            stored(MONITORING, MONITORING_SHADOWS),
            _monitoring,
            unread=_unread,
            close=lambda service: service.follower.model.close(),
        ),
    ]


def _registration(mails: list[str]) -> Callable[[Ports, Any], Any]:
    """Every replica of one world hands its mail in at one server."""

    def build(ports: Ports, settings: Any) -> registration.Registration:
        service = registration.Registration(ports, settings, LetterBox(mails, ports.runtime))
        vars(service)["mails"] = mails
        return service

    return build


def _grouped(name: str, collections: Sequence[Collection], build: Callable[[Ports, Any], Any]) -> Service:
    def built(ports: Ports) -> Any:
        return build(ports, InMemory())

    return Service(name, collections, built, TOPICS_OF[name])
