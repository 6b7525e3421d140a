"""The trail on a store and a log: an entry stands before its reader is answered, heads are anchored, cuts are found."""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from deploy.cli.main import app_of
from shared.audit import trail as trails
from shared.audit.chain import Reading
from shared.audit.segments import AUDIT_COLLECTIONS, READINGS, SEGMENTS
from shared.audit.trail import Trail
from shared.audit.verifying import Report, verify
from shared.clock import derived_id
from shared.errors import Unavailable, UnknownOutcome
from shared.identity.keys import Keys
from shared.messaging.local import LocalLog
from shared.messaging.relay import Relay
from shared.messaging.topics import TOPICS
from shared.store.aggregates import Kernel
from shared.store.local import LocalStore
from shared.store.packing import packing_by, shipped_words
from shared.store.port import OUTBOX_INDEX
from tests.unit.registration.serving import Clock


def reading(number: int = 0) -> Reading:
    at = f"2026-11-29T08:30:{number % 60:02d}.000000Z"
    person = derived_id("person", str(number))
    return Reading(at, derived_id("officer"), "officer", "kabul", "registration", "contact", ("email",), (person,))


class Kept:
    """Store and log of one service, in memory or in a folder, and a trail over them."""

    def __init__(self, keys: Keys, folder: Path | None = None) -> None:
        self.clock = Clock()
        self.keys = keys
        path = (lambda name: folder / name) if folder else (lambda _name: None)
        self.store = LocalStore(path("registration.sqlite"), AUDIT_COLLECTIONS, self.clock)
        self.log = LocalLog(path("log.sqlite"), list(TOPICS.values()), self.clock)
        self.relay = Relay(self.store, self.log, self.clock)
        self.trail = self.another()

    def another(self, store: Any = None) -> Trail:
        """The trail of another process."""
        return Trail(Kernel("registration", store or self.store, self.relay, self.clock), self.keys, self.clock)

    async def __aenter__(self) -> Kept:
        await self.log.start()
        await self.store.start()
        self.relay.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.relay.stop()
        await self.store.stop()
        await self.log.stop()
        self.clock.close()

    async def sent(self) -> None:
        while await self.store.count(SEGMENTS.name, OUTBOX_INDEX, "pending"):
            await self.clock.sleep(0.005)

    async def report(self) -> Report:
        await self.sent()
        return await verify(self.store, self.log, self.keys.audit_key("registration"))

    async def segments(self) -> list[Any]:
        return [document async for document in self.store.scan(SEGMENTS.name)]

    async def entries(self) -> int:
        return await self.store.count(READINGS.name, "all", "all")


@pytest_asyncio.fixture
async def kept() -> AsyncIterator[Kept]:
    async with Kept(Keys.in_memory(random.Random(3))) as one:
        yield one


async def test_it_is_written_before_it_is_answered_and_together(kept: Kept) -> None:
    await kept.trail.write(reading())
    assert await kept.entries() == 1
    await asyncio.gather(*(kept.trail.write(reading(number)) for number in range(1, 40)))
    report = await kept.report()
    assert (report.findings, report.segments, report.entries, report.unanchored) == ((), 1, 40, 40)
    await kept.trail.anchor()
    await kept.trail.anchor()
    assert (await kept.report()).unanchored == 0
    (segment,) = await kept.segments()
    assert (segment["state"]["count"], segment["emitted"]["audit"]["count"]) == (40, 2)
    found = await kept.store.find(READINGS.name, "subject", derived_id("person", "7"))
    assert [one["reading"]["purpose"] for one in found] == ["contact"]
    newest = await kept.store.find(READINGS.name, "all", "all", limit=2)
    assert [one["reading"]["at"][17:19] for one in newest] == ["39", "38"]


async def test_processes_have_segments_of_their_own_and_one_anchors_what_another_left(kept: Kept) -> None:
    gone = kept.another()
    await gone.write(reading(1))
    await kept.trail.write(reading(2))
    await kept.trail.anchor()
    assert (await kept.report()) == Report(segments=2, entries=2)
    # Nobody looks at what nobody writes into any more; a process that comes back late has its entry all the same.
    kept.clock.ahead += timedelta(days=2)
    await kept.trail.anchor()
    assert [one["state"]["status"] for one in await kept.segments()] == ["closed", "closed"]
    await gone.write(reading(3))
    assert (await kept.report()) == Report(segments=2, entries=3, unanchored=1)


async def test_a_full_segment_is_followed_by_another(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "ENTRIES_AT_MOST", 5)
    for number in range(12):
        await kept.trail.write(reading(number))
    await kept.trail.anchor()
    await kept.trail.anchor()
    assert sorted(one["state"]["status"] for one in await kept.segments()) == ["closed", "closed", "open"]
    assert (await kept.report()) == Report(segments=3, entries=12)


class Failing:
    """A store whose appends end so, before or after what they do."""

    def __init__(self, store: LocalStore, error: Exception, *, written: int = 0) -> None:
        self._store = store
        self._error = error
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, collection: str, documents: list[Any]) -> Any:
        if self._written:
            await self._store.append(collection, documents[-self._written :])
        raise self._error


@pytest.mark.parametrize("written", [0, 1, 2])
async def test_what_is_not_known_to_be_durable_is_answered_with_nothing(kept: Kept, written: int) -> None:
    """Also where a crash left the end of a write behind: it is no tampering, and the next entry goes elsewhere."""
    failing = kept.another(Failing(kept.store, UnknownOutcome("append"), written=written))
    answers = await asyncio.gather(failing.write(reading(1)), failing.write(reading(2)), return_exceptions=True)
    assert [type(one) for one in answers] == [Unavailable, Unavailable]
    await kept.trail.write(reading(3))
    await kept.trail.anchor()
    report = await kept.report()
    assert report.findings == ()
    assert report.torn == (1 if written == 1 else 0)


# Done to the files of a stopped system by somebody who has no key.
IN = "WHERE collection = (SELECT number FROM collections WHERE name = '{name}')"
AT = f"{IN.format(name='readings')} AND id LIKE '%-{{number:04d}}'"
DELETE = f"DELETE FROM contents {AT}"
UNLIST = f"DELETE FROM entries WHERE number IN (SELECT number FROM contents {AT})"
RENUMBER = f"UPDATE contents SET id = substr(id, 1, length(id) - 4) || '{{to:04d}}' {AT}"
TAMPERED: dict[str, tuple[str, list[str]]] = {
    "edit": (
        "edited",
        [f"UPDATE contents SET packed = edited(packed) {AT.format(number=2)}"],
    ),
    "deletion": ("deleted", [UNLIST.format(number=3), DELETE.format(number=3)]),
    "truncation": (
        "truncated",
        [statement.format(number=number) for number in (5, 6, 7) for statement in (UNLIST, DELETE)],
    ),
    "reordering": (
        "reordered",
        [RENUMBER.format(number=number, to=to) for number, to in ((2, 9999), (4, 2), (9999, 4))],
    ),
    "whole segment": (
        "deleted",
        ["DELETE FROM contents", "DELETE FROM entries", "DELETE FROM outboxes"],
    ),
    "its document": ("deleted", [f"DELETE FROM contents {IN.format(name='audit_segments')}"]),
    "listing": ("hidden", [f"{UNLIST.format(number=3)} AND ix IN (SELECT number FROM indexes WHERE name = 'subject')"]),
}


def test_the_command_finds_what_was_done_to_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA_BOOTSTRAP_SERVERS", "MONGODB_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SANKOFA_KEYS", str(tmp_path / "keys"))
    asyncio.run(_written(tmp_path / "data", Keys(tmp_path / "keys")))
    code, said = _verified(tmp_path / "data")
    assert (code, said.splitlines()[-1]) == (0, "the trail is as it was written"), said
    assert "7 entries in 1 segments; 1 not anchored yet" in said
    for name, (kind, statements) in TAMPERED.items():
        folder = tmp_path / name
        shutil.copytree(tmp_path / "data", folder)
        with closing(sqlite3.connect(folder / "registration.sqlite")) as store, store:
            store.create_function("edited", 1, _edited)
            for statement in statements:
                assert store.execute(statement).rowcount > 0 or "outboxes" in statement, (name, statement)
        code, said = _verified(folder)
        assert code == 1, (name, said)
        assert any(line.startswith(f"{kind}: ") for line in said.splitlines()), (name, said)
    with closing(sqlite3.connect(tmp_path / "data" / "log.sqlite")) as log, log:
        assert log.execute("DELETE FROM records WHERE number > 0").rowcount > 0
    assert _verified(tmp_path / "data")[0] == 1


def _edited(packed: bytes) -> bytes:
    packing = packing_by(shipped_words())
    return packing.pack(packing.unpack(packed).replace(b"contact", b"another"))


async def _written(folder: Path, keys: Keys) -> None:
    folder.mkdir()
    async with Kept(keys, folder) as kept:
        for number in range(6):
            await kept.trail.write(reading(number))
        await kept.trail.anchor()
        await kept.trail.write(reading(7))
        await kept.sent()


def _verified(folder: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app_of(["audit"]), ["audit", "verify", "--data", str(folder)])
    return result.exit_code, result.output
