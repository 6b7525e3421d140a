"""The documents as other people's linters see them: two for OpenAPI, two for AsyncAPI, no error in either."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.generate import built
from tests.integration.others import javascript, said_by
from tests.tools import skipped_without_tools

SERVICES = ("registration", "matching", "placement", "monitoring")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder() -> Path:
    with skipped_without_tools():
        return javascript()


def written(folder: Path, kind: str, change: Any = lambda document: None) -> list[Path]:
    """The services' documents as files, each after the change."""
    found = []
    for name in SERVICES:
        document = asyncio.run(fetched(name, kind))
        change(document)
        found.append(folder / f"{name}.{kind}.json")
        found[-1].write_text(json.dumps(document))
    return found


async def fetched(name: str, kind: str) -> dict[str, Any]:
    """The document as the service answers it."""
    transport = httpx.ASGITransport(app=built(name).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        document: dict[str, Any] = (await client.get(f"/{kind}.json")).raise_for_status().json()
    return document


def spectral(folder: Path, files: list[Path]) -> list[str]:
    rules = str(folder / "spectral.json")
    argv = ["lint", "-r", rules, "-f", "json", "--quiet", *map(str, files)]
    text = said_by([str(folder / "node_modules/.bin/spectral"), *argv], folder, codes=(0, 1))
    rows = json.loads(text[text.index("[") : text.rindex("]") + 1])
    return [f"{Path(row['source']).name} {row['code']} {row['path']}" for row in rows if row["severity"] == 0]


def redocly(folder: Path, files: list[Path]) -> list[str]:
    found = []
    for file in files:
        argv = ["lint", "--extends", "recommended", "--format", "json", str(file)]
        text = said_by([str(folder / "node_modules/.bin/redocly"), *argv], folder, codes=(0, 1))
        rows = json.loads(text[text.index("{") : text.rindex("}") + 1])["problems"]
        found += [f"{file.name} {row['ruleId']} {row['location']}" for row in rows if row["severity"] == "error"]
    return found


def asyncapis_own(folder: Path, files: list[Path]) -> list[str]:
    rows = json.loads(said_by(["node", "parse.js", *map(str, files)], folder))
    return [f"{Path(row['file']).name} {row['code']} {row['path']}" for row in rows if row["severity"] == 0]


@pytest.mark.timeout(600)
def test_no_linter_finds_an_error(folder: Path, tmp_path: Path) -> None:
    questions, events = written(tmp_path, "openapi"), written(tmp_path, "asyncapi")
    assert spectral(folder, questions) == []
    assert redocly(folder, questions) == []
    assert spectral(folder, events) == []
    assert asyncapis_own(folder, events) == []


@pytest.mark.timeout(600)
def test_every_linter_finds_what_is_wrong(folder: Path, tmp_path: Path) -> None:
    def without_security_and_answer(document: dict[str, Any]) -> None:
        operation = document["paths"]["/health/live"]["get"]
        del operation["security"]
        operation["responses"]["200"]["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/None"}

    def without_action_and_type(document: dict[str, Any]) -> None:
        for operation in document["operations"].values():
            operation["action"] = "publish"
        for message in document["components"]["messages"].values():
            del message["headers"]["type"]

    questions = written(tmp_path, "openapi", without_security_and_answer)[:1]
    assert spectral(folder, questions)
    assert redocly(folder, questions)
    events = written(tmp_path, "asyncapi", without_action_and_type)[:1]
    assert spectral(folder, events)
    assert asyncapis_own(folder, events)
