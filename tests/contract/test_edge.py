"""What every service's edge promises, on a small service with the real kernel and store."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import jsonschema
import pytest
import rfc8785
from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.clock import derived_id
from shared.errors import (
    CommandReused,
    Conflict,
    Overloaded,
    Problem,
    Refusal,
    TooEarly,
    Unavailable,
    UniqueViolated,
    UnknownOutcome,
)
from shared.web.bodies import documented
from shared.web.callers import guarded_routes
from shared.web.problems import MEDIA_TYPE, SCHEMA
from tests.unit.web.service import ROWS, TERMS, ApproveBody, Small

pytest_plugins = ["tests.spans", "tests.unit.web.small"]

CANARY = "Kanarienvogel"
CORRELATION = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
JSON = {"Content-Type": "application/json"}
PERSON = "5f1cf7e6-3d0c-5b43-8d6b-5a4b0f7a5a4e"


def problem(answer: httpx.Response, status: int, rule: str) -> dict[str, Any]:
    """The problem's body, after checking all that every problem has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    jsonschema.validate(body, SCHEMA)
    assert (body["status"], body["rule"]) == (status, rule), body
    return body


async def test_health_is_open_and_tells_why_it_is_not_ready(small: Small, http: httpx.AsyncClient) -> None:
    assert (await http.get("/matching/health/live")).json() == {"status": "live"}
    assert (await http.get("/matching/health/ready")).status_code == 200
    assert (await http.get("/matching/health/backlog")).json() == {"quiet": True}
    small.reasons.append("programmes")
    answer = await http.get("/matching/health/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["programmes"])
    assert answer.headers["retry-after"] == "1"
    small.clock.ended.append("sweeper")
    assert (await http.get("/matching/health/ready")).json()["reasons"] == ["programmes", "task_ended"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "bearer x.y.z", "Bearer ä", "Bearer a b"])
async def test_not_signed_in(http: httpx.AsyncClient, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")} if header else {}
    answer = await http.get("/matching/v1/cases", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == MEDIA_TYPE


async def test_two_tokens_are_none_and_an_old_one_is_refused(small: Small, http: httpx.AsyncClient) -> None:
    token = small.bearer("officer", "kabul")["Authorization"]
    twice = await http.get("/matching/v1/cases", headers=[("Authorization", token)] * 2)
    problem(twice, 401, "not_signed_in")
    small.clock.instant += timedelta(hours=2)
    late = await http.get("/matching/v1/cases", headers={"Authorization": token})
    problem(late, 401, "expired")
    assert 'error="invalid_token"' in late.headers["www-authenticate"]


async def test_roles_offices_and_owners(small: Small, http: httpx.AsyncClient) -> None:
    """A role without a row 403; another office's or person's case 404; each list its own."""
    small.persons[small.accounts.of("ali")] = derived_id("ali")
    kabul, tbilisi = await small.case("kabul", "ali"), await small.case("tbilisi", "ben")
    seen = {
        "officer kabul": (small.bearer("officer", "kabul"), {kabul}),
        "officer tbilisi": (small.bearer("officer", "tbilisi"), {tbilisi}),
        "officer of no office": (small.bearer("officer"), set[str]()),
        "expert ali": (small.bearer("expert", "tbilisi", "ali"), {kabul}),
        "expert unknown": (small.bearer("expert", "kabul", "eve"), set[str]()),
        "protection": (small.bearer("protection"), {kabul, tbilisi}),
    }
    for who, (bearer, expected) in seen.items():
        listed = (await http.get("/matching/v1/cases", headers=bearer)).json()
        assert {item["id"] for item in listed["items"]} == expected, who
        for id in (kabul, tbilisi):
            answer = await http.get(f"/matching/v1/cases/{id}", headers=bearer)
            assert answer.status_code == (200 if id in expected else 404), who
            if id not in expected:
                missing = await http.get(f"/matching/v1/cases/{small.clock.new_id()}", headers=bearer)
                assert missing.json() == answer.json(), "what is another's looks like what is not there"
    for role in ("host", "panel", "finance", "evaluator", "administrator"):
        problem(await http.get("/matching/v1/cases", headers=small.bearer(role)), 403, "role_may_not")
    approve = f"/matching/v1/cases/{tbilisi}/approve"
    problem(await http.post(approve, json={"seats": 1}, headers=small.bearer("officer", "kabul")), 404, "not_found")
    expert = await http.get(f"/matching/v1/cases/{kabul}", headers=seen["expert ali"][0])
    assert "office" not in expert.json()


async def test_a_transition_answers_the_representation_and_its_version(small: Small, http: httpx.AsyncClient) -> None:
    id, bearer = await small.case("kabul"), small.bearer("officer", "kabul")
    assert (await http.get(f"/matching/v1/cases/{id}", headers=bearer)).headers["etag"] == '"1"'
    answer = await http.post(f"/matching/v1/cases/{id}/approve", json={"seats": 2}, headers=bearer)
    assert (answer.status_code, answer.headers["etag"], answer.json()["seats"]) == (200, '"2"', 2)
    again = await http.post(f"/matching/v1/cases/{id}/approve", json={"seats": 2}, headers=bearer)
    assert problem(again, 409, "already_approved")["detail"] == "possible from opened; the case is approved"


async def test_an_idempotency_key_makes_one_command(small: Small, http: httpx.AsyncClient) -> None:
    id, bearer = await small.case("kabul"), small.bearer("officer", "kabul")
    headers = {**bearer, **JSON, "Idempotency-Key": "step-1", "If-Match": '"1"'}
    path = f"/matching/v1/cases/{id}/approve"
    first = await http.post(path, content=b'{"seats": 2, "note": "a"}', headers=headers)
    # The same JSON in other bytes, and a version that has moved on: the key is looked at before If-Match.
    second = await http.post(path, content=b'{ "note":"\\u0061","seats":2}', headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert second.headers["etag"] == '"2"'
    other = await http.post(path, json={"seats": 3}, headers={**bearer, "Idempotency-Key": "step-1"})
    problem(other, 422, "idempotency_key_reused")
    elsewhere = await small.case("kabul")
    third = await http.post(f"/matching/v1/cases/{elsewhere}/approve", json={"seats": 9}, headers=headers)
    assert third.json()["seats"] == 9, "one key on two cases is two commands"
    document = await small.store.load("cases", id)
    assert document is not None
    digest = hashlib.sha256(rfc8785.dumps({"seats": 2, "note": "a"})).hexdigest()
    kept = {entry[0] for entry in document["applied"].values()}
    assert not kept & {digest[:16], hashlib.sha256(digest.encode()).hexdigest()[:16]}, "a plain hash tells a guess"


async def test_twenty_at_once_with_one_key_make_one_case(small: Small, http: httpx.AsyncClient) -> None:
    headers = {**small.bearer("officer", "kabul"), "Idempotency-Key": "k"}
    answers = await asyncio.gather(
        *(http.post("/matching/v1/cases", json={"person": PERSON}, headers=headers) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = {**small.bearer("officer", "kabul", "another"), "Idempotency-Key": "k"}
    mine = await http.post("/matching/v1/cases", json={"person": PERSON}, headers=other)
    assert mine.json()["id"] != answers[0].json()["id"], "a key is its account's own"
    keyless = [await http.post("/matching/v1/cases", json={"person": PERSON}, headers=other) for _ in range(2)]
    keyless_ids = {answer.json()["id"] for answer in keyless}
    assert keyless_ids == {mine.json()["id"]}
    other.pop("Idempotency-Key")
    fresh = [await http.post("/matching/v1/cases", json={"person": PERSON}, headers=other) for _ in range(2)]
    assert len({answer.json()["id"] for answer in fresh}) == 2


@pytest.mark.parametrize("key", [b"", b" ", b"a b", b"x" * 256, b"\xc3\xa9"])
async def test_keys_that_are_none(small: Small, http: httpx.AsyncClient, key: bytes) -> None:
    headers = {**small.bearer("officer", "kabul"), "Idempotency-Key": key}
    answer = await http.post("/matching/v1/cases", json={"person": PERSON}, headers=headers)
    body = problem(answer, 422, "idempotency_key_malformed")
    assert body["errors"][0]["pointer"] == "header/idempotency-key"


@pytest.mark.parametrize(
    ("header", "status", "rule"),
    [
        ('"7"', 412, "version_is_another"),
        ("1", 422, "if_match_malformed"),
        ('W/"1"', 422, "if_match_malformed"),
        ('"1", "2"', 422, "if_match_malformed"),
        ("", 422, "if_match_malformed"),
        ('"' + "9" * 400 + '"', 422, "if_match_malformed"),
    ],
)
async def test_stale_and_malformed_versions(
    small: Small, http: httpx.AsyncClient, header: str, status: int, rule: str
) -> None:
    id = await small.case("kabul")
    headers = {**small.bearer("officer", "kabul"), "If-Match": header}
    answer = await http.post(f"/matching/v1/cases/{id}/approve", json={"seats": 1}, headers=headers)
    problem(answer, status, rule)
    # What stands is told with the refusal, to whoever may change it.
    assert answer.headers.get("etag") == ('"1"' if status == 412 else None)


async def test_two_versions_at_once_are_none(small: Small, http: httpx.AsyncClient) -> None:
    id, bearer = await small.case("kabul"), small.bearer("officer", "kabul")
    headers = [*bearer.items(), ("If-Match", '"1"'), ("If-Match", '"2"')]
    answer = await http.post(f"/matching/v1/cases/{id}/approve", json={"seats": 1}, headers=headers)
    problem(answer, 422, "if_match_malformed")


@pytest.mark.parametrize("header", ["If-None-Match", "Content-Range"])
async def test_what_is_asked_for_in_part_or_only_where_nothing_stands_is_refused(
    small: Small, http: httpx.AsyncClient, header: str
) -> None:
    id, bearer = await small.case("kabul"), small.bearer("officer", "kabul")
    for path, body in ((f"/cases/{id}/approve", {"seats": 1}), ("/cases", {"person": derived_id("ali")})):
        answer = await http.post(f"/matching/v1{path}", json=body, headers={**bearer, header: "*"})
        found = problem(answer, 422, "header_not_taken")
        assert found["errors"] == [{"pointer": f"header/{header.lower()}", "rule": "header_not_taken"}]
    assert (await small.store.load("cases", id) or {})["version"] == 1
    assert (await http.get(f"/matching/v1/cases/{id}", headers={**bearer, header: "*"})).status_code == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/xml", 406),
        ("text/*", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0.0, */*", 406),
        ("application/*;q=0, text/html", 406),
        ("application/json", 200),
        ("Application/JSON; q=0.2, text/html", 200),
        ("text/html, application/*;q=0.5", 200),
        ("text/html, */*;q=0.1", 200),
        ("*/*", 200),
        ("", 200),
        ("nothing of the kind", 200),
    ],
)
async def test_what_nobody_would_take_is_not_done(
    small: Small, http: httpx.AsyncClient, accept: str, status: int
) -> None:
    id, headers = await small.case("kabul"), {**small.bearer("officer", "kabul"), "Accept": accept}
    read = await http.get(f"/matching/v1/cases/{id}", headers=headers)
    done = await http.post(f"/matching/v1/cases/{id}/approve", json={"seats": 1}, headers=headers)
    assert (read.status_code, done.status_code) == (status, status)
    assert (await small.store.load("cases", id) or {})["version"] == (2 if status == 200 else 1)
    if status == 406:
        found = problem(done, 406, "not_acceptable")
        assert found["errors"][0]["pointer"] == "header/accept"
        assert found["detail"] == "answered as application/json"


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", CANARY])
async def test_a_packed_body_is_not_read(small: Small, http: httpx.AsyncClient, encoding: str) -> None:
    id, bearer = await small.case("kabul"), small.bearer("officer", "kabul")
    path = f"/matching/v1/cases/{id}/approve"
    answer = await http.post(path, json={"seats": 1}, headers={**bearer, "Content-Encoding": encoding})
    problem(answer, 415, "content_encoding_not_taken")
    assert answer.headers["accept-encoding"] == "identity"
    plain = await http.post(path, json={"seats": 1}, headers={**bearer, "Content-Encoding": "identity"})
    assert plain.status_code == 200


async def test_recording_late_is_a_right(small: Small, http: httpx.AsyncClient) -> None:
    small.persons[small.accounts.of("ali")] = derived_id("ali")
    path = "/matching/v1/cases"
    opened = {"person": derived_id("ali"), "happened_at": "2026-01-10T08:00:00Z"}
    officer = small.bearer("officer", "kabul")
    id = (await http.post(path, json=opened, headers=officer)).json()["id"]
    late = {"seats": 1, "happened_at": "2026-02-01T09:00:00+01:00"}
    expert = await http.post(f"{path}/{id}/approve", json=late, headers=small.bearer("expert", None, "ali"))
    problem(expert, 403, "role_may_not_record_late")
    early = await http.post(
        f"{path}/{id}/approve", json={**late, "happened_at": "2027-01-01T00:00:00Z"}, headers=officer
    )
    assert problem(early, 422, "happened_in_the_future")["errors"][0]["pointer"] == "/happened_at"
    zoneless = await http.post(
        f"{path}/{id}/approve", json={**late, "happened_at": "2026-02-01T09:00:00"}, headers=officer
    )
    assert problem(zoneless, 422, "invalid")["errors"][0]["pointer"] == "/happened_at"
    assert (await http.post(f"{path}/{id}/approve", json=late, headers=officer)).status_code == 200
    document = await small.store.load("cases", id)
    assert document is not None
    assert document["last_happened_at"] == "2026-02-01T08:00:00.000000Z"
    assert [json.loads(event["value"])["recorded_late"] for event in document["outbox"]] == [True, True]
    before = await http.post(
        f"{path}/{id}/approve", json={**late, "happened_at": "2026-01-01T00:00:00Z"}, headers=officer
    )
    assert before.status_code == 409


@pytest.mark.parametrize(
    ("body", "pointer", "rule"),
    [
        ({}, "/seats", "required"),
        ({"seats": "2"}, "/seats", "int_type"),
        ({"seats": True}, "/seats", "int_type"),
        ({"seats": 6.5}, "/seats", "int_type"),
        ({"seats": {"$ne": 1}}, "/seats", "key_not_allowed"),
        ({"seats": [1]}, "/seats", "int_type"),
        ({"seats": 1, "role": "administrator"}, "/role", "unknown_field"),
        ({"seats": 1, "office": "tbilisi"}, "/office", "unknown_field"),
        ({"seats": 1, "status": "approved"}, "/status", "unknown_field"),
        ({"seats": 1, CANARY: 1}, "", "unknown_field"),
        ({"seats": 1, "terms": {**TERMS, "amount_minor": 5}}, "/terms/amount_minor", "unknown_field"),
        ({"seats": 1, "terms": {**TERMS, "country": CANARY}}, "/terms/country", "string_pattern_mismatch"),
        ({"seats": 1, "terms": {**TERMS, "starts_on": CANARY}}, "/terms/starts_on", "date_malformed"),
        ({"seats": 1, "terms": {**TERMS, "starts_on": "1173052800"}}, "/terms/starts_on", "date_malformed"),
        ({"seats": 1, "happened_at": "1199523600"}, "/happened_at", "time_malformed"),
        ({"seats": 1, "happened_at": "20080105"}, "/happened_at", "time_malformed"),
        ({"seats": 1, "terms": {**TERMS, "languages": [{}]}}, "/terms/languages/0/language", "required"),
        ({"seats": 1, "labels": {f"Amina {CANARY}": 1}}, "/labels", "string_type"),
        ({"seats": 1, "note": [CANARY]}, "/note", "string_type"),
        ([], "", "not_an_object"),
        (CANARY, "", "not_an_object"),
    ],
)
async def test_bad_input_names_pointer_and_rule(
    small: Small, http: httpx.AsyncClient, body: Any, pointer: str, rule: str
) -> None:
    id = await small.case("kabul")
    answer = await http.post(f"/matching/v1/cases/{id}/approve", json=body, headers=small.bearer("officer", "kabul"))
    assert answer.status_code == 422, answer.text
    errors = {(one["pointer"], one["rule"]): one for one in answer.json()["errors"]}
    assert (pointer, rule) in errors, answer.text
    # A form is told in words; Pydantic's own words stay here.
    assert ("2008-01-05" in errors[pointer, rule].get("detail", "")) is rule.endswith("_malformed")
    assert CANARY not in answer.text
    document = await small.store.load("cases", id)
    assert document is not None
    assert document["version"] == 1


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "application/json; charset*0=utf-8; charset*=utf-8''utf-8",
        f"application/json; charset*{'9' * 5_000}=utf-8",
    ],
)
async def test_another_media_type(small: Small, http: httpx.AsyncClient, media: str) -> None:
    headers = {**small.bearer("officer", "kabul"), **({"Content-Type": media} if media else {})}
    id = await small.case("kabul")
    answer = await http.post(f"/matching/v1/cases/{id}/approve", content=b'{"seats": 1}', headers=headers)
    problem(answer, 415, "unsupported_media_type")


async def test_too_large_a_body_sized_or_in_parts(small: Small, http: httpx.AsyncClient) -> None:
    id, headers = await small.case("kabul"), {**small.bearer("officer", "kabul"), **JSON}
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 65_536
            yield b" " * 65_536

    for content in (b" " * 1_048_577, parts()):
        answer = await http.post(f"/matching/v1/cases/{id}/approve", content=content, headers=headers)
        problem(answer, 413, "too_large")
    signed_out = await http.post(f"/matching/v1/cases/{id}/approve", content=b" " * 1_048_577, headers=JSON)
    problem(signed_out, 401, "not_signed_in")


FIELDS = st.sampled_from(["seats", "note", "terms", "$ne", "labels"]) | st.text(max_size=4)


async def test_a_body_that_a_route_reads_by_itself_is_bounded_too(small: Small, http: httpx.AsyncClient) -> None:
    careless = APIRouter()

    @careless.post("/careless")
    async def endpoint(request: Request) -> int:
        return len(await request.body())

    small.app.include_router(careless)
    taken = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 1_048_576

    problem(await http.post("/matching/careless", content=parts()), 413, "too_large")
    assert taken <= 34
    assert (await http.post("/matching/careless", content=b" " * 2_000_000)).json() == 2_000_000


JSON_NOISE = st.binary(max_size=80) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["seats", "note", "terms", "$ne", "labels"]) | st.text(max_size=4), inner, max_size=4
        )
    ),
    max_leaves=10,
).map(lambda value: json.dumps(value).encode())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(raw=JSON_NOISE, happens=st.sampled_from([b"", b'{"seats":1,"note":"' + CANARY.encode() + b'","x":']))
async def test_no_body_breaks_the_edge(small: Small, http: httpx.AsyncClient, raw: bytes, happens: bytes) -> None:
    id = await small.case("kabul")
    headers = {**small.bearer("officer", "kabul"), **JSON}
    answer = await http.post(f"/matching/v1/cases/{id}/approve", content=happens + raw, headers=headers)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert CANARY not in answer.text


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(id=st.text(max_size=70), after=st.text(max_size=40), limit=st.text(max_size=6), other=st.text(min_size=1))
async def test_no_path_and_no_query_breaks_the_edge(
    small: Small, http: httpx.AsyncClient, id: str, after: str, limit: str, other: str
) -> None:
    bearer = small.bearer("officer", "kabul")
    for url, params in (
        (f"/matching/v1/cases/{httpx.QueryParams({'i': id})!s}", {}),
        ("/matching/v1/cases", {"after": after}),
        ("/matching/v1/cases", {"limit": limit}),
        ("/matching/v1/cases", {f"limit[{other}]": "1"}),
    ):
        try:
            answer = await http.get(url, params=params, headers=bearer)
        except (httpx.InvalidURL, UnicodeEncodeError):
            continue
        assert answer.status_code in (200, 404, 422), answer.text


@pytest.mark.parametrize("id", ["$ne", "a%00b", "a%0d%0aX-Injected:%201", "..%2f..", "x" * 65, "%ff", "a b", "{id}"])
async def test_ids_that_are_none_are_not_found(small: Small, http: httpx.AsyncClient, id: str) -> None:
    answer = await http.get(f"/matching/v1/cases/{id}", headers=small.bearer("officer", "kabul"))
    problem(answer, 404, "not_found")
    assert "x-injected" not in answer.headers


async def test_unknown_paths_and_methods_are_problems(small: Small, http: httpx.AsyncClient) -> None:
    for path in ("v1/nothing", CANARY, "v1/cases/", "docs", "redoc", "v1/cases/a/b/c", "a%0d%0ab"):
        answer = await http.get(f"/matching/{path}")
        problem(answer, 404, "not_found")
        assert CANARY not in answer.text
    problem(await http.get(f"/{CANARY}"), 404, "not_found")
    assert (await http.get("/")).json() == {"services": {"matching": "/matching/openapi.json"}}
    answer = await http.delete("/matching/v1/cases", headers=small.bearer("officer", "kabul"))
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "POST", "HEAD"}


async def test_a_list_goes_page_by_page_while_others_write(small: Small, http: httpx.AsyncClient) -> None:
    stood = {await small.case("kabul", id=f"case-{number:03}-x") for number in range(7)}
    bearer, seen, after = small.bearer("officer", "kabul"), [], None
    pages = 0
    while pages == 0 or after:
        params = {"limit": "3", **({"after": after} if after else {})}
        body = (await http.get("/matching/v1/cases", params=params, headers=bearer)).json()
        seen += [item["id"] for item in body["items"]]
        after, pages = body["next"], pages + 1
        await small.case("kabul", id=f"case-{pages:03}-a")
        await small.case("tbilisi", id=f"case-{pages:03}-b")
    assert seen == sorted(seen)
    assert [id for id in seen if id in stood] == sorted(stood)
    assert len(seen) == len(set(seen))


async def test_a_cursor_is_of_one_list(small: Small, http: httpx.AsyncClient) -> None:
    for office in ("kabul", "tbilisi"):
        for _ in range(3):
            await small.case(office)
    kabul, tbilisi = small.bearer("officer", "kabul"), small.bearer("officer", "tbilisi")
    first = (await http.get("/matching/v1/cases", params={"limit": "1"}, headers=kabul)).json()["next"]
    ok = await http.get("/matching/v1/cases", params={"limit": "1", "after": first}, headers=kabul)
    assert ok.status_code == 200
    changed = first[:-2] + ("AA" if not first.endswith("AA") else "BB")
    for bearer, cursor in (
        (tbilisi, first),
        (small.bearer("protection"), first),
        (kabul, changed),
        (kabul, ""),
        (kabul, "x"),
        (kabul, "é"),
        (kabul, first * 100),
    ):
        answer = await http.get("/matching/v1/cases", params={"after": cursor}, headers=bearer)
        problem(answer, 422, "cursor_not_of_this_list")


@pytest.mark.parametrize(
    ("query", "rule"),
    [
        ("limit=0", "limit_out_of_range"),
        ("limit=201", "limit_out_of_range"),
        ("limit=x", "limit_out_of_range"),
        ("limit=-1", "limit_out_of_range"),
        ("limit=%D9%A1", "limit_out_of_range"),
        ("limit=" + "9" * 5000, "limit_out_of_range"),
        ("limit=1&limit=2", "duplicate_parameter"),
        ("limit[$ne]=1", "unknown_parameter"),
        (f"sort={CANARY}", "unknown_parameter"),
        (f"{CANARY}=1", "unknown_parameter"),
    ],
)
async def test_queries_are_as_strict_as_bodies(small: Small, http: httpx.AsyncClient, query: str, rule: str) -> None:
    answer = await http.get(f"/matching/v1/cases?{query}", headers=small.bearer("officer", "kabul"))
    problem(answer, 422, rule)
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("failure", "status", "rule", "retry"),
    [
        (Refusal("already_filled"), 409, "already_filled", None),
        (Refusal("bad", status=422, problems=(Problem("too_long", "/note"),)), 422, "bad", None),
        (CommandReused(), 422, "idempotency_key_reused", None),
        (UniqueViolated(CANARY), 409, "already_exists", None),
        (Conflict(), 503, "contended", "2"),
        (Unavailable(CANARY), 503, "unavailable", "2"),
        (UnknownOutcome(CANARY), 503, "outcome_unknown", "2"),
        (TooEarly(CANARY), 503, "too_early", "2"),
        (Overloaded("intake", retry_after_seconds=7, status=429), 429, "overloaded", "7"),
        (Overloaded("clock", retry_after_seconds=60), 503, "overloaded", "60"),
        (RuntimeError(CANARY), 500, "internal", None),
        (KeyError(CANARY), 500, "internal", None),
        (UnicodeError(CANARY), 500, "internal", None),
    ],
)
async def test_errors_have_their_status_and_tell_nothing(
    small: Small,
    http: httpx.AsyncClient,
    capfd: pytest.CaptureFixture[str],
    failure: Exception,
    status: int,
    rule: str,
    retry: str | None,
) -> None:
    id = await small.case("kabul")
    small.failure.append(failure)
    headers = {**small.bearer("officer", "kabul"), "X-Correlation-Id": CORRELATION}
    answer = await http.post(f"/matching/v1/cases/{id}/explode", headers=headers)
    problem(answer, status, rule)
    assert answer.headers.get("retry-after") == retry
    logged = "".join(capfd.readouterr())
    assert CANARY not in answer.text + logged
    if status == 500:
        line = json.loads(logged)
        assert (line["error"], line["correlation_id"]) == (type(failure).__name__, CORRELATION)
        assert line["route"].endswith("/cases/{id}/explode")


async def test_trace_and_correlation_go_through_or_begin_here(small: Small, http: httpx.AsyncClient) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    bearer = small.bearer("officer", "kabul")
    answer = await http.get(
        "/matching/v1/echo", headers={**bearer, "traceparent": parent, "X-Correlation-Id": CORRELATION}
    )
    assert answer.json()["correlation"] == answer.headers["x-correlation-id"] == CORRELATION
    assert answer.json()["traceparent"] == answer.headers["traceparent"]
    assert answer.headers["traceparent"].split("-")[1] == parent.split("-")[1]
    bad = {**bearer, "traceparent": "00-evil", "X-Correlation-Id": f"{CANARY} <b>"}
    fresh = await http.get("/matching/v1/echo", headers=bad)
    assert CANARY not in fresh.text + str(fresh.headers)
    assert len(fresh.headers["x-correlation-id"]) == 36


@pytest.mark.parametrize("text", ["Amina-Warsame-0617123456", "x" * 36, f"{{{CORRELATION}}}", "short"])
async def test_a_text_of_the_callers_own_gets_onto_no_topic(small: Small, http: httpx.AsyncClient, text: str) -> None:
    headers = {**small.bearer("officer", "kabul"), "X-Correlation-Id": text}
    answer = await http.post("/matching/v1/cases", json={"person": PERSON}, headers=headers)
    assert answer.status_code == 201
    fresh = answer.headers["x-correlation-id"]
    assert UUID(fresh).version == 4
    document = await small.store.load("cases", answer.json()["id"])
    assert document
    assert document["outbox"][0]["headers"]["ce_correlationid"] == fresh
    assert text not in json.dumps(document)


async def test_an_event_keeps_the_requests_trace_and_correlation(small: Small, http: httpx.AsyncClient) -> None:
    headers = {**small.bearer("officer", "kabul"), "X-Correlation-Id": CORRELATION}
    answer = await http.post("/matching/v1/cases", json={"person": PERSON}, headers=headers)
    document = await small.store.load("cases", answer.json()["id"])
    assert document is not None
    sent = document["outbox"][0]["headers"]
    assert sent["ce_correlationid"] == CORRELATION
    assert sent["traceparent"] == answer.headers["traceparent"]


async def test_every_answer_carries_the_security_headers(http: httpx.AsyncClient) -> None:
    for path in ("/matching/health/live", "/matching/v1/cases", "/matching/nothing"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


async def test_another_host_is_refused_where_hosts_are_configured(small: Small) -> None:
    async with small.client(hosts=["sankofa.test", "::1"]) as http:
        for host in ("sankofa.test", "Sankofa.Test:443", "[::1]:8000"):
            assert (await http.get("/matching/health/live", headers={"Host": host})).status_code == 200
        for host in ("evil.example.org", "sankofa.test.evil.example.org", "", "evil.example.org:80@sankofa.test"):
            answer = await http.get("/matching/v1/cases", headers={"Host": host})
            problem(answer, 400, "host_not_allowed")
            assert answer.headers["x-content-type-options"] == "nosniff"
        twice = [("Host", "sankofa.test"), ("Host", "evil.example.org")]
        problem(await http.get("/", headers=twice), 400, "host_not_allowed")


async def test_every_route_has_a_row_and_a_forgotten_one_is_found(small: Small) -> None:
    routes = guarded_routes(small.app)
    assert {(r.right.resource, r.right.verb) for r in routes if r.right} == {
        ("cases", verb) for verb in ("create", "list", "read", "approve", "explode")
    }
    assert all(route.declared for route in routes)
    assert {route.path for route in routes if not route.right} == {
        "/health/live",
        "/health/ready",
        "/health/backlog",
        "/openapi.json",
        "/schemas/{file}",
        "/static/{file}",
    }
    known = {(row.resource, row.verb) for row in ROWS}
    assert all((route.right.resource, route.right.verb) in known for route in routes if route.right)
    forgotten = APIRouter()

    @forgotten.get("/forgotten")
    async def endpoint(_request: Request) -> dict[str, str]:
        return {}

    small.app.include_router(forgotten)
    small.app.mount("/mounted", small.app)
    assert {route.path for route in guarded_routes(small.app) if not route.declared} == {"/forgotten", "/mounted"}


async def test_nothing_runs_in_a_thread(small: Small) -> None:
    """Starlette puts every plain function into a thread, where the seeded loop cannot follow."""

    def calls(dependant: Dependant) -> Iterator[Any]:
        yield dependant.call
        for inner in dependant.dependencies:
            yield from calls(inner)

    found = [call for route in iter_route_contexts(small.app.routes) for call in calls(route.dependant)]
    found += [handler for handler in small.app.exception_handlers.values() if handler.__module__.startswith("shared.")]
    assert len(found) > 25
    assert [call for call in found if not inspect.iscoroutinefunction(call)] == []


async def test_the_contract_says_what_the_edge_does(small: Small, http: httpx.AsyncClient) -> None:
    document = (await http.get("/matching/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/matching"}]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["security"] == ([{"bearer": []}] if path.startswith("/v1/") else [])
            assert MEDIA_TYPE in operation["responses"]["default"]["content"]
            if method == "post":
                headers = {one["name"] for one in operation["parameters"] if one["in"] == "header"}
                # What is created has no version that could be named.
                assert headers == {"Idempotency-Key"} | ({"If-Match"} if "{id}" in path else set())
                assert "x-versioned" not in operation
                assert (
                    operation["requestBody"]["content"]["application/json"]["examples"]["example"]["value"] is not None
                )
    text = json.dumps(document)
    assert "$defs" not in text
    body = document["paths"]["/v1/cases/{id}/approve"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["additionalProperties"] is False
    assert document["components"]["schemas"]["TermsInput"]["additionalProperties"] is False
    for reference in {part["$ref"] for part in _references(document)}:
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]


def _references(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


async def test_every_example_is_accepted(small: Small, http: httpx.AsyncClient) -> None:
    document = (await http.get("/matching/openapi.json")).json()
    bearer = small.bearer("officer", "kabul")
    small.failure.append(Refusal("reached"))
    for path, operations in document["paths"].items():
        if "post" in operations:
            example = operations["post"]["requestBody"]["content"]["application/json"]["examples"]["example"]["value"]
            url = f"/matching{path}".replace("{id}", await small.case("kabul"))
            answer = await http.post(url, json=example, headers=bearer)
            assert answer.status_code in (200, 201) or answer.json()["rule"] == "reached", (path, answer.text)


def test_an_example_that_is_refused_stops_the_start() -> None:
    with pytest.raises(ValueError, match="/seats: int_type"):
        documented(ApproveBody, {"seats": "two"})


async def test_no_value_reaches_the_logs(
    small: Small, http: httpx.AsyncClient, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    id, bearer = await small.case("kabul"), small.bearer("officer", "kabul")
    for body in ({"seats": CANARY}, {CANARY: 1}, {"seats": 1, "note": CANARY}):
        await http.post(f"/matching/v1/cases/{id}/approve", json=body, headers=bearer)
    await http.get(f"/matching/v1/cases/{CANARY}?{CANARY}={CANARY}", headers=bearer)
    assert CANARY not in "".join(capfd.readouterr())


@pytest.mark.parametrize("header", ['"0"', '"1"', "*", "anything"])
async def test_nothing_that_is_created_can_match_a_version(small: Small, http: httpx.AsyncClient, header: str) -> None:
    headers = {**small.bearer("officer", "kabul"), "If-Match": header}
    answer = await http.post("/matching/v1/cases", json={"person": derived_id("ali")}, headers=headers)
    found = problem(answer, 412, "no_version_to_match")
    assert found["errors"][0]["pointer"] == "header/if-match"
    assert "etag" not in answer.headers
    assert (await http.get("/matching/v1/cases", headers=small.bearer("officer", "kabul"))).json()["items"] == []


@pytest.mark.parametrize("path", ["/matching/v1/cases", "/matching/nowhere"])
async def test_a_method_of_ones_own_is_not_told_further(
    small: Small, http: httpx.AsyncClient, spans: InMemorySpanExporter, path: str
) -> None:
    answer = await http.request(CANARY.upper(), path, headers=small.bearer("officer", "kabul"))
    problem(answer, 501, "method_unknown")
    (request,) = spans.get_finished_spans()
    assert (request.attributes or {})["method"] == "OTHER"
    assert CANARY.upper() not in answer.text + request.to_json()
