"""A copy of everything that is stored, without the keys, tells nobody whether a guessed body was sent."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import rfc8785
from structlog.testing import capture_logs

from services.registration.app import build
from services.registration.domain.examples import DEFINITION, EXPERT
from services.registration.store import COLLECTIONS, SHADOWS
from shared.intake.receipts import is_of
from shared.messaging.topics import TOPICS
from shared.replica import stored
from tests.unit.registration.serving import Serving

NAMES = {"given_name": "Zubaida", "family_name": "Karimzada", "email": "zubaida@example.org"}
HASHES = ("md5", "sha1", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
# Shorter pieces would be found by chance.
CHARACTERS = 12


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        yield serving


def body() -> dict[str, Any]:
    sent = copy.deepcopy(EXPERT)
    sent["person"] |= NAMES
    sent["person"]["document"]["number"] = "ZK4711ZK"
    return sent


def texts_of(sent: Any) -> Iterator[bytes]:
    """The body in each form in which it may be hashed, and each of its texts alone."""
    for form in (sent, {"body": sent}, sent["person"], sent["person"]["document"]):
        yield rfc8785.dumps(form)
        for options in ({}, {"separators": (",", ":")}, {"sort_keys": True}):
            yield json.dumps(form, **options).encode()
            yield json.dumps(form, ensure_ascii=False, **options).encode()
    for text in (*NAMES.values(), "ZK4711ZK"):
        yield from (text.encode(), text.lower().encode(), text.upper().encode(), json.dumps(text).encode())


def traces_of(sent: Any) -> Iterator[str]:
    """What would tell it: plain hashes of the texts and of their hashes, in the usual spellings, cut short."""
    for text in texts_of(sent):
        for name in HASHES:
            once = hashlib.new(name, text)
            twice = hashlib.new(name, once.hexdigest().encode())
            thrice = hashlib.sha256(once.digest())
            for hashed in (once, twice, thrice):
                yield hashed.hexdigest()[:CHARACTERS]
                yield base64.b64encode(hashed.digest()).decode()[:CHARACTERS]
                yield base64.urlsafe_b64encode(hashed.digest()).decode()[:CHARACTERS]
                yield base64.b32encode(hashed.digest()).decode()[:CHARACTERS]
        yield from (text.decode(), base64.b64encode(text).decode().rstrip("="), text.hex())


async def everything(edge: Serving, logs: list[Any]) -> str:
    """Each stored document, each record with its headers, each line of the log."""
    found = [json.dumps(logs, default=str)]
    for collection in stored(COLLECTIONS, SHADOWS):
        found += [json.dumps(document) async for document in edge.store.scan(collection.name)]
    for topic in TOPICS:
        for record in await edge.topic(topic):
            found.append(f"{record.key!r} {(record.value or b'').decode()} {record.headers!r}")
    return "\n".join(found)


def told(kept: str, sent: Any) -> list[str]:
    return [trace for trace in set(traces_of(sent)) if trace in kept]


async def test_nothing_stored_tells_a_guessed_body(edge: Serving) -> None:
    """While it waits, once it is decided, and after verbs with identifiers in them: no hash, no digest, no text."""
    sent = body()
    institution = {"name": "College", "office": "kabul", "country": "AF", "sector": "education"}
    institution |= {"host_type": "public", "account": NAMES["email"]}
    with capture_logs() as logs:
        answer = await edge.post("/experts", "officer", sent)
        assert answer.status_code == 202, answer.text
        assert not told(await everything(edge, logs), sent)
        await edge.quiet()
        created = await edge.post("/institutions", "officer", institution)
        assert created.status_code == 201, created.text
        await edge.quiet()
        kept = await everything(edge, logs)
    assert not told(kept, sent)
    assert hashlib.sha256(hashlib.sha256(rfc8785.dumps(institution)).hexdigest().encode()).hexdigest()[:16] not in kept
    receipt = answer.json()
    digest = hashlib.sha256(rfc8785.dumps(sent)).hexdigest()
    # Whoever has receipt and body can prove what was sent; neither of what proves it stands in clear.
    assert is_of(receipt, digest)
    assert not any(receipt[name] in kept for name in ("digest", "salt", "signature"))


async def test_after_the_persons_end_a_repeated_key_is_answered_that_it_is_gone(edge: Serving) -> None:
    sent = body()
    first = await edge.post("/experts", "officer", sent, key="first")
    await edge.quiet()
    again = await edge.post("/experts", "officer", sent, key="first")
    assert (again.status_code, again.json()) == (202, first.json())
    other = await edge.post("/experts", "officer", {**sent, "consents": []}, key="first")
    assert (other.status_code, other.json()["rule"]) == (422, "idempotency_key_reused")
    expert = (await edge.get(f"/experts/{first.json()['subject']}")).json()
    await edge.keys.persons("registration").destroy(expert["person"])
    for repeated in (sent, {**sent, "consents": []}):
        gone = await edge.post("/experts", "officer", repeated, key="first")
        assert (gone.status_code, gone.json()["rule"]) == (410, "erased")
    assert (await edge.get(f"/receipts/{first.json()['id']}")).status_code == 410
    screened = await edge.post(f"/experts/{expert['id']}/screen", "officer")
    assert (screened.status_code, screened.json()["rule"]) == (410, "erased")
