"""An OpenID issuer on this machine: what it says of itself, its public key, how it signs people in, and what its token
endpoint answers."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

# What is granted by the issuer's address, the header `Authorization` and the form that was posted.
Granted = Callable[[str, str, dict[str, str]], dict[str, Any]]
Claims = dict[str, Any]


def _nothing(_issuer: str, _authorization: str, _form: dict[str, str]) -> dict[str, Any]:
    return {"error": "unsupported_grant_type"}


class Codes:
    """The authorization endpoint's codes: each is good once, for whoever proves to have asked for it (RFC 7636)."""

    def __init__(self, key: ECKey, claims: Claims) -> None:
        self._key = key
        self._claims = claims
        self._asked: dict[str, dict[str, str]] = {}

    def sent_back_to(self, asked: dict[str, str]) -> str:
        """Where the browser is sent with a code, as whoever `claims` says sits before it."""
        code = secrets.token_urlsafe(16)
        self._asked[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def granted(self, issuer: str, form: dict[str, str]) -> dict[str, Any]:
        asked = self._asked.pop(form.get("code", ""), None)
        challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proven = base64.urlsafe_b64encode(challenge).decode().rstrip("=")
        if asked is None or proven != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return {"error": "invalid_grant"}
        now = int(time.time())
        told = {"iss": issuer, "aud": asked["client_id"], "iat": now, "exp": now + 600, "nonce": asked["nonce"]}
        header = {"alg": "ES256", "kid": self._key.kid or ""}
        return {"id_token": jwt.encode(header, {**told, **self._claims}, self._key, algorithms=["ES256"])}


@contextmanager
def openid_issuer(key: ECKey, granted: Granted = _nothing, claims: Claims | None = None) -> Iterator[str]:
    """Its address, until the block ends. `claims`: of whoever signs in at its page, at once."""
    documents: dict[str, Any] = {"/keys": {"keys": [key.as_dict(private=False)]}}
    codes = Codes(key, claims if claims is not None else {})

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", codes.sent_back_to(dict(parse_qsl(parts.query))))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._answer(200, documents[self.path])

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            if form.get("grant_type") == "authorization_code":
                answer = codes.granted(address, form)
            else:
                answer = granted(address, self.headers.get("Authorization", ""), form)
            self._answer(400 if "error" in answer else 200, answer)

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        documents["/.well-known/openid-configuration"] = {
            "issuer": address,
            "jwks_uri": f"{address}/keys",
            "token_endpoint": f"{address}/token",
            "authorization_endpoint": f"{address}/authorize",
        }
        try:
            yield address
        finally:
            server.shutdown()
