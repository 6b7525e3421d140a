"""An OpenID issuer on this machine, so that each made-up person signs in as somebody else in both builds alike."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from tests.bench.load.persons import KEY_ID


@contextmanager
def issuer(key: Path) -> Iterator[str]:
    """Its address; the private key lies in the file as PEM for whoever signs tokens."""
    made = ECKey.generate_key("P-256", parameters={"kid": KEY_ID})
    key.write_bytes(made.as_pem(private=True))
    documents: dict[str, Any] = {"/keys": {"keys": [made.as_dict(private=False)]}}

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
        try:
            yield address
        finally:
            server.shutdown()
