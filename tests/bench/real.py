"""Intake, live path and kernel on real servers: Apache Kafka and a MongoDB-protocol server as child processes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local.kafka import KafkaServer
from deploy.local.processes import MissingTool
from deploy.local.secantus import SecantusServer
from tests.bench import kernel, live
from tests.bench.intake import HOW, compared, rows_of
from tests.bench.live import SERVERS
from tests.bench.recording import OnServers
from tests.bench.rows import NotMeasured, Result

SUBMISSIONS_A_RUN, QUICK_SUBMISSIONS = 100, 40
NAME = "Intake to stored and published, on real servers"
ADAPTERS = "one node of Apache Kafka, and SecantusDB by motor, both on the same cores"
SHORT = (
    "our process takes 1.1 to 1.5 times the bare loop's processor time a submission; `intake` says for what. Of the "
    "reads one search a registration is left (does somebody with this likeness stand already?); it has to follow the "
    "save of the person. Four appends a submission go to four topics one after another, 1.4 records a batch."
)


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[OnServers]:
    """Fresh ones, so that no benchmark pays for what another has stored. Raises MissingTool."""
    kafka, mongodb = KafkaServer(folder / "kafka"), SecantusServer(folder / "mongodb")
    try:
        await asyncio.to_thread(kafka.start)
        await asyncio.to_thread(mongodb.start)
        yield OnServers(kafka.bootstrap_servers, mongodb.url)
    finally:
        await asyncio.to_thread(mongodb.stop)
        await asyncio.to_thread(kafka.stop)


async def intake_rows(folder: Path, adapters: OnServers, quick: bool) -> list[Result]:
    many = QUICK_SUBMISSIONS if quick else SUBMISSIONS_A_RUN
    measured = await compared(folder, adapters, many, quick)
    how = HOW.format(many=many, adapters=ADAPTERS, what="the same writes")
    return rows_of(NAME, measured, how + SERVERS, SHORT)


async def kernel_rows(_folder: Path, adapters: OnServers, quick: bool) -> list[Result]:
    return await kernel.real_rows(adapters, quick)


PARTS = {NAME: intake_rows, live.NAME: live.rows, "The kernel, on real servers": kernel_rows}


async def rows(quick: bool) -> list[Result]:
    found: list[Result] = []
    for name, part in PARTS.items():
        with tempfile.TemporaryDirectory() as scratch:
            try:
                async with servers(Path(scratch)) as adapters:
                    found += await part(Path(scratch), adapters, quick)
            except MissingTool as error:
                found.append(NotMeasured(name, str(error)))
    return found
