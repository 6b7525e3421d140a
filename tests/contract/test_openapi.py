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
        done = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
        assert done, (method, path)
        # What is durable and nothing more has no content (RFC 9110, 15.3.5).
        assert "content" not in done.pop("204", {}), (method, path)
        for answer in done.values():
            assert answer["content"], (method, path)
            for content in answer["content"].values():
                schema = content["schema"]
                assert schema.get("$ref") or schema.get("properties") or schema.get("contentMediaType"), (method, path)
        assert operation["summary"] not in ("", "Endpoint"), (method, path)


def test_headers_bounds_and_openness_are_declared(document: dict[str, Any]) -> None:
    """A client made from the document can send the version, follow a place, wait, and sign in where it has to."""
    for method, path, operation in operations(document):
        answers, parameters = operation["responses"], operation.get("parameters", [])
        assert "Retry-After" in answers["503"]["headers"], (method, path)
        if path.startswith("/v1/") and path != "/v1/keys":
            assert operation["security"] == [{"bearer": []}]
            assert "WWW-Authenticate" in answers["401"]["headers"]
        else:
            assert operation["security"] == [], (method, path)
        for status in ("201", "202"):
            assert "Location" in answers.get(status, {}).get("headers", {"Location": ""}), (method, path)
        if "429" in answers or "202" in answers:
            assert "Retry-After" in answers["429"]["headers"]
        if method == "post":
            headers = {one["name"] for one in parameters if one["in"] == "header"}
            assert "Idempotency-Key" in headers, (method, path)
            # What has no version that could be named, as all that is new, is answered none either.
            version = "ETag" in answers.get("200", {}).get("headers", {})
            assert ("If-Match" in headers) == version or "201" in answers, (method, path)
        if method != "get":
            matches = any(one["name"] == "If-Match" for one in parameters)
            assert matches == ("ETag" in answers["412"].get("headers", {})), (method, path)
            assert "x-versioned" not in operation
        assert all("pattern" in one["schema"] for one in parameters if one["in"] == "path"), (method, path)
        assert " " in operation["summary"], (method, path)


def test_every_number_of_a_body_has_its_bounds(document: dict[str, Any]) -> None:
    def numbers(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            if value.get("type") == "integer":
                yield value
            for inner in value.values():
                yield from numbers(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from numbers(inner)

    bodies = [operation["requestBody"] for _, _, operation in operations(document) if "requestBody" in operation]
    parts = [part for name, part in document["components"]["schemas"].items() if name.endswith("Input")]
    for number in numbers([bodies, parts]):
        assert {"minimum", "exclusiveMinimum"} & set(number), number
        assert {"maximum", "exclusiveMaximum"} & set(number), number


def test_no_parameter_is_declared_twice(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        named = [(one["name"], one["in"]) for one in operation.get("parameters", ())]
        assert len(named) == len(set(named)), (method, path)


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
