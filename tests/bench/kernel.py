"""The kernel's `execute` beside bare loads and saves, and a store's saves beside bare SQLite or motor's own writes."""

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

from services.registration.domain.examples import INSTITUTION as PROPOSED
from services.registration.domain.institutions import INSTITUTION
from services.registration.store import INSTITUTIONS
from shared.clock import RealRuntime, derived_id, short_hash
from shared.store import local_statements as statements
from shared.store.aggregates import Cause, Kernel
from shared.store.brief import brief, ordered
from shared.store.mongodb_client import connect
from shared.store.port import Document, Store
from shared.store.sqlite import PRAGMAS
from tests.bench.recording import Adapters, Call, Calls, OnFile, OnServers
from tests.bench.replaying import saves_of
from tests.bench.rows import Measure, Pair, Result, Row, side_by_side

CLIENTS = 32
INSTITUTIONS_EACH = 20
QUICK_INSTITUTIONS_EACH = 4
REAL_INSTITUTIONS_EACH = 5
QUICK_REAL_INSTITUTIONS_EACH = 2
COMMANDS = (
    INSTITUTION.ask("create", **PROPOSED),
    *(INSTITUTION.ask(verb) for verb in ("assess", "accept-partner", "activate")),
)
HOW_KERNEL = (
    f"ours: `Kernel.execute` by {CLIENTS} clients, four commands on each institution (load, decide, evolve, event with "
    "envelope and hash chain, save), nothing relayed; the bare loop makes the same loads and saves with the documents "
    "of a recorded run on the same {where}."
)
HOW_STORE = (
    f"ours: `LocalStore.save` by {CLIENTS} clients with those documents (checked, indexed, group commit in a thread); "
    "the bare loop encodes them and makes the same row writes, worked out beforehand, by Python's sqlite3 with the "
    f"same pragmas, {CLIENTS} documents a transaction."
)
HOW_DRIVER = (
    f"ours: `MongoStore.save` by {CLIENTS} clients with those documents (checked, indexed), on SecantusDB by motor; "
    "the bare loop hands the same documents to motor's `insert_one` and `replace_one`, filtered by version, with the "
    "same write concern and the same indexes in the database."
)

Plan = Sequence[Sequence[Call]]
Statement = tuple[str, tuple[Any, ...]]
INSERT = "INSERT INTO contents (number, collection, id, version, shape, emits, packed) VALUES (?, 1, ?, ?, 0, 0, ?)"
REPLACE = "UPDATE contents SET version=?, packed=? WHERE number=? AND version=?"


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


async def repeat(store: Store, calls: Sequence[Call]) -> int:
    for call in calls:
        if call.document is None:
            await store.load(call.collection, call.id)
        else:
            await store.save(call.collection, call.document, call.version)
    return sum(call.document is not None for call in calls)


async def driven(collection: Any, calls: Sequence[Call]) -> int:
    for call in calls:
        if call.version == 0:
            await collection.insert_one(call.document)
        else:
            await collection.replace_one({"_id": call.id, "version": call.version}, call.document)
    return len(calls)


async def kernel_run(adapters: Adapters, number: int, each: int, calls: Calls) -> float:
    """Commands a second."""
    runtime = RealRuntime()
    store = adapters.store(number, [INSTITUTIONS.collection], runtime, calls)
    await store.start()
    kernel = Kernel("registration", store, Unsent(), runtime)
    tasks = [asyncio.create_task(execute(kernel, n, each), name=f"client-{n}") for n in range(CLIENTS)]
    rate = await together(tasks)
    await store.stop()
    runtime.close()
    return rate


async def store_run(adapters: Adapters, number: int, plan: Plan) -> float:
    """Saves a second."""
    runtime = RealRuntime()
    store = adapters.store(number, [INSTITUTIONS.collection], runtime, Calls())
    await store.start()
    rate = await together([repeat(store, calls) for calls in plan])
    await store.stop()
    runtime.close()
    return rate


async def driver_run(servers: OnServers, number: int, saves: Plan) -> float:
    """Saves a second by motor alone, with our store's write concern, into a database with its indexes."""
    await store_run(servers, number, [])
    client = connect(servers.mongodb, "motor")
    collection = client[servers.database(number)][INSTITUTIONS.name]
    rate = await together([driven(collection, calls) for calls in saves])
    client.close()
    return rate


Written = tuple[int, Document, list[Statement]]


def row_writes(saves: Sequence[Call]) -> list[Written]:
    """For each save the document's number and the document, and the statements that it comes down to, but for the
    encoded texts."""
    entries: dict[str, set[statements.Entry]] = {}
    numbers = {name: number for number, name in enumerate(INSTITUTIONS.collection.all_indexes)}
    writes = []
    for call in saves:
        document = call.document or {}
        new = {
            (numbers[name], brief(one), ordered(entry["o"]))
            for name, entry in document["ix"].items()
            for one in entry["e"]
        }
        old = entries.get(call.id, set())
        entries[call.id] = new
        number = list(entries).index(call.id)
        moved: list[Statement] = [(statements.DROP_ENTRY, (*entry, number)) for entry in sorted(old - new)]
        moved += [(statements.ADD_ENTRY, (*entry, number)) for entry in sorted(new - old)]
        writes.append((number, document, moved))
    return writes


def sqlite_run(path: Path, writes: Sequence[Written]) -> float:
    """Saves a second by statements alone."""
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    for pragma, value in PRAGMAS.items():
        connection.execute(f"PRAGMA {pragma}={value}").fetchall()
    connection.executescript(statements.SETUP)
    started = perf_counter()
    for start in range(0, len(writes), CLIENTS):
        connection.execute("BEGIN IMMEDIATE")
        for number, document, moved in writes[start : start + CLIENTS]:
            id, version, text = brief(document["_id"]), document["version"], json.dumps(document)
            if version == 1:
                connection.execute(INSERT, (number, id, version, text))
            else:
                connection.execute(REPLACE, (version, text, number, version - 1))
            for statement, entry in moved:
                connection.execute(statement, entry)
        connection.execute("COMMIT")
    rate = len(writes) / (perf_counter() - started)
    connection.close()
    return rate


class Compared:
    """The recorded run of one set of adapters, and ours beside it; each run has a database of its own."""

    def __init__(self, adapters: Adapters, each: int, quick: bool) -> None:
        self.adapters = adapters
        self.numbers = iter(range(1000))
        self.each = each
        self.quick = quick
        self.plan: Plan = []
        self.saves: Plan = []

    async def record(self) -> None:
        calls = Calls()
        calls.on = True
        await kernel_run(self.adapters, next(self.numbers), self.each, calls)
        self.plan = [made for task, made in calls.by_task.items() if task.startswith("client-")]
        self.saves = [saves_of(made) for made in self.plan]

    async def commands(self) -> Pair:
        async def ours() -> float:
            return await kernel_run(self.adapters, next(self.numbers), self.each, Calls())

        async def loads_and_saves() -> float:
            return await store_run(self.adapters, next(self.numbers), self.plan)

        return await side_by_side(ours, loads_and_saves, self.quick)

    async def stored(self, bare: Measure) -> Pair:
        async def ours() -> float:
            return await store_run(self.adapters, next(self.numbers), self.saves)

        return await side_by_side(ours, bare, self.quick)


async def rows(quick: bool) -> list[Result]:
    each = QUICK_INSTITUTIONS_EACH if quick else INSTITUTIONS_EACH
    with tempfile.TemporaryDirectory() as scratch:
        compared = Compared(OnFile(Path(scratch)), each, quick)
        await compared.record()
        # The clients' saves in turn, as a group commit has them.
        writes = row_writes([call for turn in zip_longest(*compared.saves) for call in turn if call is not None])
        paths = (Path(scratch) / f"{number}.sqlite" for number in range(1000))

        async def bare() -> float:
            return await asyncio.to_thread(sqlite_run, next(paths), writes)

        kernel, store = await compared.commands(), await compared.stored(bare)
    return [
        _commands("Commands by the kernel", kernel, "local store on file"),
        Row("Saves by the local store", "saves/s", store.ours, HOW_STORE, store.bare, store.ratios),
    ]


async def real_rows(servers: OnServers, quick: bool) -> list[Result]:
    each = QUICK_REAL_INSTITUTIONS_EACH if quick else REAL_INSTITUTIONS_EACH
    compared = Compared(servers, each, quick)
    await compared.record()

    async def bare() -> float:
        return await driver_run(servers, next(compared.numbers), compared.saves)

    kernel, store = await compared.commands(), await compared.stored(bare)
    return [
        _commands("Commands by the kernel, on real servers", kernel, "SecantusDB by motor"),
        Row("Saves by the store, on real servers", "saves/s", store.ours, HOW_DRIVER, store.bare, store.ratios),
    ]


def _commands(named: str, pair: Pair, where: str) -> Row:
    return Row(named, "commands/s", pair.ours, HOW_KERNEL.format(where=where), pair.bare, pair.ratios)
