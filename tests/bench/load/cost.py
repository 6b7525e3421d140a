"""What a registration costs below the knee: processor time and disk."""

from __future__ import annotations

from statistics import median

from tests.bench.load.builds import Build
from tests.bench.load.rounds import Rounds, Steady
from tests.bench.load.sides import SAME, beside
from tests.bench.rows import Result, Row

NAME = "Processor time a registration, edge to indicator"
# Where it goes, by samples of the event loop and the processor time of each thread; all on the short form.
SHORT_OF_TIME = (
    "two thirds are Python on the event loop (8.3 ms of 12.5: the edge 3.2, of which the signature of the token, the "
    "body and the receipt are half; shadows with what follows from them 1.4; the decision 1.1; turns of the loop 1; "
    "the mail 0.7), a seventh registration's writer (half of it commits), a fifteenth the read model's transactions. "
    "The earlier build wrote no message, no audit entry, no mail and no rows of names. Little of it is slow when it "
    "runs warm: at 60 a second, in larger rounds, a registration took 8.4 ms. Sixteen saves take 0.1 ms of the loop "
    "each, a fifth of it the look at the document, as much its encoding; all loads and searches a sixth of that"
)
SHORT_OF_DISK = (
    "registration's store is half of it: eight documents, of which the sealed receipt and the person's sealed fields "
    "are two thirds and do not get shorter, and thirty index entries. The log is a quarter, unpacked, since a rebuild "
    "reads it by patterns of its bytes; the read model a fifth, in blocks of 64 kB"
)


async def rows(quick: bool) -> list[Result]:
    return await beside(NAME, quick, measured)


def measured(running: Rounds, ours: Build, earlier: Build) -> list[Result]:
    form, mine, theirs = running.form, Steady(), Steady()
    for _ in range(form.rounds):
        running.steady(ours, mine)
        running.steady(earlier, theirs)
    how = (
        f"{form.steady_rate:g} a second for {form.steady_seconds:g} s, until the indicator counts all; {SAME}. The "
        "ratio is the earlier build's over this one's"
    )

    def row(
        name: str, unit: str, of: tuple[list[float], list[float]], scale: float, goal: float, what: str, short: str
    ) -> Row:
        ratios = tuple(b / a for a, b in zip(*of, strict=True))
        a, b = (median(side) * scale for side in of)
        return Row(name, unit, a, f"{what}; {how}.", b, ratios, goal, less_is_better=True, short=short)

    processor, disk = (mine.processor, theirs.processor), (mine.disk, theirs.disk)
    folder = "the data folder's files after a stop"
    return [
        row(NAME, "ms", processor, 1e3, 1 / 0.45, "all processes of the system, user and kernel", SHORT_OF_TIME),
        row("Disk a registration", "kB", disk, 1e-3, 2.0, folder, SHORT_OF_DISK),
    ]
