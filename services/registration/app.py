"""Registration as a service: what it is made of."""

from __future__ import annotations

import asyncio
from typing import Any

from services.registration.api import Works, served_cases
from services.registration.handlers import handlers
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.settings import Issued
from services.registration.store import COLLECTIONS, INSTITUTIONS, SHADOWS
from services.registration.work.claiming import Claiming
from services.registration.work.criteria import Criteria
from services.registration.work.erasing import Erasing
from services.registration.work.handing_over import HandingOver
from services.registration.work.identity_changes import IdentityChanges
from services.registration.work.profiles import Profiles
from services.registration.work.proposing import Proposing
from services.registration.work.publishing import Publishing
from services.registration.work.registering import EXPERT_REGISTRATION, Registering
from services.registration.work.reviewing import Reviewing
from services.registration.work.screening import Screening
from shared.clock import stop_tasks
from shared.identity.accounts import Accounts
from shared.identity.issuers import DEVELOPMENT_ISSUER
from shared.replica import Ports, Replica
from shared.web.revising import revising
from shared.web.served import served


class Registration:
    """One replica with its HTTP edge. `start` opens the store and begins to consume; the log is the caller's."""

    def __init__(self, ports: Ports, settings: Issued) -> None:
        self.ports = ports
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self._tasks: list[asyncio.Task[Any]] = []
        identifiers = Identifiers(ports.keys, ports.runtime.rng)
        self.work = _works(self.replica, identifiers, ports.keys.accounts(settings.issuer or DEVELOPMENT_ISSUER))
        self.replica.listens(handlers(self.work.reviewing, self.work.claiming, self.work.erasing))
        self.replica.takes({EXPERT_REGISTRATION: self.work.registering.register})
        self.replica.times(guard=self.work.registering.guard)
        self.cases = served_cases(self.work, identifiers)
        self.app = served(
            self.replica, settings.issuer, cases=self.cases, subjects_of=self.work.handing_over.subjects_of
        )

    async def start(self) -> None:
        await self.replica.start()
        self._tasks = [self.ports.runtime.spawn(self.work.erasing.again(), "erasing again")]

    async def stop(self) -> None:
        await stop_tasks(self._tasks)
        await self.replica.stop()


def _works(replica: Replica, identifiers: Identifiers, accounts: Accounts) -> Works:
    publishing, profiles = Publishing(replica), Profiles(replica, identifiers)
    criteria, handing_over = Criteria(replica), HandingOver(replica, accounts)
    reviewing = Reviewing(replica, criteria)
    registering = Registering(replica, publishing, identifiers, handing_over)
    return Works(
        publishing,
        profiles,
        registering,
        Screening(replica, profiles, criteria, reviewing),
        Proposing(replica, accounts),
        reviewing,
        handing_over,
        Claiming(replica, registering.guard),
        IdentityChanges(replica, identifiers, registering.guard),
        Erasing(replica, registering.guard),
        revising(INSTITUTIONS, replica.kernel),
    )


def build(ports: Ports, settings: Issued) -> Registration:
    return Registration(ports, settings)
