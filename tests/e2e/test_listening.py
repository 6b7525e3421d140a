"""The socket on which a system listens."""

from __future__ import annotations

import asyncio
import socket

from deploy.cli.hosting import bound_socket


async def test_answers_are_sent_at_once() -> None:
    """With Nagle's algorithm the second part of an answer waits for the client's delayed ACK, 40 ms each time."""
    listening = bound_socket(0)
    undelayed: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        accepted = writer.get_extra_info("socket")
        undelayed.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    server = await asyncio.start_server(serve, sock=listening)
    async with server:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"\n")
        await reader.read()
        writer.close()
    assert undelayed
    assert undelayed[0]
