"""Messages through registration's public edge: who is told, who reads the ledger, and what an officer does with it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.registration.app import Registration
from services.registration.domain.examples import ATTRIBUTES, DEFINITION, INSTITUTION
from services.registration.store import COLLECTIONS, SHADOWS
from services.registration.work import sending
from shared.replica import Ports, stored
from tests.integration.test_registration_http import decided, registration
from tests.unit.pages.test_cases import Office
from tests.unit.registration.posting import Box
from tests.unit.registration.serving import Serving

CANARY = "canary@example.org"


@pytest.fixture
async def edge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Serving, Box]]:
    monkeypatch.setattr(sending, "EVERY_SECONDS", 0.02)
    box = Box()

    def build(ports: Ports, settings: Any) -> Registration:
        return Registration(ports, settings, box)

    serving = Serving("registration", stored(COLLECTIONS, SHADOWS), build)
    # By day, for nobody is written to at night.
    serving.clock.ahead = timedelta(hours=(12 - serving.clock.now().hour) % 24)
    async with serving:
        await serving.publish(DEFINITION)
        yield serving, box


async def listed(serving: Serving, role: Any = "officer", **how: Any) -> list[dict[str, Any]]:
    answer = await serving.get("/messages", role, **how)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def arrived(serving: Serving, states: set[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """The office's messages by template, once they stand so."""
    found: dict[str, dict[str, Any]] = {}

    async def there() -> bool:
        found.clear()
        found.update({one["template"]: one for one in await listed(serving)})
        return {(one["template"], one["state"]) for one in found.values()} == states

    await serving.eventually(there)
    return found


async def test_who_registers_gets_a_mail_and_an_officer_holds_what_refuses(edge: tuple[Serving, Box]) -> None:
    serving, box = edge
    asked = registration(email=CANARY, attributes={**ATTRIBUTES, "education": 1, "experience_years": 0})
    receipt = (await serving.post("/experts", "expert", asked, subject="anna")).json()
    await decided(serving, receipt, role="expert", subject="anna")
    await arrived(serving, {("registered", "sent")})
    assert [mail.to for mail in box.mails] == [CANARY]
    assert (await serving.post(f"/experts/{receipt['subject']}/screen", "officer")).json()["state"] == "ineligible"
    found = await arrived(serving, {("registered", "sent"), ("ineligible", "held")})
    held = found["ineligible"]["id"]
    # Its recipient sees nothing of it before it is released, and nobody else anything at all.
    assert [one["template"] for one in await listed(serving, "expert", subject="anna")] == ["registered"]
    assert (await serving.get(f"/messages/{held}", "expert", subject="anna")).status_code == 404
    assert await listed(serving, "expert", subject="bela") == []
    assert await listed(serving, office="hargeisa") == []
    assert (await serving.post(f"/messages/{held}/release", "expert", subject="anna")).status_code == 403
    assert (await serving.post(f"/messages/{held}/release", "officer", office="hargeisa")).status_code == 404
    seen = (await serving.get(f"/messages/{held}")).json()
    assert [one["language"] for one in seen["preview"]] == ["en", "fr", "ar"]
    assert CANARY not in str(seen)
    told = (await serving.get(f"/messages/{held}/timeline")).json()["items"]
    assert [one["fact"] for one in told] == ["MessageHeld"]
    for _ in range(2):
        released = await serving.post(f"/messages/{held}/release", "officer", key="release-it")
        assert released.status_code == 200
    await arrived(serving, {("registered", "sent"), ("ineligible", "sent")})
    assert [mail.to for mail in box.mails] == [CANARY] * 2
    own = await listed(serving, "expert", subject="anna")
    assert {one["template"] for one in own} == {"registered", "ineligible"}
    assert len((await serving.get(f"/messages/{held}", "expert", subject="anna")).json()["preview"]) == 1
    again = await serving.post(f"/messages/{held}/discard", "officer", {"reason": "told_otherwise"})
    assert (again.status_code, again.json()["rule"]) == (409, "illegal_transition")
    # The newest first, by what each is about; in two weeks they are news no more, and stand in their list.
    told = await news(serving, "anna")
    assert [said for said, _ in told] == ["Your registration was screened", "Your registration was received"]
    assert told[0][1] == f"/registration/messages/{held}"
    serving.clock.ahead += timedelta(days=15)
    assert await news(serving, "anna") == []


async def news(serving: Serving, subject: str) -> list[tuple[str, str]]:
    """What the page of today tells somebody of messages: words and address of each."""
    office = Office(serving)
    async with office.browser("expert", account=serving.account(subject)) as http:
        page = (await http.get("/registration/today")).text
    await office.http.aclose()
    found = re.findall(r'<h3><a href="(/registration/messages/[^"]+)"[^>]*>([^<]+)</a></h3>', page)
    return [(said, address) for address, said in found]


async def test_who_left_no_address_waits_for_an_officer(edge: tuple[Serving, Box]) -> None:
    serving, box = edge
    asked = registration()
    del asked["person"]["email"]
    receipt = (await serving.post("/experts", "officer", asked)).json()
    await decided(serving, receipt)
    await arrived(serving, {("registered", "dropped")})
    await serving.post(f"/experts/{receipt['subject']}/screen", "officer")
    found = await arrived(serving, {("registered", "dropped"), ("eligible", "failed")})
    assert {one["reason"] for one in found.values()} == {"no_address"}
    waiting = await serving.get("/messages?status=failed")
    assert [one["template"] for one in waiting.json()["items"]] == ["eligible"]
    message = found["eligible"]["id"]
    assert set((await serving.get(f"/messages/{message}")).json()["open"]) == {"release", "discard"}
    bad = await serving.post(f"/messages/{message}/discard", "officer", {"reason": CANARY})
    assert bad.status_code == 422
    assert CANARY not in bad.text
    dropped = await serving.post(f"/messages/{message}/discard", "officer", {"reason": "told_otherwise"})
    assert (dropped.json()["state"], box.mails) == ("dropped", [])


async def test_whoever_says_how_to_be_written_to_is_and_the_address_before_is_told(edge: tuple[Serving, Box]) -> None:
    serving, box = edge
    receipt = (await serving.post("/experts", "expert", registration(email=CANARY), subject="anna")).json()
    await decided(serving, receipt, role="expert", subject="anna")
    await arrived(serving, {("registered", "sent")})
    person = (await serving.get(f"/experts/{receipt['subject']}", "expert", subject="anna")).json()["person"]
    asked = {"email": "another@example.org", "language": "ar", "often": "daily", "unwanted": ["reminder"]}
    for _ in range(2):
        set_so = await serving.post(f"/persons/{person}/set-contact", "expert", asked, subject="anna", key="one")
        assert set_so.status_code == 200, set_so.text
        assert "another@" not in set_so.text
        assert set_so.json()["contact"] == {"language": "ar", "often": "daily", "unwanted": ["reminder"]}
    await arrived(serving, {("registered", "sent"), ("contact_changed", "sent")})
    assert [mail.to for mail in box.mails] == [CANARY, CANARY]
    await serving.post(f"/experts/{receipt['subject']}/screen", "officer")
    await arrived(serving, {("registered", "sent"), ("contact_changed", "sent"), ("eligible", "sent")})
    assert (box.mails[-1].to, box.mails[-1].subject) == ("another@example.org", "تم فحص تسجيلكم")
    bad = await serving.post(f"/persons/{person}/set-contact", "expert", {"unwanted": ["decision"]}, subject="anna")
    assert bad.status_code == 422
    assert (await serving.post(f"/persons/{person}/set-contact", "expert", asked, subject="bela")).status_code == 404


async def test_an_institution_is_written_to_at_the_address_that_it_gave(edge: tuple[Serving, Box]) -> None:
    serving, box = edge
    asked = {name: said for name, said in INSTITUTION.items() if name != "account"} | {"email": CANARY}
    made = await serving.post("/institutions", "host", asked, subject="college")
    assert made.status_code == 201
    assert CANARY not in made.text
    await arrived(serving, {("institution_registered", "sent")})
    assert [mail.to for mail in box.mails] == [CANARY]
    assert [one["template"] for one in await listed(serving, "host", subject="college")] == ["institution_registered"]
