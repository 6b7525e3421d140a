"""The development issuer as a process of its own: it alone holds its key, services have the public half."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import console
from tests.e2e.system import System, free_port, got

CLIENT, SECRET = "command-line", "a secret of the client"


@dataclass
class Apart:
    """The issuer's folder and address, and a system whose keys' folder was given the public half."""

    keys: Path
    url: str
    system: System


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    folder = tmp_path_factory.mktemp("apart")
    system, port, keys = System(folder / "system"), free_port(), folder / "issuer-keys"
    (folder / "system").mkdir()
    credentials = {"SANKOFA_CLIENT_ID": CLIENT, "SANKOFA_CLIENT_SECRET": SECRET}
    given = {**system.environment, **credentials, "SANKOFA_KEYS": str(keys)}
    child = console.started(("issuer", "--port", str(port)), given)
    try:
        url = f"http://127.0.0.1:{port}/issuer"
        _wait(f"{url}/health/ready")
        own = folder / "system" / "data-keys"
        own.mkdir(mode=0o700)
        shutil.copytree(keys / "issuer-public", own / "issuer-public")
        system.environment |= {**credentials, "SANKOFA_SIGN_IN_URL": f"{url}/token", "SANKOFA_KEYS": str(own)}
        system.start()
        system.wait_ready()
        yield Apart(keys, url, system)
    finally:
        system.stop()
        child.terminate()
        assert child.wait(10) in (0, -15, 143)


def _wait(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            if got(url).is_success:
                return
        except httpx.TransportError:
            assert time.monotonic() < until, "the issuer does not answer"
        time.sleep(0.05)


def test_services_verify_with_the_public_half_and_hold_nothing_that_signs(apart: Apart) -> None:
    held = Path(apart.system.environment["SANKOFA_KEYS"])
    assert (held / "issuer-public/current.key").read_bytes() == (apart.keys / "issuer-public/current.key").read_bytes()
    ran = apart.system.sankofa("doctor")
    assert ran.returncode == 0, ran.stderr
    assert not (held / "issuer").exists()
    private = (apart.keys / "issuer/current.key").read_bytes()
    assert all(path.read_bytes() != private for path in held.rglob("*") if path.is_file())


def test_the_command_line_plays_anybody_by_the_clients_secret_alone(apart: Apart) -> None:
    ran = apart.system.sankofa("token", "--role", "officer", "--office", "kabul", "--subject", "one")
    answer = httpx.get(
        f"{apart.system.url}/registration/v1/institutions", headers={"Authorization": f"Bearer {ran.stdout.strip()}"}
    )
    assert answer.status_code == 200, ran.stderr
    for name, secret in ((CLIENT, "another"), ("another", SECRET), ("", "")):
        refused = httpx.post(f"{apart.url}/token", data={"grant_type": "client_credentials"}, auth=(name, secret))
        assert (refused.status_code, refused.json()) == (401, {"error": "invalid_client"})
    credentials = {"client_id": CLIENT, "client_secret": SECRET}
    for asked, error in (
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "role": "king"}, "invalid_request"),
        ({"grant_type": "client_credentials", "more": "x" * 20_000}, "invalid_request"),
    ):
        refused = httpx.post(f"{apart.url}/token", data={**credentials, **asked})
        assert refused.json() == {"error": error}
    found = httpx.get(f"{apart.url}/.well-known/openid-configuration").json()
    assert httpx.get(found["jwks_uri"]).json()["keys"][0]["kty"] == "OKP"
    assert "d" not in httpx.get(found["jwks_uri"]).json()["keys"][0]


def test_with_a_real_issuer_it_makes_no_key_and_signs_nothing(tmp_path: Path) -> None:
    port, keys = free_port(), tmp_path / "keys"
    given = {"PATH": "/usr/bin:/bin", "SANKOFA_KEYS": str(keys), "SANKOFA_ISSUER": "https://login.example.org"}
    child = console.started(("issuer", "--port", str(port)), given, folder=tmp_path)
    try:
        _wait(f"http://127.0.0.1:{port}/issuer/health/ready")
        assert httpx.post(f"http://127.0.0.1:{port}/issuer/token").status_code == 404
        assert not keys.exists()
    finally:
        child.terminate()
        child.wait(10)


def test_without_a_client_it_says_so_in_one_line(tmp_path: Path) -> None:
    given = {"PATH": "/usr/bin:/bin", "SANKOFA_KEYS": str(tmp_path / "keys")}
    ran = console.ran(("issuer", "--port", "0"), given, folder=tmp_path, timeout=60)
    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1)
    assert "SANKOFA_CLIENT_SECRET" in ran.stderr
