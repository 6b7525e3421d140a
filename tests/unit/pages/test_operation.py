"""How a service runs, for its administrator: what is parked, tried again, and given up with a reason."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import derived_id
from shared.messaging.port import Message
from shared.replica import stored
from tests.unit.pages.test_cases import Office, held
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
PAGE, TOPIC, SUBJECT = "/registration/operation", "registration.persons", derived_id("nobody's")
FAR_FUTURE = {
    "ce_id": derived_id("poison"),
    "ce_type": "org.sankofa.registration.Invented",
    "ce_source": "/registration",
    "ce_subject": SUBJECT,
    "ce_time": "2026-01-05T09:00:00.000000Z",
    "ce_epoch": "1",
    "ce_sequence": "0000000001",
    "ce_dataschema": "urn:sankofa:schema:registration.Invented:1",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Office(serving)
        yield one
        await one.http.aclose()


async def poisoned(serving: Serving) -> None:
    """A record of a type that no service knows, parked."""
    raw = tuple((name, text.encode()) for name, text in FAR_FUTURE.items())
    message = Message(SUBJECT, json.dumps({}).encode(), raw)
    await serving.log.append(TOPIC, serving.log.partition_of(TOPIC, SUBJECT), [message])

    async def parked() -> bool:
        return bool((await serving.get("/parked", "administrator")).json()["items"])

    await serving.eventually(parked)


async def test_a_record_that_waits_is_shown_tried_again_and_given_up_once(office: Office) -> None:
    await poisoned(office.serving)
    async with office.browser("administrator", None) as http:
        page = await http.get(PAGE)
        assert SUBJECT in page.text
        assert TOPIC in page.text
        assert "No event of this kind is known here" in page.text
        for language, said in (("fr", "Aucun événement de ce type"), ("ar", "لا يُعرف هنا حدث من هذا النوع")):
            other = (await http.get(f"{PAGE}?lang={language}")).text
            assert said in other
            # The settings of each piece of software alone have names of their own.
            words = other.partition("</main>")[0].rpartition("<h2>")[0]
            assert not re.search(r"code:|unsent|outbox_age|caught_up|>True<|>False<", words)
        csrf = held(await http.get(f"{PAGE}?lang=en"))["csrf"]
        again = await http.post(f"{PAGE}/{SUBJECT}/replay", data={"csrf": csrf})
        assert (again.status_code, again.headers["location"]) == (303, f"{PAGE}?done=replay")
        drop = page.text.partition(f'action="{PAGE}/{SUBJECT}/drop"')[2].partition("</form>")[0]
        place = dict(re.findall(r'type="hidden" name="(/[a-z]+)" value="([^"]*)"', drop))
        sent = {"csrf": csrf, **place}
        refused = await http.post(f"{PAGE}/{SUBJECT}/drop", data=sent)
        assert (refused.status_code, "<title>Error:" in refused.text) == (422, True)
        sent["/reason"] = "not_ours"
        done = await http.post(f"{PAGE}/{SUBJECT}/drop", data=sent)
        assert done.status_code == 303, done.text
        page = await http.get(done.headers["location"])
        assert "No service of ours wrote it" in page.text
        assert "Try again" not in page.text
        # The second press finds nothing more to give up.
        assert (await http.post(f"{PAGE}/{SUBJECT}/drop", data=sent)).status_code in (303, 409)
        assert len((await office.serving.get(f"/parked/{SUBJECT}", "administrator")).json()["dropped"]) == 1
        forged = await http.post(f"{PAGE}/{SUBJECT}/replay", data={"csrf": "x"})
        assert forged.status_code == 403


async def test_only_an_administrator_runs_a_service(office: Office) -> None:
    assert (await office.http.get(PAGE)).status_code == 403
    assert (await office.http.post(f"{PAGE}/{SUBJECT}/replay", data={})).status_code == 403
    async with office.browser("administrator", None) as http:
        assert 'href="/registration/operation"' in (await http.get("/registration/today")).text
        assert (await http.get(f"{PAGE}?limit=x")).status_code == 422
