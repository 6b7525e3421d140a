"""A child that ends with whoever started it: after a kill too, frozen or deaf to signals, and no other process."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import parting
from deploy.local.parting import Guard, end, identity
from tests.unit.cli.test_demo import child_of, gone

OWNER = """
import sys, time
from pathlib import Path
from deploy.local.processes import Child
child = Child("one", [sys.executable, "-c", {does!r}], {{}}, lambda: True, Path({log!r}))
child.start()
print(child.pid, flush=True)
{then}
"""
SLEEPS = "import time; time.sleep(60)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEPS}"
WAITS = "time.sleep(60)"


def owner(folder: Path, does: str, then: str = WAITS) -> subprocess.Popen[str]:
    said = OWNER.format(does=does, log=str(folder / "one.log"), then=then)
    return subprocess.Popen([sys.executable, "-c", said], stdout=subprocess.PIPE, text=True)


def sleeping() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SLEEPS])


@pytest.mark.parametrize("then", [WAITS, f"child.freeze(); {WAITS}"], ids=["it runs", "it is frozen"])
def test_the_child_of_a_killed_process_ends(tmp_path: Path, then: str) -> None:
    process = owner(tmp_path, SLEEPS, then)
    child = child_of(process)
    process.kill()
    process.wait()
    assert gone(child)


def test_what_hears_no_signal_is_killed() -> None:
    deaf = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert deaf.stdout
    assert deaf.stdout.readline()
    end(identity(deaf.pid), timeout=0.2)
    assert deaf.wait(60) == -signal.SIGKILL


def test_a_child_that_was_stopped_in_order_has_nobody_beside_it(tmp_path: Path) -> None:
    listed = "import subprocess; print(child._guard._beside.pid, flush=True)"
    process = owner(tmp_path, SLEEPS, f"{listed}; child.stop(); print('over', flush=True); {WAITS}")
    child, guard = child_of(process), child_of(process)
    assert identity(guard)
    assert process.stdout
    assert process.stdout.readline() == "over\n"
    assert not identity(child)
    assert not identity(guard)
    process.kill()
    process.wait()


def test_the_last_one_that_was_named_ends_and_one_that_is_let_go_does_not() -> None:
    first, second, third = sleeping(), sleeping(), sleeping()
    try:
        guard = Guard()
        guard.watch(first.pid)
        guard.watch(second.pid)
        stdin = guard._beside.stdin
        assert stdin
        stdin.close()
        assert second.wait(60) == -signal.SIGTERM
        assert first.poll() is None
        released = Guard()
        released.watch(third.pid)
        released.leave()
        assert released._beside.returncode == -signal.SIGKILL
        assert third.poll() is None
        guard.leave()
    finally:
        for one in (first, second, third):
            one.kill()
            one.wait()


def test_where_there_is_no_proc_a_process_is_known_by_its_start_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parting, "PROC", tmp_path / "none")
    child = sleeping()
    known = identity(child.pid)
    assert known == identity(child.pid)
    assert known.startswith(f"{child.pid} ")
    assert len(known.split()) > 3
    child.kill()
    # A zombie until somebody waits for it.
    assert gone(child.pid)
    child.wait()
    assert identity(child.pid) == ""
