"""Kafka's records as the port's, and one way from aiokafka's errors to the port's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from shared.errors import PortError, Unavailable
from shared.messaging.port import Record


def record_of(found: ConsumerRecord) -> Record:
    """The port's record; a header without a value counts as an empty one."""
    headers = tuple((name, b"" if value is None else value) for name, value in found.headers)
    return Record(found.topic, found.partition, found.offset, found.key, found.value, headers, found.timestamp)


def records_of(found: Iterable[ConsumerRecord]) -> list[Record]:
    return [record_of(record) for record in found]


@contextmanager
def reachable() -> Iterator[None]:
    """Turns what the client raises into Unavailable; for calls that change nothing."""
    try:
        yield
    except PortError:
        raise
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"log: {type(error).__name__}") from error
