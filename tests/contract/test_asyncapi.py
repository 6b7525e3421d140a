"""Each service's AsyncAPI document: valid by the specification's own schema, and what the code declares."""

from __future__ import annotations

import importlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from deploy.generate import InMemory
from shared.clock import RealRuntime
from shared.contracts.base import Envelope, Scope
from shared.contracts.registry import EVENTS, declared_events, events_of
from shared.identity.keys import Keys
from shared.messaging.kafka_topics import wanted
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from shared.web.asyncapi import HEADERS, OPTIONAL, SCHEMAS

HERE = Path(__file__).parent
CONTRACTS = HERE.parents[1] / "shared/contracts"
SPECIFICATION = json.loads((HERE / "asyncapi/3.0.0.json").read_text())
SERVICES = ("registration", "matching", "placement", "monitoring")
READ_BY_ALL = {"registration.programmes"}


@pytest.fixture(scope="module")
def runtime() -> Iterator[RealRuntime]:
    runtime = RealRuntime()
    yield runtime
    runtime.close()


def built(name: str, runtime: RealRuntime) -> Any:
    """The service on ports in memory, never started: its documents follow from its tables."""
    declared = importlib.import_module(f"services.{name}.store")
    store = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), runtime)
    log = LocalLog(None, list(TOPICS.values()), runtime)
    ports = Ports(store, log, runtime, Keys.in_memory(random.Random(1)))
    return importlib.import_module(f"services.{name}.app").build(ports, InMemory())


async def fetched(name: str, runtime: RealRuntime) -> tuple[Any, dict[str, Any]]:
    service = built(name, runtime)
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/asyncapi.json")
    assert answer.status_code == 200
    return service, answer.json()


def message_names(document: dict[str, Any], operation: str) -> set[str]:
    return {message["$ref"].rsplit("/", 1)[1] for message in document["operations"][operation]["messages"]}


def resolved(schema: Any, root: dict[str, Any], at: str) -> Any:
    """The schema with every reference under `at` put in its place; titles, which only name, are left out."""
    if isinstance(schema, list):
        return [resolved(item, root, at) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if (to := schema.get("$ref", "")).startswith(at):
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return resolved({**root[to.removeprefix(at)], **rest}, root, at)
    return {name: resolved(value, root, at) for name, value in schema.items() if name not in ("$defs", "title")}


@pytest.mark.parametrize("name", SERVICES)
async def test_it_is_valid_asyncapi(name: str, runtime: RealRuntime) -> None:
    _, document = await fetched(name, runtime)
    assert document["asyncapi"] == "3.0.0"
    errors = [
        error.json_path + ": " + error.message[:200] for error in Draft7Validator(SPECIFICATION).iter_errors(document)
    ]
    assert errors == []
    assert [ref for ref in references(document) if not points(document, ref)] == []
    for schema in document["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def points(document: dict[str, Any], reference: str) -> bool:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


async def test_the_validation_can_go_red(runtime: RealRuntime) -> None:
    _, document = await fetched("placement", runtime)
    validator = Draft7Validator(SPECIFICATION)
    document["channels"]["placement.placements"]["bindings"]["kafka"]["partitions"] = 0
    assert not validator.is_valid(document)
    document["channels"]["placement.placements"]["bindings"]["kafka"]["partitions"] = 6
    document["operations"]["send.placement.placements"]["action"] = "publish"
    assert not validator.is_valid(document)


async def test_every_topic_and_event_is_in_its_owners_document(runtime: RealRuntime) -> None:
    documents = {name: (await fetched(name, runtime))[1] for name in SERVICES}
    for topic in TOPICS.values():
        document = documents[topic.name.split(".")[0]]
        names = {event.__name__ for event in events_of(topic.name)}
        assert names
        assert set(document["channels"][topic.name]["messages"]) == names
        assert message_names(document, f"send.{topic.name}") == names
    described = {m["name"] for d in documents.values() for m in d["components"]["messages"].values()}
    assert described == set(EVENTS.newest)
    senders = [op for name, document in documents.items() for op in document["operations"] if op.startswith("send.")]
    assert sorted(senders) == sorted(f"send.{name}" for name in TOPICS)


@pytest.mark.parametrize("name", SERVICES)
async def test_what_it_receives_is_its_handler_table(name: str, runtime: RealRuntime) -> None:
    service, document = await fetched(name, runtime)
    handled = set(service.replica.handled) | (set(declared_events()) if name == "monitoring" else set())
    received = {op.removeprefix("receive."): op for op in document["operations"] if op.startswith("receive.")}
    assert {topic: message_names(document, op) for topic, op in received.items()} == {
        topic: {event.__name__ for event in handled if event.topic == topic} for topic in {e.topic for e in handled}
    }
    grouped = {topic for topic, op in received.items() if "bindings" in document["operations"][op]}
    assert grouped == (set() if name == "monitoring" else set(received) - READ_BY_ALL)


@pytest.mark.parametrize("name", SERVICES)
async def test_the_channels_are_the_topics_as_they_are_created(name: str, runtime: RealRuntime) -> None:
    _, document = await fetched(name, runtime)
    for topic, channel in document["channels"].items():
        kafka = channel["bindings"]["kafka"]
        assert (channel["address"], kafka["topic"], kafka["partitions"]) == (topic, topic, TOPICS[topic].partitions)
        created = wanted(TOPICS[topic], brokers=3)
        stated = kafka["topicConfiguration"]
        assert [created["cleanup.policy"]] == stated.pop("cleanup.policy")
        assert {setting: str(value) for setting, value in stated.items()} == {s: created[s] for s in stated}


@pytest.mark.parametrize("name", SERVICES)
async def test_the_bodies_are_the_published_schemas(name: str, runtime: RealRuntime) -> None:
    _, document = await fetched(name, runtime)
    schemas = document["components"]["schemas"]
    for short, message in document["components"]["messages"].items():
        version = EVENTS.newest[message["name"]].version
        published = json.loads((CONTRACTS / f"schemas/{short}.{version}.json").read_text())
        definitions = published.pop("$defs", {})
        del published["$schema"], published["$id"]
        assert resolved(message["payload"], schemas, SCHEMAS) == resolved(published, definitions, "#/$defs/")


@pytest.mark.parametrize("name", SERVICES)
async def test_samples_fit_headers_and_bodies(name: str, runtime: RealRuntime) -> None:
    _, document = await fetched(name, runtime)
    checked = FormatChecker()
    for short, message in document["components"]["messages"].items():
        version = EVENTS.newest[message["name"]].version
        sample = json.loads((CONTRACTS / f"samples/{short}.{version}.json").read_text())
        root = {"components": document["components"]}
        for part, dialect in (("headers", Draft7Validator), ("payload", Draft202012Validator)):
            content = sample["headers" if part == "headers" else "body"]
            dialect({**root, "allOf": [message[part]]}, format_checker=checked).validate(content)
        headers = Draft7Validator({**root, "allOf": [message["headers"]]}, format_checker=checked)
        assert not headers.is_valid({**sample["headers"], "ce_type": "org.sankofa.registration.Another"})
        assert not headers.is_valid({**sample["headers"], "ce_sequence": "1"})
        assert message["headers"]["type"] == "object"


def test_the_headers_are_those_that_are_written() -> None:
    full = Envelope("i", "t", 1, "/s", "s", "t", 1, 1, Scope("o", "p", 1), "c", "e", "00", "r", "expert", "q").headers()
    assert set(full) == set(HEADERS)
    bare = Envelope("i", "t", 1, "/s", "s", "t", 1, 1, recorded_time="r").headers()
    assert set(bare) == set(HEADERS) - OPTIONAL
