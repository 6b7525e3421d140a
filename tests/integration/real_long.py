"""A whole history on real servers, with or without faults, as a command: figures, seconds, invariants.

`python -m tests.integration.real_long trqn-1 [--replicas 2] [--fault-seconds 10] [--seed 1]`
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
from pathlib import Path

from tests.e2e.evidence import violations
from tests.integration.real_histories import left_behind
from tests.integration.real_system import SANKOFA, RealSystem

FROZEN_SECONDS = 12.0


def harm(system: RealSystem, rng: random.Random) -> str:
    """One fault, mended again before this returns; its name."""
    kind = rng.choice(["replica", "replica", "replica", "broker", "store", "frozen"])
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
    return kind


def run(system: RealSystem, code: str, fault_seconds: float, rng: random.Random) -> tuple[str, Counter[str], int]:
    """The figures as JSON, the faults that happened, the runner's exit code."""
    environment = {**os.environ, "SANKOFA_KEYS": str(system.keys), "SANKOFA_DATA": str(system.folder / "client")}
    words = [SANKOFA, "history", "run", code, "--url", system.url, "--json"]
    faults: Counter[str] = Counter()
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as runner:
        while fault_seconds and runner.poll() is None:
            time.sleep(rng.uniform(0.5, 1.5) * fault_seconds)
            if runner.poll() is None:
                faults[harm(system, rng)] += 1
        out, _ = runner.communicate()
    return out, faults, runner.returncode


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
            began = time.monotonic()
            out, faults, code = run(system, given.code, given.fault_seconds, random.Random(given.seed))
            seconds = time.monotonic() - began
            wrong = [row for row in json.loads(out or "[]") if not row["right"]]
            print(f"{given.code}: {seconds:.1f} s, exit {code}, faults {dict(faults)}, seed {given.seed}", flush=True)
            print(f"figures off: {[row['code'] for row in wrong]}", flush=True)
            found = [str(violation) for violation in violations(asyncio.run(left_behind(system)))]
        finally:
            system.stop()
    print(f"violations: {found[:10]} ({len(found)})")
    sys.exit(1 if code or wrong or found else 0)


if __name__ == "__main__":
    main()
