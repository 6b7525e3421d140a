"""The HTTP edge of a replica: a service's own routes, and those that every service has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter, FastAPI

from shared.contracts.base import Event
from shared.identity.issuers import token_verifier
from shared.identity.policy import SubjectsOf
from shared.replica import Replica
from shared.web.asyncapi import Received
from shared.web.backlog import Sparing, backlog_router
from shared.web.callers import Edge
from shared.web.edge import Ready, Report, create_app
from shared.web.operation import parked_router, settings_router
from shared.web.receipts import receipts_router


def served(
    replica: Replica,
    issuer: str | None,
    *,
    routers: Iterable[APIRouter],
    subjects_of: SubjectsOf,
    ready: Ready | None = None,
    backlog: Report | None = None,
    follows: Sequence[type[Event]] = (),
) -> FastAPI:
    """The app of the replica's service. `issuer`: whose tokens count; None: the embedded development issuer's.

    `ready` and `backlog` are the replica's own unless the service has more to say. A replica that takes
    submissions also answers for its receipts. `follows`: what the service reads beside its handler table.
    """
    ports, service = replica.ports, replica.service
    edge = Edge(
        service=service,
        runtime=ports.runtime,
        store=ports.store,
        tokens=token_verifier(ports.keys, ports.runtime, issuer),
        cursor_key=ports.keys.cursor_key(service),
        subjects_of=subjects_of,
    )
    receipts = [receipts_router(service, ports.keys)] if replica.intake else []
    report = Sparing(backlog or replica.unfinished, ports.runtime)
    operator = [parked_router(replica), settings_router(ports), backlog_router(report)]
    return create_app(
        edge,
        title=f"Sankofa {service}",
        routers=[*routers, *receipts, *operator],
        ready=ready or replica.not_ready,
        backlog=report.sums,
        received=Received((*replica.handled, *follows), replica.consumer.topics if replica.consumer else ()),
    )
