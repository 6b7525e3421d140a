"""Pages on a slow line in Chromium; a list of 200 rows under load, and beside the JSON list of the same rows."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, Page

from services.registration.applying.parts import NAMED, OTHERS
from tests.bench.rows import QUICK_RUNS, RUNS, NotMeasured, Result, Row
from tests.e2e.chromium import EXECUTABLE, chromium
from tests.e2e.edge_world import OFFICE, PROGRAMME, People
from tests.e2e.system import System

# A telephone on the edge of a network: 400 kbit/s each way, 400 ms there and back.
BYTES_A_SECOND, LATENCY_MS = 400_000 / 8, 400
LISTED, LISTED_QUICK = 200, 20
ASKED, ASKED_QUICK = 100, 20
SUSTAINED_SECONDS, CALLERS = 8.0, 4
LONGEST = OTHERS
PARTS = (*NAMED, OTHERS)
WARM = "a part of the form in a browser that has style sheet, script and lists"
LIST = f"/registration/experts?limit={LISTED}"
PERCENTILE = 95
SLOW = "Chromium at 400 kbit/s and 400 ms latency, put there by its own protocol; "
USABLE = "until the first contentful paint, which waits for the style sheet and not for the script"
PRETALX = (
    "pretalx 2026.2.1 asks for Python 3.13 and, outside of its debug mode, for a Redis server, without which the first "
    "step of its form answers 500 (connection refused); this bench starts none"
)


@dataclass(frozen=True)
class Loaded:
    """What one page took: compressed bytes with headers, requests, and milliseconds until it could be used."""

    kilobytes: float
    requests: int
    usable_ms: float


async def rows(quick: bool) -> list[Result]:
    if not EXECUTABLE.exists():
        return [NotMeasured("pages", f"no browser: {EXECUTABLE} is missing (`make browser`)")]
    return await asyncio.to_thread(_rows, quick)


def _rows(quick: bool) -> list[Result]:
    with _system() as people, chromium() as browser:
        for _ in range(LISTED_QUICK if quick else LISTED):
            people.done("/registration/v1/experts", people.registration())
        people.quiet()
        return [
            *_form(browser, people, quick),
            *_list(browser, people, quick),
            *_served(browser, people, quick),
            NotMeasured("pages: beside pretalx", PRETALX),
        ]


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


def _form(browser: Browser, people: People, quick: bool) -> list[Result]:
    """The longest part of an application, to a browser that was nowhere here before and to one that was."""
    cold, warm, longest = list[Loaded](), list[float](), list[Loaded]()
    for _ in range(QUICK_RUNS if quick else RUNS):
        context = browser.new_context(viewport={"width": 360, "height": 800})
        parts = f"{people.system.url}/registration/application/part"
        page = context.new_page()
        page.goto(f"{people.system.url}/registration/apply/{PROGRAMME}")
        page.click("main form button")
        page.close()
        # The cookies stay; what was kept of style, script and lists goes.
        fresh = browser.new_context(viewport={"width": 360, "height": 800}, storage_state=context.storage_state())
        cold.append(_loaded(fresh, f"{parts}/{LONGEST}"))
        further = {part: _loaded(fresh, f"{parts}/{part}") for part in PARTS}
        warm.append(mean(one.kilobytes for one in further.values()))
        longest.append(further[LONGEST])
        fresh.close()
        context.close()
    how = f"{SLOW}the longest part of the public form (`{LONGEST}`, with the file of its lists), nothing kept before"
    return [
        _row("pages: public form, cold", "KB", median(one.kilobytes for one in cold), 30, how),
        _row("pages: public form, requests", "requests", median(one.requests for one in cold), 5, how),
        _row("pages: public form, usable", "ms", median(one.usable_ms for one in cold), 1_500, f"{how}; {USABLE}"),
        _row("pages: public form, warm", "KB", median(warm), 5, f"{SLOW}{WARM}; the mean of its {len(PARTS)} parts"),
        _row(
            "pages: public form, longest part warm",
            "KB",
            median(one.kilobytes for one in longest),
            None,
            f"{SLOW}{WARM}",
        ),
    ]


def _list(browser: Browser, people: People, quick: bool) -> list[Result]:
    found = []
    for _ in range(QUICK_RUNS if quick else RUNS):
        context = _officer(browser, people)
        fresh = browser.new_context(viewport={"width": 360, "height": 800}, storage_state=context.storage_state())
        found.append(_loaded(fresh, people.system.url + LIST))
        fresh.close()
        context.close()
    how = f"{SLOW}an officer's list of {LISTED} experts, nothing kept before"
    return [
        _row("pages: list of 200 rows", "KB", median(one.kilobytes for one in found), 60, how),
        _row(
            "pages: list of 200 rows, usable", "ms", median(one.usable_ms for one in found), 3_000, f"{how}; {USABLE}"
        ),
    ]


def _served(browser: Browser, people: People, quick: bool) -> list[Result]:
    """The same list as the server makes it: one after the other beside JSON, then as many as it can."""
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
            times = _asked(people.system.url + path, headers, ASKED_QUICK if quick else ASKED)
            medians[name].append(median(times))
            taken += times if name == "page" else []
    rate = _sustained(people.system.url + LIST, page)
    ratios = tuple(b / a for a, b in zip(medians["page"], medians["json"], strict=True))
    how = f"an officer's list of {LISTED} experts, one request after the other over one connection on this machine"
    return [
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
            short="reading the rows is the same in both; the words of each cell (state, programme, an instant with its "
            "zone) take longer than writing the row as JSON, and a third of that is the instants",
        ),
        _row("pages: list of 200 rows, p95", "ms", quantiles(taken, n=100)[PERCENTILE - 1], None, how),
        Row(
            name="pages: list of 200 rows, sustained",
            unit="requests/s",
            ours=rate,
            how=f"the same by {CALLERS} callers for {SUSTAINED_SECONDS:g} s, in one process with all four services",
        ),
    ]


def _officer(browser: Browser, people: People) -> BrowserContext:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(f"{people.system.url}/?lang=en")
    page.click(f"button[value='officer@{OFFICE}']")
    page.wait_for_url("**/today")
    page.goto(people.system.url + LIST)
    page.close()
    return context


def _loaded(context: BrowserContext, address: str) -> Loaded:
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    throughput = {"downloadThroughput": BYTES_A_SECOND, "uploadThroughput": BYTES_A_SECOND}
    line.send("Network.emulateNetworkConditions", {"offline": False, "latency": LATENCY_MS, **throughput})
    came: list[float] = []
    line.on("Network.loadingFinished", lambda one: came.append(float(one["encodedDataLength"])))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    usable = _painted(page)
    page.close()
    # What the browser kept takes no bytes, and is no request.
    sent = [one for one in came if one]
    return Loaded(sum(sent) / 1_000, len(sent), usable)


def _painted(page: Page) -> float:
    found: Any = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return float(found)


def _asked(address: str, headers: dict[str, str], times: int) -> list[float]:
    """Milliseconds of each request."""
    found = []
    with httpx.Client(headers=headers, timeout=30) as http:
        http.get(address).raise_for_status()
        for _ in range(times):
            began = time.perf_counter()
            answer = http.get(address)
            found.append((time.perf_counter() - began) * 1e3)
            assert answer.status_code == httpx.codes.OK, answer.status_code
    return found


def _sustained(address: str, headers: dict[str, str]) -> float:
    """Requests a second."""
    counted: list[int] = []
    until = time.perf_counter() + SUSTAINED_SECONDS

    def call() -> None:
        number = 0
        with httpx.Client(headers=headers, timeout=30) as http:
            while time.perf_counter() < until:
                assert http.get(address).status_code == httpx.codes.OK
                number += 1
        counted.append(number)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert len(counted) == CALLERS, "a caller was refused"
    return sum(counted) / SUSTAINED_SECONDS


def _row(name: str, unit: str, ours: float, goal: float | None, how: str) -> Row:
    return Row(name=name, unit=unit, ours=ours, goal=goal, less_is_better=True, how=how)
