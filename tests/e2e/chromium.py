"""Debian's Chromium, as people's pages are looked at in it; nothing of it reaches another machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

EXECUTABLE = Path("/usr/bin/chromium")
ARGUMENTS = (
    # Chromium refuses root without it, and containers run as root.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser. Skips where there is none, which fails with CI=true."""
    if not EXECUTABLE.exists():
        pytest.skip(f"no browser: {EXECUTABLE} is missing (`make browser`)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=EXECUTABLE, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()
