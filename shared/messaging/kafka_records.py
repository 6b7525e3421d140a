"""Kafka's records as the port's, and one way from aiokafka's errors to the port's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from operator import attrgetter
from typing import cast

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from shared.errors import PortError, Unavailable
from shared.messaging.late_headers import LateHeaders
from shared.messaging.port import Headers, Record

_FIELDS = attrgetter("topic", "partition", "offset", "key", "value", "headers", "timestamp")


class ConsumedRecord(LateHeaders):
    """A record with the headers as the client gives them; one without a value counts as an empty one."""

    __slots__ = ()

    @staticmethod
    def decoded(raw: Sequence[tuple[str, bytes | None]]) -> Headers:
        return tuple((name, value or b"") for name, value in raw)

    @property
    def named(self) -> dict[str, bytes]:
        # What the client gives is as good as decoded; to decode it first is a twentieth of reading an event.
        found: dict[str, bytes | None] = dict(self.raw_headers)
        if None in found.values():
            return super().named
        return cast(dict[str, bytes], found)


def records_of(found: Iterable[ConsumerRecord]) -> list[Record]:
    """The port's records."""
    # Built without a call of Python's a record: this is every consumer's hot path.
    return list(map(tuple.__new__, repeat(ConsumedRecord), map(_FIELDS, found)))


@contextmanager
def reachable() -> Iterator[None]:
    """Turns what the client raises into Unavailable; for calls that change nothing."""
    try:
        yield
    except PortError:
        raise
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"log: {type(error).__name__}") from error
