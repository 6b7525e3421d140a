"""`python -m tests.bench [--only NAME] [--real | --load | --pages] [--quick]`: runs benchmarks and prints them.

Without --quick it writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Sequence

from shared.telemetry.observability import configure_logging
from tests.bench.rows import NotMeasured, Result, Row
from tests.bench.table import figure, keep

BENCHMARKS = ("intake", "kernel", "consumers", "monitoring", "breadth", "suppression", "demo")
# On real servers as child processes, and beside consumers of other making.
REAL = {"real": "tests.bench.real", "peers": "tests.bench.peers.rounds"}
# From outside through HTTP, beside an earlier build. Of each the module, and which of its functions if not `rows`.
LOAD = {
    "load-cost": "tests.bench.load.cost",
    "load-sustained": "tests.bench.load.sustained",
    "load-overload": "tests.bench.load.overload",
    "load-kill": "tests.bench.load.overload:killed",
    "load-freeze": "tests.bench.load.overload:frozen",
    "load-held": "tests.bench.load.sustained:held",
}

# In Chromium on a slow line, which takes a machine that has one.
PAGES = ("pages", "lists", "typed")

Rows = Callable[[bool], Awaitable[list[Result]]]


def rows_of(name: str) -> Rows | NotMeasured:
    """The function that measures the benchmark; why not, where a part that it measures does not import."""
    place, _, function = ({**REAL, **LOAD}.get(name) or f"tests.bench.{name}").partition(":")
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        return NotMeasured(name, f"there is no module {error.name}")
    rows: Rows = getattr(module, function or "rows")
    return rows


def shown(result: Result) -> str:
    if isinstance(result, NotMeasured):
        return f"  {result.name}: not measured, {result.reason}"
    line = f"  {result.name}: {figure(result.ours)} {result.unit}"
    if result.bare is not None and result.ratio is not None:
        line += f", beside {figure(result.bare)}: {result.ratio:.2f}"
    return line + {True: ", goal met", False: ", short of its goal", None: ""}[result.met]


def kinds(options: argparse.Namespace) -> Sequence[tuple[bool, Sequence[str]]]:
    return ((options.real, tuple(REAL)), (options.load, tuple(LOAD)), (options.pages, PAGES))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only",
        choices=(*BENCHMARKS, *REAL, *LOAD, *PAGES),
        action="append",
        help="this benchmark alone; may be repeated",
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--real", action="store_true", help="those on real servers, instead of the others")
    kind.add_argument("--load", action="store_true", help="those under load from outside, instead of the others")
    kind.add_argument("--pages", action="store_true", help="those of pages in a browser, instead of the others")
    parser.add_argument("--quick", action="store_true", help="one short run each; prints, and writes nothing")
    options = parser.parse_args()
    configure_logging("bench", "error")
    for name in options.only or next((names for asked, names in kinds(options) if asked), BENCHMARKS):
        print(name, flush=True)
        rows = rows_of(name)
        results = [rows] if isinstance(rows, NotMeasured) else asyncio.run(rows(options.quick))  # type: ignore[arg-type]
        for result in results:
            print(shown(result), flush=True)
        if not options.quick:
            keep({name: [one for one in results if isinstance(one, Row | NotMeasured)]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
