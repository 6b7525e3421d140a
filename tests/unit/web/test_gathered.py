"""What a connection writes in one turn of the loop goes out together, in order, and before it ends."""

from __future__ import annotations

import asyncio
from typing import cast

from shared.web.gathered import Gathered


class Wire:
    """A transport that notes what reaches it."""

    def __init__(self) -> None:
        self.seen: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        self.seen.append(data)

    def write_eof(self) -> None:
        self.seen.append("eof")

    def close(self) -> None:
        self.closing = True
        self.seen.append("close")

    def abort(self) -> None:
        self.closing = True
        self.seen.append("abort")

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 100


def gathered() -> tuple[Wire, Gathered]:
    wire = Wire()
    return wire, Gathered(cast(asyncio.Transport, wire), asyncio.get_running_loop())


async def test_what_is_written_in_one_turn_is_one_write() -> None:
    wire, transport = gathered()
    for part in (b"head", b"", b"body"):
        transport.write(part)
    assert (wire.seen, transport.get_write_buffer_size()) == ([], 108)
    await asyncio.sleep(0)
    assert (wire.seen, transport.get_write_buffer_size()) == ([b"headbody"], 100)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.seen == [b"headbody", b"next"]


async def test_an_end_comes_after_what_was_written() -> None:
    for end in ("eof", "close"):
        wire, transport = gathered()
        transport.write(b"answer")
        (transport.write_eof if end == "eof" else transport.close)()
        await asyncio.sleep(0)
        assert wire.seen == [b"answer", end]


async def test_what_is_broken_off_writes_nothing_more() -> None:
    wire, transport = gathered()
    transport.write(b"answer")
    transport.abort()
    await asyncio.sleep(0)
    assert wire.seen == ["abort"]
    wire, transport = gathered()
    transport.write(b"answer")
    # The other side has gone.
    wire.closing = True
    await asyncio.sleep(0)
    assert wire.seen == []
