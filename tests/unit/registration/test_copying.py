"""A copy of what is held of a person: whole, for those whom it concerns alone, and written down before it is given."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.readings import copying
from services.registration.store import COLLECTIONS, SHADOWS
from shared.replica import stored
from tests.integration.test_registration_http import registration
from tests.unit.pages.test_cases import held
from tests.unit.pages.test_yours import applied
from tests.unit.registration.serving import Serving
from tests.unit.registration.test_readings import Bureau

# Of lists of the programme, as the person registered.
CODES = (registration()["office"], *(str(registration()["person"]["attributes"].get(one)) for one in ("sector",)))

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bureau() -> AsyncIterator[Bureau]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        one = Bureau(serving)
        yield one
        await one.http.aclose()


async def person_of(bureau: Bureau, expert: str, subject: str) -> str:
    case = await bureau.serving.get(f"/experts/{expert}", "expert", subject=subject)
    return str(case.json()["person"])


async def test_a_person_gets_all_that_is_recorded_and_it_is_written_down_uncounted(bureau: Bureau) -> None:
    serving, given = bureau.serving, registration()["person"]
    expert = await applied(serving, "hers")
    person = await person_of(bureau, expert, "hers")
    before = len(await bureau.entries(person))
    found = (await serving.post(f"/persons/{person}/copy", "expert", subject="hers")).json()
    assert found["identifiers"]["given_name"] == given["given_name"]
    assert "documents" not in found["identifiers"]
    assert [one["id"] for one in found["experts"]] == [expert]
    assert found["person"]["consents"]
    assert found["more"] == []
    # The look for the copy stands in it: it was written down first.
    assert (len(found["readings"]), found["readings"][0]["purpose"]) == (before + 1, "own")
    own = await serving.store.load("readers", serving.account("hers"))
    assert own is None
    async with bureau.browser("expert", account=serving.account("hers")) as http:
        asked = await http.get(f"/registration/persons/{person}/copy")
        assert given["given_name"] not in asked.text
        page = await http.post(f"/registration/persons/{person}/copy", data=held(asked))
        assert given["given_name"] in page.text
        assert "/matching/matches" in page.text
        programme = DEFINITION["title"]["en"]
        assert programme in page.text
        assert re.search(r"proposed to host institutions[^<]*</dt><dd>Given<", page.text)
        assert f">{DEFINITION['code']}<" not in page.text, "where there are words no code is shown"
        assert [code for code in CODES if f"<dd>{code}</dd>" in page.text or f">{code}</bdi>" in page.text] == []
        file = await http.post(f"/registration/persons/{person}/copy", data={**held(asked), "file": "1"})
        assert file.headers["content-disposition"] == f'attachment; filename="{person}.json"'
        assert json.loads(file.text)["identifiers"]["given_name"] == given["given_name"]


async def test_the_protection_role_answers_for_it_under_its_purpose_and_nobody_else_may(bureau: Bureau) -> None:
    serving = bureau.serving
    person = await bureau.person("Zara", "Copied")
    found = (await serving.post(f"/persons/{person}/copy", "protection")).json()
    assert (found["identifiers"]["given_name"], found["readings"][0]["purpose"]) == ("Zara", "rights_request")
    assert found["identifiers"]["documents"]
    assert (await serving.post(f"/persons/{person}/copy", "officer")).status_code == 403
    assert (await serving.post(f"/persons/{person}/copy", "expert", subject="stranger")).status_code == 404
    assert (await serving.post(f"/persons/{person}/copy", "protection", {"all": True})).status_code == 422
    async with bureau.browser("protection", None) as http:
        page = f"/registration/persons/{person}"
        assert f'href="{page}/copy"' in (await http.get(page)).text
        forged = await http.post(f"{page}/copy", data={"csrf": "x"})
        assert (forged.status_code, "Zara" in forged.text) == (403, False)


async def test_what_does_not_fit_is_said(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "ROWS_AT_MOST", 1)
    expert = await applied(bureau.serving, "often")
    person = await person_of(bureau, expert, "often")
    for _ in range(2):
        found = (await bureau.serving.post(f"/persons/{person}/copy", "expert", subject="often")).json()
    assert (len(found["readings"]), found["more"]) == (1, ["readings"])
