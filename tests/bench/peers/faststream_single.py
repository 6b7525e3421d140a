"""FastStream one message at a time, as its documentation begins: a handler with a pydantic argument.

The headers come into it by a decoder: a parameter of the handler that asks for them is looked up in a thread, message
by message, which costs four times as much as all the rest.
"""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from counting import FETCH, Counting, Task, cell
from faststream.kafka import KafkaBroker
from pydantic import BaseModel


class Parties(BaseModel):
    person: str


class Body(BaseModel):
    """What the projection reads of an event's body and headers."""

    happened_at: datetime
    parties: Parties | None = None
    ce_type: str
    ce_programme: str
    ce_office: str


async def with_headers(message: Any) -> Any:
    named = message.headers
    return {**json.loads(message.body), **{name: named[name] for name in ("ce_type", "ce_programme", "ce_office")}}


async def main() -> None:
    task = Task.from_arguments()
    counting, done = Counting(task.events), asyncio.Event()
    broker = KafkaBroker(task.servers, logger=None)

    @broker.subscriber(task.topic, group_id=task.group, auto_offset_reset="earliest", decoder=with_headers, **FETCH)
    async def handle(body: Body) -> None:
        counting.begin()
        place = cell(body.ce_programme, body.ce_office, body.ce_type, body.happened_at.isoformat())
        counting.event(place, body.parties and body.parties.person)
        if counting.end(1):
            done.set()

    await broker.start()
    await done.wait()
    counting.say()
    await broker.stop()


asyncio.run(main())
