"""Quix Streams with state: RocksDB and a changelog topic; counts stand in the state of each record's key.

That is its cheapest form. One count over all keys would need another topic in between, into which every event is
written again under the cell as its key.
"""

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
        state_dir=task.folder,
        loglevel="ERROR",
    )

    def count(value: Any, key: Any, timestamp: int, headers: Any, state: Any) -> None:
        counting.begin()
        named = dict(headers)
        cell = cell_of(named["ce_type"].decode(), named["ce_office"].decode(), value["happened_at"])
        held = state.get("cells", {})
        held[cell] = held.get(cell, 0) + 1
        state.set("cells", held)
        # What is said at the end; the state itself would be read key by key.
        counting.cells[cell] += 1
        if counting.end(1):
            app.stop()

    app.dataframe(app.topic(task.topic, value_deserializer="json")).update(count, stateful=True, metadata=True)
    app.run()
    counting.say()


main()
