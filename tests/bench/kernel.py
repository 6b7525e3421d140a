"""The kernel's `execute` beside bare loads and saves, and the local store's saves beside bare SQLite."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import Awaitable, Sequence
from itertools import zip_longest
from pathlib import Path
from time import perf_counter
from typing import Any

from services.registration.domain.institutions import (
    AcceptPartner,
    ActivateInstitution,
    AssessInstitution,
    RegisterInstitution,
)
from services.registration.store import INSTITUTIONS
from shared.clock import RealRuntime, derived_id, short_hash
from shared.store import local_statements as statements
from shared.store.aggregates import Cause, Kernel
from shared.store.local import LocalStore
from shared.store.port import Document
from shared.store.sqlite import PRAGMAS
from tests.bench.recording import Call, Calls, RecordingStore
from tests.bench.rows import Result, Row, side_by_side

CLIENTS = 32
INSTITUTIONS_EACH = 20
QUICK_INSTITUTIONS_EACH = 4
COMMANDS = (
    RegisterInstitution(None, "kabul", "AF", "education", "public"),
    AssessInstitution(),
    AcceptPartner(),
    ActivateInstitution(),
)
HOW_KERNEL = (
    f"ours: `Kernel.execute` by {CLIENTS} clients, four commands on each institution (load, decide, evolve, event with "
    "envelope and hash chain, save), nothing relayed; the bare loop makes the same loads and saves with the documents "
    "of a recorded run on the same local store on file."
)
HOW_STORE = (
    f"ours: `LocalStore.save` by {CLIENTS} clients with those documents (checked, indexed, group commit in a thread); "
    "the bare loop encodes them and makes the same row writes, worked out beforehand, by Python's sqlite3 with the "
    f"same pragmas, {CLIENTS} documents a transaction."
)
SHORT_KERNEL = ""
SHORT_STORE = ""

Statement = tuple[str, tuple[Any, ...]]


class Unsent:
    """Outboxes that nobody sends."""

    def offer(self, collection: str, document: Document) -> None:
        """The kernel alone is measured."""


async def together(clients: Sequence[Awaitable[int]]) -> float:
    """What all clients did, a second."""
    started = perf_counter()
    done = await asyncio.gather(*clients)
    return sum(done) / (perf_counter() - started)


async def execute(kernel: Kernel, client: int, each: int) -> int:
    for number in range(each):
        id = derived_id("bench", str(client), str(number))
        for step, command in enumerate(COMMANDS):
            cause = Cause(derived_id(id, str(step)), short_hash(str(step)))
            await kernel.execute(INSTITUTIONS, id, command, cause)
    return each * len(COMMANDS)


async def repeat(store: LocalStore, calls: Sequence[Call]) -> int:
    for call in calls:
        if call.document is None:
            await store.load(call.collection, call.id)
        else:
            await store.save(call.collection, call.document, call.version)
    return sum(call.document is not None for call in calls)


async def kernel_run(path: Path, each: int, calls: Calls) -> float:
    """Commands a second."""
    runtime = RealRuntime()
    store = RecordingStore(path, [INSTITUTIONS.collection], runtime, calls)
    await store.start()
    kernel = Kernel("registration", store, Unsent(), runtime)
    tasks = [asyncio.create_task(execute(kernel, n, each), name=f"client-{n}") for n in range(CLIENTS)]
    rate = await together(tasks)
    await store.stop()
    runtime.close()
    return rate


async def store_run(path: Path, plan: Sequence[Sequence[Call]]) -> float:
    """Saves a second."""
    runtime = RealRuntime()
    store = RecordingStore(path, [INSTITUTIONS.collection], runtime, Calls())
    await store.start()
    rate = await together([repeat(store, calls) for calls in plan])
    await store.stop()
    runtime.close()
    return rate


def row_writes(saves: Sequence[Call]) -> list[tuple[Document, list[Statement]]]:
    """For each save the document and the statements that it comes down to, but for the encoded texts."""
    entries: dict[str, set[tuple[str, str, str]]] = {}
    writes = []
    for call in saves:
        document = call.document or {}
        new = {(name, equals, entry["o"]) for name, entry in document["ix"].items() for equals in entry["e"]}
        old = entries.get(call.id, set())
        entries[call.id] = new
        moved: list[Statement] = [
            (statements.DROP_ENTRY, (call.collection, *entry, call.id)) for entry in sorted(old - new)
        ]
        moved += [(statements.ADD_ENTRY, (call.collection, *entry, call.id)) for entry in sorted(new - old)]
        writes.append((document, moved))
    return writes


def sqlite_run(path: Path, writes: Sequence[tuple[Document, list[Statement]]]) -> float:
    """Saves a second by statements alone."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    for pragma, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {pragma}={value}").fetchall()
    connection.executescript(statements.SETUP)
    name = INSTITUTIONS.name
    started = perf_counter()
    for start in range(0, len(writes), CLIENTS):
        connection.execute("BEGIN IMMEDIATE")
        for document, moved in writes[start : start + CLIENTS]:
            id, version = document["_id"], document["version"]
            body, ix = json.dumps(document), json.dumps(document["ix"])
            if version == 1:
                connection.execute(statements.INSERT, (name, id, version, body, ix, None))
            else:
                connection.execute(
                    f"{statements.UPDATE} AND version=?", (version, body, ix, None, name, id, version - 1)
                )
            for statement, entry in moved:
                connection.execute(statement, entry)
        connection.execute("COMMIT")
    rate = len(writes) / (perf_counter() - started)
    connection.close()
    return rate


async def rows(quick: bool) -> list[Result]:
    each = QUICK_INSTITUTIONS_EACH if quick else INSTITUTIONS_EACH
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        paths = (folder / f"{number}.sqlite" for number in range(1000))
        calls = Calls()
        calls.on = True
        await kernel_run(next(paths), each, calls)
        plan = [made for task, made in calls.by_task.items() if task.startswith("client-")]
        saves = [[call for call in made if call.document is not None] for made in plan]
        # The clients' saves in turn, as a group commit has them.
        writes = row_writes([call for turn in zip_longest(*saves) for call in turn if call is not None])

        async def ours() -> float:
            return await kernel_run(next(paths), each, Calls())

        async def loads_and_saves() -> float:
            return await store_run(next(paths), plan)

        async def stored() -> float:
            return await store_run(next(paths), saves)

        async def bare() -> float:
            return await asyncio.to_thread(sqlite_run, next(paths), writes)

        kernel = await side_by_side(ours, loads_and_saves, quick)
        store = await side_by_side(stored, bare, quick)
    named, saved = "Commands by the kernel", "Saves by the local store"
    return [
        Row(named, "commands/s", kernel.ours, HOW_KERNEL, kernel.bare, kernel.ratios, short=SHORT_KERNEL),
        Row(saved, "saves/s", store.ours, HOW_STORE, store.bare, store.ratios, short=SHORT_STORE),
    ]
