"""`sankofa up` as somebody meets it: it stops when asked to and says in one line why it cannot start."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from deploy.cli.main import app_of
from shared.clock import derived_id
from shared.identity.issuers import DEVELOPMENT_ISSUER
from tests.e2e.edge_world import People
from tests.e2e.system import SANKOFA, System, free_port
from tests.e2e.test_erasure import document_of


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    yield system
    system.stop()


# On a port of its own: the usual one may be somebody's.
UP_ANYWHERE = ("up", "--port", str(free_port()))


def refused(system: System, *words: str) -> str:
    ran = system.sankofa(*words, timeout=30)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    [line] = ran.stderr.strip().splitlines()
    return line


def test_ctrl_c_ends_cleanly_within_five_seconds(system: System) -> None:
    system.start(installed=True)
    system.wait_ready()
    code, seconds = system.interrupt()
    assert code == 0, system.errors.read_text()
    assert seconds < 5
    assert "Traceback" not in system.errors.read_text()


def test_a_busy_port_is_one_clear_line(system: System) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", system.port))
        busy.listen()
        assert f"port {system.port}" in refused(system, "up", "--port", str(system.port))
        assert f"port {system.port}" in refused(system, "demo", "--port", str(system.port))
    assert not list(system.data.parent.glob("data*"))


@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
def test_a_port_that_there_is_not_is_wrong_use(system: System, port: str) -> None:
    for verb in (("up",), ("demo",), ("serve", "matching")):
        ran = system.sankofa(*verb, "--port", port, timeout=30)
        assert ran.returncode == 2
        assert "Traceback" not in ran.stderr
        assert "--port" in ran.stderr


def test_an_account_hangs_on_a_key_without_which_nothing_starts(system: System) -> None:
    system.start()
    system.wait_ready()
    people = People(system)
    people.publish()
    expert = people.expert("registered", subject="me@example.org")
    person = people.person_of(expert)
    people.close()
    system.interrupt()
    account = document_of(system.data, "persons", person)["state"]["account"]
    guesses = {
        derived_id(*parts) for parts in itertools.permutations((DEVELOPMENT_ISSUER, "me@example.org", "account"))
    }
    guesses |= {derived_id(DEVELOPMENT_ISSUER, "me@example.org"), derived_id("account", "me@example.org")}
    assert account not in {None, *guesses}
    (system.keys / "identity").rename(system.keys / "lost")
    line = refused(system, "up", "--port", str(system.port))
    assert "identity key" in line
    shutil.rmtree(system.keys / "identity", ignore_errors=True)
    (system.keys / "lost").rename(system.keys / "identity")
    system.start()
    system.wait_ready()


def test_a_folder_that_cannot_be_written_is_one_clear_line(system: System, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(system, *UP_ANYWHERE, "--data", str(tmp_path / "file" / "data"))


def test_a_second_up_on_the_same_folder_is_one_clear_line(system: System) -> None:
    system.start()
    system.wait_ready()
    assert "in use" in refused(system, "up", "--port", "0", "--data", str(system.data))


def test_after_a_kill_it_starts_again_on_the_same_folder(system: System) -> None:
    for _ in range(2):
        system.start()
        system.wait_ready()
        system.kill()
    assert "Traceback" not in system.errors.read_text()


def test_wrong_words_are_exit_code_two(system: System) -> None:
    assert "no such role" in refused(system, "token", "--role", "king")
    assert "no file" in refused(system, "programme", "lint", "missing.yaml")
    assert "no system has been started" in refused(system, "figures", "trqn-1")
    words = [SANKOFA, "nonsense"]
    assert subprocess.run(words, env=system.environment, capture_output=True, check=False).returncode == 2


def test_a_definition_is_refused_at_line_and_field(system: System, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "deploy/programmes/trqn-1.yaml").read_text()
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("time_zone: Europe/Amsterdam", "time_zone: Europe/Atlantis"))
    ran = system.sankofa("programme", "lint", str(broken))
    assert ran.returncode == 1
    assert f"{broken}:16:" in ran.stdout
    assert "/offices/0/time_zone" in ran.stdout
    assert "/offices/0/time_zone" in refused(system, "programme", "publish", str(broken))


def test_a_history_that_cannot_be_is_one_clear_line(system: System, tmp_path: Path) -> None:
    """Nobody can come back several times within a few days; the file fits its schema all the same."""
    text = (Path(__file__).parents[2] / "deploy/histories/trqn-1.yaml").read_text()
    crowded = tmp_path / "crowded.yaml"
    text = text.replace("{starts: 2006-06-12, ends: 2007-08-01,", "{starts: 2007-07-20, ends: 2007-08-01,")
    crowded.write_text(text.replace("{starts: 2007-08-01, ends: 2008-04-15,", "{starts: 2008-04-01, ends: 2008-04-15,"))
    line = refused(system, "history", "run", str(crowded))
    assert str(crowded) in line
    assert "180 days apart" in line
    crowded.write_text(text.replace("ended_early: [", "ended_late: ["))
    assert "/deliveries/ended_late" in refused(system, "history", "run", str(crowded))


def verbs_of(group: TyperGroup, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from verbs_of(command, (*names, name))
        else:
            yield (*names, name), command


COMMAND = typer.main.get_command(app_of(()))
assert isinstance(COMMAND, TyperGroup)


@pytest.mark.parametrize(
    ("names", "verb"), [pytest.param(*found, id=" ".join(found[0])) for found in verbs_of(COMMAND)]
)
def test_every_verbs_example_is_one_that_it_takes(names: tuple[str, ...], verb: Any) -> None:
    """The parser of the command line itself reads each word of the example; nothing is run."""
    assert verb.epilog is not None
    assert verb.epilog.startswith("Example: sankofa ")
    words = shlex.split(verb.epilog.removeprefix("Example: sankofa "))
    assert tuple(words[: len(names)]) == names
    with verb.make_context(" ".join(names), words[len(names) :]):
        pass
    shown = CliRunner().invoke(app_of(()), [*names, "--help"])
    assert shown.exit_code == 0
    assert "Example: sankofa" in shown.output


def test_ctrl_c_with_half_sent_uploads_is_quiet_and_waits_for_none(system: System) -> None:
    system.start()
    system.wait_ready()
    head = b"POST /registration/v1/experts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with contextlib.ExitStack() as open_ones:
        for _ in range(5):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", system.port)))
            connection.sendall(
                head + b"Authorization: Bearer " + system_token(system) + b"\r\nContent-Length: 100\r\n\r\n{"
            )
        time.sleep(0.5)
        code, seconds = system.interrupt()
    assert code == 0
    # 1 s for requests under way, 3 s for the rest.
    assert seconds < 5
    # One line says that some were cut off; none tells of each.
    lines = [line for line in system.errors.read_text().splitlines() if "ERROR" in line or '"error"' in line]
    assert [line for line in lines if "graceful_shutdown_exceeded" not in line] == []
    assert len(lines) <= 1


def system_token(system: System) -> bytes:
    return system.token("officer", "kabul")["Authorization"].removeprefix("Bearer ").encode()


def test_the_keys_stand_beside_the_data_and_nobody_else_reads_them(system: System) -> None:
    system.start()
    system.wait_ready()
    keys = system.data.with_name("data-keys")
    assert keys.is_dir()
    assert system.sankofa("doctor").returncode == 0
    assert not list(system.data.rglob("*.key"))
    assert all(os.stat(path).st_mode & 0o077 == 0 for path in keys.rglob("*") if path.is_file())


def test_what_it_writes_is_closed_to_other_accounts(system: System, tmp_path: Path) -> None:
    system.data.mkdir(mode=0o755)
    (system.data / "lock").touch(0o644)
    (system.data / "log.sqlite").touch(0o644)
    system.start()
    system.wait_ready()
    assert system.data.stat().st_mode & 0o777 == 0o700
    written = [path for folder in (system.data, tmp_path / "data-keys") for path in folder.rglob("*") if path.is_file()]
    assert {"log.sqlite", "log.sqlite-wal", "current"} <= {path.name for path in written}
    assert any(path.suffix == ".duckdb" for path in written)
    assert [path.name for path in written if path.stat().st_mode & 0o077 and path.name != "lock"] == []


def test_a_folder_of_somebody_else_keeps_its_mode(system: System) -> None:
    system.data.mkdir(mode=0o755)
    system.start()
    system.wait_ready()
    assert system.data.stat().st_mode & 0o777 == 0o755
    assert [p.name for p in system.data.rglob("*") if p.is_file() and p.stat().st_mode & 0o077] == []


def test_it_answers_to_its_own_names_alone(system: System) -> None:
    system.environment["SANKOFA_BASE_URL"] = "https://sankofa.example.org"
    system.start()
    system.wait_ready()
    for host, status in (("sankofa.example.org", 200), (f"localhost:{system.port}", 200), ("evil.example.org", 400)):
        answer = httpx.get(f"{system.url}/registration/health/live", headers={"Host": host})
        assert answer.status_code == status


def test_an_address_without_a_name_is_one_clear_line(system: System) -> None:
    system.environment["SANKOFA_BASE_URL"] = "sankofa.example.org"
    assert "SANKOFA_BASE_URL" in refused(system, *UP_ANYWHERE)
    assert not system.data.exists()


def test_keys_inside_the_data_folder_are_refused(system: System, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").symlink_to(system.data)
    for keys in (system.data / "keys", system.data, tmp_path / "elsewhere" / "keys"):
        system.environment["SANKOFA_KEYS"] = str(keys)
        assert "inside the data folder" in refused(system, "up")
        assert "inside the data folder" in refused(system, "token", "--role", "officer")
    assert not system.data.exists()


def test_keys_that_are_open_to_others_are_refused(system: System) -> None:
    keys = system.data.with_name("data-keys")
    keys.mkdir(mode=0o755)
    (keys / "issuer").mkdir()
    assert "open to other accounts" in refused(system, *UP_ANYWHERE)


def test_a_verb_that_needs_a_key_makes_none(system: System, tmp_path: Path) -> None:
    receipt = {"status_url": "/registration/v1/receipts/a", "signature": "x", "key_id": "x", "id": "a"}
    receipt |= {"kind": "registration", "subject": "b", "received_at": "2026-03-01T12:00:00.000000Z", "digest": "d"}
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    for words in (("token", "--role", "officer"), ("doctor",), ("receipt", "verify", str(tmp_path / "receipt.json"))):
        assert "no system has been started" in refused(system, *words)
    assert not system.data.with_name("data-keys").exists()
