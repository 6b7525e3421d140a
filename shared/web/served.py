"""The HTTP edge of a replica: a service's own routes, and those that every service has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fastapi import APIRouter, FastAPI

from shared.contracts.base import Event
from shared.identity.digests import Digests
from shared.identity.issuers import token_verifier
from shared.identity.passes import Readers
from shared.identity.policy import Policy, SubjectsOf, policy_of
from shared.identity.rights import Rights
from shared.jobs.kinds import JOBS, rights_of
from shared.replica import Replica
from shared.web.acting import Behind, Served, rows_of
from shared.web.asyncapi import Received
from shared.web.backlog import Sparing, backlog_router
from shared.web.callers import Edge
from shared.web.edge import Ready, Report, create_app
from shared.web.jobs import jobs_router
from shared.web.json import case_routes
from shared.web.notes import Notes
from shared.web.operation import parked_router, settings_router
from shared.web.pages import operation
from shared.web.pages.bulk import bulk_pages_of
from shared.web.pages.cases import pages_of
from shared.web.pages.exporting import export_of
from shared.web.pages.jobs import JobPages
from shared.web.pages.operation import OperationPages
from shared.web.pages.reading import reading_pages_of
from shared.web.pages.receipt import receipt_page
from shared.web.pages.waiting import Further, today_router
from shared.web.receipts import receipts_router
from shared.web.timeline import timelines_router


def served(
    replica: Replica,
    issuer: str | None,
    *,
    cases: Sequence[Served] = (),
    routers: Iterable[APIRouter] = (),
    rights: Iterable[Rights] = (),
    subjects_of: SubjectsOf,
    ready: Ready | None = None,
    backlog: Report | None = None,
    follows: Sequence[type[Event]] = (),
    further: Sequence[Further] = (),
) -> FastAPI:
    """The app of the replica's service. `issuer`: whose tokens count; None: the embedded development issuer's.

    `cases`: their routes and rows of the policy follow from their tables; `routers` and `rights`: what is no case.
    `ready` and `backlog` are the replica's own unless the service has more to say; one that takes submissions answers
    for its receipts, one that does long work for its jobs. `follows`: what it reads beside its handler table.
    `further`: its pages that are no case's, to which the part of `/today` leads.
    """
    ports, service = replica.ports, replica.service
    behind = Behind(replica.kernel, Notes(ports.keys, replica.kernel), replica.definitions)
    jobs = replica.jobs
    rights = (*rights, *(rights_of(jobs.kinds.values()) if jobs else ()))
    policy = policy_of([row for one in cases for row in rows_of(one.case)], rights, intake=replica.intake is not None)
    report = Sparing(backlog or replica.unfinished, ports.runtime)
    app = create_app(
        _edge(replica, issuer, subjects_of, policy),
        title=f"Sankofa {service}",
        routers=[*_of_cases(cases, behind), *routers, *_of_every_service(replica, report)],
        ready=ready or replica.not_ready,
        backlog=report.sums,
        received=Received((*replica.handled, *follows), replica.consumer.topics if replica.consumer else ()),
    )
    further = (*further, *([Further.of(JOBS)] if jobs else ()))
    further = (*further, Further(operation.PATH.removeprefix("/"), operation.link, ("parked", "list")))
    operating = OperationPages(replica, report).router
    for router in (today_router(cases, behind, further), operating, *_pages(replica, cases, behind)):
        app.include_router(router)
    return app


def _pages(replica: Replica, cases: Sequence[Served], behind: Behind) -> Iterator[APIRouter]:
    if replica.intake is not None:
        yield receipt_page(replica.service, replica.intake, cases)
    if replica.jobs is not None:
        yield JobPages(replica.jobs).router
    for one in cases:
        # Bulk acts before the pages of one case, whose id may be any word.
        yield from (pages(one, behind) for pages in (bulk_pages_of, export_of, pages_of, reading_pages_of))


def _of_cases(cases: Sequence[Served], behind: Behind) -> list[APIRouter]:
    """A request is held against one route after the other: what comes by the thousand stands first."""
    ordered = sorted(cases, key=lambda one: not one.taken)
    return [*(case_routes(one, behind) for one in ordered), timelines_router(cases)]


def _edge(replica: Replica, issuer: str | None, subjects_of: SubjectsOf, policy: Policy) -> Edge:
    ports, service = replica.ports, replica.service
    return Edge(
        service=service,
        runtime=ports.runtime,
        store=ports.store,
        tokens=token_verifier(ports.keys, ports.runtime, issuer),
        cursor_key=ports.keys.cursor_key(service),
        readers=Readers.of(service, ports.keys),
        subjects_of=subjects_of,
        policy=policy,
        digests=Digests(service, ports.keys),
        definitions=replica.definitions,
        admission=replica.intake.admission if replica.intake else None,
    )


def _of_every_service(replica: Replica, report: Sparing) -> list[APIRouter]:
    receipts = [receipts_router(replica.service, replica.ports.keys, replica.intake)] if replica.intake else []
    jobs = [jobs_router(replica.jobs)] if replica.jobs else []
    return [*receipts, *jobs, parked_router(replica), settings_router(replica.ports), backlog_router(report)]
