"""An installation with an OpenID issuer of its own: its operator's token, from a file, carries the verbs."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.e2e.system import SANKOFA, System

KEY = ECKey.generate_key("P-256", parameters={"kid": "operator-1"})
PROGRAMME = str(Path(__file__).parents[2] / "deploy/programmes/trqn-1.yaml")


@pytest.fixture
def issuer() -> Iterator[str]:
    """The address of an OpenID issuer on this machine."""
    documents: dict[str, Any] = {"/keys": {"keys": [KEY.as_dict(private=False)]}}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(documents[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        documents["/.well-known/openid-configuration"] = {"issuer": address, "jwks_uri": f"{address}/keys"}
        yield address
        server.shutdown()


@pytest.fixture
def system(tmp_path: Path, issuer: str) -> Iterator[System]:
    system = System(tmp_path)
    system.environment["SANKOFA_ISSUER"] = issuer
    system.start()
    system.wait_ready()
    yield system
    system.stop()


def token(issuer: str, role: str) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": "sankofa",
        "sub": "operator",
        "iat": now,
        "exp": now + 600,
        "jti": "1",
        "role": role,
    }
    return str(jwt.encode({"alg": "ES256", "kid": "operator-1"}, claims, KEY, algorithms=["ES256"]))


def refused(system: System, *words: str) -> str:
    ran = system.sankofa(*words, timeout=60)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    [line] = ran.stderr.strip().splitlines()
    return line


def test_the_operators_token_carries_the_verbs(system: System, issuer: str, tmp_path: Path) -> None:
    for words in (("doctor",), ("figures", "trqn-1"), ("parked", "list"), ("programme", "publish", PROGRAMME)):
        assert "SANKOFA_TOKEN_FILE" in refused(system, *words)
    assert "many people" in refused(system, "history", "run", "trqn-1")
    file = tmp_path / "token"
    file.write_text(token(issuer, "administrator") + "\n")
    system.environment["SANKOFA_TOKEN_FILE"] = str(file)
    for words in (
        ("doctor",),
        ("programme", "publish", PROGRAMME),
        ("figures", "trqn-1"),
        ("parked", "list"),
        ("rebuild", "monitoring", "--verify"),
    ):
        ran = system.sankofa(*words)
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
    file.write_text(token(issuer, "officer"))
    ran = system.sankofa("doctor")
    assert (ran.returncode, ran.stderr.strip()) == (1, "sankofa: registration: 403 Forbidden role_may_not")


def test_it_comes_from_standard_input_too_and_is_never_quoted(system: System, issuer: str, tmp_path: Path) -> None:
    given = {**system.environment, "SANKOFA_TOKEN_FILE": "-"}

    def doctor(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SANKOFA, "doctor"], env=given, input=text, capture_output=True, text=True, timeout=60, check=False
        )

    assert doctor(token(issuer, "administrator")).returncode == 0
    for nonsense in ("", "secret word", "se.cr.et\nse.cr.et"):
        ran = doctor(nonsense)
        assert (ran.returncode, ran.stderr.strip()) == (2, "sankofa: SANKOFA_TOKEN_FILE=- holds no token")
    system.environment["SANKOFA_TOKEN_FILE"] = str(tmp_path / "missing")
    assert "cannot be read" in refused(system, "doctor")
