"""FastStream in batches: raw bytes, one pydantic validation an event, positions after the handler."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from counting import BATCH_RECORDS, FETCH, Counting, Task, cell_of
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from pydantic import BaseModel, TypeAdapter


class Parties(BaseModel):
    person: str


class Body(BaseModel):
    """What the projection reads of an event's body."""

    happened_at: datetime
    parties: Parties | None = None


async def undecoded(message: Any) -> Any:
    return message.raw_message


async def main() -> None:
    task = Task.from_arguments()
    counting, done, validate = Counting(task.events), asyncio.Event(), TypeAdapter(Body).validate_json
    broker = KafkaBroker(task.servers, apply_types=False, logger=None)

    @broker.subscriber(
        task.topic,
        group_id=task.group,
        batch=True,
        max_records=BATCH_RECORDS,
        batch_timeout_ms=100,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        decoder=undecoded,
        no_reply=True,
        **FETCH,
    )
    async def handle(records: Any) -> None:
        counting.begin()
        for record in records:
            body = validate(record.value)
            cell = cell_of(dict(record.headers), body.happened_at.isoformat())
            counting.event(cell, body.parties and body.parties.person)
        if counting.end(len(records)):
            done.set()

    await broker.start()
    await done.wait()
    counting.say()
    await broker.stop()


asyncio.run(main())
