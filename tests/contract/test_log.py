"""What every adapter of the log port does: one suite over SQLite in memory and on file, and real Apache Kafka."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from shared.errors import SettingsError, Unavailable
from shared.messaging.partitions import BATCH_BYTES
from shared.messaging.port import Message, Record
from tests.contract.log_cases import Inbox, Place, all_of, by_columns, put, until

pytest_plugins = ["tests.contract.log_adapters"]

HEADERS = (("ce_id", b"1"), ("ce_type", b"org.sankofa.test.Tested"))


def by_key(records: list[Record]) -> dict[bytes | None, list[bytes | None]]:
    found: dict[bytes | None, list[bytes | None]] = {}
    for record in records:
        found.setdefault(record.key, []).append(record.value)
    return found


async def consumed(place: Place, log: Any, topic: Any, group: str = "g") -> Inbox:
    """What a member gets until its group has read everything that is there now."""
    inbox = Inbox()
    member = log.subscribe(group, [topic.name], inbox)
    await member.start()
    ends = await log.ends([topic.name])
    async with asyncio.timeout(30):
        while await log.positions(group, [topic.name]) != ends:
            await asyncio.sleep(0.02)
    await member.stop()
    return inbox


async def test_a_record_comes_back_as_it_was(place: Place) -> None:
    topic = place.topic()
    log = await place.open(topic)
    before = int(time.time() * 1000)
    partition = log.partition_of(topic.name, "subject")
    await log.append(topic.name, partition, [Message("subject", b"\x00\xff value", HEADERS)])
    (record,) = await log.read(topic.name, partition, 0)
    assert record == Record(topic.name, partition, 0, b"subject", b"\x00\xff value", HEADERS, record.appended_ms)
    assert before - 1000 <= record.appended_ms <= int(time.time() * 1000) + 1000


async def test_batches_of_several_partitions_are_appended_in_order(place: Place) -> None:
    """Two of one partition follow one another, and a batch that is refused lets nothing of them stand."""
    topic = place.topic(partitions=2)
    log = await place.open(topic)
    batches = [(topic.name, n % 2, [Message(f"k{n}", f"{n}{m}".encode()) for m in range(2)]) for n in range(3)]
    await log.append_in_order(batches)
    read = [[record.value for record in await log.read(topic.name, number, 0)] for number in range(2)]
    assert read == [[b"00", b"01", b"20", b"21"], [b"10", b"11"]]
    await log.append_in_order([])
    with pytest.raises(ValueError, match="partition"):
        await log.append_in_order([(topic.name, 7, [Message("k", b"x")]), *batches])
    assert sum((await log.ends([topic.name])).values()) == 6


async def test_records_of_a_key_keep_their_order_over_partitions(place: Place) -> None:
    topic = place.topic(partitions=3)
    log = await place.open(topic)
    keys = [f"subject-{n}" for n in range(12)]
    for n in range(20):
        await asyncio.gather(*(put(log, topic, key, f"{n}".encode()) for key in keys))
    inbox = await consumed(place, log, topic)
    assert by_key(inbox.records) == {key.encode(): [f"{n}".encode() for n in range(20)] for key in keys}
    assert len({record.partition for record in inbox.records}) == 3
    assert all(record.partition == log.partition_of(topic.name, record.key.decode()) for record in inbox.records)


async def test_concurrent_batches_of_a_partition_stay_whole(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    batches = [[Message("k", f"{batch}-{n}".encode()) for n in range(5)] for batch in range(30)]
    await asyncio.gather(*(log.append(topic.name, 0, batch) for batch in batches))
    values = [record.value for record in await all_of(log, topic)]
    runs = [values[place : place + 5] for place in range(0, len(values), 5)]
    assert sorted(runs) == sorted([message.value for message in batch] for batch in batches)
    assert [record.offset for record in await all_of(log, topic)] == list(range(150))


async def test_more_than_one_request_holds_arrives_in_order(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    values = [bytes([n]) * 400_000 for n in range(6)]
    await log.append(topic.name, 0, [Message("k", value) for value in values])
    assert [record.value for record in await all_of(log, topic)] == values


async def test_the_position_moves_after_the_effect_and_not_before(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    await put(log, topic, "k", b"1", b"2")
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(batch: list[Record]) -> None:
        entered.set()
        await release.wait()

    member = log.subscribe("g", [topic.name], slow)
    await member.start()
    await asyncio.wait_for(entered.wait(), 30)
    await asyncio.sleep(0.1)
    assert await log.positions("g", [topic.name]) == {(topic.name, 0): 0}
    release.set()
    await member.stop()
    assert await log.positions("g", [topic.name]) == {(topic.name, 0): 2}


async def test_stop_lets_the_handler_end_and_commits_what_it_did(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    await put(log, topic, "k", b"1")
    entered, ended = asyncio.Event(), asyncio.Event()

    async def slow(batch: list[Record]) -> None:
        entered.set()
        await asyncio.sleep(0.3)
        ended.set()

    member = log.subscribe("g", [topic.name], slow)
    await member.start()
    await asyncio.wait_for(entered.wait(), 30)
    await member.stop()
    assert ended.is_set()
    assert await log.positions("g", [topic.name]) == {(topic.name, 0): 1}


async def test_a_failing_handler_gets_the_same_records_again_and_skips_none(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    await put(log, topic, "k", b"1", b"2", b"3")
    inbox = Inbox(failures=3)
    member = log.subscribe("g", [topic.name], inbox)
    started = time.monotonic()
    await member.start()
    await until(lambda: len(inbox.failed) == 3)
    # Three pauses of 0.05, 0.1 and 0.2 s lie before the delivery that works.
    await put(log, topic, "k", b"4")
    await until(lambda: len(inbox.records) >= 4)
    assert time.monotonic() - started > 0.35
    assert inbox.values == [b"1", b"2", b"3", b"4"]
    assert [batch[0].value for batch in inbox.failed] == [b"1"] * 3
    await member.stop()
    assert await log.positions("g", [topic.name]) == {(topic.name, 0): 4}


async def test_what_a_dead_member_was_handling_is_delivered_to_the_next(place: Place) -> None:
    topic = place.topic(partitions=2)
    log = await place.open(topic)
    for key in ("a", "b", "c", "d"):
        await put(log, topic, key, b"1", b"2")
    broken = Inbox(failures=1_000)
    member = log.subscribe("g", [topic.name], broken)
    await member.start()
    await until(lambda: broken.failed)
    await member.stop()
    assert set((await log.positions("g", [topic.name])).values()) == {0}
    inbox = await consumed(place, log, topic)
    assert by_key(inbox.records) == {key: [b"1", b"2"] for key in (b"a", b"b", b"c", b"d")}


async def test_positions_outlive_a_restart(place: Place) -> None:
    topic = place.topic(partitions=2)
    log = await place.open(topic)
    await put(log, topic, "a", b"1", b"2")
    assert (await consumed(place, log, topic)).values == [b"1", b"2"]
    known = await log.positions("g", [topic.name])
    log = await place.restarted(log, topic)
    assert await log.positions("g", [topic.name]) == known
    await put(log, topic, "a", b"3")
    assert (await consumed(place, log, topic)).values == [b"3"]


async def test_a_member_starts_again_after_a_stop(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    inbox = Inbox()
    member = log.subscribe("g", [topic.name], inbox)
    for n in range(2):
        await member.start()
        await put(log, topic, "k", f"{n}".encode())
        await until(lambda n=n: len(inbox.records) == n + 1)
        await member.stop()
    assert inbox.values == [b"0", b"1"]


async def test_a_new_group_starts_at_the_beginning(place: Place) -> None:
    topic = place.topic()
    log = await place.open(topic)
    await put(log, topic, "a", b"1", b"2")
    assert (await consumed(place, log, topic, "first")).values == [b"1", b"2"]
    assert await log.positions("second", [topic.name]) == dict.fromkeys(await log.ends([topic.name]), 0)
    assert (await consumed(place, log, topic, "second")).values == [b"1", b"2"]


async def test_reading_needs_no_group_and_moves_no_position(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    await put(log, topic, "k", *(f"{n}".encode() for n in range(10)))

    async def offsets(offset: int, limit: int) -> list[int]:
        return [record.offset for record in await log.read(topic.name, 0, offset, limit)]

    assert await offsets(0, 1000) == list(range(10))
    assert await offsets(4, 3) == [4, 5, 6]
    assert await offsets(7, 1) == [7]
    assert await offsets(8, 5) == [8, 9]
    assert await offsets(2, 2) == [2, 3]
    assert await offsets(10, 5) == []
    await put(log, topic, "k", b"10")
    assert await offsets(10, 5) == [10]
    assert await log.positions("g", [topic.name]) == {(topic.name, 0): 0}
    assert await log.ends([topic.name]) == {(topic.name, 0): 11}


async def test_partitions_are_read_side_by_side(place: Place) -> None:
    topic = place.topic(partitions=3)
    log = await place.open(topic)
    for partition in range(3):
        await log.append(topic.name, partition, [Message("k", f"{partition}-{n}".encode()) for n in range(50)])

    async def whole(partition: int) -> list[bytes | None]:
        values: list[bytes | None] = []
        while records := await log.read(topic.name, partition, len(values), 7):
            values.extend(record.value for record in records)
        return values

    found = await asyncio.gather(*(whole(partition) for partition in (0, 1, 2, 1)))
    assert found == [[f"{p}-{n}".encode() for n in range(50)] for p in (0, 1, 2, 1)]


async def test_compaction_keeps_the_last_record_of_a_key_at_its_offset(place: Place) -> None:
    topic = place.topic(partitions=1, compacted=True)
    log = await place.open(topic)
    for n in range(3):
        await put(log, topic, "a", f"a{n}".encode())
        await put(log, topic, "b", f"b{n}".encode())
    await put(log, topic, "end", b"x")
    await place.compact(log, topic, gone=(0, 0))
    log = await place.restarted(log, topic)
    records = await all_of(log, topic)
    kept = {record.key: (record.offset, record.value) for record in records}
    assert kept[b"a"] == (4, b"a2")
    assert kept[b"b"] == (5, b"b2")
    offsets = [record.offset for record in records]
    assert offsets == sorted(offsets)
    assert offsets[0] == 4
    assert await by_columns(log, topic) == records
    inbox = await consumed(place, log, topic)
    assert {record.key for record in inbox.records} == set(kept)
    await put(log, topic, "a", b"a3")
    end = (await log.ends([topic.name]))[topic.name, 0]
    assert (await log.read(topic.name, 0, end - 1))[0].value == b"a3"


async def test_append_times_never_fall(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    for n in range(30):
        await put(log, topic, "k", f"{n}".encode())
        await asyncio.sleep(0.002)
    times = [record.appended_ms for record in await all_of(log, topic)]
    assert times == sorted(times)
    assert times[-1] > times[0]
    log = await place.restarted(log, topic)
    await put(log, topic, "k", b"last")
    assert (await log.read(topic.name, 0, 30))[0].appended_ms >= times[-1]


def unreadable() -> list[Message]:
    """What a foreign producer may send: nothing of it is a message of ours."""
    nobody: Any = None
    return [
        Message("k", b"good", HEADERS),
        Message("k", b"x", (("ce_id", b"\xff\xfe\x00"), ("ce_type", b"\xc3("))),
        Message(nobody, b"without a key"),
        Message("k", nobody),
        Message("k", b"\x00\x01 not json \xff"),
        Message("k", b""),
        Message("k", b"x", (("", b""), ("two\nlines", b"\x00"), ("two\nlines", b"again"))),
        Message("k", b"good too", HEADERS),
    ]


async def test_an_unreadable_record_stops_neither_its_batch_nor_its_partition(place: Place) -> None:
    topic = place.topic(partitions=2)
    log = await place.open(topic)
    sent = unreadable()
    await asyncio.gather(*(log.append(topic.name, partition, sent) for partition in range(2)))
    inbox = await consumed(place, log, topic)
    wanted = [
        (None if message.key is None else message.key.encode(), message.value, message.headers) for message in sent
    ]
    for partition in range(2):
        mine = [record for record in inbox.records if record.partition == partition]
        assert [(record.key, record.value, record.headers) for record in mine] == wanted
        assert await log.read(topic.name, partition, 0) == mine
    assert await by_columns(log, topic) == await all_of(log, topic)


async def test_columns_say_what_the_records_say(place: Place) -> None:
    """Long texts, many headers, the same name again, and the middle of what was appended at once."""
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    own = (("ce_type", b"t" * 70), ("ce_types", b"no"), ("a", b"1"), ("ce_programmeversion", b""), ("a", b"2" * 9_000))
    sent = [
        Message(f"k{n}", b"v" * (n * n * 50), tuple(own[(n + k) % len(own)] for k in range(n % 7))) for n in range(30)
    ]
    await log.append(topic.name, 0, sent)
    await log.append(topic.name, 0, [Message("last", b"x", HEADERS)])
    assert await by_columns(log, topic) == await all_of(log, topic)
    columns = await log.read_columns(topic.name, 0, 11)
    assert columns.offsets.tolist()[:3] == [11, 12, 13]
    assert columns.keys[0].as_py() == b"k11"
    assert len((await log.read_columns(topic.name, 0, 31)).offsets) == 0


async def test_two_members_share_the_partitions_and_one_takes_over(place: Place) -> None:
    topic = place.topic(partitions=4)
    log, other = (await place.open(topic), None)
    other = log if place.path or not place.servers else await place.open(topic)
    keys = [f"subject-{n}" for n in range(40)]
    one, two = Inbox(), Inbox()
    first = log.subscribe("g", [topic.name], one)
    second = other.subscribe("g", [topic.name], two)
    await first.start()
    await second.start()

    async def round_of(n: int) -> None:
        for key in keys:
            await put(log, topic, key, f"{n}".encode())
        wanted = {(key.encode(), f"{n}".encode()) for key in keys}
        await until(lambda: wanted <= {(record.key, record.value) for record in [*one.records, *two.records]})

    rounds = 0
    async with asyncio.timeout(40):
        while not (one.records and two.records):
            await round_of(rounds)
            rounds += 1
    both = [record.partition for record in one.batches[-1]], [record.partition for record in two.batches[-1]]
    assert not set(both[0]) & set(both[1])
    await first.stop()
    before = len(one.records)
    await round_of(rounds)
    assert len(one.records) == before
    assert {record.partition for record in two.records if record.value == f"{rounds}".encode()} == {0, 1, 2, 3}
    await second.stop()
    assert await log.positions("g", [topic.name]) == await log.ends([topic.name])


async def test_groups_do_not_disturb_each_other(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    broken, fine = Inbox(failures=1_000), Inbox()
    members = [log.subscribe("broken", [topic.name], broken), log.subscribe("fine", [topic.name], fine)]
    for member in members:
        await member.start()
    await put(log, topic, "k", b"1")
    await until(lambda: broken.failed and fine.records)
    await asyncio.gather(*(member.stop() for member in members))
    assert await log.positions("broken", [topic.name]) == {(topic.name, 0): 0}
    assert await log.positions("fine", [topic.name]) == {(topic.name, 0): 1}


async def test_a_member_follows_several_topics_in_one_batch(place: Place) -> None:
    one, two = place.topic(partitions=2), place.topic(partitions=1)
    log = await place.open(one, two)
    await put(log, one, "a", b"1")
    await put(log, two, "b", b"2")
    inbox = Inbox()
    member = log.subscribe("g", [one.name, two.name], inbox)
    await member.start()
    await until(lambda: len(inbox.records) == 2)
    assert {(record.topic, record.value) for record in inbox.records} == {(one.name, b"1"), (two.name, b"2")}
    assert all(len(batch) <= 500 for batch in inbox.batches)
    await member.stop()


async def test_waiting_ends_with_an_append_or_with_its_time(place: Place) -> None:
    topic, quiet = place.topic(partitions=2), place.topic(partitions=1)
    log = await place.open(topic, quiet)
    ends = await log.ends([topic.name])
    started = time.monotonic()
    await log.wait([topic.name], ends, 0.3)
    assert 0.25 <= time.monotonic() - started < 3
    waiting = asyncio.ensure_future(log.wait([topic.name], ends, 20))
    await asyncio.sleep(0.05)
    await put(log, topic, "k", b"1")
    await asyncio.wait_for(waiting, 5)
    await asyncio.wait_for(log.wait([topic.name], ends, 20), 5)
    await asyncio.wait_for(log.wait([topic.name], {}, 20), 5)


async def test_effective_settings_are_said_by_name(place: Place) -> None:
    topic = place.topic(partitions=2, compacted=True)
    log = await place.open(topic)
    settings = await log.settings()
    assert settings[f"topic.{topic.name}.partitions"] == "2"
    assert settings[f"topic.{topic.name}.cleanup.policy"] == "compact"
    assert settings["log.adapter"] in ("local", "kafka")


async def test_what_is_not_declared_or_too_long_is_refused(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    with pytest.raises(SettingsError, match="not declared"):
        await log.append("test.unknown", 0, [Message("k", b"1")])
    with pytest.raises(SettingsError, match="not declared"):
        log.subscribe("g", ["test.unknown"], Inbox())
    with pytest.raises(ValueError, match="no partition 1"):
        await log.append(topic.name, 1, [Message("k", b"1")])
    with pytest.raises(ValueError, match="above"):
        await log.append(topic.name, 0, [Message("k", b"x" * (BATCH_BYTES + 1))])
    for message in (Message("\ud800", b"1"), Message("k", b"1", (("\ud800", b"1"),))):
        with pytest.raises(ValueError, match="not text"):
            await log.append(topic.name, 0, [message])
    await log.append(topic.name, 0, [])
    await log.append(topic.name, 0, [Message("k", b"x" * 900_000)])
    assert await log.ends([topic.name]) == {(topic.name, 0): 1}


async def test_a_stopped_log_is_unavailable(place: Place) -> None:
    topic = place.topic(partitions=1)
    log = await place.open(topic)
    await log.stop()
    with pytest.raises(Unavailable):
        await put(log, topic, "k", b"1")
    with pytest.raises(Unavailable):
        await log.read(topic.name, 0, 0)
