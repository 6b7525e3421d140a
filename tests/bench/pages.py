"""Pages on a slow line in Chromium; a list of 200 rows under load, and beside the JSON list of the same rows."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median, quantiles

from playwright.sync_api import Browser, BrowserContext

from services.registration.applying.parts import NAMED, OTHERS
from tests.bench.pretalx import beside
from tests.bench.rows import QUICK_RUNS, NotMeasured, Result, Row
from tests.bench.slow_line import (
    CALLERS,
    SLOW,
    SUSTAINED_SECONDS,
    USABLE,
    VIEWPORT,
    Loaded,
    asked,
    loaded,
    middle_of,
    sustained,
)
from tests.e2e.chromium import EXECUTABLE, chromium
from tests.e2e.edge_world import OFFICE, PROGRAMME, People
from tests.e2e.system import System

# In a browser a run takes a minute, and its figures are far from the machine's noise.
RUNS = 3
LISTED, LISTED_QUICK = 200, 20
ASKED, ASKED_QUICK = 100, 20
LONGEST = OTHERS
PARTS = (*NAMED, OTHERS)
WARM = "a part of the form in a browser that has style sheet, script and lists"
LIST = f"/registration/experts?limit={LISTED}"
PERCENTILE = 95
SUSTAINED_AT_LEAST = 5


async def rows(quick: bool) -> list[Result]:
    if not EXECUTABLE.exists():
        return [NotMeasured("pages", f"no browser: {EXECUTABLE} is missing (`make browser`)")]
    return await asyncio.to_thread(_rows, quick)


def _rows(quick: bool) -> list[Result]:
    with _system() as people, chromium() as browser:
        for _ in range(LISTED_QUICK if quick else LISTED):
            people.done("/registration/v1/experts", people.registration())
        people.quiet()
        form, of_form = _form(browser, people, quick)
        listed, of_list = _list(browser, people, quick)
        served, p95, rate = _served(browser, people, quick)
        ours = beside.Side(of_form, of_list, p95, rate)
        return [*form, *listed, *served, *beside.rows(browser, ours, LISTED, quick)]


@contextmanager
def _system() -> Iterator[People]:
    with tempfile.TemporaryDirectory() as folder:
        system = System(Path(folder))
        system.start()
        people = None
        try:
            system.wait_ready()
            people = People(system)
            people.publish()
            yield people
        finally:
            if people:
                people.close()
            system.stop()


def _form(browser: Browser, people: People, quick: bool) -> tuple[list[Row], Loaded]:
    """The longest part of an application, to a browser that was nowhere here before and to one that was."""
    cold, warm, longest = list[Loaded](), list[float](), list[Loaded]()
    for _ in range(QUICK_RUNS if quick else RUNS):
        context = browser.new_context(viewport=VIEWPORT)
        parts = f"{people.system.url}/registration/application/part"
        page = context.new_page()
        page.goto(f"{people.system.url}/registration/apply/{PROGRAMME}")
        page.click("main form button")
        page.close()
        # The cookies stay; what was kept of style, script and lists goes.
        fresh = browser.new_context(viewport=VIEWPORT, storage_state=context.storage_state())
        cold.append(loaded(fresh, f"{parts}/{LONGEST}"))
        further = {part: loaded(fresh, f"{parts}/{part}") for part in PARTS}
        warm.append(mean(one.kilobytes for one in further.values()))
        longest.append(further[LONGEST])
        fresh.close()
        context.close()
    how = f"{SLOW}the longest part of the public form (`{LONGEST}`, with the file of its lists), nothing kept before"
    first = middle_of(cold)
    rows = [
        _row("pages: public form, cold", "KB", first.kilobytes, 30, how),
        _row("pages: public form, requests", "requests", first.requests, 5, how),
        _row("pages: public form, usable", "ms", first.usable_ms, 1_500, f"{how}; {USABLE}"),
        _row("pages: public form, warm", "KB", median(warm), 5, f"{SLOW}{WARM}; the mean of its {len(PARTS)} parts"),
        _row(
            "pages: public form, longest part warm",
            "KB",
            median(one.kilobytes for one in longest),
            None,
            f"{SLOW}{WARM}",
        ),
    ]
    return rows, first


def _list(browser: Browser, people: People, quick: bool) -> tuple[list[Row], Loaded]:
    found = []
    for _ in range(QUICK_RUNS if quick else RUNS):
        context = _officer(browser, people)
        fresh = browser.new_context(viewport=VIEWPORT, storage_state=context.storage_state())
        found.append(loaded(fresh, people.system.url + LIST))
        fresh.close()
        context.close()
    how = f"{SLOW}an officer's list of {LISTED} experts, nothing kept before"
    first = middle_of(found)
    rows = [
        _row("pages: list of 200 rows", "KB", first.kilobytes, 60, how),
        _row("pages: list of 200 rows, usable", "ms", first.usable_ms, 3_000, f"{how}; {USABLE}"),
    ]
    return rows, first


def _served(browser: Browser, people: People, quick: bool) -> tuple[list[Row], float, float]:
    """The same list as the server makes it: one after the other beside JSON, then as many as it can. The rows, the
    95th percentile in milliseconds, and requests a second."""
    context = _officer(browser, people)
    # The pass is given on the way to the page.
    context.new_page().goto(people.system.url + LIST)
    held = "; ".join(
        f"{one['name']}={one['value']}" for one in context.cookies() if "/registration".startswith(one["path"])
    )
    context.close()
    page = {"Cookie": held, "Accept": "text/html", "Accept-Encoding": "gzip"}
    json = {**people.headers("officer", OFFICE), "Accept-Encoding": "gzip"}
    medians: dict[str, list[float]] = {"page": [], "json": []}
    taken: list[float] = []
    for _ in range(QUICK_RUNS if quick else RUNS):
        for name, path, headers in (("page", LIST, page), ("json", LIST.replace("/experts", "/v1/experts"), json)):
            times = asked(people.system.url + path, headers, ASKED_QUICK if quick else ASKED)
            medians[name].append(median(times))
            taken += times if name == "page" else []
    rate, p95 = sustained(people.system.url + LIST, page), quantiles(taken, n=100)[PERCENTILE - 1]
    ratios = tuple(b / a for a, b in zip(medians["page"], medians["json"], strict=True))
    how = f"an officer's list of {LISTED} experts, one request after the other over one connection on this machine"
    rows = [
        Row(
            name="pages: list beside JSON",
            unit="ms",
            ours=median(medians["page"]),
            bare=median(medians["json"]),
            ratios=ratios,
            # At most a third slower.
            goal=0.75,
            less_is_better=True,
            how=f"{how}; bare: the JSON list of the same rows",
            short="reading the rows is the same in both; writing each row as HTML takes about twice as long as writing "
            "it as JSON, and the page around them, with its filters, 2 to 3 ms",
        ),
        _row("pages: list of 200 rows, p95", "ms", p95, None, how),
        Row(
            name="pages: list of 200 rows, sustained",
            unit="requests/s",
            ours=rate,
            goal=SUSTAINED_AT_LEAST,
            how=f"the same by {CALLERS} callers for {SUSTAINED_SECONDS:g} s, in one process with all four services",
        ),
    ]
    return rows, p95, rate


def _officer(browser: Browser, people: People) -> BrowserContext:
    context = browser.new_context(viewport=VIEWPORT)
    page = context.new_page()
    page.goto(f"{people.system.url}/?lang=en")
    page.click(f"button[value='officer@{OFFICE}']")
    page.wait_for_url("**/today")
    page.goto(people.system.url + LIST)
    page.close()
    return context


def _row(name: str, unit: str, ours: float, goal: float | None, how: str) -> Row:
    return Row(name=name, unit=unit, ours=ours, goal=goal, less_is_better=True, how=how)
