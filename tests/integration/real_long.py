"""A whole history on real servers, with or without faults, as a command: figures, seconds, invariants.

`python -m tests.integration.real_long trqn-1 [--replicas 2] [--fault-seconds 20] [--seed 1]`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.identity.keys import Keys
from tests.e2e.evidence import answered, journal_violations, violations
from tests.integration.real_histories import left_behind
from tests.integration.real_system import SANKOFA, RealSystem

# CONSUMER_SETTINGS' session is 10 s: a replica that is frozen for longer has lost its partitions when it wakes.
FROZEN_SECONDS = 12.0
KINDS = ("replica", "replica", "broker", "store", "frozen")


@dataclass(frozen=True)
class Outcome:
    """What a history on real servers came to; `wrong` and `violations` are empty where all is well."""

    seconds: float
    exit_code: int
    faults: Counter[str]
    wrong: list[str]
    violations: list[str]

    @property
    def good(self) -> bool:
        return self.exit_code == 0 and not self.wrong and not self.violations


def kinds(rng: random.Random) -> Iterator[str]:
    """Kinds of faults without end; each five hold every kind."""
    while True:
        yield from rng.sample(KINDS, len(KINDS))


def harm(system: RealSystem, kind: str, rng: random.Random) -> None:
    """One fault, mended again before this returns."""
    name = rng.choice(list(system.replicas))
    if kind == "replica":
        system.replicas[name].child.kill()
        system.restart(name)
    elif kind == "frozen":
        system.replicas[name].child.freeze()
        time.sleep(FROZEN_SECONDS)
        system.replicas[name].child.thaw()
    else:
        server = system.kafka if kind == "broker" else system.store
        server.kill()
        server.start()


def run(system: RealSystem, code: str, fault_seconds: float, rng: random.Random) -> tuple[str, Counter[str], int]:
    """The figures as JSON, the faults that happened, the runner's exit code."""
    environment = {**os.environ, "SANKOFA_KEYS": str(system.keys), "SANKOFA_DATA": str(system.folder / "client")}
    words = [SANKOFA, "history", "run", code, "--url", system.url, "--json"]
    faults: Counter[str] = Counter()
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as runner:
        for kind in kinds(rng) if fault_seconds else ():
            try:
                runner.wait(rng.uniform(0.5, 1.5) * fault_seconds)
                break
            except subprocess.TimeoutExpired:
                harm(system, kind, rng)
                faults[kind] += 1
        out, _ = runner.communicate()
    return out, faults, runner.returncode


def outcome(system: RealSystem, code: str, fault_seconds: float, seed: int) -> Outcome:
    """Runs the history on a started system and reads its topics and stores; the services are stopped then."""
    began = time.monotonic()
    out, faults, exit_code = run(system, code, fault_seconds, random.Random(seed))
    seconds = time.monotonic() - began
    rows = json.loads(out or "[]")
    wrong = [row["code"] for row in rows if not row["right"]] if rows else ["no figures"]
    system.stop_services()
    left = asyncio.run(left_behind(system))
    found = [
        *violations(left),
        *journal_violations(left, Keys(system.keys), [answered(code, system.folder / "client")]),
    ]
    return Outcome(seconds, exit_code, faults, wrong, [str(violation) for violation in found])


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("code")
    words.add_argument("--replicas", type=int, default=2)
    words.add_argument("--fault-seconds", type=float, default=0.0, help="mean pause between two faults; 0: none")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--folder", type=Path, help="where everything is kept; else a folder that goes with the run")
    given = words.parse_args()
    with contextlib.ExitStack() as kept:
        folder = given.folder or Path(kept.enter_context(tempfile.TemporaryDirectory()))
        system = RealSystem(folder, given.replicas)
        try:
            began = time.monotonic()
            system.start()
            print(f"{len(system.replicas)} processes up in {time.monotonic() - began:.1f} s", flush=True)
            found = outcome(system, given.code, given.fault_seconds, given.seed)
        finally:
            system.stop()
    faults = f"faults {dict(found.faults)}, seed {given.seed}"
    print(f"{given.code}: {found.seconds:.1f} s, exit {found.exit_code}, {faults}")
    print(f"figures off: {found.wrong}")
    print(f"violations: {found.violations[:10]} ({len(found.violations)})")
    sys.exit(0 if found.good else 1)


if __name__ == "__main__":
    main()
