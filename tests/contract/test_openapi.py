"""The OpenAPI document of each service: nothing of it is left empty, and what a case's table says stands there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.generate import built
from shared.cases.case import NEW
from shared.web.contract import contract

SERVICES = ("registration", "matching", "placement", "monitoring")
Operation = tuple[str, str, dict[str, Any]]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@pytest.fixture(scope="module", params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def document(service: str) -> dict[str, Any]:
    return contract(built(service).app, service)


def test_every_answer_has_a_type_and_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        done = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        assert done, (method, path)
        for answer in done:
            schema = answer["content"]["application/json"]["schema"]
            assert schema.get("$ref") or schema.get("properties"), (method, path)
        assert operation["summary"] not in ("", "Endpoint"), (method, path)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    parts = document["components"]["schemas"]
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(parts)


def test_a_verb_says_from_where_by_whom_and_what_refuses_it(service: str, document: dict[str, Any]) -> None:
    found = {operation["operationId"]: operation for _, _, operation in operations(document)}
    for served in getattr(built(service), "cases", ()):
        for verb in served.case.verbs:
            operation = found[f"{served.name}_{verb}".replace("-", "_")]
            rows = served.case.rows[verb]
            for row in rows:
                assert all(f"`{status}`" in operation["description"] for status in row.before - {NEW})
            assert all(role in operation["description"] for role in rows[0].by)
            if verb not in served.taken:
                refused = operation["responses"]["409"]["description"]
                assert all(f"`{rule}`" in refused for row in rows for rule in row.refuses)
