"""The parts of the local log that need no file: who reads what, headers as a blob, records as values."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.delivery import pause_s
from shared.messaging.local_groups import assigned
from shared.messaging.local_headers import named, packed, unpacked
from shared.messaging.local_record import StoredRecord
from shared.messaging.partitions import partition_of
from shared.messaging.port import Position, Record, Topic

PARTITIONS: list[Position] = [("t", number) for number in range(6)]
T = frozenset({"t"})


@given(st.lists(st.integers(min_value=-5, max_value=5).filter(bool), max_size=12))
def test_partitions_are_shared_evenly_and_stay_where_they_are(steps: list[int]) -> None:
    members: dict[int, frozenset[str]] = {}
    owners: dict[Position, int] = {}
    for number, step in enumerate(steps):
        if step > 0 or not members:
            members[number] = T
        else:
            members.pop(list(members)[step % len(members)])
        before, owners = owners, assigned(PARTITIONS, members, owners)
        if not members:
            assert owners == {}
            continue
        assert set(owners) == set(PARTITIONS)
        loads = [list(owners.values()).count(member) for member in members]
        assert max(loads) - min(loads) <= 1
        moved = [place for place in PARTITIONS if before.get(place) in members and before[place] != owners[place]]
        joined = step > 0 and len(members) > 1
        assert len(moved) <= (max(loads) if joined else 0)


def test_a_member_gets_only_topics_that_it_follows() -> None:
    partitions: list[Position] = [("a", 0), ("a", 1), ("b", 0), ("c", 0)]
    members = {1: frozenset({"a", "b"}), 2: frozenset({"a"})}
    owners = assigned(partitions, members, {})
    assert owners["b", 0] == 1
    assert {owners["a", 0], owners["a", 1]} == {1, 2}
    assert ("c", 0) not in owners


@given(st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=8)), max_size=6))
def test_headers_come_back_as_they_were(headers: list[tuple[str, bytes]]) -> None:
    def encodable(name: str) -> bool:
        return not any("\ud800" <= letter <= "\udfff" for letter in name)

    known = tuple((name, value) for name, value in headers if encodable(name))
    assert unpacked(packed(known)) == known
    assert named(packed(known)) == dict(known)


def test_a_stored_record_is_the_record_with_its_fields() -> None:
    headers = (("a", b"1"), ("b", b"\x00"))
    plain = Record("t", 1, 2, b"k", b"v", headers, 3)
    stored = StoredRecord("t", 1, 2, b"k", b"v", packed(headers), 3)
    assert stored == plain
    assert plain == stored
    assert hash(stored) == hash(plain)
    assert stored != plain._replace(offset=3)
    assert stored._replace(offset=3) == plain._replace(offset=3)
    assert copy.deepcopy(stored) == plain
    assert stored != "other"


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_key_has_the_partition_that_kafkas_own_clients_give_it(key: str, hashed: int) -> None:
    """The hashes are those of Apache Kafka's own test of its murmur2."""
    topics = {"t": Topic("t", 7)}
    assert partition_of(topics, "t", key) == (hashed & 0x7FFFFFFF) % 7


def test_the_pause_after_a_failure_doubles_up_to_five_seconds() -> None:
    assert [pause_s(attempt) for attempt in (1, 2, 3, 7, 8, 1000)] == [0.05, 0.1, 0.2, 3.2, 5.0, 5.0]
