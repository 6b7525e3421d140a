"""An office's lists over 100,000 persons while others register.

The persons are the product's own documents, of a few that registered through the edge, each copied under ids of its own
into the store of registration while the system stands still. The log and the other services do not have them.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from services.registration.store import COLLECTIONS, EXPERTS, PERSONS, SHADOWS
from shared.clock import RealRuntime, derived_id, short_hash, text_of
from shared.identity.issuers import DEVELOPMENT_ISSUER
from shared.identity.keys import Keys
from shared.identity.passes import Pass, sign_pass
from shared.identity.tokens import Principal
from shared.replica import stored
from shared.store.aggregates import Aggregate
from shared.store.documents import slot_of
from shared.store.local import LocalStore
from shared.store.port import Document
from tests.bench.load.generator import Client
from tests.bench.rows import Result, Row
from tests.e2e.edge_world import OFFICE, PROGRAMME, People
from tests.e2e.system import System

LISTED, LISTED_QUICK = 100_000, 2_000
# One in so many waits to be screened: officers look for few among many.
SCREENED, BATCH = 500, 1_000
LISTS_A_SECOND, REGISTRATIONS_A_SECOND = 20, 25
SECONDS, SECONDS_QUICK = 30.0, 4.0
CONNECTIONS, WAIT_SECONDS, PERCENTILE = 200, 60.0, 95
LIST = "/registration/experts"
# Everything, few of it, most of it, what nobody has taken, the newest first, and the page after the first.
ASKED = {
    "all": "",
    "status screening": "?status=screening",
    "programme and status": f"?programme={PROGRAMME}&status=eligible",
    "taken by nobody": "?taken_by=nobody",
    "newest first": "?order=newest",
    "the next page": "?after={after}",
}
PUT_OFF = "put off"
SHORT = (
    "a page takes 5 to 9 ms of processor time whatever it is narrowed by, of which counting to 10,000 is about one; "
    "the rest is waiting for a turn behind registrations, and for a core"
)
Request = tuple[str, bytes]


async def rows(quick: bool) -> list[Result]:
    return await asyncio.to_thread(_rows, quick)


def _rows(quick: bool) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder:
        system = System(Path(folder))
        many = LISTED_QUICK if quick else LISTED
        with system.running():
            people = People(system)
            people.publish()
            made = [people.expert(state) for state in ("screening", "eligible")]
            people.quiet()
            people.close()
        filled = asyncio.run(_fill(system, made, many))
        with system.running():
            people = People(system)
            people.quiet()
            requests = [*_requests(people, SECONDS_QUICK if quick else SECONDS)]
            took = asyncio.run(_asked(system.port, requests))
            people.close()
    return _measured(took, many, filled)


async def _fill(system: System, made: Sequence[str], many: int) -> float:
    """Seconds in which so many persons and their cases were written."""
    runtime, began = RealRuntime(), time.perf_counter()
    store = LocalStore(system.data / "registration.sqlite", stored(COLLECTIONS, SHADOWS), runtime)
    await store.start()
    try:
        experts = [await _standing(store, EXPERTS, id) for id in made]
        person = await _standing(store, PERSONS, experts[0]["state"]["person"])
        for first in range(0, many, BATCH):
            numbers = range(first, min(first + BATCH, many))
            copies = [_expert(experts[number % SCREENED > 0], number) for number in numbers]
            await store.append(EXPERTS.name, copies)
            await store.append(PERSONS.name, [_person(person, number) for number in numbers])
    finally:
        await store.stop()
        runtime.close()
    return time.perf_counter() - began


async def _standing(store: LocalStore, of: Aggregate[Any], id: str) -> Document:
    found = await store.load(of.name, id)
    assert found, id
    return found


def _expert(document: Document, number: int) -> Document:
    registered = text_of(datetime(2026, 1, 5, 9, tzinfo=UTC) + timedelta(seconds=20 * number))
    state = {**document["state"], "person": _person_id(number), "registered_at": registered}
    return _copied(EXPERTS, document, derived_id("an expert of the list", str(number)), state, document["private"])


def _person(document: Document, number: int) -> Document:
    hashed = {name: document["private"][name] for name in ("name_tokens", "likeness") if name in document["private"]}
    private = {**document["private"], **_rehashed(hashed, number)}
    return _copied(PERSONS, document, _person_id(number), document["state"], private)


def _person_id(number: int) -> str:
    return derived_id("a person of the list", str(number))


def _rehashed(hashed: Any, number: int) -> Any:
    """Other digests for each person: nobody in these lists is called like somebody else."""
    if isinstance(hashed, Mapping):
        return {name: _rehashed(one, number) for name, one in hashed.items()}
    if isinstance(hashed, list):
        return [_rehashed(one, number) for one in hashed]
    return short_hash(f"{hashed} {number}") * (len(hashed) // 16 or 1)


def _copied(of: Aggregate[Any], document: Document, id: str, state: Any, private: Any) -> Document:
    stands = {name: value for name, value in document.items() if name not in ("ix", "uq")}
    copy = {**stands, "_id": id, "slot": slot_of(id), "version": 1, "state": state, "private": private}
    return of.collection.indexed(copy)


def _requests(people: People, seconds: float) -> Iterator[Request]:
    """The lists by name, in turn, and registrations under an empty one, mixed as they come."""
    host, keys = f"Host: 127.0.0.1:{people.system.port}", Keys(people.system.keys)
    account = keys.accounts(DEVELOPMENT_ISSUER).of("officer of the lists")
    read = Pass(Principal(account, "officer", OFFICE), derived_id("session of the lists"), None)
    text = sign_pass(keys, "registration", read, datetime.now(UTC))
    browser = f"{host}\r\nCookie: sankofa-pass={text}\r\nAccept: text/html\r\nAccept-Encoding: gzip"
    officer = f"{host}\r\nAuthorization: {people.headers('officer')['Authorization']}"
    after = people.get("/registration/v1/experts").json()["next"]
    names = [*ASKED, "JSON"]
    for number in range(round(LISTS_A_SECOND * seconds)):
        name = names[number % len(names)]
        if name == "JSON":
            yield name, f"GET /registration/v1/experts HTTP/1.1\r\n{officer}\r\n\r\n".encode()
        else:
            yield name, f"GET {LIST}{ASKED[name].format(after=after)} HTTP/1.1\r\n{browser}\r\n\r\n".encode()
    for number in range(round(REGISTRATIONS_A_SECOND * seconds)):
        body = json.dumps(people.registration()).encode()
        more = f"Idempotency-Key: of-the-lists-{number}\r\nContent-Type: application/json"
        head = f"POST /registration/v1/experts HTTP/1.1\r\n{officer}\r\n{more}\r\nContent-Length: {len(body)}"
        yield "", f"{head}\r\n\r\n".encode() + body


async def _asked(port: int, requests: list[Request]) -> dict[str, list[float]]:
    """Milliseconds by name, each from the instant at which it was due; of registrations that were put off, under
    `PUT_OFF`. A list that is refused ends the benchmark."""
    client, spread = Client(port, CONNECTIONS), random.Random(7)
    spread.shuffle(requests)
    took: dict[str, list[float]] = {}

    async def ask(name: str, request: bytes, due: float) -> None:
        try:
            status, _, body = await client.ask(request)
        except ConnectionResetError:
            # The server closes a connection that was idle as the request comes; under its key it is the same one.
            status, _, body = await client.ask(request)
        put_off = not name and status in (429, 503)
        assert put_off or status == (200 if name else 202), (name, status, body[:400])
        took.setdefault(PUT_OFF if put_off else name, []).append((time.perf_counter() - due) * 1e3)

    running, due = [], time.perf_counter()
    for name, request in requests:
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        running.append(asyncio.ensure_future(ask(name, request, due)))
        due += spread.expovariate(LISTS_A_SECOND + REGISTRATIONS_A_SECOND)
    await asyncio.wait_for(asyncio.gather(*running), WAIT_SECONDS)
    return took


def _measured(took: dict[str, list[float]], many: int, filled: float) -> list[Result]:
    lists = {name: times for name, times in took.items() if name not in ("", PUT_OFF)}
    each = {name: _p95(times) for name, times in lists.items()}
    how = (
        f"pages and JSON of 50 rows of an office with {many:,} experts, {LISTS_A_SECOND} requests/s beside "
        f"{REGISTRATIONS_A_SECOND} registrations/s, each from the instant at which it was due to its last byte; "
        f"p95 by list: {', '.join(f'{name} {one:.0f} ms' for name, one in each.items())}"
    )
    whole = _p95([one for times in lists.values() for one in times])
    return [
        Row("lists: p95 over 100,000 persons", "ms", whole, how, goal=60, less_is_better=True, short=SHORT),
        Row(
            "lists: registrations beside, p95",
            "ms",
            _p95(took[""]),
            "the same run: until a registration was acknowledged, durably; "
            f"{len(took.get(PUT_OFF, ()))} of them were answered that the system is too busy",
            less_is_better=True,
        ),
        Row(
            "lists: persons written",
            "s",
            filled,
            f"{many:,} persons and their cases, as documents of the product, written to the store before it starts",
            less_is_better=True,
        ),
    ]


def _p95(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[PERCENTILE - 1]
