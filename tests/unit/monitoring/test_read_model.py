"""The read model's transactions and files; records that cannot be read."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from services.monitoring import store
from services.monitoring.database import SPILLED, WAL
from services.monitoring.files import PASSED_FOLDER, ModelFiles
from services.monitoring.records import Batch, Mark, take
from services.monitoring.store import ReadModel
from services.monitoring.writing import LISTED, insert
from shared.contracts.placement.placements import PlacementCancelled
from shared.contracts.registration.persons import PersonRecorded
from shared.errors import SettingsError, Unavailable
from shared.messaging.port import Record
from tests.unit.monitoring.story import START, Story, batch_of, entry, id_of, model_of, stored


def story() -> Story:
    told = Story()
    told.published()
    told.host()
    told.person("a", sex="female")
    told.accepted("a")
    told.returned("a")
    return told


def test_a_failure_in_the_middle_leaves_rows_facts_and_positions_as_they_were(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records = story().records
    model = ReadModel(tmp_path / "model.duckdb")
    model.apply(batch_of(records[:8]))
    before = (model.digests(), dict(model.marks))
    for name in ("remove", "insert_all", "save_marks"):
        with monkeypatch.context() as patched:
            patched.setattr(store, name, _broken)
            with pytest.raises(RuntimeError):
                model.apply(batch_of(records[8:]))
        assert (model.digests(), model.marks) == before
    model.close()
    again = ReadModel(tmp_path / "model.duckdb")
    assert (again.digests(), again.marks) == before
    again.apply(batch_of(records))
    assert stored(again) == stored(model_of(records))
    again.close()


def _broken(*_: Any, **__: Any) -> None:
    raise RuntimeError("killed here")


def test_a_file_keeps_positions_and_facts(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path / "monitoring")
    model = files.open_current()
    model.apply(batch_of(story().records))
    expected, marks = model.digests(), model.marks
    model.close()
    again = files.open_current()
    assert (again.digests(), again.marks, again.path) == (expected, marks, model.path)
    again.close()


def test_the_pointer_names_the_kept_file_and_the_rest_is_swept(tmp_path: Path) -> None:
    files = ModelFiles(tmp_path)
    first, second = files.open_current(), files.open_new()
    assert first.path != second.path
    first.close()
    files.keep(second)
    second.close()
    leftover = files.open_new()
    leftover.close()
    passed = tmp_path / f"{PASSED_FOLDER}x"
    passed.mkdir()
    (passed / "registration.persons-0-0.events.arrow").touch()
    current = files.open_current()
    assert current.path == second.path
    assert not passed.exists()
    assert [path.name for path in tmp_path.glob("*.duckdb")] == [second.path.name if second.path else ""]
    current.close()


@pytest.mark.parametrize("many", [LISTED, LISTED + 1])
def test_few_and_many_persons_in_a_batch_give_the_same(many: int) -> None:
    told = Story()
    told.published()
    told.person("before")
    model = model_of(told.records)
    names = [str(number) for number in range(many)]
    for name in names:
        told.person(name)
        told.accepted(name)
    placements = {name: told.opened(name) for name in names}
    model.apply(batch_of(told.records))
    for name in names:
        told.profile(name, [entry(name, "first"), entry(name, "second", sex="female")])
        cancelled = PlacementCancelled(happened_at=START, match=id_of("match", name, name), reason="visa")
        told.tell(placements[name], cancelled)
    model.apply(batch_of(told.records))
    assert model.digests() == model_of(told.records).digests()
    with model.database.reader() as connection:
        numbers = connection.execute("SELECT count(*), count(DISTINCT person), max(number) FROM numbers").fetchall()
    assert numbers == [(many + 1, many + 1, many)]


def test_a_file_of_other_rules_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ModelFiles(tmp_path)
    model = files.open_current()
    model.apply(batch_of(story().records))
    model.close()
    monkeypatch.setattr("services.monitoring.files.fingerprint", lambda: "another")
    fresh = files.open_current()
    assert fresh.marks == {}
    assert fresh.path != model.path
    fresh.close()


def test_what_a_killed_process_left_beside_its_file_is_gone_at_the_next_start(tmp_path: Path) -> None:
    left = tmp_path / f"read-model-other-0001.duckdb{SPILLED}"
    left.mkdir()
    (left / "duckdb_temp_block-1.block").write_bytes(b"spilled")
    (tmp_path / f"read-model-other-0001.duckdb{WAL}").write_bytes(b"log")
    files = ModelFiles(tmp_path)
    model = files.open_current()
    assert model.path is not None
    model.apply(batch_of(story().records))
    model.close()
    again = files.open_current()
    assert again.path == model.path
    assert again.marks
    again.close()
    assert {one.name.removesuffix(WAL) for one in tmp_path.glob("read-model-*")} == {model.path.name}


def test_a_file_that_is_no_database_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "model.duckdb").write_bytes(b"something else " * 1000)
    with pytest.raises(SettingsError):
        ReadModel(tmp_path / "model.duckdb")


def test_a_closed_model_is_unavailable_to_readers() -> None:
    model = model_of([])
    model.close()
    with pytest.raises(Unavailable):
        model.digests()


def test_readers_see_the_last_committed_state_while_a_batch_is_written() -> None:
    model = model_of([])
    with model.database.transaction() as writing:
        insert(writing, "unreadable", [("topic", 0, 0, 0, "reason")])
        assert model.counts()["unreadable"] == 0
    assert model.counts()["unreadable"] == 1


def headers(record: Record, **changes: bytes | None) -> Record:
    kept = {**dict(record.headers), **changes}
    return record._replace(headers=tuple((name, value) for name, value in kept.items() if value is not None))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda r: r._replace(headers=()), "unreadable:headers"),
        (lambda r: headers(r, ce_epoch=None), "unreadable:headers"),
        (lambda r: headers(r, ce_sequence=b"-1"), "unreadable:headers"),
        (lambda r: headers(r, ce_sequence=b"9" * 30), "unreadable:headers"),
        (lambda r: headers(r, ce_sequence="٣".encode()), "unreadable:headers"),
        (lambda r: headers(r, ce_programmeversion=b"first"), "unreadable:headers"),
        (lambda r: headers(r, ce_office=b"\xff\xfe"), "unreadable:headers"),
        (lambda r: headers(r, ce_office=b"a\x00b"), "unreadable:headers"),
        (lambda r: headers(r, ce_subject=b"\xff"), "unreadable:headers"),
        (lambda r: r._replace(key=None), "unreadable:subject"),
        (lambda r: r._replace(key=b"another"), "unreadable:subject"),
        (lambda r: headers(r, ce_subject=b"x'; DROP")._replace(key=b"x'; DROP"), "unreadable:subject"),
        (lambda r: r._replace(value=None), "unreadable:body"),
        (lambda r: r._replace(value=b"not json"), "unreadable:body"),
        (lambda r: r._replace(value=b"{}"), "unreadable:body"),
        (lambda r: r._replace(value=b'{"happened_at":"0001-01-01T00:00:00+14:00","office":"a"}'), "unreadable:body"),
        (lambda r: r._replace(value=b"[" * 100_000), "unreadable:body"),
        (lambda r: headers(r, ce_type=b"org.sankofa.registration.NotYetInvented"), "unregistered_type"),
        (lambda r: headers(r, ce_dataschema=b"urn:sankofa:schema:registration.PersonRecorded:9"), "unregistered_type"),
        (lambda r: headers(r, ce_dataschema=b"nonsense"), "unreadable:headers"),
        (lambda r: r._replace(topic="registration.experts"), "unreadable:topic"),
    ],
)
def test_what_cannot_be_read_is_a_row_and_stops_nothing(spoil: Any, reason: str) -> None:
    told = Story()
    bad = told.tell(id_of("person", "x"), PersonRecorded(happened_at=START, office="kabul"))
    told.person("a")
    good = told.records[1:]
    spoilt = spoil(bad)
    model = model_of([spoilt, *good])
    assert model.counts()["unreadable"] == 1
    with model.database.reader() as connection:
        rows = connection.execute("SELECT * FROM unreadable").fetchall()
    assert rows == [(spoilt.topic, spoilt.partition, spoilt.offset, spoilt.appended_ms, reason)]
    assert stored(model) == stored(model_of(good))


def test_random_bytes_stop_nothing() -> None:
    record = Record("matching.matches", 0, 0, b"\x00", bytes(range(256)), (("ce_type", b"\x00\xff"),), 5)
    batch, mark = Batch(), Mark()
    take(batch, [record], mark)
    assert (len(batch.unreadable), mark.next_offset, mark.high_ms) == (1, 1, 5)


def test_append_times_that_fall_are_raised_to_the_running_maximum() -> None:
    told = Story()
    first = told.tell(id_of("person", "x"), PersonRecorded(happened_at=START, office="kabul"))
    second = first._replace(offset=1, appended_ms=first.appended_ms - 10_000)
    batch, mark = Batch(), Mark()
    take(batch, [first, second], mark)
    assert [row.known_ms for row in batch.events] == [first.appended_ms] * 2
    assert mark.high_ms == first.appended_ms


def test_a_database_error_is_not_swallowed() -> None:
    model = model_of([])
    with pytest.raises(duckdb.Error), model.database.transaction() as connection:
        connection.execute("SELECT * FROM nowhere")
    model.apply(batch_of(story().records))
    assert model.counts()["facts"] > 0


def test_sorting_the_facts_changes_no_fact(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = Story()
    told.published()
    model, plain = ReadModel(tmp_path / "model.duckdb"), ReadModel(None)
    for number in range(12):
        before = len(told.records)
        told.person(str(number))
        told.accepted(str(number))
        told.returned(str(number))
        batch = batch_of(told.records[before:])
        plain.apply(batch)
        with monkeypatch.context() as patched:
            patched.setattr("services.monitoring.store.ROW_GROUP", 30)
            model.apply(batch)
    assert model.digests() == plain.digests()
    with model.database.reader() as connection:
        kinds = [kind for (kind,) in connection.execute("SELECT kind FROM facts_placements ORDER BY rowid").fetchall()]
    stretches = sum(kind != after for kind, after in pairwise(kinds))
    assert stretches < len(kinds) // 2
    model.close()
