"""Kafka's records as the port's, its batches as they are stored, and one way from aiokafka's errors to the port's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

from aiokafka.errors import KafkaError

from shared.errors import PortError, Unavailable
from shared.messaging.late_headers import LateHeaders
from shared.messaging.port import Headers


class ConsumedRecord(LateHeaders):
    """The port's record with the headers as the client gives them; one without a value counts as an empty one."""

    __slots__ = ()

    @staticmethod
    def decoded(raw: Sequence[tuple[str, bytes | None]]) -> Headers:
        return tuple((name, value or b"") for name, value in raw)

    @property
    def named(self) -> dict[str, bytes]:
        # What the client gives is as good as decoded; to decode it first is a twentieth of reading an event, and so
        # is to compare each value with None.
        found: dict[str, bytes | None] = dict(self.raw_headers)
        return cast(dict[str, bytes], found) if all(found.values()) else super().named


class StoredBatch(NamedTuple):
    """A record batch after its head and uncompressed. `offset`: the last one that it has room for.

    `append_ms`: of all its records; None where each says its own, after `first_ms`.
    """

    offset: int
    first_offset: int
    first_ms: int
    append_ms: int | None
    records: int
    content: memoryview


@contextmanager
def reachable() -> Iterator[None]:
    """Turns what the client raises into Unavailable; for calls that change nothing."""
    try:
        yield
    except PortError:
        raise
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(f"log: {type(error).__name__}") from error
