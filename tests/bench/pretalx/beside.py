"""What pretalx takes for the same: the form's first step and an organiser's list of as many rows."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

from playwright.sync_api import Browser

from deploy.local.processes import ChildFailed, MissingTool
from tests.bench.pretalx.server import WORKERS, Pretalx, pretalx
from tests.bench.rows import QUICK_RUNS, NotMeasured, Result, Row
from tests.bench.slow_line import SLOW, USABLE, VIEWPORT, Loaded, asked, loaded, middle_of, sustained

NAME = "pages: beside pretalx"
# On the slow line a page takes twenty seconds, and a request of the list one.
RUNS, ASKED, ASKED_QUICK = 1, 20, 5
PERCENTILE, TENTH = 95, 10


@dataclass(frozen=True)
class Side:
    """The form and the list in a browser, the list's 95th percentile in milliseconds, and requests a second."""

    form: Loaded
    listed: Loaded
    p95: float
    rate: float


def rows(browser: Browser, ours: Side, many: int, quick: bool) -> list[Result]:
    """Ours, measured just before, beside pretalx on the same machine. `many`: rows of the list."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with pretalx(Path(folder)) as running:
                return [*_compared(ours, _measured(browser, running, many, quick), running.version, many)]
        except (MissingTool, ChildFailed, RuntimeError) as error:
            return [NotMeasured(NAME, str(error).splitlines()[0])]


def _measured(browser: Browser, running: Pretalx, many: int, quick: bool) -> Side:
    forms, lists, address = list[Loaded](), list[Loaded](), running.listed(many)
    for _ in range(QUICK_RUNS if quick else RUNS):
        context = browser.new_context(viewport=VIEWPORT)
        forms.append(loaded(context, running.form))
        context.close()
        context = browser.new_context(viewport=VIEWPORT)
        context.add_cookies([{**running.cookie, "url": running.url}])
        lists.append(loaded(context, address))
        context.close()
    headers = {"Cookie": f"{running.cookie['name']}={running.cookie['value']}", "Accept-Encoding": "gzip"}
    times = asked(address, headers, ASKED_QUICK if quick else ASKED)
    p95 = quantiles(times, n=100)[PERCENTILE - 1]
    return Side(middle_of(forms), middle_of(lists), p95, sustained(address, headers))


def _compared(ours: Side, theirs: Side, version: str, many: int) -> list[Row]:
    of = (
        f"pretalx {version} with its SQLite, a Redis and {WORKERS} workers of gunicorn, out of its debug mode, on the "
        "same machine in the same run, after ours: a call with 200 submissions by 150 speakers"
    )
    form = f"{SLOW}ours: the longest part of the public form; {of}, the first step of its form, nothing kept before"
    listed = f"{SLOW}ours: an officer's list of {many} experts; {of}, its organiser's list of {many} submissions"
    served = f"{of}; the same list, one request after the other over one connection"
    return [
        _row(f"{NAME}, form", "KB", ours.form.kilobytes, theirs.form.kilobytes, form),
        _row(f"{NAME}, form, requests", "requests", ours.form.requests, theirs.form.requests, form),
        _row(f"{NAME}, form, usable", "ms", ours.form.usable_ms, theirs.form.usable_ms, f"{form}; {USABLE}"),
        _row(f"{NAME}, list", "KB", ours.listed.kilobytes, theirs.listed.kilobytes, listed),
        _row(f"{NAME}, list, usable", "ms", ours.listed.usable_ms, theirs.listed.usable_ms, f"{listed}; {USABLE}"),
        _row(f"{NAME}, list, p95", "ms", ours.p95, theirs.p95, served, TENTH),
        Row(f"{NAME}, list, sustained", "requests/s", ours.rate, f"{of}; the list by several callers", theirs.rate),
    ]


def _row(name: str, unit: str, ours: float, theirs: float, how: str, goal: float | None = None) -> Row:
    return Row(name, unit, ours, how, theirs, goal=goal, less_is_better=True)
