"""The kernel's intake on real servers: Apache Kafka and a MongoDB-protocol server as child processes."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from deploy.local.kafka import KafkaServer
from deploy.local.processes import MissingTool
from deploy.local.secantus import SecantusServer
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


async def rows(quick: bool) -> list[Result]:
    many = QUICK_SUBMISSIONS if quick else SUBMISSIONS_A_RUN
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            kafka, mongodb = KafkaServer(folder / "kafka"), SecantusServer(folder / "mongodb")
        except MissingTool as error:
            return [NotMeasured(NAME, str(error))]
        try:
            await asyncio.to_thread(kafka.start)
            await asyncio.to_thread(mongodb.start)
            adapters = OnServers(kafka.bootstrap_servers, mongodb.url)
            writes, calls = await compared(folder, adapters, many, quick)
        except MissingTool as error:
            return [NotMeasured(NAME, str(error))]
        finally:
            await asyncio.to_thread(mongodb.stop)
            await asyncio.to_thread(kafka.stop)
    how = HOW.format(many=many, adapters=ADAPTERS, what="the same writes")
    return rows_of(NAME, writes, calls, how, SHORT)
