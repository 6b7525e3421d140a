"""A canary person lives through the whole system; afterwards her identifiers stand nowhere in clear."""

from __future__ import annotations

import asyncio
import importlib
import json
import random
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.generate import InMemory
from services.registration.app import build
from services.registration.store import COLLECTIONS, PROGRAMMES, SHADOWS
from shared.clock import RealRuntime
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import ROLES, Role
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from tests.e2e.edge_canary import GIVEN, encodings, files_with, found_in, identity, rows_of
from tests.e2e.edge_policy import routes
from tests.e2e.edge_world import OFFICE, OTHER_OFFICE, People, running_programme, yaml_as_json
from tests.e2e.system import SERVICES, System
from tests.store_files import content_of

ME = "canary-account"


class Lived:
    """The system in which two canaries were registered, chosen and placed; what they were given on the way."""

    def __init__(self, people: People) -> None:
        self.people = people
        host = people.institution(account="college")
        self.self_registered = people.expert(subject=ME, **identity("self"))
        self.by_officer = people.expert(**identity("officer"))
        self.unfit = people.expert(**identity("unfit"), attributes={"country_of_residence": "DE"})
        people.quiet()
        self.ids = [self._placed(host, self.self_registered, begins=30), self._placed(host, self.by_officer, begins=60)]
        self.person = people.get(f"/registration/v1/experts/{self.self_registered}").json()["person"]
        self.other_person = people.person_of(self.by_officer)
        self.problems = list(self._refused())
        people.quiet()

    def _placed(self, host: str, expert: str, *, begins: int) -> dict[str, str]:
        people = self.people
        assignment = people.assignment(host, begins_in_days=begins)
        application = people.done(f"/matching/v1/assignments/{assignment}/applications", {"expert": expert})
        people.accepted("matching", application["id"])
        match = people.match(assignment, expert, "accepted")
        placement = people.placement(match, "completed")
        return {"assignments": assignment, "matches": match, "placements": placement, "receipts": application["id"]}

    def _refused(self) -> Iterator[httpx.Response]:
        """Answers about bodies that hold the canaries: bad, doubled, with a held number, by somebody who may not."""
        people = self.people
        body = people.registration(**identity("officer"))
        yield people.post("/registration/v1/experts", {**body, "person": {**body["person"], "title": GIVEN}})
        yield people.post("/registration/v1/experts", {**body, GIVEN: 1})
        yield people.post("/registration/v1/experts", {**body, "office": OTHER_OFFICE})
        yield people.post("/registration/v1/experts", {**body, "programme": GIVEN})
        yield people.post("/registration/v1/experts", body, role="host")
        for field in ("email", "telephone", "given_name"):
            bad = {**body["person"], field: f"{identity('x')[field]}\u0007"}
            yield people.post("/registration/v1/experts", {**body, "person": bad})
        held = people.post("/registration/v1/experts", body)
        assert held.status_code == 202
        path = f"/registration/v1/receipts/{held.json()['id']}"
        people.eventually(lambda: people.get(path).json()["status"] != "pending", "the decision")
        yield people.get(path)
        yield people.get(f"/registration/v1/persons/{GIVEN}")
        yield people.get(f"/registration/v1/persons?{GIVEN}={identity('x')['email']}")


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with System(tmp_path_factory.mktemp("privacy")).running() as system:
        people = People(system)
        people.publish()
        yield Lived(people)
        people.close()


def test_the_search_finds_what_is_there() -> None:
    for text in (GIVEN, identity("x")["email"]):
        for content in encodings(text):
            assert found_in(b"..." + content + b"...") or len(content) < 8, content
    assert not found_in(b"Given Family somebody@example.org")


def test_she_herself_is_told_her_name_and_nobody_else(lived: Lived) -> None:
    people = lived.people
    own = people.get(f"/registration/v1/persons/{lived.person}", "expert", None, ME)
    assert own.json()["given_name"] == identity("self")["given_name"]
    answers = list(_every_answer(lived))
    assert len(answers) > 300
    shown = {str(answer.request.url) for answer in answers if found_in(_whole(answer))}
    assert shown == {str(own.request.url)}


def _every_answer(lived: Lived) -> Iterator[httpx.Response]:
    """Every GET of every service as every role, of the office and of another, and as the canary herself."""
    people = lived.people
    ids = {"persons": lived.person, "experts": lived.self_registered, **lived.ids[0]}
    callers: list[tuple[Role, str | None, str]] = [(role, office, "") for role in ROLES for office in (OFFICE, None)]
    callers += [("officer", OTHER_OFFICE, "stranger"), ("expert", None, ME), ("host", None, "college")]
    for service, route in routes():
        if route.method != "GET":
            continue
        path = route.path.replace("{code}", "trqn-1").replace("{indicator}", "registrations")
        collection = path.split("/")[-1 if path.count("/") < 2 else 2]
        for caller in callers:
            yield people.get(f"/{service}{path.replace('{id}', ids.get(collection, lived.person))}", *caller)
        if collection in ("persons", "experts"):
            other = lived.other_person if collection == "persons" else lived.unfit
            yield people.get(f"/{service}{path.replace('{id}', other)}")


def _whole(answer: httpx.Response) -> bytes:
    headers = b"\n".join(name + b": " + value for name, value in answer.headers.raw)
    return headers + b"\n\n" + answer.content


def test_no_problem_repeats_what_was_sent(lived: Lived) -> None:
    assert [answer.status_code for answer in lived.problems].count(422) >= 5
    assert [(answer.status_code, answer.text) for answer in lived.problems if found_in(_whole(answer))] == []


def test_no_file_holds_her_while_the_system_runs_or_after_it_was_killed(lived: Lived) -> None:
    system = lived.people.system
    folder = system.data.parent
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"registration.sqlite", "registration.sqlite-wal", "log.sqlite", "up.log", "persons.sqlite"} <= names
    # What may stand there does, so the search reads what the store wrote.
    assert b"Teacher training college" in content_of(system.data / "registration.sqlite")
    assert held_of_her(folder) == {}
    system.kill()
    assert held_of_her(folder) == {}
    for model in (system.data / "monitoring").glob("*.duckdb"):
        assert [row for row in rows_of(model) if found_in(row)] == []
    assert asyncio.run(_read_through_the_ports(system.data)) == []
    system.start()
    system.wait_ready()
    lived.people.quiet()
    system.stop()
    assert held_of_her(folder) == {}


def held_of_her(folder: Path) -> dict[str, list[bytes]]:
    """The files that hold anything of her. A mail that no server takes, and that lies in a folder instead, has her
    address where it says to whom it goes, and nowhere else."""
    mails = 0
    found = files_with([folder])
    for path in [one for one in found if one.endswith(".eml")]:
        mail = message_from_bytes((folder / path).read_bytes(), policy=default)
        assert mail["To"]
        del mail["To"]
        if not found_in(bytes(mail) + mail.get_content().encode()):
            del found[path]
            mails += 1
    assert mails
    return found


async def _read_through_the_ports(data: Path) -> list[str]:
    """Documents and records as their readers see them, so that no form of storage hides anything."""
    runtime = RealRuntime()
    found, read = [], 0
    log = LocalLog(data / "log.sqlite", list(TOPICS.values()), runtime)
    await log.start()
    for (topic, partition), end in (await log.ends(list(TOPICS))).items():
        for record in await log.read(topic, partition, 0, end + 1):
            read += 1
            whole = repr(record.headers).encode() + (record.key or b"") + (record.value or b"")
            found += [f"{topic} {record.offset}"] if found_in(whole) else []
    await log.stop()
    for name in SERVICES:
        declared = importlib.import_module(f"services.{name}.store")
        collections = stored(declared.COLLECTIONS, declared.SHADOWS)
        store = LocalStore(data / f"{name}.sqlite", collections, runtime)
        await store.start()
        for collection in collections:
            async for document in store.scan(collection.name):
                read += 1
                whole = json.dumps(document, ensure_ascii=False).encode()
                found += [f"{name} {collection.name}"] if found_in(whole) else []
        await store.stop()
    runtime.close()
    assert read > 100
    return found


async def test_a_submission_holds_nothing_in_clear_before_and_after_its_decision(tmp_path: Path) -> None:
    """Registration on files, with nothing that decides until the test does it."""
    runtime = RealRuntime()
    log = LocalLog(None, list(TOPICS.values()), runtime)
    store = LocalStore(tmp_path / "data" / "registration.sqlite", stored(COLLECTIONS, SHADOWS), runtime)
    (tmp_path / "data").mkdir()
    keys = Keys.in_memory(random.Random(7))
    service = build(Ports(store, log, runtime, keys), InMemory())
    await log.start()
    await store.start()
    service.replica.definitions.start()
    intake = service.replica.intake
    assert intake is not None
    writer = runtime.spawn(intake._write(), "writer")
    issuer = DevelopmentIssuer(keys, runtime)
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await _publish(client, issuer, service.replica)
        registered = await _register(client, issuer)
        before = await store.load("submissions", registered)
        assert before is not None
        assert (before["status"], bool(before["body"])) == ("pending", True)
        assert files_with([tmp_path]) == {}
        await intake.decide(registered)
        after = await store.load("submissions", registered)
        assert after is not None
        assert (after["status"], after["body"]) == ("accepted", None)
        assert not found_in(json.dumps([before, after], ensure_ascii=False).encode())
        assert files_with([tmp_path]) == {}
    writer.cancel()
    await service.replica.definitions.stop()
    await store.stop()
    assert files_with([tmp_path]) == {}
    await log.stop()
    runtime.close()


async def _publish(client: httpx.AsyncClient, issuer: DevelopmentIssuer, replica: Any) -> None:
    content = {"definition": yaml_as_json(running_programme())}
    headers = {"Authorization": f"Bearer {issuer.issue('administrator')}"}
    assert (await client.post("/v1/programmes", json=content, headers=headers)).status_code == 201
    for document in await replica.ports.store.find(PROGRAMMES.name, "outbox", "pending"):
        await replica.relay.send(PROGRAMMES.name, document)
    while not replica.definitions.codes():
        await asyncio.sleep(0.01)


async def _register(client: httpx.AsyncClient, issuer: DevelopmentIssuer) -> str:
    body = {
        "programme": "trqn-1",
        "office": OFFICE,
        "person": {**identity("self"), "attributes": {"country_of_origin": "AF"}, "valid_from": "2020-01-01"},
    }
    headers = {"Authorization": f"Bearer {issuer.issue('expert', None, ME)}"}
    answer = await client.post("/v1/experts", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])
