"""The log port: topics of partitions, read by groups or by position.

Both adapters (`local` on SQLite, `kafka` by FastStream and aiokafka) pass tests/contract/test_log.py, and
nothing above this port knows which one it has.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from shared.messaging.columns import Columns

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What is appended: the key (subject id), the exact value bytes, the headers."""

    key: str
    value: bytes
    headers: Headers = ()


class Record(NamedTuple):
    """What is read. `appended_ms`: the partition's append time, milliseconds since 1970, never falling.

    `value` is None for a tombstone; `key` None where a foreign producer gave none. Nothing is decoded
    here, so an unreadable record reaches its reader like any other.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    appended_ms: int

    @property
    def named(self) -> dict[str, bytes]:
        """The headers by name; of several of one name the last."""
        return dict(self.headers)


@dataclass(frozen=True, slots=True)
class Topic:
    """A declared topic. Partition counts are fixed for ever; event topics are kept for ever."""

    name: str
    partitions: int
    compacted: bool = False


# Topic, partition, and what is appended there in order.
Batch = tuple[str, int, Sequence[Message]]
BatchHandler = Callable[[list[Record]], Awaitable[None]]
Position = tuple[str, int]


class Subscription(Protocol):
    """One member of a group. The position moves only after the handler returned; an error reads again."""

    async def start(self) -> None: ...

    async def stop(self) -> None:
        """Lets a handler in flight end (within 15 s), commits what it did, leaves the group."""
        ...


class Log(Protocol):
    """Every method may raise `Unavailable`; `append` also `UnknownOutcome`."""

    async def start(self) -> None:
        """Connects, creates missing topics, refuses topics that are not as declared (SettingsError)."""
        ...

    async def stop(self) -> None: ...

    def partition_of(self, topic: str, key: str) -> int:
        """Kafka's murmur2 partition of the key."""
        ...

    async def append(self, topic: str, partition: int, messages: Sequence[Message]) -> None:
        """Appends the messages in order as one batch; returns when they are durable."""
        ...

    async def append_in_order(self, batches: Sequence[Batch]) -> None:
        """Appends batches of several partitions: none is there unless all before it are durable.

        One after the other, or all of them at once. Raises at the first that is not acknowledged.
        """
        ...

    def subscribe(self, group: str, topics: Sequence[str], handler: BatchHandler) -> Subscription:
        """A member of the group, to be started. A batch spans partitions and is ordered within each.

        A new group starts at the beginning of each partition.
        """
        ...

    async def read(self, topic: str, partition: int, offset: int, limit: int = 1000) -> list[Record]:
        """At most `limit` records from that offset on, without a group; fewer do not mean the end, none do."""
        ...

    async def read_columns(self, topic: str, partition: int, offset: int) -> Columns:
        """Some of the records from that offset on, by columns; none at the end."""
        ...

    async def wait(self, topics: Sequence[str], ends: Mapping[Position, int], timeout: float) -> None:
        """Returns when one of the topics may have grown past the given ends, or after `timeout` seconds."""
        ...

    async def ends(self, topics: Sequence[str]) -> dict[Position, int]:
        """The offset after the last record, for each partition."""
        ...

    async def final_ends(self, topics: Sequence[str]) -> dict[Position, int]:
        """`ends`, as of an instant that somebody is told is over: what is appended later is stamped no earlier.

        After a restart with a clock that went back either, to within 4 s; so it may have to write.
        """
        ...

    async def positions(self, group: str, topics: Sequence[str]) -> dict[Position, int]:
        """The offset that the group reads next, for each partition (0 where it has none)."""
        ...

    async def settings(self) -> dict[str, str]:
        """Effective settings of topics, producers and consumers by name, for `sankofa doctor`."""
        ...
