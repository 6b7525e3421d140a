"""FastStream one message at a time, as its documentation begins: a pydantic argument, a header by name."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from counting import FETCH, Counting, Task
from faststream import Header
from faststream.kafka import KafkaBroker
from pydantic import BaseModel


class Body(BaseModel):
    """What the projection reads of an event's body."""

    happened_at: datetime


async def main() -> None:
    task = Task.from_arguments()
    counting, done = Counting(task.events), asyncio.Event()
    broker = KafkaBroker(task.servers, logger=None)

    @broker.subscriber(task.topic, group_id=task.group, auto_offset_reset="earliest", **FETCH)
    async def handle(
        body: Body, kind: Annotated[str, Header("ce_type")], office: Annotated[str, Header("ce_office")]
    ) -> None:
        counting.begin()
        counting.event(kind, office, body.happened_at.isoformat())
        if counting.end(1):
            done.set()

    await broker.start()
    await done.wait()
    counting.say()
    await broker.stop()


asyncio.run(main())
