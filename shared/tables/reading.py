"""Rows of a table that somebody sent, read by a process of its own with little memory and little time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from shared.errors import Refusal
from shared.tables.reading_process import LARGE, UNREADABLE, lettered
from shared.telemetry.observability import count

Form = Literal["csv", "xlsx"]
SECONDS_AT_MOST = 20.0
ENDS_WITHIN_SECONDS = 2.0
ROWS_IN_A_TURN = 100
LINE_BYTES_AT_MOST = 4 * 1_048_576
COMMAND = (sys.executable, "-m", "shared.tables.reading_process")
MEDIA_TYPES: Mapping[str, Form] = {
    "text/csv": "csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}


@dataclass(frozen=True)
class TableRow:
    """`number`: the row's, as the sheet counts it from 1; `cells`: from the first column on, as text; `wrong`: by the
    place of a cell in `cells`, the rule that it breaks as it stands."""

    number: int
    cells: tuple[str, ...]
    wrong: Mapping[int, str]

    def cell(self, place: int) -> str:
        """What a sheet calls the cell, such as `C7`."""
        return cell_of(place, self.number)


def cell_of(place: int, row: int) -> str:
    """`place`: of the column, from 0."""
    return f"{lettered(place + 1)}{row}"


async def rows_of(
    form: Form, content: bytes, *, rows: int, columns: int, command: tuple[str, ...] = COMMAND
) -> AsyncIterator[TableRow]:
    """The rows that have something in them, in their order; to be read to the end within 20 seconds.

    Refusal (422) `table_unreadable`, `table_too_large` (also for what takes more memory or time than there is),
    `table_not_utf8`, `table_without_sheet`.
    """
    # It gets none of the settings, among which there are passwords.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command, form, str(rows), str(columns), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=kept,
        limit=LINE_BYTES_AT_MOST,
    )  # fmt: skip
    patience = 0.0
    try:
        async with asyncio.timeout(SECONDS_AT_MOST), aclosing(_lines(process, content)) as lines:
            async for line in lines:
                yield line
        patience = ENDS_WITHIN_SECONDS
    except Refusal:
        patience = ENDS_WITHIN_SECONDS
        raise
    except (TimeoutError, ValueError):
        count("table_reading_cut_off")
        raise Refusal(LARGE, "a table that is read in some seconds", status=422) from None
    finally:
        await _ended(process, patience)


async def _ended(process: asyncio.subprocess.Process, patience: float) -> None:
    """What has said its last line ends by itself; anything else is killed."""
    try:
        # Not at once: killing a process that has just ended takes its exit from whoever waits for it.
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _lines(process: asyncio.subprocess.Process, content: bytes) -> AsyncGenerator[TableRow]:
    if process.stdin is None or process.stdout is None:
        raise OSError
    try:
        process.stdin.write(content)
        await process.stdin.drain()
        process.stdin.close()
    except ConnectionError:
        raise Refusal(UNREADABLE, status=422) from None
    number = 0
    async for raw in process.stdout:
        number += 1
        if number % ROWS_IN_A_TURN == 0:
            # What has come already is read without waiting for anything.
            await asyncio.sleep(0)
        line = json.loads(raw)
        if "end" in line:
            return
        if "refused" in line:
            raise Refusal(str(line["refused"]), status=422)
        yield TableRow(line["row"], tuple(line["cells"]), {column - 1: rule for column, rule in line["wrong"]})
    # Killed by one of its limits, in the middle of a line or between two.
    count("table_reading_killed")
    raise Refusal(LARGE, "a table that is read in some seconds", status=422)
