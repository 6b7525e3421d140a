"""Headers in the local log's file: what many records have in common stands there once, and all of it comes back."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from shared.clock import RealRuntime
from shared.contracts.base import Envelope, Scope
from shared.messaging import local_shapes
from shared.messaging.local import LocalLog
from shared.messaging.local_file import LogFile
from shared.messaging.local_headers import packed
from shared.messaging.port import Headers, Message, Topic

TOPIC = Topic("registration.persons", 1)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def headers(number: int, subject: str = "s", office: str = "kabul", trace: str | None = TRACE) -> Headers:
    envelope = Envelope(
        id=f"id-{number}",
        type="org.sankofa.registration.PersonRecorded",
        version=1,
        source="/registration",
        subject=subject,
        time="2026-01-01T00:00:00.000000Z",
        epoch=1,
        sequence=number,
        scope=Scope(office, "trqn-1", 1),
        correlation_id="c",
        traceparent=trace,
        recorded_time="2026-01-01T00:00:00.000001Z",
    )
    return tuple((name, text.encode()) for name, text in envelope.headers().items())


MANY: list[tuple[str | None, Headers]] = [
    ("s", headers(1)),
    ("s", headers(2)),
    ("other", headers(3)),
    ("s", headers(4, office="herat", trace=None)),
    ("s", ()),
    ("s", (("x-foreign", b"anything"),)),
    ("s", (("ce_id", b"1"), ("ce_id", b"2"))),
    ("s", (("ce_id", b"a\0b"), ("ce_type", b"\xff"))),
    ("s", (("ce_type", b"\xff"),)),
    ("s", (("ce_id", b""), ("ce_type", b""))),
    ("s", (("ce_type", b"t"),)),
    (None, headers(5)),
]


async def opened(path: Path) -> tuple[LocalLog, RealRuntime]:
    runtime = RealRuntime()
    log = LocalLog(path, [TOPIC], runtime)
    await log.start()
    return log, runtime


@pytest.mark.parametrize("limit", [10, 1_000])
async def test_another_process_learns_of_a_shape_when_it_meets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """`limit`: short records and long ones are read in two ways."""
    path = tmp_path / "log.sqlite"
    log, runtime = await opened(path)
    beside = LogFile(path)
    beside.open_beside()
    await log.append(TOPIC.name, 0, [Message("s", b"{}", headers(1))])
    monkeypatch.setattr(local_shapes, "_known", {})
    (record,) = beside.read((TOPIC.name, 0), 0, limit)
    assert record.headers == headers(1)
    beside.close()
    await log.stop()
    runtime.close()


async def test_headers_come_back_in_their_order_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log.sqlite"
    for start in range(2):
        log, runtime = await opened(path)
        if not start:
            await log.append(TOPIC.name, 0, [Message(key, b"{}", given) for key, given in MANY])  # type: ignore[arg-type]
        records = await log.read(TOPIC.name, 0, 0)
        assert [record.headers for record in records] == [given for _, given in MANY]
        assert [record.named for record in records] == [dict(given) for _, given in MANY]
        await log.stop()
        runtime.close()
        # Another process knows only what the file says.
        monkeypatch.setattr(local_shapes, "_known", {})


async def test_what_records_share_stands_once(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log, runtime = await opened(path)
    await log.append(TOPIC.name, 0, [Message("s", b"{}", headers(number)) for number in range(10, 40)])
    await log.stop()
    runtime.close()
    with sqlite3.connect(path) as file:
        (longest,) = file.execute("SELECT max(length(headers)) FROM records").fetchone()
        assert file.execute("SELECT count(*) FROM shapes").fetchone() == (1,)
    assert longest < 0.4 * len(packed(headers(10)))


async def test_a_shape_whose_transaction_failed_is_written_with_the_next(tmp_path: Path) -> None:
    log, runtime = await opened(tmp_path / "log.sqlite")
    with pytest.raises(Exception, match="bind"):
        await log.append(TOPIC.name, 0, [Message("s", b"{}", headers(1)), Message("s", [b"no text"], headers(2))])  # type: ignore[arg-type]
    await log.append(TOPIC.name, 0, [Message("s", b"{}", headers(3))])
    await log.stop()
    runtime.close()
    with sqlite3.connect(tmp_path / "log.sqlite") as file:
        assert file.execute("SELECT count(*) FROM shapes").fetchone() == (1,)


async def test_records_of_an_older_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    log, runtime = await opened(path)
    await log.append(TOPIC.name, 0, [Message("s", b"{}", headers(1))])
    await log.stop()
    with sqlite3.connect(path) as file:
        file.execute("UPDATE records SET headers = ?", (packed(headers(1)),))
        file.execute("DROP TABLE shapes")
    await log.start()
    (record,) = await log.read(TOPIC.name, 0, 0)
    assert record.headers == headers(1)
    await log.stop()
    runtime.close()
