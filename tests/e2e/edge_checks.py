"""What every answer of a public edge has to be, and bodies that none may accept."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx

CANARY = "Qzcanary"
UNSEEN_INTEGER = 98765432101234


def check_answer(answer: Any, *sent: str) -> None:
    """No failure of ours; a refusal is a problem that names pointer and rule and none of what was `sent`.

    `answer`: httpx's or requests'.
    """
    where = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    # A method that HTTP does not have is not ours to answer otherwise.
    if answer.status_code >= 500 and answer.status_code != 501:
        assert answer.status_code == 503, where
        assert answer.headers.get("retry-after"), where
    if answer.status_code < 400:
        return
    assert answer.headers["content-type"] == "application/problem+json", where
    problem = answer.json()
    assert problem["status"] == answer.status_code, where
    assert problem["type"].startswith("urn:sankofa:problem:"), where
    assert problem["title"], where
    if answer.status_code == 422:
        assert problem["errors"], where
        assert all(isinstance(row["pointer"], str) and row["rule"] for row in problem["errors"]), where
    whole = (answer.text + repr(list(answer.headers.items()))).lower()
    for value in sent:
        assert value.lower() not in whole, f"echoed in {where}"


def refused(answer: httpx.Response, status: int | tuple[int, ...], *sent: str) -> dict[str, Any]:
    """The problem, of one of these statuses."""
    check_answer(answer, *sent)
    expected = status if isinstance(status, tuple) else (status,)
    where = f"{answer.request.method} {answer.request.url} {answer.status_code} {answer.text[:300]}"
    assert answer.status_code in expected, where
    return dict(answer.json())


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all scalars."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from leaves(one, (*place, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from leaves(one, (*place, number))
    else:
        yield place


def with_value(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at that place."""
    changed = copy.deepcopy(body)
    parent = changed
    for part in place[:-1]:
        parent = parent[part]
    parent[place[-1]] = value
    return changed


def broken(body: dict[str, Any], place: tuple[str | int, ...], *, texts_too: bool) -> Iterator[Any]:
    """Store operators, lists, dotted keys and texts of the wrong kind where one scalar stood."""
    yield with_value(body, place, {"$ne": CANARY})
    yield with_value(body, place, {"$where": f"this.{CANARY}"})
    yield with_value(body, place, {f"a.{CANARY}": 1})
    yield with_value(body, place, [CANARY, {"$regex": ".*"}])
    if texts_too:
        yield with_value(body, place, f"{CANARY}\u0007 <script>'\";--")
        yield with_value(body, place, UNSEEN_INTEGER)


# What a client would like to decide for itself; none of it is a field of any body.
ASSIGNED = {
    "role": f"{CANARY}-administrator",
    "status": "eligible",
    "state": "approved",
    "version": UNSEEN_INTEGER,
    "_id": CANARY,
    "amount_minor": UNSEEN_INTEGER,
    "recorded_late": True,
    "person_id": CANARY,
    "applied": {},
    "outbox": [],
    "private": {"name": CANARY},
    "account": CANARY,
    "office": f"{CANARY}-office",
}


def mass_assignments(example: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The example with one field more that is none of the schema's, at its top and inside of each object."""
    for name, value in ASSIGNED.items():
        if name not in schema.get("properties", {}):
            yield name, {**example, name: value}
        for field, inner in example.items():
            # A definition's own fields are checked by its model, tested with the loader.
            if isinstance(inner, dict) and name not in ("status", "office", "account"):
                yield f"{field}/{name}", {**example, field: {**inner, name: value}}


def malformed(example: dict[str, Any]) -> dict[str, tuple[bytes, str, tuple[int, ...]]]:
    """By name: body, content type, statuses of which one is expected."""
    text = json.dumps(example)
    inside = text[1:-1]
    comma = "," if inside else ""
    json_type = "application/json"

    def field(value: str, name: str = "x") -> bytes:
        return f'{{"{name}":{value}{comma}{inside}}}'.encode()

    deep = "[" * 40 + "]" * 40
    return {
        "not a number": (field("NaN"), json_type, (422,)),
        "infinity": (field("-Infinity"), json_type, (422,)),
        "overflow": (field("1e999"), json_type, (422,)),
        "huge integer": (field("9" * 5000), json_type, (422,)),
        "beyond 53 bits": (field(str(2**53 + 1)), json_type, (422,)),
        "duplicate keys": (b'{"a":1,"a":2}', json_type, (422,)),
        "duplicate keys of two spellings": (b'{"a":1,"\\u0061":2}', json_type, (422,)),
        "lone surrogate": (field('"\\ud800"'), json_type, (422,)),
        "lone surrogate in a key": (field("1", "\\udc00"), json_type, (422,)),
        "NUL": (field('"a\\u0000b"'), json_type, (422,)),
        "raw control character": (field('"a\x01b"'), json_type, (422,)),
        "deep": (field(deep), json_type, (422,)),
        "very deep": (b"[" * 500_000, json_type, (422,)),
        "large": (b'{"x":"' + b"a" * 1_100_000 + b'"}', json_type, (413,)),
        "not UTF-8": (b'{"x":"\xff\xfe"}', json_type, (422,)),
        "UTF-16": ('{"x":1}'.encode("utf-16"), json_type, (422,)),
        "byte order mark": (b"\xef\xbb\xbf{}", json_type, (422,)),
        "no JSON": (f"{CANARY}=1&b=2".encode(), json_type, (422,)),
        "cut off": (text.encode()[:-1] or b"{", json_type, (422,)),
        "two values": (b"{}{}", json_type, (422,)),
        "list": (b"[]", json_type, (422,)),
        "text": (f'"{CANARY}"'.encode(), json_type, (422,)),
        "null": (b"null", json_type, (422,)),
        "prototype": (field('{"constructor":{"prototype":{}}}', "__proto__"), json_type, (422,)),
        "form": (f"a={CANARY}".encode(), "application/x-www-form-urlencoded", (415,)),
        "plain": (text.encode(), "text/plain", (415,)),
        "XML": (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>", "application/xml", (415,)),
        "multipart": (text.encode(), f"multipart/form-data; boundary={CANARY}", (415,)),
        "no type": (text.encode(), "", (415,)),
        "another charset": (text.encode("utf-16"), "application/json; charset=utf-16", (415,)),
    }
