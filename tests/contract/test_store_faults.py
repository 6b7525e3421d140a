"""What the store's adapters keep and say when processes die, servers freeze and disks are full."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient, monitoring

from deploy.local.secantus import SecantusServer
from shared.clock import RealRuntime
from shared.errors import Conflict, SettingsError, Unavailable, UnknownOutcome
from shared.store.local import LocalStore
from shared.store.mongodb import Driver, MongoStore
from tests.contract.store_cases import CASES, COLLECTIONS, DRIVERS, case, unsent
from tests.store_files import content_of, rows_in

pytest_plugins = ["tests.contract.store_adapters"]

REPOSITORY = Path(__file__).parents[2]


def writer(path: Path, *arguments: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.contract.store_writer", str(path), *arguments]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


async def whole(store: LocalStore | MongoStore) -> dict[str, dict[str, Any]]:
    """Every document by id, after it was compared with what its indexes give."""
    documents = {d["_id"]: d async for d in store.scan("cases")}
    found = await store.find("cases", "office", "x", limit=1_000_000)
    assert sorted(d["_id"] for d in found) == sorted(documents)
    assert all(d == CASES.indexed(d) for d in documents.values())
    return documents


@pytest.mark.parametrize("lines", [1, 150, 900])
async def test_file_what_was_acknowledged_outlives_kill_9(tmp_path: Path, runtime: RealRuntime, lines: int) -> None:
    path = tmp_path / "store.sqlite"
    process = writer(path)
    assert process.stdout is not None
    acknowledged = list(itertools.islice(process.stdout, lines))
    process.kill()
    acknowledged += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    store = LocalStore(path, COLLECTIONS, runtime)
    await store.start()
    # The kill may cut the last line short.
    ids = {line.strip() for line in acknowledged if line.endswith("\n")}
    assert len(ids) >= lines
    assert ids <= set(await whole(store))
    await store.stop()


async def test_file_a_full_disk_loses_nothing_acknowledged(tmp_path: Path, runtime: RealRuntime) -> None:
    path = tmp_path / "store.sqlite"
    process = writer(path, "400000")
    out, _ = await asyncio.to_thread(process.communicate, timeout=60)
    lines = out.split()
    assert process.returncode == 0
    assert lines[-1] == "ended"
    assert lines.count("Unavailable") + lines.count("UnknownOutcome") >= 20
    acknowledged = {line for line in lines if line[0] in "sa"}
    assert len(acknowledged) > 20
    store = LocalStore(path, COLLECTIONS, runtime)
    await store.start()
    assert acknowledged <= set(await whole(store))
    await store.save("cases", case("room-again", office="x"), 0)
    await store.stop()


async def test_file_belongs_to_one_process(tmp_path: Path, runtime: RealRuntime) -> None:
    path = tmp_path / "store.sqlite"
    process = writer(path)
    assert process.stdout is not None
    process.stdout.readline()
    with pytest.raises(SettingsError, match="in use by another process"):
        await LocalStore(path, COLLECTIONS, runtime).start()
    process.kill()
    process.communicate()
    first, second = LocalStore(path, COLLECTIONS, runtime), LocalStore(path, COLLECTIONS, runtime)
    await first.start()
    with pytest.raises(SettingsError):
        await second.start()
    await first.stop()
    await second.start()
    await second.stop()


async def test_file_where_nothing_can_be_written_is_refused(tmp_path: Path, runtime: RealRuntime) -> None:
    (tmp_path / "plain").write_text("not a folder")
    (tmp_path / "other.sqlite").write_text("not a database " * 100)
    for path in (tmp_path / "plain" / "store.sqlite", tmp_path / "other.sqlite", tmp_path):
        with pytest.raises(SettingsError) as refused:
            await LocalStore(path, COLLECTIONS, runtime).start()
        assert "\n" not in str(refused.value)


async def test_file_leaves_neither_wal_nor_erased_text(tmp_path: Path, runtime: RealRuntime) -> None:
    path = tmp_path / "store.sqlite"
    store = LocalStore(path, COLLECTIONS, runtime)
    await store.start()
    letter = "canary-letter " * 50
    await store.save("cases", case("a", text="canary-name", tags=["canary-tag"], letter=letter), 0)
    (stood,) = (row for row in rows_in(path) if row.collection == "cases")
    assert b"canary-name" in stood.text
    before = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert all(text in before for text in (stood.packed, b"canary-tag", b"canary-letter"))
    await store.save("cases", case("a", 2, text="", tags=[]), 1)
    await store.truncate()
    for file in tmp_path.iterdir():
        content = content_of(file)
        assert b"canary" not in content
        assert stood.packed not in content
    await store.save("cases", case("a", 3), 2)
    await store.stop()
    assert [f.name for f in tmp_path.iterdir() if f.stat().st_size] == ["store.sqlite"]
    assert path.stat().st_mode & 0o077 == 0


async def test_file_a_closed_store_is_unavailable(tmp_path: Path, runtime: RealRuntime) -> None:
    store = LocalStore(tmp_path / "store.sqlite", COLLECTIONS, runtime)
    await store.start()
    writes = [asyncio.create_task(store.save("cases", case(f"d{n}"), 0)) for n in range(50)]
    await asyncio.sleep(0)
    await store.stop()
    await asyncio.gather(*writes)
    for call in (store.load("cases", "d1"), store.save("cases", case("e"), 0), store.count("cases", "office", "x")):
        with pytest.raises(Unavailable):
            await call
    await store.start()
    assert len([d async for d in store.scan("cases")]) == 50
    await store.stop()


def mongo(server: SecantusServer, driver: str, database: str, options: str = "") -> MongoStore:
    which: Driver = "motor" if driver == "motor" else "pymongo"
    return MongoStore(server.url + options, database, COLLECTIONS, RealRuntime(), driver=which)


async def timed(call: Callable[[], Awaitable[Any]]) -> tuple[BaseException | None, float]:
    began = time.monotonic()
    try:
        await call()
    except (Unavailable, UnknownOutcome) as error:
        return error, time.monotonic() - began
    return None, time.monotonic() - began


@pytest.mark.real
@pytest.mark.parametrize("driver", DRIVERS)
async def test_mongodb_what_was_acknowledged_outlives_kill_9(victim: SecantusServer, driver: str) -> None:
    store = mongo(victim, driver, f"t{uuid.uuid4().hex[:12]}")
    await store.start()
    acknowledged: set[str] = set()
    errors: list[BaseException] = []

    async def write(writer: int) -> None:
        for n in range(100_000):
            saved, batch = f"s{writer}-{n}", [f"a{writer}-{n}-{k}" for k in range(3)]
            try:
                await store.save("cases", case(saved, office="x", numbers=[saved]), 0)
                acknowledged.add(saved)
                await store.append("cases", [case(id, office="x") for id in batch])
                acknowledged.update(batch)
            except (Unavailable, UnknownOutcome) as error:
                errors.append(error)
                return

    writers = [asyncio.create_task(write(n)) for n in range(8)]
    while len(acknowledged) < 200:
        await asyncio.sleep(0.01)
    await asyncio.to_thread(victim.kill)
    await asyncio.wait_for(asyncio.gather(*writers), 8)
    assert len(errors) == 8
    for call in (lambda: store.load("cases", "a"), lambda: store.save("cases", case("b"), 0), store.clock):
        error, seconds = await timed(call)
        assert isinstance(error, Unavailable)
        assert seconds < 5
    await asyncio.to_thread(victim.start)
    assert acknowledged <= set(await whole(store))
    await store.save("cases", case("again", office="x"), 0)
    await store.stop()


@pytest.mark.real
@pytest.mark.parametrize("driver", DRIVERS)
async def test_mongodb_a_frozen_server_leaves_the_outcome_unknown(victim: SecantusServer, driver: str) -> None:
    store = mongo(victim, driver, f"t{uuid.uuid4().hex[:12]}", "&socketTimeoutMS=700&connectTimeoutMS=700")
    await store.start()
    await store.save("cases", unsent("a"), 0)
    victim.freeze()
    try:
        written, seconds = await timed(lambda: store.save("cases", unsent("a", 2), 1))
        assert isinstance(written, UnknownOutcome)
        assert seconds < 3
        read, seconds = await timed(lambda: store.load("cases", "a"))
        assert isinstance(read, Unavailable)
        assert seconds < 6
    finally:
        victim.thaw()
    # The frozen write may still land, and a later read settles it: version 1 or 2, never both or neither.
    document = None
    for _ in range(40):
        try:
            document = await store.load("cases", "a")
            break
        except Unavailable:
            await asyncio.sleep(0.1)
    assert document is not None
    assert document["version"] in (1, 2)
    with pytest.raises(Conflict):
        await store.save("cases", case("a", 9), 8)
    await store.stop()


@pytest.mark.real
@pytest.mark.parametrize("driver", DRIVERS)
async def test_mongodb_refuses_settings_that_could_lose_a_write(secantus: SecantusServer, driver: str) -> None:
    which: Driver = "motor" if driver == "motor" else "pymongo"
    base = f"mongodb://127.0.0.1:{secantus.port}/"
    for url in (
        f"{base}?w=0&journal=false",
        f"{base}?w=1&journal=false",
        f"{base}?readPreference=secondaryPreferred",
        f"{base}?w=sometimes",
        f"{base}?tls=maybe",
        f"{base}?maxPoolSize=many",
        "mongodb://user:secret@[broken/",
        "http://127.0.0.1/",
    ):
        with pytest.raises(SettingsError) as refused:
            await MongoStore(url, "t", COLLECTIONS, RealRuntime(), driver=which).start()
        assert "secret" not in str(refused.value)
    store = MongoStore(f"{base}?retryWrites=false", "t", COLLECTIONS, RealRuntime(), driver=which)
    await store.start()
    settings = await store.settings()
    assert (settings["w"], settings["journal"], settings["readConcernLevel"]) == ("majority", "true", "majority")
    await store.save("cases", case(f"{driver}-{uuid.uuid4().hex}"), 0)
    await store.stop()


@pytest.mark.real
@pytest.mark.parametrize("driver", DRIVERS)
async def test_mongodb_reports_undeclared_and_refuses_other_indexes(secantus: SecantusServer, driver: str) -> None:
    from pymongo import AsyncMongoClient

    database = f"t{uuid.uuid4().hex[:12]}"
    client: AsyncMongoClient[Any] = AsyncMongoClient(secantus.url)
    await client[database]["cases"].create_index([("state.name", 1)], name="stray")
    store = mongo(secantus, driver, database)
    await store.start()
    assert (await store.settings())["undeclared indexes"] == "cases.stray"
    await store.stop()
    await client[database]["cases"].drop_index("uq")
    await client[database]["cases"].create_index([("uq", 1)], name="uq", sparse=True)
    with pytest.raises(SettingsError, match="uq of cases is not as declared"):
        await store.start()
    await client.close()


class Asked(monitoring.CommandListener):
    """The searches that were sent, as they were."""

    def __init__(self) -> None:
        self.searches: list[dict[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name in ("find", "aggregate"):
            self.searches.append(dict(event.command))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Only what is asked counts."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Only what is asked counts."""


@pytest.mark.real
async def test_mongodb_searches_go_over_the_declared_index(secantus: SecantusServer) -> None:
    asked = Asked()
    # The driver has no way to take a listener back, so it hears the rest of the run too.
    monitoring.register(asked)
    store = mongo(secantus, "motor", f"t{uuid.uuid4().hex[:12]}")
    await store.start()
    await store.save("cases", case("a", office="x", tags=["t"]), 0)
    asked.searches.clear()
    for index in CASES.all_indexes:
        await store.find("cases", index, "x", after="a", until="z")
        await store.count("cases", index, "x")
    assert [search.get("hint") for search in asked.searches] == [None] * 2 * len(CASES.all_indexes)
    with MongoClient[dict[str, Any]](secantus.url) as client:
        cases = client[store._name]["cases"]
        finds = [search for search in asked.searches if "filter" in search]
        for index, search in zip(CASES.all_indexes, finds, strict=True):
            plan = cases.find(search["filter"], sort=search["sort"], limit=search["limit"]).explain()
            assert f"'indexName': 'ix_{index}'" in str(plan["queryPlanner"]["winningPlan"])
    await store.stop()


@pytest.mark.parametrize("driver", DRIVERS)
async def test_mongodb_nobody_there_is_unavailable_soon(driver: str) -> None:
    which: Driver = "motor" if driver == "motor" else "pymongo"
    store = MongoStore("mongodb://127.0.0.1:9/", "t", COLLECTIONS, RealRuntime(), driver=which)
    error, seconds = await timed(store.start)
    assert isinstance(error, Unavailable)
    assert seconds < 5
    error, _ = await timed(lambda: store.load("cases", "a"))
    assert isinstance(error, Unavailable)
