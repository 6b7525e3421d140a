"""Any Kafka client can read along: another library finds valid CloudEvents, valid bodies and no name on any topic."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition
from jsonschema import Draft202012Validator, FormatChecker
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deploy.local.kafka import KafkaServer
from shared.clock import RealRuntime
from shared.contracts.registration.audit import AuditHeadAnchored
from shared.messaging.kafka import KafkaLog
from shared.messaging.topics import TOPICS
from tests.integration.four import CANARY, EVERY_TOPIC, SERVICES, Four, small_history
from tests.tools import skipped_without_tools

pytest_plugins = ["tests.spans"]

SCHEMAS = Path(__file__).parents[2] / "shared/contracts/schemas"
# CloudEvents 1.0.2: attribute names, and RFC 3339 times.
ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
SEQUENCE = re.compile("[0-9]{10}")
REQUIRED = {"specversion", "id", "source", "type"}
WAIT_SECONDS = 20.0
FORMATS = FormatChecker()

pytestmark = pytest.mark.real


@FORMATS.checks("date-time")
def is_time(value: object) -> bool:
    """The library knows this format only beside another one that is not installed, and would let everything pass."""
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    server = KafkaServer(tmp_path / "kafka")
    with skipped_without_tools():
        server.start()
    yield server
    server.stop()


@pytest.fixture
def runtime() -> Iterator[RealRuntime]:
    runtime = RealRuntime()
    yield runtime
    runtime.close()


def read_everything(servers: str) -> dict[str, list[Message]]:
    """Every record of every topic that is no topic of the brokers' own, partition by partition."""
    settings = {"bootstrap.servers": servers, "group.id": "reader", "enable.auto.commit": False}
    consumer = Consumer({**settings, "enable.partition.eof": True, "isolation.level": "read_uncommitted"})
    try:
        found = consumer.list_topics(timeout=WAIT_SECONDS).topics
        places = [(name, n) for name, topic in found.items() if not name.startswith("__") for n in topic.partitions]
        consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for name, number in places])
        records: dict[str, list[Message]] = {name: [] for name, _ in places}
        ended = set[tuple[str, int]]()
        while len(ended) < len(places):
            message = consumer.poll(WAIT_SECONDS)
            assert message is not None, f"no answer from {set(places) - ended}"
            if (error := message.error()) is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add((message.topic(), message.partition()))
            else:
                records[message.topic()].append(message)
        return records
    finally:
        consumer.close()


def cloudevent(message: Message) -> dict[str, str]:
    """The attributes of a record in Kafka's binary content mode; an assertion says what is not valid."""
    headers = [(name, value.decode()) for name, value in message.headers() or []]
    assert len({name for name, _ in headers}) == len(headers), "a header stands twice"
    attributes = {name.removeprefix("ce_"): value for name, value in headers if name.startswith("ce_")}
    assert attributes.keys() >= REQUIRED
    assert all(ATTRIBUTE.fullmatch(name) for name in attributes)
    assert all(attributes.values()), "an attribute that is empty is to be left out"
    assert attributes["specversion"] == "1.0"
    assert not {"datacontenttype", "data"} & attributes.keys(), "binary mode has content-type and the value for these"
    assert urlsplit(attributes["source"]).path
    assert urlsplit(attributes["dataschema"]).scheme, "dataschema is an absolute URI"
    assert TIME.fullmatch(attributes["time"])
    assert TIME.fullmatch(attributes["recordedtime"])
    assert SEQUENCE.fullmatch(attributes["sequence"]), "CloudEvents' extension sorts as text"
    assert attributes.get("traceparent") == dict(headers).get("traceparent")
    assert dict(headers)["content-type"] == "application/json"
    assert message.key().decode() == attributes["subject"]
    return attributes


def body_errors(attributes: dict[str, str], value: bytes) -> list[str]:
    name, version = attributes["dataschema"].split(":")[-2:]
    schema = json.loads((SCHEMAS / f"{name}.{version}.json").read_text())
    assert schema["$id"] == attributes["dataschema"]
    validator = Draft202012Validator(closed(schema), format_checker=FORMATS)
    return sorted({error.json_path for error in validator.iter_errors(json.loads(value))})


def closed(schema: Any) -> Any:
    """The schema without room for fields that it does not name: we send none of a later version."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    return {"additionalProperties": False, **inner} if isinstance(schema.get("properties"), dict) else inner


def canaries(message: Any) -> list[str]:
    """Where a planted name stands in a record, in any letter case, escaped or not."""
    parts = {"key": message.key(), "value": message.value()}
    parts |= {name: value for name, value in message.headers() or []}
    texts = {name: (part or b"").decode(errors="replace") for name, part in parts.items()}
    texts["unescaped"] = json.dumps(json.loads(texts["value"] or "null"), ensure_ascii=False)
    return [name for name, text in texts.items() if CANARY in text.casefold()]


@pytest.mark.timeout(200)
async def test_another_clients_view_of_every_topic(
    server: KafkaServer, runtime: RealRuntime, tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    log = KafkaLog(server.bootstrap_servers, list(TOPICS.values()), runtime, client_id="test")
    histories = {code: small_history(*ends, code=code) for code, ends in EVERY_TOPIC.items()}
    assert any(CANARY in json.dumps(step.body).casefold() for steps in histories.values() for step in steps)
    async with Four(log, runtime) as four:
        for code, steps in histories.items():
            await four.put(steps, tmp_path / code)
        await four.publish_figures()
        records = await asyncio.to_thread(read_everything, server.bootstrap_servers)
        ends = await log.ends(list(TOPICS))
    assert {name: len(found) for name, found in records.items()} == dict(_totals(ends)), "all were read"
    # No history reads anybody's name, so no head of the trail is told.
    assert {name for name, found in records.items() if not found} == {AuditHeadAnchored.topic}
    assert records.keys() == TOPICS.keys()
    types: Counter[str] = Counter()
    for topic, messages in records.items():
        for message in messages:
            attributes = cloudevent(message)
            types[attributes["type"]] += 1
            assert body_errors(attributes, message.value()) == [], attributes["type"]
            assert attributes["time"] == json.loads(message.value())["happened_at"]
            assert attributes["source"] == f"/{topic.split('.')[0]}"
            assert canaries(message) == [], attributes["type"]
    assert types["org.sankofa.placement.ReturnCompleted"] >= 1
    assert types["org.sankofa.placement.NoShowReported"] >= 1
    assert len(types) >= 36, types
    for message in records["registration.experts"]:
        if cloudevent(message)["type"].endswith(".ExpertRegistered"):
            assert services_of(spans, message) == set(SERVICES)


def services_of(spans: InMemorySpanExporter, message: Message) -> set[str]:
    """Whose steps are in the trace that the record carries."""
    trace = dict(message.headers() or [])["traceparent"].decode().split("-")[1]
    every = [one for one in spans.get_finished_spans() if f"{one.context.trace_id:032x}" == trace]
    return {str(one.attributes["service"]) for one in every if one.attributes and "service" in one.attributes}


def _totals(ends: dict[tuple[str, int], int]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for (topic, _), end in ends.items():
        totals[topic] += end
    return totals


class Planted:
    """A record as the client gives it, with a name in it."""

    def __init__(self, value: bytes, header: bytes = b"") -> None:
        self._value, self._header = value, header

    def key(self) -> bytes:
        return b"id"

    def value(self) -> bytes:
        return self._value

    def headers(self) -> list[tuple[str, bytes]]:
        return [("ce_id", self._header)]


def test_the_search_finds_a_planted_name() -> None:
    assert canaries(Planted(b'{"a": "b"}')) == []
    assert canaries(Planted(b'{"a": "Mr ZQANARY"}')) == ["value", "unescaped"]
    assert canaries(Planted(b'{"a": "\\u007aqanary"}')) == ["unescaped"]
    assert canaries(Planted(b"{}", b"Zqanary")) == ["ce_id"]


GOOD = {
    "ce_specversion": "1.0",
    "ce_id": "1",
    "ce_source": "/placement",
    "ce_type": "org.sankofa.placement.PlacementRefused",
    "ce_subject": "id",
    "ce_time": "2026-03-02T10:15:30.123456Z",
    "ce_recordedtime": "2026-03-02T10:15:31.123456Z",
    "ce_dataschema": "urn:sankofa:schema:placement.PlacementRefused:1",
    "ce_sequence": "0000000001",
    "content-type": "application/json",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"ce_specversion": "0.3"},
        {"ce_id": ""},
        {"ce_type": None},
        {"ce_source": None},
        {"ce_time": "2026-03-02 10:15:30"},
        {"ce_recordedtime": None},
        {"ce_sequence": "1"},
        {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"},
        {"ce_dataschema": "1"},
        {"ce_subject": "another"},
        {"ce_Office": "kabul"},
        {"content-type": "text/plain"},
    ],
)
def test_what_is_no_cloudevent_is_found(changes: dict[str, str | None]) -> None:
    cloudevent(sent(GOOD))
    with pytest.raises((AssertionError, KeyError)):
        cloudevent(sent({**GOOD, **changes}))


def sent(headers: dict[str, str | None]) -> Any:
    """A record as the client gives it; a header that is None is left out."""
    given = [(name, text.encode()) for name, text in headers.items() if text is not None]
    return SimpleNamespace(key=lambda: b"id", headers=lambda: given)


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({}, []),
        ({"happened_at": "yesterday"}, ["$.happened_at"]),
        ({"recorded_late": "yes"}, ["$.recorded_late"]),
        ({"reason": None}, ["$.reason"]),
        ({"name": "somebody"}, ["$"]),
        ({"match": ...}, ["$"]),
    ],
)
def test_what_is_no_body_of_its_schema_is_found(changes: dict[str, Any], at: list[str]) -> None:
    sample = json.loads((SCHEMAS.with_name("samples") / "placement.PlacementRefused.1.json").read_text())
    body = {name: value for name, value in {**sample["body"], **changes}.items() if value is not ...}
    assert body_errors({"dataschema": GOOD["ce_dataschema"]}, json.dumps(body).encode()) == at
