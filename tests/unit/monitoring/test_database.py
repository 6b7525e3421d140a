"""The read model's file: its size, and a full disk, where a failed checkpoint gives the database up for good."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from services.monitoring.database import ROW_GROUP, Database
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
            connection.execute("FROM progress")
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
    large, small = tmp_path / "large.duckdb", tmp_path / "small.duckdb"
    database, other = Database(small), duckdb.connect(str(large))
    for writer in (database.writer, other):
        for number in range(12):
            writer.execute(f"CREATE TABLE t{number} AS SELECT range AS n, 'text' AS word FROM range(200)")
    database.close()
    other.close()
    again = Database(small)
    assert again.writer.execute("SELECT count(*) FROM t11").fetchone() == (200,)
    again.close()
    assert small.stat().st_size < large.stat().st_size / 2


def test_the_file_has_row_groups_of_the_declared_size(tmp_path: Path) -> None:
    """Whoever fills a model writes whole ones, or each is written twice."""
    database = Database(tmp_path / "model.duckdb")
    database.writer.execute(f"CREATE TABLE t AS SELECT range AS n FROM range({3 * ROW_GROUP})")
    database.close()
    again = Database(tmp_path / "model.duckdb")
    groups = "SELECT sum(count) FROM pragma_storage_info('t') WHERE column_name = 'n' GROUP BY row_group_id"
    found = again.writer.execute(f"{groups}, segment_type HAVING segment_type = 'BIGINT'").fetchall()
    again.close()
    assert found == [(ROW_GROUP,)] * 3


def test_what_is_held_in_memory_is_seen_by_every_connection_and_in_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "model.duckdb", None):
        database = Database(path)
        table = f"{database.scratch()}.held"
        database.writer.execute(f"CREATE TABLE {table} AS SELECT 7 AS n")
        seen = database.beside(lambda connection, held=table: connection.execute(f"FROM {held}").fetchall())
        assert seen.result() == [(7,)]
        database.close()
        again = Database(path)
        with pytest.raises(duckdb.CatalogException):
            again.writer.execute(f"FROM {again.scratch()}.held")
        again.close()
