"""Kafka's records as the port's: headers without a value, and several of one name."""

from __future__ import annotations

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.messaging.kafka_decoding import ConsumedRecords, LenientRecords
from shared.messaging.port import Record


def consumed(*headers: tuple[str, bytes | None]) -> Record:
    """What the client makes of a partition's answer with one record."""
    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000)
    batch.append(7, 1_000, b"k", b"v", list(headers))
    answer = LenientRecords(bytes(batch.build()))
    place = TopicPartition("t", 0)
    (record,) = ConsumedRecords(place, answer, [], 0, None, None, True, "read_uncommitted")
    assert isinstance(record, Record)
    return record


def test_a_record_is_the_ports_own() -> None:
    assert consumed(("a", b"1")) == Record("t", 0, 7, b"k", b"v", (("a", b"1"),), 1_000)


def test_a_header_without_a_value_counts_as_an_empty_one() -> None:
    record = consumed(("a", b"1"), ("b", None))
    assert record.headers == (("a", b"1"), ("b", b""))
    assert record.named == {"a": b"1", "b": b""}


def test_of_several_headers_of_one_name_the_last_counts() -> None:
    record = consumed(("a", b"1"), ("a", b"2"))
    assert record.headers == (("a", b"1"), ("a", b"2"))
    assert record.named == {"a": b"2"} == Record(*record).named
