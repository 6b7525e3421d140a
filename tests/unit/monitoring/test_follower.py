"""Following the log: positions, the watermark, what a crash leaves; and building the model anew beside the live one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from services.monitoring import bulk, records
from services.monitoring.follower import Follower, Pace
from services.monitoring.passes import raised
from services.monitoring.rebuild import rebuild
from services.monitoring.records import Batch
from services.monitoring.schema import FACT_TABLES
from services.monitoring.store import ReadModel
from shared.clock import RealRuntime
from shared.contracts.base import Event
from shared.contracts.registration.experts import ExpertWithdrawn
from shared.contracts.registration.persons import PersonErased, PersonRecorded, Profile
from shared.contracts.registry import UnregisteredType
from shared.errors import Unavailable
from shared.messaging import local
from shared.messaging.local import LocalLog
from shared.messaging.port import Message, Record
from shared.messaging.readers import InThisProcess
from shared.messaging.topics import TOPICS
from tests.unit.monitoring.story import START, Story, derived, entry, id_of, stored
from tests.unit.monitoring.test_sets import random_story

FAST = Pace(linger_seconds=0.0, idle_seconds=0.02)


class Clock(RealRuntime):
    """A clock that a test sets; tasks and threads are real."""

    def __init__(self) -> None:
        super().__init__()
        self.at = START

    def now(self) -> datetime:
        return self.at


@pytest.fixture
async def clock() -> AsyncIterator[Clock]:
    runtime = Clock()
    yield runtime
    runtime.close()


@pytest.fixture
async def log(clock: Clock) -> AsyncIterator[LocalLog]:
    local = LocalLog(None, list(TOPICS.values()), clock)
    await local.start()
    yield local
    await local.stop()


async def send(log: LocalLog, clock: Clock, records: Iterable[Record]) -> None:
    """Appends the records as the relay would, a second after one another."""
    for record in records:
        clock.at += timedelta(seconds=1)
        message = Message((record.key or b"").decode(), record.value or b"", record.headers)
        await log.append(record.topic, record.partition, [message])


def a_return() -> Story:
    story = Story()
    story.published()
    story.host()
    story.person("a", sex="female")
    story.accepted("a")
    story.returned("a")
    return story


async def everything(log: LocalLog) -> list[Record]:
    return [r for position in await log.ends(sorted(TOPICS)) for r in await log.read(*position, 0)]


async def test_it_reads_everything_and_counts_what_is_unread(log: LocalLog, clock: Clock) -> None:
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, a_return().records)
    assert await follower.unread() == len(a_return().records)
    assert not follower.ready
    await follower.catch_up()
    assert await follower.unread() == 0
    assert follower.ready
    assert stored(follower.model) == derived(await everything(log))


async def test_small_batches_and_a_restart_between_them_change_nothing(log: LocalLog, clock: Clock) -> None:
    await send(log, clock, random_story(7).records)
    whole = Follower(log, ReadModel(None), clock)
    await whole.catch_up()
    small = Follower(log, ReadModel(None), clock, Pace(batch_records=7))
    await small.catch_up()
    again = Follower(log, small.model, clock)
    await again.catch_up()
    assert small.model.digests() == whole.model.digests()
    assert small.model.marks == whole.model.marks


async def test_what_the_facts_of_others_need_is_read_before_them(log: LocalLog, clock: Clock) -> None:
    """Else a first start derives nearly everything twice, and what a programme's zones move all at once."""
    await send(log, clock, random_story(7).records)
    model, read = ReadModel(None), list[str]()
    follower = Follower(log, model, clock, Pace(batch_records=5))
    apply = model.apply

    def applied(batch: Batch) -> None:
        read.extend(topic for topic, _ in batch.marks if topic not in read)
        apply(batch)

    model.apply = applied  # type: ignore[method-assign]
    await follower.catch_up()
    assert read[: len(records.FIRST)] == list(records.FIRST)
    assert len(read) > len(records.FIRST)


async def test_killed_between_two_batches_it_goes_on_where_its_file_says(
    log: LocalLog, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(log, clock, random_story(11).records)
    whole = Follower(log, ReadModel(None), clock)
    await whole.catch_up()
    killed, kills = ReadModel(tmp_path / "model.duckdb"), 0
    for _ in range(30):
        follower = Follower(log, killed, clock, Pace(batch_records=9))
        batches = iter([False, True])
        genuine = killed.apply

        def apply(batch: Any, genuine: Any = genuine, batches: Any = batches) -> None:
            if next(batches):
                raise KeyboardInterrupt
            genuine(batch)

        monkeypatch.setattr(killed, "apply", apply)
        try:
            await follower.catch_up()
            break
        except KeyboardInterrupt:
            kills += 1
            killed.close()
            killed = ReadModel(tmp_path / "model.duckdb")
    assert kills > 2
    assert killed.digests() == whole.model.digests()
    assert {p: m.next_offset for p, m in killed.marks.items()} == {
        p: m.next_offset for p, m in whole.model.marks.items()
    }
    killed.close()


async def test_the_watermark_is_the_least_partitions(log: LocalLog, clock: Clock) -> None:
    follower = Follower(log, ReadModel(None), clock)
    assert follower.watermark_ms == 0
    await follower.catch_up()
    assert follower.watermark == START - timedelta(seconds=5)
    await send(log, clock, a_return().records)
    assert follower.watermark == START - timedelta(seconds=5)
    await follower.catch_up()
    assert follower.watermark == clock.at - timedelta(seconds=5)
    assert follower.head_ms > follower.watermark_ms


async def test_a_partition_that_is_behind_holds_the_watermark(log: LocalLog, clock: Clock) -> None:
    await send(log, clock, a_return().records)
    follower = Follower(log, ReadModel(None), clock)
    await follower.catch_up()
    mark = follower.model.marks[("placement.placements", 3)]
    mark.high_ms, mark.reached_ms = 1_000, 0
    assert follower.watermark_ms == 1_000
    mark.reached_ms = 7_000
    assert follower.watermark_ms == 2_000


@pytest.mark.parametrize("back_seconds", [0, 3_600])
async def test_an_answer_below_the_watermark_never_changes(log: LocalLog, clock: Clock, back_seconds: int) -> None:
    follower = Follower(log, ReadModel(None), clock)
    story = random_story(3)
    answers: dict[int, list[tuple[Any, ...]]] = {}

    def asked(as_of: int) -> list[tuple[Any, ...]]:
        with follower.model.database.reader() as connection:
            span = "known_from < ? AND known_to >= ?"
            known = f"SELECT * EXCLUDE (known_from, known_to) FROM {{}} WHERE {span} ORDER BY ALL"
            return [
                row
                for table in FACT_TABLES
                for row in connection.execute(known.format(table), [as_of, as_of]).fetchall()
            ]

    for number in range(0, len(story.records), 6):
        await send(log, clock, story.records[number : number + 6])
        clock.at += timedelta(seconds=6)
        await follower.catch_up()
        answers[follower.watermark_ms] = asked(follower.watermark_ms)
        if number == 18:
            clock.at -= timedelta(seconds=back_seconds)
    assert len(answers) > 3
    assert all(asked(as_of) == answer for as_of, answer in answers.items())


async def test_it_follows_by_itself_and_stops_between_batches(log: LocalLog, clock: Clock) -> None:
    follower = Follower(log, ReadModel(None), clock, FAST)
    follower.start()
    await send(log, clock, a_return().records)
    for _ in range(200):
        if follower.ready and await follower.unread() == 0:
            break
        await asyncio.sleep(0.01)
    assert await follower.unread() == 0
    await follower.stop()
    await send(log, clock, [Story().tell(id_of("person", "z"), PersonRecorded(happened_at=START, office="kabul"))])
    await asyncio.sleep(0.05)
    assert await follower.unread() == 1


async def test_what_fails_is_tried_again_and_shows_in_its_readiness(
    log: LocalLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.monitoring.follower.RETRY_SECONDS", 0.01)
    follower = Follower(log, ReadModel(None), clock, FAST)
    await send(log, clock, a_return().records)
    genuine, failures = follower.model.apply, iter([duckdb.IOException("full"), Unavailable("log"), None])

    def apply(batch: Any) -> None:
        if (error := next(failures, None)) is not None:
            raise error
        genuine(batch)

    monkeypatch.setattr(follower.model, "apply", apply)
    follower.start()
    seen = set()
    for _ in range(200):
        seen.add(follower.ready)
        if follower.ready:
            break
        await asyncio.sleep(0.005)
    await follower.stop()
    assert seen == {False, True}
    assert stored(follower.model) == derived(await everything(log))


async def rebuilt(log: LocalLog, clock: Clock, follower: Follower) -> Any:
    target = ReadModel(None)
    return await rebuild(log, follower, target, clock, InThisProcess(log, clock)), target


async def test_a_rebuild_equals_the_live_model_and_takes_its_place(log: LocalLog, clock: Clock) -> None:
    story = random_story(5)
    story.host()
    follower = Follower(log, ReadModel(None), clock, Pace(batch_records=10))
    await send(log, clock, [*story.records, *story.records[3:9]])
    report, target = await rebuilt(log, clock, follower)
    assert report.equal
    assert (report.events, report.different) == (len(story.records) + 6, [])
    assert follower.model is target
    await send(log, clock, [story.tell(id_of("person", "z"), PersonRecorded(happened_at=START, office="kabul"))])
    await follower.catch_up()
    assert await follower.unread() == 0


async def test_several_passes_over_a_partition_give_the_same(
    log: LocalLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "HELD_RECORDS", 5)
    monkeypatch.setattr(bulk, "DERIVED_AT_ONCE", 4)
    monkeypatch.setattr(bulk, "DERIVED_FROM", 2)
    monkeypatch.setattr(bulk, "ROW_GROUP", 3)
    monkeypatch.setattr(local, "COLUMN_RECORDS", 3)
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, random_story(9).records)
    assert (await rebuilt(log, clock, follower))[0].equal


class TwoAtOnce(InThisProcess):
    """As if it were two processes: what passes find is left in files."""

    many = 2


async def test_what_passes_leave_in_files_gives_the_same(log: LocalLog, clock: Clock, tmp_path: Path) -> None:
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, random_story(13).records)
    target = ReadModel(tmp_path / "new.duckdb")
    report = await rebuild(log, follower, target, clock, TwoAtOnce(log, clock))
    assert report.equal
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("new.duckdb")] == []
    target.close()


async def test_a_rebuild_after_compaction_gives_the_same(log: LocalLog, clock: Clock) -> None:
    story = Story()
    story.published()
    for name in ("a", "b"):
        story.person(name, sex="male")
        story.returned(name)
        entries = [entry(name, "first", sex="male"), entry(name, "second", hours=1, sex="female")]
        story.profile(name, entries)
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, story.records)
    await follower.catch_up()
    before = len(await everything(log))
    await log.compact("registration.profiles")
    assert len(await everything(log)) < before
    assert (await rebuilt(log, clock, follower))[0].equal


async def test_an_erasure_keeps_what_is_counted_by_statistical_dimensions(log: LocalLog, clock: Clock) -> None:
    """Before it, after it, and from offset 0 once the timeline of before is compacted away."""
    story = Story()
    story.published()
    for name, sex in (("a", "male"), ("b", "female")):
        story.person(name, sex=sex, country_of_residence="NL", birth_year=1971)
        story.returned(name)
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, story.records)
    await follower.catch_up()
    before = by_sex(follower.model)
    person, at, kept = id_of("person", "b"), {"happened_at": START}, entry("b", "first", sex="female")
    erased: list[tuple[str, Event]] = [
        (person, Profile(**at, entries=(kept,), erased=True)),
        (person, PersonErased(**at, reason="own_request")),
        (id_of("expert", "b"), ExpertWithdrawn(**at, person=person, reason="person_erased")),
    ]
    await send(log, clock, [story.tell(*one) for one in erased])
    await follower.catch_up()
    assert by_sex(follower.model) == before
    assert {row["country_of_residence_at_now"] for row in facts(follower.model, "b")} == {None}
    await log.compact("registration.profiles")
    report, target = await rebuilt(log, clock, follower)
    assert report.equal
    assert by_sex(target) == before


def facts(model: ReadModel, name: str) -> list[dict[str, Any]]:
    return [row for row in stored(model) if str(row.get("person")) == id_of("person", name)]


def by_sex(model: ReadModel) -> list[tuple[str, str, str]]:
    rows = [row for row in stored(model) if row.get("person")]
    return sorted((row["kind"], str(row["sex_at_now"]), str(row["sex_at_event"])) for row in rows)


async def test_a_rebuild_tries_unreadable_records_again(
    log: LocalLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = a_return()
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, story.records)
    newer = {key: known for key, known in records.NEWEST.items() if known.name != "ReturnCompleted"}
    with monkeypatch.context() as older_code:
        older_code.setattr("services.monitoring.records.NEWEST", newer)
        older_code.setattr("services.monitoring.records.read", _unregistered)
        await follower.catch_up()
    assert follower.model.counts()["unreadable"] == 1
    report, target = await rebuilt(log, clock, follower)
    assert not report.equal
    assert set(report.different) == {"events", "facts_placements", "unreadable"}
    assert target.counts()["unreadable"] == 0
    assert stored(target) == derived(await everything(log))


def _unregistered(*_: Any) -> None:
    raise UnregisteredType("ReturnCompleted", 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE facts_placements SET sex_at_now = 'male' WHERE kind = 'return_started'",
        "DELETE FROM facts_placements WHERE kind = 'contract'",
        "INSERT INTO facts_placements SELECT * FROM facts_placements WHERE kind = 'contract'",
        "UPDATE events SET happened_us = happened_us + 1 WHERE type = 'ReturnStarted'",
        "UPDATE profiles SET birth_year = 1900",
    ],
)
async def test_a_live_model_that_drifted_is_found_and_not_replaced_in_silence(
    log: LocalLog, clock: Clock, change: str
) -> None:
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, a_return().records)
    await follower.catch_up()
    live = follower.model
    live.database.writer.execute(change)
    report, _ = await rebuilt(log, clock, follower)
    assert not report.equal
    assert report.different
    assert follower.model is live


async def test_a_rebuild_that_fails_changes_nothing_and_leaves_no_file(
    log: LocalLog, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, a_return().records)
    await follower.catch_up()
    live, target, read, reads = follower.model, ReadModel(tmp_path / "new.duckdb"), log.read, 0

    async def fails_late(topic: str, partition: int, offset: int, limit: int = 1000) -> list[Record]:
        nonlocal reads
        reads += topic == "matching.matches"
        if reads:
            raise Unavailable("log")
        return await read(topic, partition, offset, limit)

    monkeypatch.setattr(log, "read", fails_late)
    with pytest.raises(Unavailable):
        await rebuild(log, follower, target, clock, InThisProcess(log, clock))
    assert reads == 1
    assert follower.model is live
    target.close()
    assert [path.name for path in tmp_path.iterdir() if path.suffix not in (".duckdb", ".wal")] == []


async def test_a_rebuild_that_cannot_write_says_so(
    log: LocalLog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, a_return().records)
    await follower.catch_up()
    live = follower.model

    def full(*_: Any) -> None:
        raise duckdb.IOException("full")

    monkeypatch.setattr(bulk, "insert_arrow", full)
    with pytest.raises(duckdb.IOException):
        await rebuilt(log, clock, follower)
    assert follower.model is live


async def test_live_answers_go_on_during_a_rebuild(log: LocalLog, clock: Clock) -> None:
    follower = Follower(log, ReadModel(None), clock)
    await send(log, clock, a_return().records)
    await follower.catch_up()
    expected, running = follower.model.counts(), True
    seen = []

    async def ask() -> None:
        while running:
            seen.append(await clock.in_pool(follower.model.counts))
            await asyncio.sleep(0)

    asking = asyncio.create_task(ask())
    report, _ = await rebuilt(log, clock, follower)
    running = False
    await asking
    assert report.equal
    assert seen
    assert all(counts == expected for counts in seen)


async def test_questions_that_fill_the_pool_do_not_hold_up_the_follower(log: LocalLog, clock: Clock) -> None:
    follower, asked = Follower(log, ReadModel(None), clock), threading.Event()
    questions = [asyncio.create_task(clock.in_pool(partial(asked.wait, 30))) for _ in range(16)]
    await asyncio.sleep(0)
    await send(log, clock, a_return().records)
    await asyncio.wait_for(follower.catch_up(), 20)
    assert follower.model.counts()["events"] > 0
    assert not any(question.done() for question in questions)
    asked.set()
    assert all(await asyncio.gather(*questions))


def test_append_times_are_raised_before_a_partition_is_shared_out() -> None:
    assert raised(np.array([5, 3, 9, 7]), 4).tolist() == [5, 5, 9, 9]
