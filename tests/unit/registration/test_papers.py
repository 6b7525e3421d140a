"""Papers that name a person: who gets them and when, what the trail has first, and how a certificate is checked."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain import knowledge
from services.registration.domain.examples import DEFINITION, EXPERT
from services.registration.papers.checking import code_of
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import derived_id
from shared.contracts.base import Event
from shared.contracts.matching.matches import (
    ApplicationReceived,
    MatchFactTakenBack,
    MatchParties,
    OfferDeclined,
    OfferMade,
)
from shared.contracts.placement.placements import (
    PlacementContracted,
    PlacementFactTakenBack,
    PlacementOpened,
    PlacementTimeCorrected,
    ReturnCompleted,
    ReturnStarted,
)
from shared.errors import Unavailable
from shared.replica import stored
from shared.web.pages.formatting import Formats
from shared.web.pages.languages import LANGUAGES
from tests.unit.matching.facts import Others, terms
from tests.unit.papers.read_back import drawn, runs_left_to_right, text_of
from tests.unit.registration.serving import Serving
from tests.unit.registration.test_readings import Bureau

# One service for all of them: each test has persons of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")
THEN = datetime(2026, 3, 1, 9, tzinfo=UTC)
UNTIL = datetime(2026, 3, 15, 9, tzinfo=UTC)
# Past midnight on the office's calendar: the fourth of May.
ARRIVED = datetime(2027, 5, 3, 20, tzinfo=UTC)
HOST = "Kabul Polytechnic"
REVISING: dict[str, Any] = {"happened_at": THEN, "fact": 1, "replaces": derived_id("r"), "reason": "typing_error"}


class Desk(Bureau):
    """The bureau, and what other services would have told it."""

    def __init__(self, serving: Serving) -> None:
        super().__init__(serving)
        self.others = Others(serving.log)
        self.host = ""

    async def match(self, person: str, name: str) -> str:
        """A match of the person to which an offer was made; its id."""
        id = derived_id("match", name)
        parties = self.parties(person)
        applied = ApplicationReceived(happened_at=THEN, parties=parties, terms=terms(institution=self.host))
        await self.hears(id, applied, OfferMade(happened_at=THEN, expires_at=UNTIL))
        return id

    async def placement(self, person: str, name: str) -> str:
        """A placement of the person that has begun, a day after its contract; its id."""
        id = derived_id("placement", name)
        said = {"match": derived_id("match", name), "parties": self.parties(person)}
        opened = PlacementOpened(happened_at=THEN, terms=terms(institution=self.host), **said)
        days = {"starts_on": date(2027, 5, 3), "ends_on": date(2027, 8, 1)}
        arrived = ReturnStarted(happened_at=ARRIVED)
        await self.hears(id, opened, PlacementContracted(happened_at=THEN, **days), arrived)
        return id

    async def completed(self, person: str, name: str) -> str:
        id = await self.placement(person, name)
        await self.hears(id, ReturnCompleted(happened_at=datetime(2027, 8, 2, 22, tzinfo=UTC)))
        return id

    async def hears(self, id: str, *events: Event) -> None:
        await self.others.tell(id, *events)
        await self.serving.quiet()

    def parties(self, person: str) -> MatchParties:
        expert, code = derived_id(person, DEFINITION["code"]), DEFINITION["code"]
        said = {"institution": self.host, "office": "kabul", "programme": code, "programme_version": 1}
        return MatchParties(assignment=derived_id("assignment"), expert=expert, person=person, **said)

    async def paper(self, path: str, role: Any = "officer", **how: Any) -> httpx.Response:
        return await self.serving.get(path, role, **how)

    async def check(self, reference: str, code: str, language: str = "en") -> str:
        """The page, as somebody sees it who is not signed in."""
        transport = httpx.ASGITransport(self.serving.service.app, root_path="/registration")
        async with httpx.AsyncClient(transport=transport, base_url="http://sankofa.test") as http:
            answer = await http.get(
                "/certificates/check", params={"reference": reference, "code": code, "lang": language}
            )
        assert answer.status_code == 200
        return answer.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Desk(serving)
        definition = copy.deepcopy(DEFINITION)
        definition["offices"].append({**definition["offices"][0], "code": "herat", "name": {"en": "Herat"}})
        await serving.publish(definition)
        one.host = await one.institution(name=HOST)
        yield one
        await one.http.aclose()


async def test_a_certificate_names_the_person_the_host_and_the_days_once_it_is_complete(desk: Desk) -> None:
    person, _ = await desk.person("Zarghuna", "Wardak"), await desk.person("Qqother", "Qqperson")
    id = await desk.placement(person, "certified")
    path = f"/certificates/{id}.pdf"
    assert (await desk.paper(path)).status_code == 404
    await desk.hears(id, ReturnCompleted(happened_at=datetime(2027, 8, 2, 22, tzinfo=UTC)))
    for language in LANGUAGES:
        answer = await desk.paper(f"{path}?lang={language}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
        assert "Zarghuna" not in answer.headers["content-disposition"]
        said = text_of(answer.content)
        # A viewer turns the order of Latin words in a page that runs from right to left; they are drawn rightly.
        assert {"Zarghuna", "Wardak", *HOST.split()} <= set(said.split())
        assert drawn(answer.content, "Zarghuna")[0] < drawn(answer.content, "Wardak")[0]
        assert "Qq" not in said
        assert runs_left_to_right(answer.content, code_of(desk.serving.keys, id))
        assert answer.content == (await desk.paper(f"{path}?lang={language}")).content
    # From the arrival to the contract's last day, and when that was confirmed; days on the office's calendar.
    said = text_of((await desk.paper(f"{path}?lang=en")).content)
    assert "4 May 2027 to 31 July 2027" in said
    assert "3 August 2027" in said


async def test_a_certificate_says_the_days_that_were_served_and_not_those_of_the_contract(desk: Desk) -> None:
    """Completed a month before the contract ends: the paper and the page that checks it say so, in each language."""
    person = await desk.person("Shakila", "Early")
    id = await desk.placement(person, "early")
    await desk.hears(id, ReturnCompleted(happened_at=datetime(2027, 7, 1, 9, tzinfo=UTC)))
    path, code = f"/certificates/{id}.pdf", code_of(desk.serving.keys, id)
    first, last = date(2027, 5, 4), date(2027, 7, 2)
    for language in LANGUAGES:
        said = text_of((await desk.paper(f"{path}?lang={language}")).content).split()
        assert ("4" in said, "31" in said) == (True, False)
        assert Formats(language).days(first, last) in await desk.check(id, code, language)
    said = text_of((await desk.paper(f"{path}?lang=en")).content)
    assert "4 May 2027 to 1 July 2027" in said
    # The arrival put right is the certificate's first day; taken back, there is none.
    again: Any = {**REVISING, "happened_at": datetime(2027, 7, 1, 10, tzinfo=UTC), "of": "ReturnCompleted"}
    await desk.hears(id, PlacementFactTakenBack(**again, status="active"))
    assert (await desk.paper(path)).status_code == 404
    moved: Any = {**REVISING, "happened_at": datetime(2027, 5, 10, 9, tzinfo=UTC), "of": "ReturnStarted"}
    completed = ReturnCompleted(happened_at=datetime(2027, 7, 1, 9, tzinfo=UTC))
    await desk.hears(id, PlacementTimeCorrected(**moved), completed)
    assert "10 May 2027 to 1 July 2027" in text_of((await desk.paper(f"{path}?lang=en")).content)


async def test_the_trail_has_who_read_the_name_before_the_paper_goes_out(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await desk.person("Trail", "First")
    path = f"/certificates/{await desk.completed(person, 'trailed')}.pdf"
    assert (await desk.paper(path, subject="reader-9")).status_code == 200
    (entry,) = await desk.entries(person)
    assert (entry["purpose"], entry["fields"]) == ("certificate", ["given_name", "family_name"])
    assert entry["account"] == desk.serving.account("reader-9")

    async def away(_reading: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(desk.serving.service.trail, "write", away)
    answer = await desk.paper(path, subject="reader-9")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")


async def test_whose_it_is_and_the_office_read_it_and_nobody_else(desk: Desk) -> None:
    body = copy.deepcopy(EXPERT)
    body["person"]["document"]["number"] = "OWN1234567"
    answer = await desk.serving.post("/experts", "expert", body, subject="own")
    assert answer.status_code == 202, answer.text

    async def stands() -> bool:
        return await desk.serving.store.load("experts", answer.json()["subject"]) is not None

    await desk.serving.eventually(stands)
    person = (await desk.serving.store.load("experts", answer.json()["subject"]) or {})["state"]["person"]
    await desk.match(person, "own")
    for path in (
        f"/certificates/{await desk.completed(person, 'own')}.pdf",
        f"/offers/{derived_id('match', 'own')}.pdf",
    ):
        assert (await desk.paper(path, "expert", subject="own")).status_code == 200
        assert (await desk.paper(path, "expert", subject="another")).status_code == 404
        assert (await desk.paper(path, office="herat")).status_code == 404
        assert (await desk.paper(path, "host")).status_code == 403
        assert (await desk.paper(path, "protection")).status_code == 403
        assert (await desk.paper(path.replace(".pdf", "x.pdf"))).status_code == 404


async def test_an_offer_is_a_letter_while_it_stands(desk: Desk) -> None:
    person = await desk.person("Offered", "Letter")
    id = await desk.match(person, "letter")
    path = f"/offers/{id}.pdf"
    said = text_of((await desk.paper(path)).content)
    assert "Offered Letter" in said
    assert f"/matching/matches/{id}" in said.replace("\n", "")
    # 09:00 UTC, on the office's clock.
    assert "15 March 2026, 13:30" in said
    await desk.hears(id, OfferDeclined(happened_at=THEN, reason="family"))
    assert (await desk.paper(path)).status_code == 404
    await desk.hears(id, MatchFactTakenBack(of="OfferDeclined", status="offered", **REVISING))
    assert (await desk.paper(path)).status_code == 200


async def test_whoever_holds_a_certificate_can_check_it_and_learns_no_name(desk: Desk) -> None:
    person = await desk.person("Checked", "Person")
    id = await desk.completed(person, "checked")
    code = code_of(desk.serving.keys, id)
    found = await desk.check(id, f"{code[:4]} {code[4:].lower()}")
    assert "was issued" in found
    assert HOST in found
    assert "Checked" not in found
    wrong = await desk.check(id, "BBBB" + code[4:])
    other = derived_id("nobody")
    unknown = await desk.check(other, code_of(desk.serving.keys, other))
    assert "No certificate stands" in wrong
    assert wrong.replace(id, "").replace("BBBB" + code[4:], "") == unknown.replace(other, "").replace(
        code_of(desk.serving.keys, other), ""
    )
    await desk.hears(id, PlacementFactTakenBack(of="ReturnCompleted", status="reports_due", **REVISING))
    assert "No certificate stands" in await desk.check(id, code)
    assert (await desk.paper(f"/certificates/{id}.pdf")).status_code == 404
    assert "No certificate stands" in await desk.check("x" * 500, "<script>")


async def test_there_is_no_paper_of_whose_key_is_destroyed(desk: Desk) -> None:
    """As by an erasure: a restored copy of the store opens nothing either."""
    person = await desk.person("Erased", "Person")
    path = f"/certificates/{await desk.completed(person, 'erased')}.pdf"
    assert (await desk.paper(path)).status_code == 200
    await desk.serving.keys.persons("registration").destroy(person)
    assert (await desk.paper(path)).status_code == 410


async def test_an_event_that_comes_twice_changes_nothing_and_a_corrected_time_counts() -> None:
    envelope: Any = None
    at = datetime(2027, 8, 4, 9, tzinfo=UTC)
    events: list[Event] = [
        ReturnCompleted(happened_at=THEN),
        PlacementTimeCorrected(of="ReturnCompleted", **{**REVISING, "happened_at": at}),
    ]
    known: dict[str, Any] = {}
    for event in events:
        known = knowledge.placement(known, event, envelope)
        assert knowledge.placement(known, event, envelope) == known
    assert known["completed_at"].startswith("2027-08-04T09:00")
