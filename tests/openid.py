"""An OpenID issuer on this machine: what it says of itself, its public key, and what its token endpoint answers."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

from joserfc.jwk import ECKey

# What is granted by the issuer's address, the header `Authorization` and the form that was posted.
Granted = Callable[[str, str, dict[str, str]], dict[str, Any]]


def _nothing(_issuer: str, _authorization: str, _form: dict[str, str]) -> dict[str, Any]:
    return {"error": "unsupported_grant_type"}


@contextmanager
def openid_issuer(key: ECKey, granted: Granted = _nothing) -> Iterator[str]:
    """Its address, until the block ends."""
    documents: dict[str, Any] = {"/keys": {"keys": [key.as_dict(private=False)]}}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(200, documents[self.path])

        def do_POST(self) -> None:
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
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
        discovered = {"issuer": address, "jwks_uri": f"{address}/keys", "token_endpoint": f"{address}/token"}
        documents["/.well-known/openid-configuration"] = discovered
        try:
            yield address
        finally:
            server.shutdown()
