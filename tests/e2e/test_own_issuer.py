"""An installation with an OpenID issuer of its own: its operator's token, from a file, carries the verbs."""

from __future__ import annotations

import base64
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests import console
from tests.e2e.system import System
from tests.openid import openid_issuer

KEY = ECKey.generate_key("P-256", parameters={"kid": "operator-1"})
CLIENT, SECRET = "command-line", "a secret: 100 %"
PROGRAMME = str(Path(__file__).parents[2] / "deploy/programmes/trqn-1.yaml")


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The address of an OpenID issuer on this machine."""
    with openid_issuer(KEY, granted_to) as address:
        yield address


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("own-issuer"))
    system.environment["SANKOFA_ISSUER"] = issuer
    with system.running():
        yield system


@pytest.fixture
def system(running: System) -> Iterator[System]:
    """Commands of a test are asked with an environment of its own."""
    before = dict(running.environment)
    yield running
    running.environment = before


def token(issuer: str, role: str, office: str | None = None, subject: str = "operator") -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": "sankofa",
        "sub": subject,
        "iat": now,
        "exp": now + 600,
        "jti": str(uuid.uuid4()),
        "role": role,
        **({"office": office} if office else {}),
    }
    return str(jwt.encode({"alg": "ES256", "kid": "operator-1"}, claims, KEY, algorithms=["ES256"]))


def granted_to(issuer: str, authorization: str, form: dict[str, str]) -> dict[str, Any]:
    """What its token endpoint answers: the client's own token, or for that one another person's."""
    if base64.b64decode(authorization.removeprefix("Basic ")).decode() != f"{CLIENT}:{quote(SECRET, safe='')}":
        return {"error": "invalid_client"}
    if form["grant_type"] == "client_credentials":
        return {"access_token": token(issuer, "administrator", subject=CLIENT), "expires_in": 600}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    assert jwt.decode(form["subject_token"], KEY, algorithms=["ES256"]).claims["sub"] == CLIENT
    played = token(issuer, form["role"], form.get("office"), form["requested_subject"])
    return {"access_token": played, "expires_in": 600}


def refused(system: System, *words: str) -> str:
    ran = system.sankofa(*words, timeout=60)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    [line] = ran.stderr.strip().splitlines()
    return line


VERBS = (
    ("doctor",),
    ("programme", "publish", PROGRAMME),
    ("figures", "trqn-1"),
    ("parked", "list"),
    ("rebuild", "monitoring", "--verify"),
)


def test_the_operators_token_carries_the_verbs(system: System, issuer: str, tmp_path: Path) -> None:
    for words in VERBS:
        assert "SANKOFA_CLIENT_ID" in refused(system, *words)
    assert "many people" in refused(system, "history", "run", "trqn-1")
    file = tmp_path / "token"
    file.write_text(token(issuer, "administrator") + "\n")
    system.environment["SANKOFA_TOKEN_FILE"] = str(file)
    for words in VERBS:
        ran = system.sankofa(*words)
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
    file.write_text(token(issuer, "officer"))
    ran = system.sankofa("doctor")
    assert (ran.returncode, ran.stderr.strip()) == (1, "sankofa: registration: 403 Forbidden role_may_not")


def test_it_comes_from_standard_input_too_and_is_never_quoted(system: System, issuer: str, tmp_path: Path) -> None:
    given = {**system.environment, "SANKOFA_TOKEN_FILE": "-"}

    def doctor(text: str) -> subprocess.CompletedProcess[str]:
        return console.ran(("doctor",), given, given=text, timeout=60)

    assert doctor(token(issuer, "administrator")).returncode == 0
    for nonsense in ("", "secret word", "se.cr.et\nse.cr.et"):
        ran = doctor(nonsense)
        assert (ran.returncode, ran.stderr.strip()) == (2, "sankofa: SANKOFA_TOKEN_FILE=- holds no token")
    system.environment["SANKOFA_TOKEN_FILE"] = str(tmp_path / "missing")
    assert "cannot be read" in refused(system, "doctor")


def test_a_token_from_the_environment_carries_them_too(system: System, issuer: str) -> None:
    system.environment["SANKOFA_TOKEN"] = token(issuer, "administrator")
    for words in VERBS:
        ran = system.sankofa(*words)
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
    assert "many people" in refused(system, "history", "run", "trqn-1")
    system.environment["SANKOFA_TOKEN"] = "no token"
    assert refused(system, "doctor") == "sankofa: SANKOFA_TOKEN holds no token"


def test_a_client_of_the_issuer_runs_every_verb_and_a_history(system: System) -> None:
    system.environment |= {"SANKOFA_CLIENT_ID": CLIENT, "SANKOFA_CLIENT_SECRET": SECRET}
    for words in (*VERBS, ("history", "run", "trqn-1", "--scale", "0.05")):
        ran = system.sankofa(*words, timeout=240)
        assert ran.returncode == 0, (words, ran.stdout[-2000:], ran.stderr[-2000:])
    assert system.sankofa("token", "--role", "officer", "--office", "kabul").stdout.count(".") == 2
    system.environment["SANKOFA_CLIENT_SECRET"] = "another"
    assert refused(system, "doctor") == "sankofa: the issuer gives no token: 400 invalid_client"
    del system.environment["SANKOFA_CLIENT_SECRET"]
    assert "go together" in refused(system, "doctor")
