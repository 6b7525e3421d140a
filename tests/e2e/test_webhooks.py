"""A whole system with a second one that follows it by address and by stream, killed in the middle of both."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from httpx_sse import connect_sse
from standardwebhooks.webhooks import Webhook

from tests.e2e.edge_world import OFFICE, People
from tests.e2e.system import System

PATIENCE_SECONDS = 30
EXPERTS = 4


class Partner(ThreadingHTTPServer):
    """Another system's address on this machine; `came`: what it was sent, which it stores before it answers."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Answering)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]


class Answering(BaseHTTPRequestHandler):
    server: Partner

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(0.05)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def partner() -> Iterator[Partner]:
    with Partner() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def until(holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def heard(people: People, after: str, many: int) -> tuple[list[str], str]:
    """The ids of so many messages of the stream from there on, and the cursor behind the last one.

    Formats, 70: a client keeps the id itself, comes back itself, and passes over what has no data before it reads JSON.
    """
    found, last = list[str](), after
    headers = people.headers("officer", OFFICE, "")
    with connect_sse(people.http, "GET", f"/monitoring/v1/feed?after={after}", headers=headers) as source:
        for event in source.iter_sse():
            if not event.data:
                continue
            found.append(json.loads(event.data)["event"]["id"])
            last = event.id
            if len(found) == many:
                break
    return found, last


def all_ids(people: People, start: str) -> list[str]:
    page = people.get(f"/monitoring/v1/feed/messages?limit=200&after={start}", "officer", OFFICE).json()
    return [one["event"]["id"] for one in page["items"]]


def test_killed_amid_deliveries_a_system_goes_on_with_what_it_had_to_send(tmp_path: Path) -> None:
    system = System(tmp_path)
    system.environment["SANKOFA_WEBHOOKS_LOCAL"] = "yes"
    with partner() as server, system.running():
        people = People(system)
        people.publish()
        address = {"url": f"http://127.0.0.1:{server.server_port}/x", "content": "everything"}
        made = people.done("/monitoring/v1/subscriptions", address)
        secret = people.get(f"/monitoring/v1/subscriptions/{made['id']}", "officer", OFFICE).json()["secret"]
        start = people.get("/monitoring/v1/feed/messages?after=now", "officer", OFFICE).json()["next"]
        for _ in range(EXPERTS):
            people.expert("eligible")
        until(lambda: len(server.came) >= 3)
        system.kill()
        system.start()
        system.wait_ready()
        people.http = httpx.Client(base_url=system.url, timeout=PATIENCE_SECONDS)
        expected = all_ids(people, start)
        # What was in flight may come once more; the claim of the one that was killed ends after a minute at most.
        people.done(f"/monitoring/v1/subscriptions/{made['id']}/test")
        until(lambda: set(expected) <= set(server.ids))
        sent = [one for one in server.ids if one in expected]
        assert list(dict.fromkeys(sent)) == expected, "in order, the first time that each came"
        assert len(sent) <= len(expected) + 1
        for headers, body in server.came:
            assert Webhook(secret).verify(body, headers)["event"]["id"] == headers["webhook-id"]
        first, last = heard(people, start, 3)
        rest, _ = heard(people, last, len(expected) - 3)
        assert first + rest == expected
        people.close()
