"""Quix Streams without state: one `update` an event, JSON by its own deserializer."""

from __future__ import annotations

from typing import Any

from counting import Counting, Task, cell_of
from quixstreams import Application


def main() -> None:
    task = Task.from_arguments()
    counting = Counting(task.events)
    app = Application(
        broker_address=task.servers,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel="ERROR",
    )

    def count(value: Any, key: Any, timestamp: int, headers: Any) -> None:
        counting.begin()
        cell = cell_of(dict(headers), value["happened_at"])
        counting.event(cell, value.get("parties", {}).get("person"))
        if counting.end(1):
            app.stop()

    app.dataframe(app.topic(task.topic, value_deserializer="json")).update(count, metadata=True)
    app.run()
    counting.say()


main()
