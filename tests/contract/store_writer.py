"""A process that writes to a local store until it is killed, and prints each id once it is acknowledged.

Arguments: the file, and optionally the most bytes that any file may have, as on a full disk.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from shared.clock import RealRuntime
from shared.errors import Unavailable, UnknownOutcome
from shared.store.local import LocalStore
from tests.contract.store_cases import COLLECTIONS, case

FAILURES_ENOUGH = 20


async def write(store: LocalStore, writer: int) -> None:
    failures = 0
    for n in range(1_000_000):
        saved, batch = f"s{writer}-{n}", [f"a{writer}-{n}-{k}" for k in range(3)]
        try:
            await store.save("cases", case(saved, office="x", numbers=[saved], text="t" * 500), 0)
            print(saved, flush=True)
            await store.append("cases", [case(id, office="x") for id in batch])
            print(*batch, sep="\n", flush=True)
        except (Unavailable, UnknownOutcome) as error:
            print(f"! {type(error).__name__}", flush=True)
            failures += 1
            if failures >= FAILURES_ENOUGH:
                return


async def main(path: Path, largest: int | None) -> None:
    store = LocalStore(path, COLLECTIONS, RealRuntime())
    await store.start()
    if largest is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    await asyncio.gather(*(write(store, writer) for writer in range(8)))
    print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else None))
