"""The name in `dataschema` leads to its schema: every version that ever stood on a topic, without a token."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from deploy.generate import built
from shared.contracts.base import TYPE_PREFIX, schema_uri
from shared.contracts.registry import EVENTS
from shared.web.front import Front

SERVICES = ("registration", "matching", "placement", "monitoring")
SAMPLES = Path(__file__).parents[2] / "shared/contracts/samples"


@pytest.fixture
def http() -> httpx.AsyncClient:
    front = Front({name: built(name).app for name in SERVICES})
    return httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://test")


def place_of(dataschema: str) -> str:
    """As the documents say it: the owner's base path, and the name with its version."""
    *_, name, version = dataschema.split(":")
    return f"/{name.split('.')[0]}/schemas/{name}.{version}.json"


async def test_what_any_record_names_can_be_fetched_by_anybody(http: httpx.AsyncClient) -> None:
    samples = [json.loads(path.read_text()) for path in sorted(SAMPLES.glob("*.json"))]
    named = {one["headers"]["ce_dataschema"] for one in samples}
    assert named == {schema_uri(name, version) for name, version in EVENTS.versions()}
    for dataschema in named:
        answer = await http.get(place_of(dataschema))
        assert (answer.status_code, answer.json()["$id"]) == (200, dataschema)
        assert answer.headers["content-type"].startswith("application/schema+json")
        assert answer.headers["cache-control"].startswith("public")


async def test_an_older_version_stays_and_another_services_is_not_here(http: httpx.AsyncClient) -> None:
    older = [(name, version) for name, version in EVENTS.versions() if version < EVENTS.newest[name].version]
    assert older
    for name, version in older:
        short = name.removeprefix(TYPE_PREFIX)
        answer = await http.get(f"/{short.split('.')[0]}/schemas/{short}.{version}.json")
        assert answer.json()["$id"].endswith(f":{version}")
    for path in (
        "/placement/schemas/registration.PersonRecorded.1.json",
        "/registration/schemas/registration.PersonRecorded.99.json",
        "/registration/schemas/registration.PersonRecorded.1",
        "/registration/schemas/..%2f..%2fbase.py",
        "/registration/schemas/",
        "/monitoring/schemas/anything.json",
    ):
        assert (await http.get(path)).status_code == 404, path
