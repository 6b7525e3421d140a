"""What both log adapters share of topics: the partition of a key and the bounds of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from aiokafka.partitioner import murmur2

from shared.errors import SettingsError
from shared.messaging.port import Message, Topic

# A batch stays below the broker's default `message.max.bytes`; an event ends at 900 kB.
BATCH_BYTES = 1_000_000
READ_BYTES = 8_000_000


@lru_cache(maxsize=65_536)
def _hash_of(key: str) -> int:
    return int(murmur2(key.encode())) & 0x7FFFFFFF


def partition_of(topics: Mapping[str, Topic], topic: str, key: str) -> int:
    """The partition that Kafka's default partitioner (murmur2) gives the key. SettingsError: undeclared topic."""
    return _hash_of(key) % declared(topics, topic).partitions


def declared(topics: Mapping[str, Topic], name: str) -> Topic:
    """The topic of that name; SettingsError where nobody declared it."""
    try:
        return topics[name]
    except KeyError:
        raise SettingsError(f"topic {name} is not declared") from None


def check_place(topics: Mapping[str, Topic], topic: str, partition: int) -> None:
    """SettingsError where the topic is not declared, ValueError where it has no such partition."""
    if not 0 <= partition < declared(topics, topic).partitions:
        raise ValueError(f"topic {topic} has no partition {partition}")


def size_of(message: Message) -> int:
    """Bytes of a message on the log, with room for what frames it."""
    framed = len(message.key or "") * 3 + len(message.value or b"") + 64
    if not message.headers:
        return framed
    names, values = zip(*message.headers, strict=True)
    return framed + len("".join(names)) * 3 + len(b"".join(values)) + 10 * len(names)


def check_message(message: Message) -> None:
    """ValueError for a message that no batch can hold; it never names the message's content."""
    if (size := size_of(message)) > BATCH_BYTES:
        raise ValueError(f"a message of {size} bytes is above {BATCH_BYTES}")
    try:
        (message.key or "").encode()
        "".join([name for name, _ in message.headers]).encode()
    except UnicodeEncodeError:
        raise ValueError("a key or a header's name that is not text") from None
