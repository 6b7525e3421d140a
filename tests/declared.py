"""Real answers held to the OpenAPI documents: a transport between a test's client and the app, which lets pass what
is declared and raises for the rest."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from starlette.routing import compile_path

from deploy.generate import built
from shared.web.contract import contract

# What an answer says of itself, and a client has to know; the rest is HTTP's own.
TELLING = ("etag", "location", "retry-after", "allow", "www-authenticate")
Operation = Mapping[str, Any]


class Undeclared(AssertionError):
    """An answer that its service's document does not promise."""


class Declared(httpx.AsyncBaseTransport):
    """`bases`: by base path whose document holds there. `seen`: how often each operation gave each status."""

    def __init__(self, bases: Mapping[str, str], inner: httpx.AsyncBaseTransport) -> None:
        self._bases = bases
        self._inner = inner
        self.seen: Counter[tuple[str, str, int]] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        for base, service in self._bases.items():
            if request.url.path.startswith(f"{base}/"):
                found = _operation(service, request.method, request.url.path.removeprefix(base))
                self.seen[service, found, answer.status_code] += 1
                if faults := list(faults_of(service, request.method, found, answer)):
                    raise Undeclared(f"{request.method} {request.url.path} {answer.status_code}: {faults}")
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


def faults_of(service: str, method: str, path: str, answer: httpx.Response) -> Iterator[str]:
    """What the answer has that the operation of the path does not declare; a path that there is not is no operation."""
    # HEAD is answered as GET is, but for the body.
    told = _told(method)
    operation = document_of(service)["paths"].get(path, {}).get(told)
    if operation is None:
        if answer.status_code not in (404, 405):
            yield "no operation"
        return
    responses = operation["responses"]
    declared = responses.get(str(answer.status_code), responses["default"])
    if answer.status_code < 400 and str(answer.status_code) not in responses:
        yield "status"
    headers = {name.lower(): header["schema"] for name, header in declared.get("headers", {}).items()}
    for name in TELLING:
        if name in answer.headers and name not in headers:
            yield f"header {name}"
    for name, schema in headers.items():
        if name in answer.headers and not re.search(schema.get("pattern", ""), answer.headers[name]):
            yield f"form of header {name}"
        if name not in answer.headers and name != "allow":
            yield f"without header {name}"
    media = answer.headers.get("content-type", "").split(";")[0]
    if media not in declared.get("content", {"": {}}):
        yield f"media type {media}"
        return
    if "json" not in media or method == "HEAD":
        return
    validator = _validator(service, path, told, str(answer.status_code), media)
    for error in validator.iter_errors(json.loads(answer.content)):
        yield f"{error.json_path}: {error.validator} {str(error.schema)[:200]}"


@cache
def document_of(service: str) -> Any:
    return contract(built(service).app, service)


@cache
def _forms(service: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((compile_path(path)[0], path) for path in document_of(service)["paths"])


def _operation(service: str, method: str, path: str) -> str:
    """The path's template, of the first with that method; the path itself where there is none."""
    found = [template for form, template in _forms(service) if form.match(path)]
    named = document_of(service)["paths"]
    return next((one for one in found if _told(method) in named[one]), path)


def _told(method: str) -> str:
    """Under which method the document tells of it."""
    return "get" if method == "HEAD" else method.lower()


@cache
def _validator(service: str, path: str, method: str, status: str, media: str) -> Draft202012Validator:
    document = document_of(service)
    responses = document["paths"][path][method]["responses"]
    schema = responses.get(status, responses["default"])["content"][media]["schema"]
    return Draft202012Validator(_closed({**schema, "components": document["components"]}))


def _closed(schema: Any) -> Any:
    """Without room for fields that are not named: what is answered is what is declared."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _closed(value) for name, value in schema.items()}
    return {"additionalProperties": False, **inner} if isinstance(schema.get("properties"), dict) else inner
