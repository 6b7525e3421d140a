"""Monitoring as a service: what it is made of, and what it follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from services.monitoring.answers import Figures
from services.monitoring.api import Api
from services.monitoring.drawing import Drawing
from services.monitoring.exports_api import exports_router
from services.monitoring.feed.api import FeedApi
from services.monitoring.feed.cursors import Cursors
from services.monitoring.feed.deliveries import Deliveries
from services.monitoring.feed.messages import Messages
from services.monitoring.feed.outbound import Outbound
from services.monitoring.feed.pulling import Pulling
from services.monitoring.feed.subscribing import Subscriptions, served_subscriptions
from services.monitoring.files import ModelFiles
from services.monitoring.follower import Follower, Pace
from services.monitoring.handlers import followed
from services.monitoring.pages import feed
from services.monitoring.pages.exports import ExportPages
from services.monitoring.pages.routes import Pages
from services.monitoring.pages.statements import StatementPages
from services.monitoring.published import Published
from services.monitoring.rebuild import Report, rebuild
from services.monitoring.rights import RIGHTS
from services.monitoring.settings import Placed, cores
from services.monitoring.statements_api import StatementsApi, served_cases
from services.monitoring.store import COLLECTIONS, DELIVERIES, SHADOWS, STATEMENTS
from services.monitoring.work.exporting import Exporting
from services.monitoring.work.freezing import FreezingPeriods
from services.monitoring.work.issuing import Issuing
from services.monitoring.work.kept import Kept
from shared.clock import text_of
from shared.identity.policy import Subjects
from shared.messaging.readers import InThisProcess, Readers
from shared.replica import Ports, Replica
from shared.store.port import Document
from shared.web.pages.waiting import Further
from shared.web.receipts import keys_router
from shared.web.served import served

SERVICE = "monitoring"
# Each takes some 250 MB, and this process writes what all of them find.
PROCESSES_AT_MOST = 4
# Records that are read while one of them starts.
PROCESSES_PAY_FROM = 50_000


class MonitoringService:
    """One replica with its HTTP edge. `start` opens store and read model and begins to follow; the log is the
    caller's. SettingsError where the read model's file cannot be used."""

    # What has a page and is no case.
    beside = ("indicators",)

    def __init__(self, ports: Ports, settings: Placed, pace: Pace = Pace()) -> None:
        self.ports = ports
        self._kafka = settings.kafka
        self.replica = Replica(SERVICE, ports, COLLECTIONS, SHADOWS)
        self.files = ModelFiles(None if settings.data is None else settings.data / SERVICE)
        self.follower = Follower(ports.log, self.files.open_current(), ports.runtime, pace)
        self.replica.also_reads(self.follower.lag)
        self._rebuilding = asyncio.Lock()
        self.kept = Kept(ports.store)
        self.published = Published(ports.store, self.kept, self.replica.definitions)
        self.figures = Figures(self.follower, self.replica.definitions, ports.runtime, self.published)
        self.freezing = FreezingPeriods(self.replica, self.follower, self.kept)
        self.issuing = Issuing(self.replica, self.kept, ports.keys)
        self.replica.sweeps(STATEMENTS.collection, self._on_a_period)
        self.exporting = Exporting(self.published, self.replica.definitions, ports.runtime)
        self.jobs = self.replica.works([self.exporting.kind()])
        cursors = Cursors(ports.keys.cursor_key(SERVICE), lambda: self.replica.kernel.epoch, ports.runtime)
        self.pulling = Pulling(ports.log, Messages(ports.keys), cursors, ports.runtime)
        self.feed = FeedApi(self.pulling, ports.runtime)
        self.deliveries = Deliveries(self.replica, self.pulling, Outbound(local=settings.webhooks_local))
        self.replica.sweeps(DELIVERIES, self.deliveries.fire, always_due=True)
        subscriptions = Subscriptions(self.replica, local=settings.webhooks_local)
        self.cases = (*served_cases(self.freezing), served_subscriptions(subscriptions))
        self.drawing = Drawing()
        self.pages = Pages(self.figures, self.replica.definitions, self.drawing, ports.runtime)
        self.app = self._served(settings)

    def _served(self, settings: Placed) -> FastAPI:
        ports, definitions = self.ports, self.replica.definitions
        statements = StatementsApi(ports, self.kept, self.published, self.follower, definitions)
        app = served(
            self.replica,
            settings.issuer,
            cases=self.cases,
            routers=[
                Api(self.figures, self.published, definitions, self.rebuild).router,
                statements.router,
                exports_router(self.exporting, self.jobs),
                self.feed.router,
                keys_router(SERVICE, ports.keys),
            ],
            rights=RIGHTS,
            subjects_of=_nobody,
            ready=self.not_ready,
            backlog=self.unfinished,
            follows=followed(),
            further=[*(Further.of(name) for name in self.beside), Further("feed", feed.link, ("feed", "read"))],
        )
        for pages in (
            self.pages,
            ExportPages(self.exporting, self.jobs, self.published, definitions),
            StatementPages(ports.store, self.kept, self.published, definitions),
            feed.FeedPages(self.pulling, ports.runtime),
        ):
            app.include_router(pages.router)
        return app

    async def _on_a_period(self, document: Document) -> None:
        await self.freezing.count(document)
        await self.issuing.issue(document)

    async def start(self) -> None:
        await self.replica.start()
        self.follower.start()

    def ending(self) -> None:
        """Ends the streams, for which a server that stops would wait."""
        self.pages.live.end()
        self.feed.tail.end()

    async def stop(self) -> None:
        await self.pages.live.stop()
        await self.feed.tail.stop()
        await self.deliveries.stop()
        await self.drawing.stop()
        await self.follower.stop()
        await self.replica.stop()
        self.follower.model.close()

    def not_ready(self) -> list[str]:
        """Why the replica cannot serve yet; empty when it can."""
        return [*self.replica.not_ready(), *([] if self.follower.ready else ["read_model"])]

    async def unfinished(self) -> Mapping[str, Any]:
        """The backlog, to which the follower's lag belongs, with what could not be read and the watermark."""
        counts = await self.ports.runtime.in_pool(self.follower.model.counts)
        return {
            **await self.replica.unfinished(),
            "unreadable": counts["unreadable"],
            "watermark": text_of(self.follower.watermark),
        }

    async def rebuild(self) -> Report:
        """Builds the read model anew, and goes on with the new one where the two are equal."""
        async with self._rebuilding:
            old, target = self.follower.model, self.files.open_new()
            try:
                async with self._readers() as readers:
                    report = await rebuild(self.ports.log, self.follower, target, self.ports.runtime, readers)
            except BaseException:
                self.files.drop(target)
                raise
            if self.follower.model is target:
                old.close()
                self.files.keep(target)
            else:
                self.files.drop(target)
            return report

    @asynccontextmanager
    async def _readers(self) -> AsyncIterator[Readers]:
        """On Kafka a process for each core, where that pays; the local log belongs to this process."""
        many, records = min(cores(), PROCESSES_AT_MOST), sum(m.next_offset for m in self.follower.model.marks.values())
        if self._kafka is None or many == 1 or records < PROCESSES_PAY_FROM:
            yield InThisProcess(self.ports.log, self.ports.runtime)
            return
        # Not at the top: who runs on the local log needs no Kafka client.
        from shared.messaging.kafka_processes import KafkaProcesses

        async with KafkaProcesses(self._kafka, many, client_id=SERVICE) as processes:
            yield processes


async def _nobody(_account: str) -> Subjects:
    """No account stands for anything here: monitoring holds no person and no institution of its own."""
    return Subjects()


def build(ports: Ports, settings: Placed) -> MonitoringService:
    return MonitoringService(ports, settings)
