"""Registration as a service: what it is made of, and what it listens to."""

from __future__ import annotations

from services.registration.api import Api
from services.registration.domain.persons import ReissueProfile
from services.registration.handlers import EXPERT_REGISTRATION, Registering
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.settings import Issued
from services.registration.store import COLLECTIONS, INSTITUTIONS, PERSONS, SHADOWS
from shared.clock import derived_id
from shared.contracts.registration import Profile
from shared.identity.issuers import DEVELOPMENT_ISSUER
from shared.identity.policy import Subjects
from shared.messaging.heads import Reissue
from shared.messaging.shadows import Handler, Handlers
from shared.replica import Ports, Replica
from shared.web.served import served


class Registration:
    """One replica with its HTTP edge. `start` opens the store and begins to consume; the log is the caller's."""

    def __init__(self, ports: Ports, settings: Issued) -> None:
        self.ports = ports
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self.work = Registering(self.replica, Identifiers(ports.keys, ports.runtime.rng))
        self.replica.listens(handlers(self))
        self.replica.takes({EXPERT_REGISTRATION: self.work.register})
        self.replica.times(guard=self.work.guard)
        issuer = settings.issuer or DEVELOPMENT_ISSUER
        routes = Api(self.replica.kernel, self.work, self.replica.submissions, issuer).router
        self.app = served(self.replica, settings.issuer, routers=[routes], subjects_of=self._subjects_of)

    async def _subjects_of(self, account: str) -> Subjects:
        """Who registers itself is the person that follows from the account, also before it is recorded."""
        found = await self.ports.store.find(INSTITUTIONS.name, "account", account, limit=1)
        person = derived_id("account-person", account)
        return Subjects(person, found[0]["_id"] if found else None)

    async def start(self) -> None:
        await self.replica.start()

    async def stop(self) -> None:
        await self.replica.stop()


def handlers(_service: Registration) -> Handlers:
    """Everything that registration listens to: its own compacted topic, whose stale heads it mends."""
    return {Profile: Handler(reissue=Reissue(PERSONS, ReissueProfile()))}


def build(ports: Ports, settings: Issued) -> Registration:
    return Registration(ports, settings)
