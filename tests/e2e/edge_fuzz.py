"""Requests generated from a service's OpenAPI document, sent as several people, each answer checked."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core import NotSet
from schemathesis.transport.serialization import Binary

from services.registration.files.resumed import PARTIAL
from shared.identity.roles import Role
from shared.tables.reading import MEDIA_TYPES
from tests.e2e.edge_checks import check_answer
from tests.e2e.edge_policy import STREAMS
from tests.e2e.edge_world import OFFICE, People

SEED = int(os.environ.get("SEED", "1"))
Caller = tuple[Role, str | None, str, int]
# Whose requests reach furthest: the office's officer, the operator, the expert whom the cases are about; how many
# requests of each kind.
CALLERS: tuple[Caller, ...] = (
    ("officer", OFFICE, "fuzzer", 3),
    ("administrator", None, "fuzzer", 1),
    ("expert", None, "me", 1),
)
TELLING_CHARACTERS = 12
# What a field, a code, a header or a media type is called may stand in any answer.
NAME = re.compile(r"[a-z]+([_/+.-][a-z]+)*", re.IGNORECASE)
for media_type in (PARTIAL, *MEDIA_TYPES):
    schemathesis.serializer.alias(media_type, "application/octet-stream")


def fuzz(people: People, service: str, document: dict[str, Any], ids: dict[str, Any]) -> Counter[int]:
    """Every operation with what its schema allows and with what it does not; answers counted by status.

    The callers take turns by operation, and with another SEED each has another turn.
    """
    counted: Counter[int] = Counter()
    schema = schemathesis.openapi.from_dict(document)
    operations = [one for one in schema.get_all_operations() if one.ok().path not in STREAMS]
    for turn, found in enumerate(operations, SEED):
        caller = CALLERS[turn % len(CALLERS)]
        for mode in GenerationMode:
            strategy = found.ok().as_strategy(generation_mode=mode)
            try:
                _sending(people, service, ids, caller, strategy, counted)()
            except Unsatisfiable:
                # An operation without any input has no wrong one.
                continue
    return counted


def _sending(
    people: People, service: str, ids: dict[str, Any], caller: Caller, strategy: Any, counted: Counter[int]
) -> Callable[[], None]:
    @seed(SEED)
    @settings(
        max_examples=caller[3],
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Case) -> None:
        answer = answered(people, service, case, ids, caller)
        check_answer(answer, *telling(case.body))
        counted[answer.status_code] += 1

    return send


def answered(people: People, service: str, case: Case, ids: dict[str, Any], caller: Caller) -> httpx.Response:
    """The case's body and query under a real id, so that it comes further than 404."""
    path = case.operation.path
    collection = path.split("/")[-1] if path.count("/") < 2 else path.split("/")[2]
    file = ids["id"]["files"] if "/files/" in path else "registration.PersonRecorded.1.json"
    path = (
        path.replace("{file}", str(file))
        .replace("{code}", str(ids["code"]))
        .replace("{id}", str(ids["id"].get(collection) or ids["code"]))
    )
    path = path.replace("{indicator}", "registrations")
    headers = {str(name): str(value) for name, value in (case.headers or {}).items()}
    headers = {name: value for name, value in headers.items() if sendable(value) and name.lower() != "authorization"}
    query = {str(name): value for name, value in (case.query or {}).items() if sendable(str(value), text=True)}
    return people.http.request(
        case.method,
        f"/{service}{path}",
        params=query,
        content=content_of(case.body),
        headers=headers | people.headers(*caller[:3]) | {"Content-Type": case.media_type or "application/json"},
    )


def content_of(body: Any) -> bytes | None:
    if isinstance(body, NotSet):
        return None
    if isinstance(body, Binary):
        return body.data
    if isinstance(body, bytes):
        return body
    return json.dumps(body).encode()


def sendable(value: str, *, text: bool = False) -> bool:
    """Whether a client can send it at all."""
    if text:
        return not any("\ud800" <= one <= "\udfff" for one in value)
    return value.isascii() and value.isprintable() and value == value.strip()


def telling(body: Any) -> list[str]:
    """Texts of the body that are long and strange enough to be known again in an answer."""
    if isinstance(body, dict):
        return [text for one in body.values() for text in telling(one)]
    if isinstance(body, list):
        return [text for one in body for text in telling(one)]
    if isinstance(body, str) and len(body) >= TELLING_CHARACTERS and not NAME.fullmatch(body):
        return [body]
    return []
