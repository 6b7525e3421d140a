"""What holds for every test: with CI=true nothing may be skipped, since a missing part proves nothing.

Two reasons are let through: a container engine and a mount need rights that a machine may not give.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

from deploy.cli.collecting import NEW_OBJECTS

# A new checkout first works out which characters there are, and a shared machine is slow at times: neither is a fault
# of what is tested.
settings.register_profile("sankofa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sankofa")

# How the reason of a skip begins that is let through.
NO_ENGINE = "no container engine: "
NO_MOUNT = "no mount: "


def pytest_collectstart() -> None:
    """What is read and collected stays, so nothing of it is looked through before all of it is there."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Garbage is looked for seldom, as in a process that serves, and never among modules and collected tests.

    Going through these again and again took a third of the processor time of the unit tests.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    # Every test leaves services behind; the whole of it more seldom, and a worker takes a gigabyte of memory.
    gc.set_threshold(NEW_OBJECTS, 10, 4)


def pytest_unconfigure() -> None:
    """At the end of the process libraries look for what they think was never freed."""
    gc.unfreeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.startswith((f"Skipped: {NO_ENGINE}", f"Skipped: {NO_MOUNT}")):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped where nothing may be: {reason}"
    return report
