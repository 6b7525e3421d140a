"""Record batches by columns, where no broker is needed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.clock import RealRuntime
from shared.messaging.kafka import KafkaLog
from shared.messaging.kafka_records import StoredBatch
from shared.messaging.port import Position, Topic

TOPIC = Topic("test.topic", 1)
HEAD_BYTES = 61


def batch_of(first: int, room: int, *values: bytes) -> StoredBatch:
    """A batch with room for some offsets, of whose records compaction left the first ones."""
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=100_000
    )
    for place, value in enumerate(values):
        builder.append(place, timestamp=5, key=b"k", value=value, headers=[])
    content = memoryview(bytes(builder.build()))[HEAD_BYTES:]
    return StoredBatch(first + room - 1, first, 5, None, len(values), content)


class Stored:
    """What a broker answers: by offset, the batches from there on."""

    def __init__(self, answers: dict[int, list[StoredBatch]]) -> None:
        self._answers = answers

    async def batches(self, _position: Position, offset: int) -> Sequence[StoredBatch]:
        return self._answers.get(offset, [])


async def test_batches_of_which_nothing_is_left_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = RealRuntime()
    log = KafkaLog("127.0.0.1:9", [TOPIC], runtime, client_id="test")
    # From 2 on the first batch has no record any more, and the second has none at all.
    stored = Stored({2: [batch_of(0, 4, b"0", b"1"), batch_of(4, 3)], 7: [batch_of(7, 2, b"7", b"8")]})

    async def reader() -> Stored:
        return stored

    monkeypatch.setattr(log, "_batches", reader)
    columns = await log.read_columns(TOPIC.name, 0, 2)
    assert columns.offsets.tolist() == [7, 8]
    assert columns.appended_ms.tolist() == [5, 5]
    assert [record.value for record in columns.records(columns.offsets - 7)] == [b"7", b"8"]
    assert len((await log.read_columns(TOPIC.name, 0, 9)).offsets) == 0
    runtime.close()
