"""The whole history of trqn-1 on real servers, two replicas a service: once undisturbed, once under faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.real_long import KINDS, Outcome, outcome
from tests.integration.real_system import RealSystem
from tests.tools import skipped_without_tools

# Six minutes and more on two cores, each: a form of its own, `make real`.
pytestmark = [pytest.mark.real, pytest.mark.long, pytest.mark.timeout(3600)]


def told(folder: Path, fault_seconds: float) -> Outcome:
    with skipped_without_tools():
        system = RealSystem(folder, drivers=("motor", "pymongo"))
        system.start()
    try:
        return outcome(system, "trqn-1", fault_seconds, seed=1)
    finally:
        system.stop()


def test_every_published_figure_is_right(tmp_path: Path) -> None:
    found = told(tmp_path, 0.0)
    assert found.good, found


def test_every_published_figure_is_right_when_replicas_broker_and_store_die_on_the_way(tmp_path: Path) -> None:
    found = told(tmp_path, 20.0)
    assert found.good, found
    assert set(found.faults) == set(KINDS), "the history was over before every kind of fault had happened"
