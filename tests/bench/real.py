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
from tests.bench.recording import OnServers
from tests.bench.rows import NotMeasured, Result

SUBMISSIONS_A_RUN, QUICK_SUBMISSIONS = 100, 40
NAME = "Intake to stored and published, on real servers"
ADAPTERS = "one node of Apache Kafka, and SecantusDB by motor, both on the same cores"
SHORT = (
    "beside the same writes and reads the ratio is above 0.8, so much of the difference is one load and one search a "
    "registration, which go through motor and a server on the same two cores. Not profiled on real servers; `intake` "
    "says where the rest goes."
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
    writes, calls = await compared(folder, adapters, many, quick)
    how = HOW.format(many=many, adapters=ADAPTERS, what="the same writes")
    return rows_of(NAME, writes, calls, how, SHORT)


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
