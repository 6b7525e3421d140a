"""Places in the log, as texts that tell nothing to whoever holds them.

A place has an offset for each partition that the audience reads, among them offsets that others' events have moved on:
so it is sealed, and as long whatever it says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from services.monitoring.domain.telling import Audience
from shared.clock import Runtime
from shared.errors import Refusal
from shared.identity.digests import derived_key
from shared.identity.sealing import VERSION, SealBroken, open_bytes, seal_bytes
from shared.messaging.port import Position
from shared.messaging.topics import TOPICS

EPOCH_BYTES, NAME_BYTES, OFFSET_BYTES = 8, 4, 6
CHARACTERS_AT_MOST = 2_048
FIELD = "cursor"

Positions = dict[Position, int]


@dataclass(frozen=True)
class Cursors:
    """`key` seals them; `epoch` gives the store's, which a restore raises."""

    key: bytes
    epoch: Callable[[], int]
    runtime: Runtime

    def written(self, positions: Mapping[Position, int], audience: Audience) -> str:
        """Letters, digits, `-` and `_`."""
        content = self.epoch().to_bytes(EPOCH_BYTES) + b"".join(_packed(positions, audience))
        sealed = seal_bytes(self._key, content, person=audience.name, field=FIELD, rng=self.runtime.rng)
        return sealed.removeprefix(VERSION).rstrip("=")

    def read(self, text: str, audience: Audience) -> Positions:
        """The offsets to read from; 0 on a topic that there was not yet.

        Raises Refusal: `cursor_not_of_this_feed` (422) for what was not made here for such a reader,
        `cursor_before_restore` (409) for a place in a log that a restore has taken back.
        """
        try:
            if len(text) > CHARACTERS_AT_MOST or not text.isascii():
                raise SealBroken
            padded = VERSION + text + "=" * (-len(text) % 4)
            content = open_bytes(self._key, padded, person=audience.name, field=FIELD)
        except SealBroken:
            raise Refusal("cursor_not_of_this_feed", at="query/after", status=422) from None
        if int.from_bytes(content[:EPOCH_BYTES]) != self.epoch():
            raise before_restore()
        return _unpacked(content[EPOCH_BYTES:], audience)

    @cached_property
    def _key(self) -> bytes:
        return derived_key(self.key, "feed")


def before_restore() -> Refusal:
    detail = "the system was restored since: begin anew without a cursor, and pass over the ids that are known"
    return Refusal("cursor_before_restore", detail, at="query/after")


def beginning(audience: Audience) -> Positions:
    return {(topic, number): 0 for topic in audience.topics for number in range(TOPICS[topic].partitions)}


def _packed(positions: Mapping[Position, int], audience: Audience) -> Iterator[bytes]:
    for topic in audience.topics:
        places = [positions.get((topic, number), 0) for number in range(TOPICS[topic].partitions)]
        yield _name(topic) + bytes([len(places)])
        yield from (place.to_bytes(OFFSET_BYTES) for place in places)


def _unpacked(content: bytes, audience: Audience) -> Positions:
    """A topic that is not the audience's any more is passed over."""
    found, at, topics = beginning(audience), 0, {_name(topic): topic for topic in audience.topics}
    while at < len(content):
        topic, partitions = topics.get(content[at : at + NAME_BYTES]), content[at + NAME_BYTES]
        at += NAME_BYTES + 1
        for number in range(partitions):
            place = int.from_bytes(content[at : at + OFFSET_BYTES])
            at += OFFSET_BYTES
            if topic is not None and (topic, number) in found:
                found[topic, number] = place
    return found


@cache
def _name(topic: str) -> bytes:
    return hashlib.sha256(topic.encode()).digest()[:NAME_BYTES]
