"""The file beside the read model's stays small, also where somebody reads figures without a gap."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import duckdb

from services.monitoring.store import ReadModel
from tests.unit.monitoring.story import START_MS, Story, batch_of

BATCHES, READERS = 200, 2
# What a large batch writes, as few rows: the file would come to 60 MB if nothing ever emptied it.
ROWS, ROW_CHARACTERS = 100, 3_000
WAL_BYTES_AT_MOST = 32 * 1024 * 1024


@contextmanager
def read_without_a_gap(model: ReadModel) -> Iterator[None]:
    """Readers of which at any instant one is in the middle of a transaction that began before the last batch."""
    stop, wrong = threading.Event(), []

    def read(number: int) -> None:
        try:
            while not stop.is_set():
                with model.database.reader() as connection:
                    connection.execute("BEGIN")
                    connection.execute("SELECT count(*) FROM events, progress").fetchall()
                    stop.wait(0.05 * (number + 1))
                    connection.execute("COMMIT")
        except duckdb.Error as error:
            wrong.append(error)

    readers = [threading.Thread(target=read, args=(number,)) for number in range(READERS)]
    for one in readers:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in readers:
            one.join()
    assert wrong == []


def test_after_200_batches_beside_readers_the_wal_is_under_32_mb(tmp_path: Path) -> None:
    path = tmp_path / "model.duckdb"
    model = ReadModel(path)
    wal, largest = Path(f"{path}.wal"), 0
    with read_without_a_gap(model):
        for number in range(BATCHES):
            told = Story()
            told.person(f"{number}", sex="female")
            batch = batch_of(told.records)
            rows = [("topic", 0, number * ROWS + row, START_MS, "x" * ROW_CHARACTERS) for row in range(ROWS)]
            model.apply(replace(batch, unreadable=rows))
            with suppress(FileNotFoundError):
                largest = max(largest, wal.stat().st_size)
    model.close()
    assert largest < WAL_BYTES_AT_MOST
