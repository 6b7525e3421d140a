"""The open programme that the demo publishes beside its history, so that anybody can try to apply."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deploy.cli.demo import CODE, OPEN_CODE, OPEN_FIGURES, OPEN_TITLE, open_programme, to_publish
from deploy.cli.files import definition_path, read_definition
from deploy.cli.hosting import _own
from deploy.local.parting import identity
from shared.errors import SettingsError
from shared.programmes.checks import check
from shared.programmes.model import Dates
from shared.programmes.sections.selection import SelectionSection
from shared.web.pages.languages import LANGUAGES

TODAY = date(2031, 12, 31)


def test_it_is_open_says_what_it_is_and_can_be_published() -> None:
    found = open_programme(TODAY)
    assert not found.is_over(None, datetime(2031, 12, 31, tzinfo=UTC) + timedelta(days=365))
    assert found.dates.starts <= TODAY
    assert set(OPEN_TITLE) == set(LANGUAGES)
    assert [one for one in check(found) if not one.warning] == []
    history = read_definition(definition_path(CODE))
    assert found.code == OPEN_CODE != history.code
    assert found.section(SelectionSection) == history.section(SelectionSection)
    # What somebody who tries it changes is counted, in this year and the next.
    assert {one.code for one in found.indicators} == OPEN_FIGURES
    assert [(one.code, one.starts.year) for one in found.periods] == [("year-2031", 2031), ("year-2032", 2032)]


def test_what_is_published_stands_until_it_is_over_and_then_keeps_all_but_its_dates() -> None:
    now = datetime(2031, 12, 31, tzinfo=UTC)
    opened = open_programme(TODAY)
    assert to_publish(None, now) == opened
    assert to_publish(opened.as_json(), now) is None
    later = opened.model_copy(update={"dates": opened.dates.model_copy(update={"ends": date(2034, 6, 30)})})
    assert to_publish(later.as_json(), now) is None
    over = later.model_copy(update={"phase": "second", "dates": Dates(starts=date(2029, 1, 1), ends=TODAY)})
    assert to_publish(over.as_json(), now) == over.model_copy(update={"dates": opened.dates})


def demonstrating(folder: Path) -> subprocess.Popen[str]:
    """A process that holds the folder and ends its child as the demo does; its first line is the child's id."""
    said = f"""
import subprocess, sys
from pathlib import Path
from deploy.cli import demo, hosting
held = hosting._own(Path({str(folder)!r}))
sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
with demo.ending(lambda: subprocess.Popen(sleeps, start_new_session=True)) as child:
    print(child.pid, flush=True)
    child.wait()
"""
    return subprocess.Popen([sys.executable, "-c", said], stdout=subprocess.PIPE, text=True)


def child_of(demo: subprocess.Popen[str]) -> int:
    assert demo.stdout
    return int(demo.stdout.readline())


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while identity(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not identity(pid)


def test_a_signal_that_ends_the_demo_ends_its_child_and_a_folder_in_use_names_who_uses_it(tmp_path: Path) -> None:
    demo = demonstrating(tmp_path)
    try:
        child = child_of(demo)
        with pytest.raises(SettingsError, match=rf"in use by another process \(pid {demo.pid}\)"):
            _own(tmp_path)
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(60) == -signal.SIGINT
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    finally:
        demo.kill()


def test_a_demo_that_is_killed_leaves_no_child_behind(tmp_path: Path) -> None:
    demo = demonstrating(tmp_path)
    child = child_of(demo)
    assert identity(child)
    demo.kill()
    demo.wait()
    assert gone(child)
