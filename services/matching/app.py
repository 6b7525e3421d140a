"""Matching as a service: what it is made of."""

from __future__ import annotations

from services.matching.api import RIGHTS, Api, served_cases
from services.matching.handlers import handlers
from services.matching.papers.terms import TERMS, TermsPaper
from services.matching.settings import Issued
from services.matching.store import ASSIGNMENTS, COLLECTIONS, MATCHES, SHADOWS
from services.matching.vacancy_pages import VacancyPages, link
from services.matching.work.selection import APPLICATION
from services.matching.work.works import Works
from shared.clock import derived_id
from shared.identity.policy import Subjects
from shared.replica import Ports, Replica
from shared.web.pages.waiting import Further
from shared.web.papers import paper_routes
from shared.web.served import served

SERVICE = "matching"


class Matching:
    """One replica with its HTTP edge. `start` opens the store and begins to consume; the log is the caller's."""

    def __init__(self, ports: Ports, settings: Issued) -> None:
        self.ports = ports
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self.works = Works(self.replica)
        self.replica.listens(handlers(self.works))
        self.replica.takes({APPLICATION: self.works.selection.decide_application})
        self.replica.times(ASSIGNMENTS, self.works.promises.seats)
        self.replica.times(MATCHES)
        self.replica.times(guard=self.works.promises.pools)
        self.cases = served_cases(self.works, self.replica)
        terms, of_pages = paper_routes(TERMS, TermsPaper(self.replica).made)
        self.app = served(
            self.replica,
            settings.issuer,
            cases=self.cases,
            routers=[Api(self.replica, self.works).router, terms],
            rights=RIGHTS,
            subjects_of=self._subjects_of,
            further=(Further("vacancies", link, ("vacancies", "list")),),
        )
        self.app.include_router(VacancyPages(self.works.vacancies, self.replica.definitions).router)
        self.app.include_router(of_pages)

    async def _subjects_of(self, account: str) -> Subjects:
        """Who registers itself is the person that follows from the account, also before that was heard of here."""
        found = await self.ports.store.find(SHADOWS.name, "account", account)
        ids = {who: one["_id"] for one in found for who in one["knowledge"]}
        return Subjects(ids.get("person") or await self._follows_from(account), ids.get("institution"))

    async def _follows_from(self, account: str) -> str | None:
        """None where another account stands for that person by now."""
        person = derived_id("account-person", account)
        shadow = await self.ports.store.load(SHADOWS.name, person)
        return None if shadow and "person" in shadow["knowledge"] else person

    async def start(self) -> None:
        await self.replica.start()

    async def stop(self) -> None:
        await self.replica.stop()


def build(ports: Ports, settings: Issued) -> Matching:
    return Matching(ports, settings)
