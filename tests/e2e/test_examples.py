"""The example that each verb's help ends with, run as it stands: beside a system that has what the examples name."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console import ran
from tests.e2e.edge_world import People
from tests.e2e.system import System
from tests.e2e.test_command_line import COMMAND, verbs_of
from tests.e2e.test_parked import SUBJECT, poison

ROOT = Path(__file__).parents[2]
EXAMPLE = "Example: sankofa "
# These serve until they are stopped, or take minutes: tests of their own start each of them.
BY_THEMSELVES = {"up", "serve", "demo", "issuer", "history run", "history all"}
# What still waits behind a record is an answer too.
MAY_SAY_NO = {"parked replay", "parked drop"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """With the programme of the examples, a receipt, published keys, and a record that nobody can mend."""
    folder = tmp_path_factory.mktemp("examples")
    system = System(folder)
    # A table is as wide as the terminal.
    system.environment["COLUMNS"] = "250"
    (folder / "deploy").symlink_to(ROOT / "deploy")
    asyncio.run(poison(system.data))
    with system.running():
        people = People(system)
        people.publish()
        (folder / "receipt.json").write_text(json.dumps(people.done("/registration/v1/experts", people.registration())))
        (folder / "published-keys.json").write_text(people.http.get("/registration/v1/keys").text)
        people.eventually(lambda: SUBJECT in system.sankofa("parked", "list").stdout, "the parked record")
        people.close()
        yield system


def examples() -> list[tuple[str, str]]:
    """By verb, in the order of the help: a copy before what is restored of it, a look before what is dropped."""
    found = [(" ".join(names), str(verb.epilog)) for names, verb in verbs_of(COMMAND)]
    assert all(epilog.startswith(EXAMPLE) for _, epilog in found)
    return [(name, epilog.removeprefix(EXAMPLE)) for name, epilog in found]


def test_the_example_of_every_verb_runs(system: System) -> None:
    folder, wrong, seen = system.data.parent, {}, set()
    said = {"SUBJECT": SUBJECT, "http://127.0.0.1:8000": system.url, "/srv": str(folder)}
    environment = {**system.environment, "SANKOFA_KEYS": str(system.keys)}
    for name, example in examples():
        if name in BY_THEMSELVES:
            continue
        for written, here in said.items():
            example = example.replace(written, here)
        done = ran(shlex.split(example), environment, folder=folder, timeout=120)
        seen.add(name)
        if done.returncode not in ((0, 1) if name in MAY_SAY_NO else (0,)):
            wrong[example] = (done.returncode, done.stdout[-300:], done.stderr[-300:])
    assert wrong == {}
    assert len(seen) >= 14
    assert {name for name, _ in examples()} >= BY_THEMSELVES
