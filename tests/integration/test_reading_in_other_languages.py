"""Every topic read with other people's CloudEvents libraries, in Java and in JavaScript, beside one in Python.

All three find the same records saying the same, and two validators find every body as its schema has it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka import Message

from deploy.local.kafka import KafkaServer
from shared.clock import RealRuntime, instant_of, text_of
from shared.messaging.kafka import KafkaLog
from shared.messaging.topics import TOPICS
from tests.integration.four import EVERY_TOPIC, Four, small_history
from tests.integration.others import java, javascript, said_by
from tests.integration.test_reading_along import SCHEMAS, body_errors, cloudevent, read_everything
from tests.tools import skipped_without_tools

pytestmark = [pytest.mark.long, pytest.mark.real]

NAMES = ("id", "type", "subject", "key", "specversion", "datacontenttype", "dataschema", "source", "time")
TIME = 1 + NAMES.index("time")
EXTENSIONS = ("recordedtime", "sequence", "traceparent")
Said = tuple[str, ...]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    server = KafkaServer(tmp_path_factory.mktemp("kafka"))
    with skipped_without_tools():
        server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def written(server: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Message]]:
    """Three small histories through the four services and a look at a name, as Python's client reads what they left."""
    asyncio.run(write(server.bootstrap_servers, tmp_path_factory.mktemp("histories")))
    return read_everything(server.bootstrap_servers)


async def write(servers: str, folder: Path) -> None:
    runtime = RealRuntime()
    log = KafkaLog(servers, list(TOPICS.values()), runtime, client_id="test")
    async with Four(log, runtime) as four:
        for code, ends in EVERY_TOPIC.items():
            await four.put(small_history(*ends, code=code), folder / code)
        await four.read_of_somebody()
    runtime.close()


def in_python(records: dict[str, list[Message]]) -> list[Said]:
    found = []
    for topic, messages in records.items():
        for message in messages:
            attributes = cloudevent(message)
            assert body_errors(attributes, message.value()) == []
            given = {**attributes, "key": message.key().decode(), "datacontenttype": "application/json"}
            own = (given.get(name, "") for name in (*NAMES, *EXTENSIONS))
            found.append((topic, *own, str(len(message.value()))))
    return sorted(found)


def elsewhere(lines: str) -> list[Said]:
    """The same in the one form of times, whatever form the other library gives them."""
    found = []
    for line in lines.splitlines():
        said = line.split("\t")
        said[TIME] = text_of(instant_of(said[TIME]))
        found.append(tuple(said))
    return sorted(found)


def in_milliseconds(said: Said) -> Said:
    """JavaScript's library reads a time into a Date, which has no more of it; `recordedtime` it leaves as text."""
    return (*said[:TIME], f"{said[TIME][:-4]}000Z", *said[TIME + 1 :])


def differing(one: Sequence[Said], other: Sequence[Said]) -> list[Said]:
    return sorted(set(one) ^ set(other))[:4]


@pytest.mark.timeout(400)
def test_java_reads_what_python_reads(server: KafkaServer, written: dict[str, list[Message]]) -> None:
    with skipped_without_tools():
        folder = java()
    argv = ["java", "-cp", "libs/*", "Read.java", server.bootstrap_servers]
    read, here = elsewhere(said_by(argv, folder)), in_python(written)
    assert {topic for topic, *_ in read} == set(TOPICS)
    assert (differing(read, here), len(read)) == ([], len(here))


@pytest.mark.timeout(400)
def test_javascript_reads_what_python_reads_and_finds_every_body_as_its_schema_has_it(
    server: KafkaServer, written: dict[str, list[Message]]
) -> None:
    with skipped_without_tools():
        folder = javascript()
    lines = said_by(["node", "read.js", server.bootstrap_servers, str(SCHEMAS)], folder)
    read, here = elsewhere(lines), [in_milliseconds(said) for said in in_python(written)]
    assert {said[-1] for said in read} == {""}, "a body breaks its schema"
    assert (differing([said[:-1] for said in read], here), len(read)) == ([], len(here))


def test_the_other_validator_finds_what_is_wrong(tmp_path: Path) -> None:
    with skipped_without_tools():
        folder = javascript()
    sample = json.loads((SCHEMAS.with_name("samples") / "placement.PlacementRefused.1.json").read_text())
    script = (
        'const Ajv=require("ajv/dist/2020");const a=new Ajv({strict:false});require("ajv-formats")(a);'
        "const [s,b]=process.argv.slice(1).map(t=>JSON.parse(t));console.log(a.compile(s)(b))"
    )
    schema = (SCHEMAS / "placement.PlacementRefused.1.json").read_text()
    for change, fits in (({}, "true"), ({"happened_at": "20080105"}, "false"), ({"parties": None}, "false")):
        body = json.dumps({**sample["body"], **change})
        assert said_by(["node", "-e", script, schema, body], folder).strip() == fits, change
