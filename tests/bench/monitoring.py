"""Monitoring: building the read model anew from the log, and recounting an indicator over a million fact versions."""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from services.monitoring.bulk import fill
from services.monitoring.domain.derivation import NEVER_MS
from services.monitoring.follower import Follower
from services.monitoring.queries import cells
from services.monitoring.question import Question
from services.monitoring.rebuild import rebuild
from services.monitoring.schema import FACT_TABLES, PERSONS_TABLES, TYPES
from services.monitoring.store import ReadModel
from shared.clock import RealRuntime
from shared.contracts.base import Envelope
from shared.contracts.catalogue import CATALOGUE
from shared.contracts.registry import read
from shared.messaging.local import LocalLog
from shared.messaging.port import Message
from shared.messaging.readers import InThisProcess
from shared.messaging.topics import TOPICS
from shared.programmes.model import Definition
from tests.bench.recounting import beside_before
from tests.bench.rows import Pair, Result, Row, side_by_side
from tests.unit.monitoring.story import OFFICE, PROGRAMME, Story, definition

PERSONS, PERSONS_QUICK = 8_000, 500
VERSIONS, VERSIONS_QUICK = 1_000_000, 50_000
PERSONS_RECOUNTED = 200_000
RECOUNTS = 25
READ_RECORDS = 10_000


async def rows(quick: bool) -> list[Result]:
    """Events a second of a rebuild against a bare reading loop; milliseconds of recounts, here and by an earlier
    build."""
    recounts = await asyncio.to_thread(_recounts, quick)
    return [await _rebuild(quick), *recounts, *await asyncio.to_thread(beside_before, quick)]


async def _rebuild(quick: bool) -> Result:
    runtime = RealRuntime()
    with tempfile.TemporaryDirectory() as folder:
        log = LocalLog(Path(folder) / "log.sqlite", list(TOPICS.values()), runtime)
        await log.start()
        try:
            await _append(log, PERSONS_QUICK if quick else PERSONS)
            total = sum((await log.ends(sorted(TOPICS))).values())
            pair = await side_by_side(
                lambda: _filled(log, runtime, Path(folder), total), lambda: _read(log, total), quick
            )
            await _check(log, runtime)
        finally:
            await log.stop()
            runtime.close()
    return _rebuild_row(pair, total)


def _rebuild_row(pair: Pair, total: int) -> Row:
    return Row(
        name="monitoring: rebuild",
        unit="events/s",
        ours=pair.ours,
        bare=pair.bare,
        ratios=pair.ratios,
        how=(
            f"{total} events of whole returns, from the local log on file into a DuckDB file with facts and joined "
            "attributes; bare: the same records read and validated one after the other, nothing stored"
        ),
    )


async def _append(log: LocalLog, persons: int) -> None:
    story = Story()
    story.published()
    for number in range(persons):
        name = str(number)
        story.person(name, sex="female" if number % 4 == 0 else "male", birth_year=1950 + number % 40)
        story.accepted(name)
        story.returned(name)
    batches: dict[tuple[str, int], list[Message]] = {}
    for record in story.records:
        message = Message((record.key or b"").decode(), record.value or b"", record.headers)
        batches.setdefault((record.topic, record.partition), []).append(message)
    for (topic, partition), messages in batches.items():
        for start in range(0, len(messages), 1_000):
            await log.append(topic, partition, messages[start : start + 1_000])


async def _filled(log: LocalLog, runtime: RealRuntime, folder: Path, total: int) -> float:
    path = folder / "model.duckdb"
    model = ReadModel(path)
    started = time.perf_counter()
    read_records = await fill(log, model, runtime, InThisProcess(log, runtime))
    seconds = time.perf_counter() - started
    model.close()
    for file in folder.glob("model.duckdb*"):
        file.unlink()
    if read_records != total:
        raise RuntimeError(f"{read_records} of {total} records were read")
    return total / seconds


async def _read(log: LocalLog, total: int) -> float:
    started, seen = time.perf_counter(), 0
    for position in await log.ends(sorted(TOPICS)):
        offset = 0
        while records := await log.read(*position, offset, READ_RECORDS):
            for record in records:
                read(Envelope.of({name: raw.decode() for name, raw in record.headers}), record.value or b"")
            seen += len(records)
            offset = records[-1].offset + 1
    if seen != total:
        raise RuntimeError(f"{seen} of {total} records were read")
    return total / (time.perf_counter() - started)


async def _check(log: LocalLog, runtime: RealRuntime) -> None:
    """A fast rebuild that gives other facts would be no rebuild."""
    live, target = ReadModel(None), ReadModel(None)
    follower = Follower(log, live, runtime)
    await follower.catch_up()
    report = await rebuild(log, follower, target, runtime, InThisProcess(log, runtime))
    live.close()
    target.close()
    if not report.equal:
        raise RuntimeError(f"the rebuilt model differs in {report.different}")


def _recounts(quick: bool) -> list[Result]:
    versions = VERSIONS_QUICK if quick else VERSIONS
    with tempfile.TemporaryDirectory() as folder:
        model = ReadModel(Path(folder) / "model.duckdb")
        _versions(model, 0, versions * 9 // 10)
        model.sort_facts()
        _versions(model, versions * 9 // 10, versions)
        persons = f"SELECT md5(i::VARCHAR)::UUID, i FROM range({PERSONS_RECOUNTED}) t(i)"
        model.database.writer.execute(f"INSERT INTO numbers {persons}")
        model.database.writer.execute("CHECKPOINT")
        asked = definition()
        found: list[Result] = [
            _recount(model, asked, versions, "women_share", (), 12.0),
            _recount(model, asked, versions, "persons", (), 12.0),
            _recount(model, asked, versions, "returns", (), 12.0),
            _recount(model, asked, versions, "persons", ("sex", "age", "residence"), None),
        ]
        model.close()
    return found


def _recount(
    model: ReadModel, asked: Definition, versions: int, code: str, by: tuple[str, ...], goal: float | None
) -> Row:
    indicator = asked.indicator(code)
    dimensions = tuple(d for name in by if (d := asked.dimension(name)) is not None)
    if indicator is None or len(dimensions) < len(by):
        raise RuntimeError("the example programme has changed")
    question = Question(asked, indicator, versions + 1, asked.period("whole"), dimensions)
    walls, processors = [], []
    with model.database.reader() as connection:
        for _ in range(RECOUNTS):
            started, used = time.perf_counter(), time.process_time()
            cells(connection, question, model.cells_seen)
            walls.append((time.perf_counter() - started) * 1000)
            processors.append((time.process_time() - used) * 1000)
    broken_down = f" by {', '.join(by)}" if by else ""
    return Row(
        name=f"monitoring: recount {code}{broken_down}",
        unit="ms",
        ours=median(walls),
        goal=goal,
        less_is_better=True,
        how=(
            f"one query over {versions} fact versions of five kinds in their families' tables, with joined attributes "
            "in a DuckDB file, as-of and period filters; nine tenths of them sorted by kind as the follower leaves "
            f"them, the newest tenth as it came; the wall time of the middle one of {RECOUNTS}, the least "
            f"{min(walls):.1f} ms, in processor time {median(processors):.1f} ms"
        ),
        short=(
            "the wall time of cores that others had too (see load); the processor time, of both cores together, is "
            f"{median(processors):.1f} ms, and the quickest of {RECOUNTS} took {min(walls):.1f} ms"
        ),
    )


# As a programme's facts are spread: a fifth each of these kinds, in turn.
KINDS = ("return_started", "expert_registered", "contract", "offer_made", "return_completed")


def _versions(model: ReadModel, start: int, end: int) -> None:
    """Fact versions of 200,000 persons at most, of five kinds in turn; one in seven has been superseded."""
    first = date(2025, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
    columns: dict[str, Any] = {
        "epoch": "1",
        "sequence": "1",
        "item": "0",
        "office": f"'{OFFICE}'",
        "programme": f"'{PROGRAMME}'",
        "framed": "true",
        "person": f"md5((i % {PERSONS_RECOUNTED})::VARCHAR)::UUID",
        "expert": f"md5('e' || (i % {PERSONS_RECOUNTED})::VARCHAR)::UUID",
        "match": "md5(i::VARCHAR)::UUID",
        "placement": "md5(i::VARCHAR)::UUID",
        "known_from": "i",
        "known_to": f"CASE WHEN i % 7 = 0 THEN i + 1 ELSE {NEVER_MS} END",
        "local_day": f"{first} + i % 800",
        "local_year": "2026",
        "sex_at_now": "CASE WHEN i % 4 = 0 THEN 'female' ELSE 'male' END",
        "birth_year_at_event": "1950 + i % 40",
        "country_of_residence_at_event": "['NL', 'DE', 'BE'][1 + i % 3]",
    }
    for table in FACT_TABLES:
        own = [number for number, kind in enumerate(KINDS) if CATALOGUE.kinds[kind].family.table == table]
        if own:
            named = ", ".join(f"'{kind}'" for kind in KINDS)
            told = {**columns, "kind": f"([{named}][1 + i % {len(KINDS)}])::fact_kind"}
            values = ", ".join(f"{told.get(column, 'NULL')}" for column in TYPES[table])
            rows = f"range({start}, {end}) t(i) WHERE i % {len(KINDS)} IN ({', '.join(map(str, own))})"
            named = [*TYPES[table], *(["person_number"] if table in PERSONS_TABLES else [])]
            numbers = [f"i % {PERSONS_RECOUNTED}"] if table in PERSONS_TABLES else []
            columns_named = ", ".join(f'"{name}"' for name in named)
            model.database.writer.execute(
                f"INSERT INTO {table} ({columns_named}) SELECT {', '.join([values, *numbers])} FROM {rows}"
            )
