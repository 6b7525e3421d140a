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
        cell, person = cell_of(dict(headers), value["happened_at"]), value.get("parties", {}).get("person")
        cells = state.get("cells", {})
        held, persons = cells.get(cell, (0, []))
        if person is not None and person not in persons:
            persons = [*persons, person]
        state.set("cells", {**cells, cell: (held + 1, persons)})
        # What is said at the end; the state itself would be read key by key.
        counting.event(cell, person)
        if counting.end(1):
            app.stop()

    app.dataframe(app.topic(task.topic, value_deserializer="json")).update(count, stateful=True, metadata=True)
    app.run()
    counting.say()


main()
