"""Another service's part of a page comes from that service to its reader's browser, and to no other service."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from services.matching.app import build as build_matching
from services.matching.store import COLLECTIONS as OF_MATCHING
from services.matching.store import SHADOWS as SHADOWS_OF_MATCHING
from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.identity.roles import Role
from shared.messaging.topics import TOPICS
from shared.replica import Ports, stored
from shared.store.local import LocalStore
from shared.store.port import Document
from tests.integration.test_registration_http import decided, registration
from tests.unit.pages.test_cases import reader
from tests.unit.registration.serving import NoIssuer, Serving

CANARY = "Zqanary"
EXPERT = "expert-of-the-test@example.org"


ROLES: tuple[Role, ...] = ("expert", "officer", "host", "evaluator")


async def test_a_name_reaches_its_own_reader_and_no_other_service(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        clock, keys = serving.clock, serving.keys
        store = LocalStore(None, stored(OF_MATCHING, SHADOWS_OF_MATCHING), clock)
        matching = build_matching(Ports(store, serving.log, clock, keys), NoIssuer())
        await matching.start()
        await serving.publish(DEFINITION)
        sent = registration(given_name=CANARY, family_name=f"{CANARY}son")
        receipt = (await serving.post("/experts", "expert", sent, subject=EXPERT)).json()
        assert (await decided(serving, receipt, role="expert", subject=EXPERT))["status"] == "accepted"
        expert = (await serving.get(f"/experts/{receipt['subject']}", "expert", subject=EXPERT)).json()

        async def heard() -> bool:
            return await store.load("shadows", expert["person"]) is not None

        await serving.eventually(heard)
        parts = [f"/registration/persons/{expert['person']}/part", f"/registration/experts/{expert['id']}/part"]
        shown, browser = {}, serving.service.app
        for role in ROLES:
            account = serving.account(EXPERT) if role == "expert" else ""
            async with reader("registration", browser, keys, clock, role, account=account) as http:
                answers = [await http.get(part) for part in parts]
            shown[role] = [one.text for one in answers]
            assert {(one.status_code, one.headers["cache-control"]) for one in answers} == {(200, "no-store")}
        # The name is in the part for whom the JSON edge tells it: the person, and nobody who gave no purpose.
        assert [CANARY in shown[role][0] for role in ROLES] == [True, False, False, False]
        assert not any(CANARY in shown[role][1] for role in ROLES)
        # Whose the case is not, and who has no right at all, is told the same.
        assert shown["host"] == shown["evaluator"]
        assert len({*shown["host"]}) == 1
        assert not any("<script" in one for role in ROLES for one in shown[role])
        held = [str(one) for name in matching.replica.collections async for one in _all(store, name)]
        assert held
        assert not any(CANARY.lower() in one.lower() for one in held)
        for topic, partition in await serving.log.ends(sorted(TOPICS)):
            for record in await serving.log.read(topic, partition, 0):
                assert CANARY.lower().encode() not in (record.value or b"").lower(), topic
        await matching.stop()
    assert not any(CANARY.lower() in record.getMessage().lower() for record in caplog.records)


async def _all(store: LocalStore, name: str) -> AsyncIterator[Document]:
    async for one in store.scan(name):
        yield one
