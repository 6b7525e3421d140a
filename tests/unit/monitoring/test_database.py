"""The read model's file: its size, and a full disk, where a failed checkpoint gives the database up for good."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from services.monitoring.database import Database
from services.monitoring.records import Batch, Mark
from services.monitoring.store import ReadModel
from shared.errors import Unavailable
from tests.tools import SmallDisk, small_disk

PLACE = ("registration.persons", 0)
NOISE = "INSERT INTO unreadable SELECT 'noise', range, range, range, md5(random()::VARCHAR) FROM range(2000)"


def checkpoint_without_room(model: ReadModel, disk: SmallDisk) -> None:
    """Commits until the WAL has to go into the file, for which there is no room."""
    model.database.writer.execute("SET checkpoint_threshold = '300KB'")
    disk.fill()
    disk.free_some(430_000)
    with suppress(duckdb.Error):
        while True:
            model.database.writer.execute(NOISE)


def test_after_a_checkpoint_without_room_it_is_opened_anew_and_read_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        model = ReadModel(disk.folder / "model.duckdb")
        model.apply(Batch(marks={PLACE: Mark(7, 11, 13)}))
        checkpoint_without_room(model, disk)
        assert not model.database.usable()
        with pytest.raises(Unavailable), model.database.reader() as connection:
            connection.execute("SELECT 1")
        disk.fill()
        model.recover()
        assert model.database.usable()
        assert model.marks == {PLACE: Mark(7, 11, 13)}
        assert model.counts()["events"] == 0
        disk.free()
        model.apply(Batch(marks={PLACE: Mark(8, 12, 14)}))
        model.close()
        again = ReadModel(disk.folder / "model.duckdb")
        assert again.marks == {PLACE: Mark(8, 12, 14)}
        again.close()


def test_a_few_rows_in_many_tables_take_little_of_the_disk(tmp_path: Path) -> None:
    """A file that was made with larger blocks is written on as it is."""
    older = tmp_path / "older.duckdb"
    duckdb.connect(str(older)).close()
    sizes = []
    for path in (older, tmp_path / "new.duckdb"):
        database = Database(path)
        for number in range(12):
            database.writer.execute(f"CREATE TABLE t{number} AS SELECT range AS n, 'text' AS word FROM range(200)")
        database.close()
        sizes.append(path.stat().st_size)
        again = Database(path)
        assert again.writer.execute("SELECT count(*) FROM t11").fetchone() == (200,)
        again.close()
    assert sizes[1] < sizes[0] / 2, sizes
