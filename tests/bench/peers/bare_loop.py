"""aiokafka's own consumer: `getmany`, `json.loads`, a commit after each batch."""

from __future__ import annotations

import asyncio
import json

from aiokafka import AIOKafkaConsumer
from counting import BATCH_RECORDS, FETCH, Counting, Task, cell_of


async def main() -> None:
    task = Task.from_arguments()
    counting = Counting(task.events)
    consumer = AIOKafkaConsumer(
        task.topic,
        bootstrap_servers=task.servers,
        group_id=task.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **FETCH,
    )
    await consumer.start()
    ended = False
    while not ended:
        found = await consumer.getmany(timeout_ms=100, max_records=BATCH_RECORDS)
        if not found:
            continue
        counting.begin()
        for records in found.values():
            for record in records:
                body = json.loads(record.value)
                cell = cell_of(dict(record.headers), body["happened_at"])
                counting.event(cell, body.get("parties", {}).get("person"))
        await consumer.commit()
        ended = counting.end(sum(map(len, found.values())))
    counting.say()
    await consumer.stop()


asyncio.run(main())
