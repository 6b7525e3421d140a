"""Every public edge of a running system under attack: bad input, wrong people, repetitions, all by HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.clock import RealRuntime, derived_id
from shared.messaging.local import LocalLog
from shared.messaging.port import Message
from shared.messaging.topics import TOPICS
from tests.e2e import edge_plain
from tests.e2e.edge_checks import (
    CANARY,
    UNSEEN_INTEGER,
    broken,
    check_answer,
    leaves,
    malformed,
    mass_assignments,
    refused,
    with_value,
)
from tests.e2e.edge_examples import SUBSCRIPTION, Cases, Operation, Ready, documents, posts, substituted
from tests.e2e.edge_fuzz import fuzz
from tests.e2e.edge_periods import STATED, exported, frozen, published
from tests.e2e.edge_plain import opened, plain_cases
from tests.e2e.edge_policy import BAD_BODY, Case, everybody, expected, pages, routes
from tests.e2e.edge_world import OFFICE, OTHER_OFFICE, PDF, PROGRAMME, People, terms
from tests.e2e.system import SERVICES, System
from tests.store_files import rows_in

POISONED = derived_id("poisoned")
# Monitoring parks nothing, and an export has ended before anybody ends it.
NOTHING_PARKED = ("monitoring:parked_replay", "monitoring:parked_drop", "monitoring:jobs_cancel")
UNKNOWN = {"unknown_field", "key_not_allowed", "not_allowed"}
INSTITUTION = {
    "name": "Teacher training college",
    "country": "AF",
    "sector": "education",
    "host_type": "public",
    "office": OFFICE,
}


async def poison(data: Path) -> None:
    """A record of an unknown type on each topic that two services share, with a text that must not come out again."""
    runtime = RealRuntime()
    data.mkdir(parents=True)
    log = LocalLog(data / "log.sqlite", list(TOPICS.values()), runtime)
    await log.start()
    headers = {
        "ce_id": derived_id("poison"),
        "ce_type": "org.sankofa.registration.Invented",
        "ce_source": "/registration",
        "ce_subject": POISONED,
        "ce_time": "2026-01-05T09:00:00.000000Z",
        "ce_dataschema": "urn:sankofa:schema:registration.Invented:1",
        "ce_epoch": "1",
        "ce_sequence": "1",
    }
    raw = tuple((name, text.encode()) for name, text in headers.items())
    for topic in ("registration.profiles", "registration.persons"):
        message = Message(POISONED, json.dumps({"name": CANARY}).encode(), raw)
        await log.append(topic, log.partition_of(topic, POISONED), [message])
    await log.stop()
    runtime.close()


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    system = System(tmp_path_factory.mktemp("edges"))
    asyncio.run(poison(system.data))
    with system.running():
        people = People(system)
        people.publish()
        edge_plain.publish(people)
        yield people
        people.close()


@pytest.fixture(scope="module")
def cases(people: People) -> Cases:
    return Cases(people)


@pytest.fixture(scope="module")
def ready(people: People, cases: Cases) -> dict[str, tuple[Operation, Ready]]:
    """For each POST, a case from which it is allowed; what is refused leaves the case as it is."""
    found = {}
    for operation in posts(people):
        if operation.id not in NOTHING_PARKED:
            found[operation.id] = (operation, cases.of(operation.id)())
    return found


@pytest.fixture(scope="module")
def shapes(ready: dict[str, tuple[Operation, Ready]]) -> list[tuple[Operation, Ready]]:
    """The first of those whose bodies are declared alike: one reading serves every route."""
    found: dict[str, tuple[Operation, Ready]] = {}
    for operation, case in ready.values():
        found.setdefault(json.dumps(operation.schema, sort_keys=True), (operation, case))
    return list(found.values())


def send(people: People, operation: Operation, ready: Ready, body: Any) -> httpx.Response:
    return people.post(operation.url(ready.id, ready.file), body, ready.role, ready.office, ready.subject)


def raw(people: People, operation: Operation, ready: Ready, body: bytes, content_type: str) -> httpx.Response:
    headers = people.headers(ready.role, ready.office, ready.subject)
    headers |= {"Content-Type": content_type} if content_type else {}
    return people.http.post(operation.url(ready.id, ready.file), content=body, headers=headers)


# Bad input. Everything here is refused, so the cases stay as they are for the last test of all.


def test_nothing_that_was_sent_comes_back(people: People, shapes: list[tuple[Operation, Ready]]) -> None:
    counted: Counter[int] = Counter()
    for operation, case in shapes:
        body = substituted(operation.example, case.ids)
        for place in leaves(body):
            if place[0] == "definition" and len(place) > 3:
                # Its inner fields are checked by the loader, whose own tests are about them.
                continue
            for bad in broken(body, place, texts_too=place[0] != "definition"):
                answer = send(people, operation, case, bad)
                counted[refused(answer, (403, 422), CANARY, str(UNSEEN_INTEGER))["status"]] += 1
    assert counted[422] > 300


def test_no_field_is_taken_that_is_not_the_clients_to_give(
    people: People, shapes: list[tuple[Operation, Ready]]
) -> None:
    for operation, case in shapes:
        body = substituted(operation.example, case.ids)
        for name, bad in mass_assignments(body, operation.schema):
            problem = refused(send(people, operation, case, bad), 422, CANARY, str(UNSEEN_INTEGER))
            rules = {row["rule"] for row in problem["errors"]}
            assert rules & UNKNOWN, f"{operation.id} {name}: {rules}"


def test_json_that_readers_disagree_about_is_refused(people: People, ready: dict[str, tuple[Operation, Ready]]) -> None:
    for number, (operation, case) in enumerate(ready.values()):
        attacks = list(malformed(substituted(operation.example, case.ids)).items())
        # Each route meets a third of them.
        for name, (body, content_type, statuses) in attacks[number % 3 :: 3]:
            answer = raw(people, operation, case, body, content_type)
            problem = refused(answer, statuses, CANARY)
            assert problem["rule"], f"{operation.id} {name}"


def test_unknown_paths_and_methods_are_problems(people: People) -> None:
    paths = ["/nope", "/registration", "/registration/", "/registration/v1", "/registration/v1/nope", "/v1/persons"]
    paths += ["/registration/v1/persons/", "/registration//v1/persons", "/registration/v1/../v1/nope"]
    paths += ["/registration/v1/persons/%00", "/registration/v1/persons/%ff%fe", "/registration/v1/persons/%2e%2e"]
    paths += [f"/registration/v1/persons/{'a' * 3000}", "/registration/v1/persons/%F0%9F%8E%AD%0d%0aX-Injected:1"]
    paths += ["/registration/v1/persons/$ne", "/matching/v1/assignments/%7B%22$ne%22:1%7D", "/%2e%2e/etc/passwd"]
    for path in paths:
        answer = people.get(path)
        refused(answer, 404)
        assert "x-injected" not in answer.headers
    for path in ("/registration/v1/persons", f"/placement/v1/placements/{POISONED}", "/monitoring/health/live"):
        for method in ("PUT", "PATCH", "DELETE", "TRACE"):
            answer = people.http.request(method, path, headers=people.headers("officer"))
            refused(answer, 405)
            assert answer.headers["allow"]
        refused(people.http.request("PROPFIND", path, headers=people.headers("officer")), 501)


def test_a_query_is_no_way_into_the_store(people: People) -> None:
    attacks = [
        "office[$ne]=x",
        "$where=1",
        f"limit={CANARY}",
        "limit=0",
        "limit=-1",
        "limit=1e9",
        "limit=٣",
        "limit=1&limit=2",
        f"after={CANARY}",
        "after=",
        "after=" + "A" * 3000,
        "after=AAAAAAAAAAAAAAAAAAAAAGFiYw",
        f"sort={CANARY}",
        "after=%00",
        f"%FF={CANARY}",
    ]
    for service, collection in (("registration", "persons"), ("matching", "assignments"), ("placement", "placements")):
        for attack in attacks:
            refused(people.get(f"/{service}/v1/{collection}?{attack}"), 422, CANARY)
    for attack in ("as_of=yesterday", "as_of=9999-12-31T23:59:59%2B23:59", "as_of=0001-01-01T00:00:00%2B23:59"):
        refused(people.get(f"/monitoring/v1/programmes/{PROGRAMME}/indicators?{attack}"), 422)
    for attack in (f"by={CANARY}", "by=sex,sex", "by=a,b,c,d,e,f", f"period={CANARY}", "period[$ne]=1"):
        refused(people.get(f"/monitoring/v1/programmes/{PROGRAMME}/indicators?{attack}"), 422, CANARY)
    # docs/faults.md, section 6: an evaluator gets no disaggregation, whatever the dimension.
    refused(people.get(f"/monitoring/v1/programmes/{PROGRAMME}/indicators?by=sex", "evaluator"), (403, 422))


def test_a_cursor_is_good_for_its_own_list_alone(people: People, cases: Cases) -> None:
    for _ in range(2):
        people.institution("proposed")
    path = "/registration/v1/institutions?limit=1"
    first = people.get(path).json()
    cursor = first["next"]
    following = people.get(f"{path}&after={cursor}").json()
    assert following["items"][0]["id"] != first["items"][0]["id"]
    refused(people.get(f"{path}&after={cursor}", office=OTHER_OFFICE), 422, cursor)
    refused(people.get(f"/registration/v1/experts?limit=1&after={cursor}"), 422, cursor)
    refused(people.get(f"/matching/v1/assignments?limit=1&after={cursor}"), 422, cursor)
    for forged in (cursor[:-2], cursor[::-1], "A" + cursor[1:], cursor + "A"):
        if forged != cursor:
            refused(people.get(f"{path}&after={forged}"), 422, forged)


# Headers.


def over_the_wire(people: People, lines: list[bytes], body: bytes = b"") -> bytes:
    with socket.create_connection(("127.0.0.1", people.system.port), timeout=10) as connection:
        connection.sendall(b"\r\n".join([*lines, b"Host: localhost", b"Connection: close", b"", body]))
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


def test_a_line_break_in_a_header_does_not_come_back_as_one(people: People) -> None:
    token = people.token("officer", OFFICE).encode()
    signed = b"Authorization: Bearer " + token
    for value in (b"abc\rX-Injected: 1", b"abc\nX-Injected: 1", b"abc\x00def", b"abc\x0b\x0c", b"a\r\n X-Injected: 1"):
        for name in (b"X-Correlation-Id", b"traceparent", b"Idempotency-Key", b"If-Match"):
            lines = [b"POST /registration/v1/institutions HTTP/1.1", signed, name + b": " + value]
            head = over_the_wire(people, [*lines, b"Content-Type: application/json", b"Content-Length: 2"], b"{}")
            assert head.startswith((b"HTTP/1.1 400", b"HTTP/1.1 412", b"HTTP/1.1 422")), head[:200]
            assert b"\nx-injected" not in head.lower()
    for path in (b"/registration/v1/persons/a%0d%0aX-Injected:%201", b"/%0d%0aX-Injected:%201"):
        head = over_the_wire(people, [b"GET " + path + b" HTTP/1.1", signed])
        assert head.startswith(b"HTTP/1.1 404")
        assert b"\nx-injected" not in head.lower()


def test_a_correlation_id_comes_back_only_if_it_is_one(people: People) -> None:
    for given in (f"{CANARY} with a space", "x" * 65, "<script>", "short"):
        answer = people.http.get("/registration/v1/persons", headers={"X-Correlation-Id": given})
        check_answer(answer, given)
        assert answer.headers["x-correlation-id"] != given


def test_who_forwarded_it_changes_nothing(people: People) -> None:
    forwarded = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=10.0.0.1;host=evil.example",
        "X-Original-URL": "/registration/v1/parked",
        "X-Rewrite-URL": "/registration/v1/parked",
        "X-HTTP-Method-Override": "DELETE",
    }
    path, headers = "/registration/v1/institutions?limit=1", people.headers("officer")
    plain = people.http.get(path, headers=headers)
    told = people.http.get(path, headers=headers | forwarded)
    assert (told.status_code, told.content) == (200, plain.content)
    made = people.http.post("/registration/v1/institutions", json=INSTITUTION, headers=headers | forwarded)
    assert made.status_code == 201
    assert "evil" not in made.text + str(made.headers)
    refused(people.http.get(path, headers=forwarded), 401)
    refused(people.http.get(path, headers=headers | {"Host": "evil.example"}), 400)
    # No proxy is declared here, so nobody may say for whom he asks.
    refused(people.http.get(path, headers=headers | {"X-Forwarded-For": "10.0.0.1"}), 400)


def test_tokens_that_are_not_ours(people: People) -> None:
    good = people.token("officer", OFFICE)
    head, claims, signature = good.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"
    broken_ones = (f"{none}.{claims}.", f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims}")
    for token in (*broken_ones, "a.b.c", CANARY, "é.é.é"):
        for scheme in ("Bearer", "bearer", "Basic"):
            value = f"{scheme} {token}".encode()
            answer = people.http.get("/registration/v1/persons", headers={b"Authorization": value})
            refused(answer, 401, token)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    twice = [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")]
    refused(people.http.get("/registration/v1/persons", headers=twice), 401)
    refused(people.http.get(f"/registration/v1/persons?access_token={good}"), 401, good)


# Versions and repetitions.


def test_if_match_stale_and_malformed(people: People) -> None:
    id = people.institution("proposed")
    path = f"/registration/v1/institutions/{id}"
    tag = people.get(path).headers["etag"]
    for header in ('"0"', '"999"', '"2"'):
        refused(people.post(f"{path}/assess", if_match=header), 412)
    for header in ("1", 'W/"1"', f'"{CANARY}"', '"1", "2"', '"-1"', '"1e3"', '"99999999999999999999"', '""'):
        refused(people.post(f"{path}/assess", if_match=header), 422, CANARY)
    assert people.get(path).headers["etag"] == tag
    done = people.post(f"{path}/assess", if_match=tag, idempotency_key="assess-once")
    assert done.status_code == 200
    assert done.headers["etag"] != tag
    # A repetition is looked at before If-Match, which is stale by now.
    again = people.post(f"{path}/assess", if_match=tag, idempotency_key="assess-once")
    assert (again.status_code, again.json()) == (200, done.json())
    assert again.headers["etag"] == done.headers["etag"]


def collections_to_create(people: People, cases: Cases) -> list[tuple[str, str, dict[str, Any]]]:
    draft = {"programme": PROGRAMME, "office": OFFICE, "terms": terms(cases.host), "title": "Training"}
    return [
        ("registration", "institutions", INSTITUTION),
        ("registration", "experts", people.registration()),
        ("matching", "assignments", draft),
    ]


def changed(body: dict[str, Any]) -> dict[str, Any]:
    place = next(place for place in leaves(body) if place[-1] in ("name", "given_name", "title"))
    return dict(with_value(body, place, "Another"))


def test_one_key_is_one_command(people: People, cases: Cases) -> None:
    for service, name, body in collections_to_create(people, cases):
        path = f"/{service}/v1/{name}"
        first = people.post(path, body, idempotency_key="one-key")
        assert first.status_code in (201, 202), first.text
        again = people.post(path, body, idempotency_key="one-key")
        assert again.status_code == (202 if first.status_code == 202 else 200), f"{path}: {again.status_code}"
        assert again.json() == first.json()
        refused(people.post(path, changed(body), idempotency_key="one-key"), 422, "Another")
        # Another account's key is another key.
        assert people.post(path, body, subject="colleague", idempotency_key="one-key").json() != first.json()
        for key in (b"", b"a b", "é".encode(), b"x" * 256, f"{CANARY}\t1".encode()):
            headers: Any = {name.encode(): value.encode() for name, value in people.headers("officer").items()}
            refused(people.http.post(path, json=body, headers={**headers, b"Idempotency-Key": key}), 422, CANARY)


def test_twenty_at_once_under_one_key_are_one_record(people: People, cases: Cases) -> None:
    people.quiet()
    for service, name, body in collections_to_create(people, cases):
        path = f"/{service}/v1/{name}"
        before = listed(people, path)
        with ThreadPoolExecutor(20) as pool:
            sending = [pool.submit(people.post, path, body, idempotency_key="twenty") for _ in range(20)]
            answers = [one.result() for one in sending]
        assert {answer.status_code for answer in answers} <= {200, 201, 202}, {a.text for a in answers}
        assert len({answer.json()["id"] for answer in answers}) == 1
        if answers[0].status_code == 202:
            assert len({answer.content for answer in answers}) == 1
            people.accepted(service, answers[0].json()["id"])
        assert len(listed(people, path) - before) == 1, path


def listed(people: People, path: str) -> set[str]:
    found: set[str] = set()
    after = ""
    while True:
        page = people.get(f"{path}?limit=200{after}").json()
        found |= {item["id"] for item in page["items"]}
        if not page["next"]:
            return found
        after = f"&after={page['next']}"


# Whoever asks.


@pytest.fixture(scope="module")
def owned(people: People) -> dict[str, Case]:
    """One case of each kind, of the office, about the expert who signs in as `me` at the host `my-college`."""
    host = people.institution(account="my-college")
    body = people.registration(email="me@example.org")
    answer = people.done("/registration/v1/experts", body, role="expert", subject="me")
    people.accepted("registration", answer["id"], role="expert", subject="me")
    expert = answer["subject"]
    people.done(f"/registration/v1/experts/{expert}/screen")
    assignment = people.assignment(host)
    people.quiet()
    application = people.done(
        f"/matching/v1/assignments/{assignment}/applications", {"expert": expert}, role="expert", subject="me"
    )
    people.accepted("matching", application["id"])
    match = people.match(assignment, expert, "accepted")
    placement = people.placement(match, "completed")
    # Published still: what is filled is open to nobody, and a vacancy must be.
    vacancy = people.assignment(host)
    people.quiet()
    (period,) = frozen(people, STATED)
    published(people, period)
    export, file = exported(people, STATED)
    me: Any = ("expert",)
    by_host: Any = ("host",)
    return {
        "programmes": Case(PROGRAMME),
        "persons": Case(people.person_of(expert), me),
        "experts": Case(expert, me),
        "institutions": Case(host, institution=by_host),
        "receipts/registration": Case(answer["id"], me),
        "receipts/matching": Case(application["id"], me),
        "vacancies": Case(vacancy),
        "assignments": Case(assignment, institution=by_host),
        "matches": Case(match, me, by_host),
        "placements": Case(placement, me, by_host),
        # What was sent: what waits is the office's alone to see.
        "messages": Case(people.message("sent", expert), me),
        "drafts": Case(people.draft()),
        "handovers": Case(""),
        "saved-views": Case(""),
        "imports": Case(""),
        "jobs": Case(people.imported()),
        "statements": Case(period.id),
        "jobs/monitoring": Case(export),
        "exported": Case(file),
        # Papers that name a person, by the cases of other services that registration has heard of.
        "offers": Case(match, me),
        "certificates": Case(placement, me),
        **{name: Case(opened(people, name, office=OFFICE, institution=host), (), by_host) for name in plain_cases()},
        "parked": Case(POISONED),
        "parked/placement": Case(POISONED),
        "parked/monitoring": Case(POISONED),
        "settings": Case(""),
        "readings": Case(""),
        "duplicates": Case(""),
        "files": Case(people.file(expert), me),
        "backlog": Case(""),
        "read-model": Case(""),
        "feed": Case(""),
        "subscriptions": Case(people.done("/monitoring/v1/subscriptions", SUBSCRIPTION)["id"]),
    }


def url_of(service: str, path: str, owned: dict[str, Case]) -> tuple[str, Case]:
    collection = path.split("/")[2]
    case = owned.get(f"{collection}/{service}") or owned[collection]
    code = STATED if "{number}" in path else case.id
    filled = path.replace("{id}", case.id).replace("{code}", code).replace("{indicator}", "registrations")
    filled = filled.replace("{file}", owned["files"].id).replace("{name}", owned["exported"].id)
    filled = filled.replace("{number}", "1")
    return f"/{service}{filled}", case


def ids_of(people: People, url: str, page: dict[str, Any], headers: dict[str, str]) -> set[str]:
    """Of the whole list, whatever the tests before have opened."""
    ids = {item["id"] for item in page.get("items", [])}
    while page.get("next"):
        page = people.http.get(url, headers=headers, params={"after": page["next"]}).json()
        ids |= {item["id"] for item in page["items"]}
    return ids


def test_every_route_answers_every_role_as_the_policy_says(people: People, owned: dict[str, Case]) -> None:
    guarded = [(service, route) for service, route in routes() if route.right]
    assert len(guarded) > 60
    wrong = []
    asked: Counter[int] = Counter()
    for service, route in guarded:
        url, case = url_of(service, route.path, owned)
        for who in everybody({"expert": "me", "host": "my-college"}):
            status, in_list = expected(service, route, case, who)
            if service == "monitoring" and "parked/{id}" in route.path and status == 200:
                # Monitoring parks nothing, so there is nothing to be found.
                status = 404
            body = None if route.method == "GET" else BAD_BODY
            headers = people.headers(who.role, who.office, who.subject)
            answer = people.http.request(route.method, url, json=body, headers=headers)
            check_answer(answer)
            asked[status] += 1
            if answer.status_code != status:
                wrong.append((route.method, url, who, status, answer.status_code, answer.text[:120]))
            elif status == 200 and route.method == "GET" and "{" not in route.path and service != "monitoring":
                ids = ids_of(people, url, answer.json(), headers)
                if in_list != (case.id in ids) and case.id:
                    wrong.append((route.method, url, who, in_list, case.id in ids))
    assert wrong == []
    assert min(asked[403], asked[404], asked[422], asked[200]) > 40, asked


def test_without_a_good_token_there_is_nothing(people: People, owned: dict[str, Case]) -> None:
    expired = people.token("administrator", OFFICE, hours=-1)
    for service, route in routes():
        if route.right is None:
            assert route.declared, route
            continue
        url, _ = url_of(service, route.path, owned)
        for headers in ({}, {"Authorization": f"Bearer {expired}"}):
            answer = people.http.request(route.method, url, json=None if route.method == "GET" else {}, headers=headers)
            refused(answer, 401, expired)


def test_no_token_opens_a_page(people: People) -> None:
    found = pages()
    assert len(found) >= 4
    for service, route in found:
        url = f"/{service}{route.path}".replace("{id}", POISONED)
        answer = people.http.request(route.method, url, headers=people.headers("administrator", None))
        assert answer.status_code == (303 if route.method == "GET" else 401), (service, route)


def test_another_office_reaches_nothing_by_writing(people: People, owned: dict[str, Case]) -> None:
    host, expert = owned["institutions"].id, owned["experts"].id
    stranger: dict[str, Any] = {"office": OTHER_OFFICE, "subject": "stranger"}
    draft = {"programme": PROGRAMME, "office": OFFICE, "terms": terms(host), "title": "Training"}
    refused(people.post("/matching/v1/assignments", draft, **stranger), 403)
    # The own office with a host of another one.
    refused(people.post("/matching/v1/assignments", {**draft, "office": OTHER_OFFICE}, **stranger), (403, 409, 422))
    refused(people.post("/registration/v1/institutions", INSTITUTION, **stranger), 403)
    refused(people.post("/registration/v1/experts", people.registration(), **stranger), 403)
    path = f"/matching/v1/assignments/{owned['vacancies'].id}/applications"
    refused(people.post(path, {"expert": expert}, **stranger), 404)
    refused(people.post(path, {"expert": expert}, role="expert", subject="somebody-else"), 404)
    refused(people.post("/matching/v1/assignments", draft, role="host", subject="another-host"), 403)


def test_late_is_for_those_who_may(people: People, owned: dict[str, Case]) -> None:
    path = f"/matching/v1/matches/{owned['matches'].id}/accept"
    late = {"happened_at": "2026-01-05T09:00:00Z"}
    refused(people.post(path, late, role="expert", subject="me"), 403)
    impossible = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0810-08-16T05:29:14Z"]
    for text in (*impossible, "2026-01-05T09:00:00", "2026-13-05", "1e9", ""):
        refused(people.post(path, {"happened_at": text}), 422, *([text] if text else []))
    id = people.institution("proposed")
    refused(people.post(f"/registration/v1/institutions/{id}/assess", {"happened_at": "2999-01-01T00:00:00Z"}), 422)
    refused(people.post(f"/registration/v1/institutions/{id}/assess", late), 409)


def test_what_is_parked_shows_a_position_and_no_content(people: People) -> None:
    for service in ("registration", "matching", "placement"):
        answer = people.get(f"/{service}/v1/parked", "administrator", None)
        assert POISONED in answer.text
        one = people.get(f"/{service}/v1/parked/{POISONED}", "administrator", None)
        replayed = people.post(f"/{service}/v1/parked/{POISONED}/replay", {}, "administrator", None)
        assert replayed.status_code == 200
        for shown in (answer, one, replayed):
            assert CANARY not in shown.text
            assert "unregistered_type" in shown.text
    assert CANARY not in people.system.errors.read_text()


# Versions. All of this is refused too.

STALE = '"999999"'


PIECE = {"Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?1"}


def changing(people: People) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Every operation that does more than read: its id, method, address, and what the document says of it."""
    for service, document in documents(people).items():
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                id = f"{service}:{operation['operationId']}"
                if method != "get" and id not in NOTHING_PARKED:
                    yield id, method, f"/{service}{path}", operation


def lying(people: People) -> dict[tuple[str, str, str], bytes]:
    """Every document of every service, as it lies in the store once nothing goes on by itself any more."""
    people.quiet()
    before, found = None, _lying(people)
    deadline = time.monotonic() + 120
    while before != found:
        assert time.monotonic() < deadline, "something goes on by itself"
        time.sleep(3)
        before, found = found, _lying(people)
    return found


def _lying(people: People) -> dict[tuple[str, str, str], bytes]:
    found = [(path, row) for path in sorted(people.system.data.rglob("*.sqlite")) for row in rows_in(path)]
    return {(path.name, row.collection, row.id): row.packed for path, row in found}


@pytest.mark.timeout(480)
def test_a_version_that_does_not_stand_changes_nothing_anywhere(
    people: People, ready: dict[str, tuple[Operation, Ready]]
) -> None:
    before, wrong, counted = lying(people), {}, Counter[str]()
    for id, method, path, operation in changing(people):
        found, case = ready.get("registration:experts_files_remove" if method == "patch" else id, (None, Ready()))
        headers = people.headers(case.role, case.office, case.subject) | {"If-Match": STALE}
        # What takes a file takes no JSON.
        sent: dict[str, Any] = {"content": PDF}
        if method != "patch" and found is not None:
            sent = {"json": substituted(found.example, case.ids)}
        url = path.replace("{id}", case.id).replace("{file}", case.file)
        headers |= PIECE if method == "patch" else {}
        answer = people.http.request(method, url, headers=headers, **sent)
        matched = any(one["name"] == "If-Match" for one in operation["parameters"])
        problem, rule = refused(answer, 412), "version_is_another" if matched else "no_version_to_match"
        counted[rule] += 1
        # Of a programme that nobody has published yet there is no version to be told.
        if (problem["rule"], "etag" in answer.headers) != (rule, matched and bool(case.id)):
            wrong[id] = (problem["rule"], dict(answer.headers))
    assert wrong == {}
    assert counted["version_is_another"] > 60, counted
    assert counted["no_version_to_match"] > 15, counted
    after = lying(people)
    assert {key for key in before | after if before.get(key) != after.get(key)} == set()


# Generated requests, and the examples, which change the cases and so come last.


@pytest.mark.timeout(180)
@pytest.mark.parametrize("service", SERVICES)
def test_generated_requests_find_no_failure_of_ours(people: People, owned: dict[str, Case], service: str) -> None:
    document = documents(people)[service]
    ids = {"id": {name.split("/")[0]: case.id for name, case in owned.items()}, "code": PROGRAMME}
    counted = fuzz(people, service, document, ids)
    assert sum(counted.values()) > 40, counted
    assert counted[422] > 1, counted


@pytest.mark.timeout(180)
def test_every_example_is_accepted(people: People, cases: Cases, ready: dict[str, tuple[Operation, Ready]]) -> None:
    refused_examples = {}
    for operation, case in ready.values():
        answer = send(people, operation, case, substituted(operation.example, case.ids))
        check_answer(answer)
        if not answer.is_success:
            refused_examples[operation.id] = (answer.status_code, answer.text[:200])
        elif answer.status_code == 202 and "/jobs/" not in answer.headers["location"]:
            people.accepted(operation.service, answer.json()["id"])
    assert refused_examples == {}


def test_nothing_went_wrong_behind_the_edge(people: People) -> None:
    text = people.system.errors.read_text()
    assert "request_failed" not in text, text[-2000:]
    assert "submission_failed" not in text, text[-2000:]
    assert "Traceback" not in text, text[-2000:]
    assert CANARY not in text
    parked = {people.get(f"/{name}/v1/parked", "administrator", None).text.count('"reason"') for name in SERVICES}
    assert parked <= {0, 1, 2}
