"""A process that appends to a local log, or handles its records without end, until it is killed.

`append FILE [BYTES]` prints each value once it is acknowledged; BYTES is the most that any file may have, as on a
full disk. `handle FILE` prints what its handler gets and never returns from it.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from shared.clock import RealRuntime
from shared.errors import Unavailable, UnknownOutcome
from shared.messaging.local import LocalLog
from shared.messaging.port import Message, Record, Topic

TOPIC = Topic("test.records", 3)
FAILURES_ENOUGH = 20


async def append(log: LocalLog, writer: int) -> None:
    failures = 0
    for n in range(1_000_000):
        value = f"{writer}-{n}"
        try:
            await log.append(TOPIC.name, writer % 3, [Message(value, value.encode() + b" " * 500)])
        except (Unavailable, UnknownOutcome) as error:
            print(f"! {type(error).__name__}", flush=True)
            failures += 1
            if failures >= FAILURES_ENOUGH:
                return
        else:
            print(value, flush=True)


async def handle(batch: list[Record]) -> None:
    for record in batch:
        print((record.key or b"").decode(), flush=True)
    await asyncio.Event().wait()


async def main(does: str, path: Path, largest: int | None) -> None:
    log = LocalLog(path, [TOPIC], RealRuntime())
    await log.start()
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    if does == "handle":
        await log.subscribe("g", [TOPIC.name], handle).start()
        await asyncio.Event().wait()
    await asyncio.gather(*(append(log, writer) for writer in range(9)))
    print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
