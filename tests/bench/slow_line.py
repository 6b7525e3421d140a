"""A page in Chromium on a slow line, and an address asked one request after the other, or by several callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page

# A telephone on the edge of a network: 400 kbit/s each way, 400 ms there and back.
BYTES_A_SECOND, LATENCY_MS = 400_000 / 8, 400
SUSTAINED_SECONDS, CALLERS = 8.0, 4
LOAD_SECONDS = 120
SLOW = "Chromium at 400 kbit/s and 400 ms latency, put there by its own protocol; "
USABLE = "until the first contentful paint, which waits for the style sheet and not for the script"
VIEWPORT = {"width": 360, "height": 800}


@dataclass(frozen=True)
class Loaded:
    """What one page took: compressed bytes with headers, requests, and milliseconds until it could be used."""

    kilobytes: float
    requests: int
    usable_ms: float


def middle_of(found: Sequence[Loaded]) -> Loaded:
    """The median of each figure."""
    kilobytes, requests, usable = ([getattr(one, part.name) for one in found] for part in fields(Loaded))
    return Loaded(median(kilobytes), round(median(requests)), median(usable))


def loaded(context: BrowserContext, address: str) -> Loaded:
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    throughput = {"downloadThroughput": BYTES_A_SECOND, "uploadThroughput": BYTES_A_SECOND}
    line.send("Network.emulateNetworkConditions", {"offline": False, "latency": LATENCY_MS, **throughput})
    came: list[float] = []
    line.on("Network.loadingFinished", lambda one: came.append(float(one["encodedDataLength"])))
    page.goto(address, timeout=LOAD_SECONDS * 1e3)
    page.wait_for_load_state("networkidle", timeout=LOAD_SECONDS * 1e3)
    usable = _painted(page)
    page.close()
    # What the browser kept takes no bytes, and is no request.
    sent = [one for one in came if one]
    return Loaded(sum(sent) / 1_000, len(sent), usable)


def _painted(page: Page) -> float:
    found: Any = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    return float(found)


def asked(address: str, headers: dict[str, str], times: int) -> list[float]:
    """Milliseconds of each request."""
    found = []
    with httpx.Client(headers=headers, timeout=LOAD_SECONDS) as http:
        http.get(address).raise_for_status()
        for _ in range(times):
            began = time.perf_counter()
            answer = http.get(address)
            found.append((time.perf_counter() - began) * 1e3)
            assert answer.status_code == httpx.codes.OK, answer.status_code
    return found


def sustained(address: str, headers: dict[str, str]) -> float:
    """Requests a second."""
    counted: list[int] = []
    until = time.perf_counter() + SUSTAINED_SECONDS

    def call() -> None:
        number = 0
        with httpx.Client(headers=headers, timeout=LOAD_SECONDS) as http:
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
