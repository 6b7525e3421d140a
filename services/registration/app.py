"""Registration as a service: what it is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from services.registration import definition_pages
from services.registration.api import Works, served_cases
from services.registration.applying import giving_back
from services.registration.applying.giving_back import GivingBack, GivingBackPages, giving_back_routes
from services.registration.applying.opening import Opening
from services.registration.applying.router import Applying
from services.registration.applying.ways_back import WaysBackPages
from services.registration.definition_pages import DefinitionPages
from services.registration.domain.experts import EXPERT
from services.registration.domain.programmes import PROGRAMME
from services.registration.domain.saved_views import SAVED_VIEWS
from services.registration.entrance.cookies import Cookies
from services.registration.entrance.entering import Entrance
from services.registration.entrance.front import front_router
from services.registration.entrance.passes import passes_router
from services.registration.entrance.people import is_development
from services.registration.entrance.signing_in import CALLBACK, SigningIn
from services.registration.files import api as files
from services.registration.files.api import files_router
from services.registration.files.pages import CaseFilePages
from services.registration.handlers import handlers
from services.registration.handovers import answering
from services.registration.handovers.answering import Answering
from services.registration.handovers.api import handovers_router
from services.registration.handovers.pages import HandoverPages
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.imports import pages as import_pages
from services.registration.imports.api import imports_router
from services.registration.imports.pages import ImportPages
from services.registration.jobs.importing import CREATE, IMPORTS, Importing
from services.registration.mailing.channel import Channel
from services.registration.mailing.channels import channel_of
from services.registration.messages import Previewed
from services.registration.papers.routes import PAPER_RIGHTS, paper_routers
from services.registration.readings import alike, copying
from services.registration.readings.alike import AlikePages, alike_router
from services.registration.readings.api import RIGHTS, readings_router
from services.registration.readings.copying import Copying, CopyPages, copying_router
from services.registration.readings.pages import ReadingPages
from services.registration.saved_views import api as saved_views
from services.registration.saved_views import pages as saved_view_pages
from services.registration.saved_views.api import saved_views_router
from services.registration.saved_views.pages import SavedViewPages
from services.registration.settings import Issued
from services.registration.store import ACCOUNTS, COLLECTIONS, DRAFTS, EXPERTS, FILES, INSTITUTIONS, PERSONS, SHADOWS
from services.registration.work.case_files import CaseFiles
from services.registration.work.claiming import Claiming
from services.registration.work.consenting import Consenting
from services.registration.work.contacts import Contacts
from services.registration.work.criteria import Criteria
from services.registration.work.draft_files import DraftFiles
from services.registration.work.draft_mail import DraftMail
from services.registration.work.drafting import DRAFTS_ISSUER, Drafting
from services.registration.work.duplicates import Duplicates
from services.registration.work.erasing import Erasing
from services.registration.work.filing import Filing
from services.registration.work.handing_over import HandingOver
from services.registration.work.identity_changes import IdentityChanges
from services.registration.work.moving import Moving
from services.registration.work.profiles import Profiles
from services.registration.work.proposing import Proposing
from services.registration.work.publishing import Publishing
from services.registration.work.readings import Readings
from services.registration.work.recipients import Recipients
from services.registration.work.registering import EXPERT_REGISTRATION, Registering
from services.registration.work.reminding import Reminding
from services.registration.work.reviewing import Reviewing
from services.registration.work.saving_views import SavingViews
from services.registration.work.screening import Screening
from services.registration.work.sending import Sending
from services.registration.work.sessions import Sessions
from services.registration.work.telling import Telling
from services.registration.work.ways_back import WaysBack
from shared.audit.trail import Trail
from shared.cases.case import Case
from shared.clock import stop_tasks
from shared.identity.accounts import Accounts
from shared.identity.issuers import DEVELOPMENT_ISSUER, OpenIdKeys
from shared.identity.openid import OpenIdClient
from shared.messaging.handlers import Handlers
from shared.replica import Ports, Replica
from shared.web.acting import Served
from shared.web.callers import Edge
from shared.web.edge import create_entrance
from shared.web.pages.waiting import Further
from shared.web.revising import revising
from shared.web.served import served
from shared.web.transferring import transferring


class Registration:
    """One replica with its HTTP edge. `start` opens the store and begins to consume; the log is the caller's."""

    def __init__(self, ports: Ports, settings: Issued, channel: Channel | None = None) -> None:
        self.ports = ports
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self._tasks: list[asyncio.Task[Any]] = []
        identifiers = Identifiers(ports.keys, ports.runtime.rng)
        channel = channel or channel_of(settings, ports.runtime)
        self.trail = Trail(self.replica.kernel, ports.keys, ports.runtime)
        self.filing = Filing(self.replica)
        self.drafting = Drafting(self.replica, self.filing, channel)
        accounts = ports.keys.accounts(settings.issuer or DEVELOPMENT_ISSUER)
        self.draft_mail = DraftMail(self.replica, self.drafting, channel, self.trail.write)
        self.ways_back = WaysBack(self.draft_mail, settings.base_url)
        self.reminding = Reminding(self.draft_mail, settings.base_url)
        self.readings = Readings(self.replica, identifiers, self.trail, settings)
        consenting = Consenting(self.replica, identifiers, self.readings)
        self.work = _works(self.replica, self.drafting, self.filing, identifiers, accounts, channel, consenting)
        self.files = CaseFiles(self.replica, self.filing, self.drafting, self.readings)
        recipients = Recipients(self.replica, identifiers)
        self.sending = Sending(self.replica, recipients, channel, settings.base_url, self.trail.write)
        self.telling = Telling(self.replica, self.sending)
        self.replica.listens(self._handlers())
        self.replica.takes({EXPERT_REGISTRATION: self.work.registering.register})
        importing = Importing(self.replica, self.work.proposing, self.work.registering)
        self.jobs = self.replica.works(importing.kinds())
        self.replica.times(guard=self.work.registering.guard)
        for one in (PERSONS, INSTITUTIONS):
            self.replica.times(one)
        duplicates = Duplicates(ports.store, ports.runtime, identifiers, self.readings)
        previewed = Previewed(recipients, settings.base_url)
        self.cases = served_cases(self.work, identifiers, self.readings, previewed, self.files)
        sessions = Sessions(self.replica)
        self.replica.sweeps(ACCOUNTS, sessions.fire)
        self.replica.sweeps(DRAFTS, self.drafting.fire)
        self.replica.sweeps(FILES, self.filing.fire)
        self.app = self._answering(duplicates, settings)
        self.entrance = self._entered(sessions, settings)

    def _handlers(self) -> Handlers:
        work = self.work
        moving = Moving(self.replica)
        of_persons = work.reviewing, work.claiming, work.identity_changes, work.erasing, moving
        return handlers(*of_persons, self.telling, self.files)

    def _answering(self, duplicates: Duplicates, settings: Issued) -> FastAPI:
        """The service's app: the edge for programs, and behind it the pages that are no case's alone."""
        definitions, copied = self.replica.definitions, Copying(self.readings, self.ports.store)
        giving = GivingBack(self.drafting, definitions, self.readings)
        handovers = Answering(self.work.consenting)
        papers = paper_routers(self.replica, self.readings, settings.base_url)
        edge = [readings_router(self.readings), alike_router(duplicates), giving_back_routes(giving)]
        edge += [*papers.edge, files_router(self.files), copying_router(copied)]
        views = SavingViews(self.replica)
        edge += [handovers_router(handovers), saved_views_router(views), imports_router(self.jobs)]
        app = self._served(giving, edge, settings)
        pages = (
            CaseFilePages(self.files),
            ReadingPages(self.readings),
            GivingBackPages(giving, definitions, settings.base_url),
            HandoverPages(handovers),
            SavedViewPages(views),
            ImportPages(self.jobs),
            DefinitionPages(definitions, self.ports.runtime, self._of(PROGRAMME)),
            CopyPages(copied, definitions),
            AlikePages(duplicates, self._of(EXPERT)),
        )
        for router in (*(one.router for one in pages), *papers.pages):
            app.include_router(router)
        return app

    def _of(self, case: Case[Any]) -> Served:
        return next(one for one in self.cases if one.case is case)

    def _entered(self, sessions: Sessions, settings: Issued) -> FastAPI:
        """What answers outside the base path; the pages of an application and of passes come to the service's own."""
        entrance = _entrance(self.replica, self.app.state.edge, sessions, self.work.handing_over, settings)
        opening = _opening(self.replica, entrance, self.drafting, self.work, settings.base_url, self.draft_mail.sends)
        drafted = DraftFiles(self.replica, self.files, self.work.handing_over, opening.accounts)
        back = WaysBackPages(opening, self.ways_back, self.reminding)
        for one in (back.router, Applying(opening, self._of(EXPERT), drafted).router, passes_router(entrance)):
            self.app.include_router(one)
        return create_entrance(entrance.edge, [front_router(entrance), SigningIn(entrance).router])

    def _served(self, giving: GivingBack, routers: Sequence[APIRouter], settings: Issued) -> FastAPI:
        return served(
            self.replica,
            settings.issuer,
            cases=self.cases,
            routers=routers,
            rights=(
                *RIGHTS,
                *files.RIGHTS,
                *alike.RIGHTS,
                *copying.RIGHTS,
                *giving_back.RIGHTS,
                *answering.RIGHTS,
                *saved_views.RIGHTS,
                *PAPER_RIGHTS,
            ),
            subjects_of=self.work.handing_over.subjects_of,
            further=(
                Further("lost-codes", giving_back.link, ("drafts", "find")),
                Further(answering.HANDOVERS, answering.link, (answering.HANDOVERS, "find")),
                Further(SAVED_VIEWS, saved_view_pages.link, (SAVED_VIEWS, "list")),
                Further(IMPORTS, import_pages.link, (IMPORTS, CREATE)),
                Further(definition_pages.CHECK, definition_pages.link, (PROGRAMME.name, "publish")),
            ),
        )

    async def start(self) -> None:
        await self.replica.start()
        # Before anybody is served: what is recorded from now on may be told.
        await self.telling.since()
        self.trail.start()
        spawn = self.ports.runtime.spawn
        self._tasks = [
            spawn(self.work.erasing.again(), "erasing again"),
            spawn(self.drafting.run(), "draft-keys", lasting=True),
            spawn(self.sending.run(), "mail", lasting=True),
            spawn(self.draft_mail.run(self.ways_back.sweep, self.reminding.sweep), "draft-mail", lasting=True),
        ]

    async def stop(self) -> None:
        await stop_tasks(self._tasks)
        await self.trail.stop()
        await self.replica.stop()


def _works(
    replica: Replica,
    drafting: Drafting,
    filing: Filing,
    identifiers: Identifiers,
    accounts: Accounts,
    channel: Channel | None,
    consenting: Consenting,
) -> Works:
    publishing, profiles = Publishing(replica), Profiles(replica, identifiers)
    criteria, handing_over = Criteria(replica), HandingOver(replica, accounts, identifiers)
    reviewing = Reviewing(replica, criteria)
    registering = Registering(replica, publishing, identifiers, handing_over)
    return Works(
        publishing,
        profiles,
        registering,
        Screening(replica, profiles, criteria, reviewing, filing),
        Proposing(replica, publishing, accounts, identifiers),
        reviewing,
        handing_over,
        Claiming(replica, registering.guard),
        IdentityChanges(replica, identifiers, registering.guard),
        Erasing(replica, registering.guard, drafting, filing, channel),
        criteria,
        Contacts(replica, identifiers),
        consenting,
        revising(INSTITUTIONS, replica.kernel),
        {one.name: transferring(one, replica) for one in (EXPERTS, INSTITUTIONS)},
    )


def _entrance(
    replica: Replica, edge: Edge, sessions: Sessions, handing_over: HandingOver, settings: Issued
) -> Entrance:
    ports, issuer = replica.ports, settings.issuer
    accounts = ports.keys.accounts(issuer or DEVELOPMENT_ISSUER)
    openid = None
    if issuer and settings.pages_client_id:
        http = httpx.AsyncClient()
        openid = OpenIdClient(
            issuer,
            settings.pages_client_id,
            settings.pages_client_secret,
            f"{settings.base_url}{CALLBACK}",
            accounts,
            OpenIdKeys(issuer, http, ports.runtime),
            http,
            ports.runtime,
        )
    return Entrance(
        edge,
        sessions,
        Cookies(ports.keys, ports.runtime, settings.base_url.startswith("https:")),
        replica.definitions,
        accounts,
        handing_over,
        openid,
        is_development(issuer, settings.base_url),
    )


def _opening(
    replica: Replica, entrance: Entrance, drafting: Drafting, work: Works, base_url: str, sends: bool
) -> Opening:
    return Opening(
        edge=entrance.edge,
        drafting=drafting,
        definitions=replica.definitions,
        intake=replica.submissions,
        accounts=replica.ports.keys.accounts(DRAFTS_ISSUER),
        handing_over=work.handing_over,
        sessions=entrance.sessions,
        cookies=entrance.cookies,
        base_url=base_url,
        sends=sends,
    )


def build(ports: Ports, settings: Issued) -> Registration:
    return Registration(ports, settings)
