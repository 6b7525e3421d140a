"""Vacancies as pages: what fits is said, one applies once and hears what became of it, and withdraws again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.store import ASSIGNMENTS, MATCHES
from shared.cases.case import Asked
from shared.clock import derived_id
from shared.contracts.registration.persons import Attributes, LanguageSkill
from shared.identity.keys import verify_receipt
from shared.intake.receipts import signed_bytes
from shared.intake.submissions import SUBMISSIONS
from shared.programmes.eligibility import terms_met
from tests.unit.matching.facts import HOST, expert_id, person_id, terms
from tests.unit.matching.world import PUBLISHED, World, match_id
from tests.unit.pages.test_cases import held, reader

ADA = derived_id("account", "ada")


@asynccontextmanager
async def town() -> AsyncIterator[World]:
    """Matching with what takes submissions in; the test decides them."""
    async with World() as world:
        assert world.replica.intake
        writer = world.clock.spawn(world.replica.intake._write(), "writer")
        await world.others.host()
        await world.others.expert("ada", ADA, experience_years=9)
        await world.run()
        yield world
        writer.cancel()


def test_what_the_terms_ask_for_is_met_missed_or_not_said() -> None:
    english = LanguageSkill(language="en", level="B2")
    found = terms_met(terms(education=6), Attributes(education=7, languages=(english,)))
    assert [(one["criterion"], one["met"]) for one in found] == [
        ("education", True),
        ("experience", None),
        ("languages", True),
    ]
    missed = terms_met(terms(education=8), Attributes(education=7, experience_years=1))
    assert [one["met"] for one in missed] == [False, False, None]
    assert terms_met(terms(education=0, experience_years=0, languages=()), Attributes()) == ()


async def test_an_expert_reads_applies_once_and_withdraws() -> None:
    async with town() as world:
        open_one = await world.assignment()
        async with reader(
            "matching", world.service.app, world.keys, world.clock, "expert", office=None, account=ADA
        ) as http:
            listed = await http.get("/matching/vacancies")
            assert f'href="/matching/vacancies/{open_one}"' in listed.text
            narrowed = await http.get("/matching/vacancies?country=GE&sector=&lang=en")
            assert ("Nothing matches" in narrowed.text, 'class="pill"' in narrowed.text) == (True, True)
            # What no programme lists is a mistake, and no vacancy can have it.
            for unlisted in ("%20x", "SO"):
                wrong = await http.get(f"/matching/vacancies?country={unlisted}", headers={"accept": "text/html"})
                assert (wrong.status_code, 'id="country-wrong"' in wrong.text) == (422, True)
                assert '<form method="get"' in wrong.text
            path = f"/matching/vacancies/{open_one}"
            page = await http.get(path)
            assert page.text.count("You meet it") == 3
            # The same form twice, as by a second press or by Back: one application with one receipt.
            answers = [await http.post(path, data=held(page)) for _ in range(2)]
            assert {one.headers["location"] for one in answers} == {answers[0].headers["location"]}
            receipt = answers[0].headers["location"]
            assert "looked at now" in (await http.get(receipt)).text
            signed = await http.get(f"{receipt}/signed")
            assert signed.headers["content-disposition"] == f'attachment; filename="receipt-{receipt[-36:][:8]}.json"'
            said, public = signed.json(), world.keys.receipt_public_keys("matching")
            assert said["id"] == receipt[-36:]
            assert verify_receipt(public, said["key_id"], signed_bytes(said), said["signature"])
            await world.run()
            match = match_id(open_one, "ada")
            assert f'href="/matching/matches/{match}"' in (await http.get(receipt)).text
            assert await world.store.count(SUBMISSIONS.name, "own", ADA) == 1
            stands = await http.get(path)
            assert ("Apply</button>" in stands.text, f"/matching/matches/{match}" in stands.text) == (False, True)
            refused = await http.post(path, data={**held(page), "idempotency-key": "another"})
            assert refused.status_code == 303
            form = await http.get(f"/matching/matches/{match}/withdraw")
            done = await http.post(f"/matching/matches/{match}/withdraw", data={**held(form), "/reason": "moved"})
            assert done.status_code == 303
        await world.run(twice=True)
        document = await world.store.load(MATCHES.name, match)
        assert document
        assert (document["state"]["status"], document["state"]["reason"]) == ("not_selected", "moved")
        # Nothing of hers is open any more in the pool.
        pool = await world.store.load("pools", person_id("ada"))
        assert pool
        assert [one for one in pool["holds"].values() if one["status"] in ("held", "confirmed")] == []


async def described(world: World, assignment: str) -> None:
    """Texts as a host writes them, which the drafts of these tests lack."""
    document = await world.store.load(ASSIGNMENTS.name, assignment)
    assert document
    texts = {"private": {**document["private"], "title": "Teaching nurses", "description": "At the new clinic."}}
    changed = ASSIGNMENTS.collection.indexed({**document, **texts, "version": document["version"] + 1})
    await world.store.save(ASSIGNMENTS.name, changed, document["version"])


async def allocated(world: World) -> str:
    """The assignment, described, with the expert Ada allocated to it and nothing offered yet."""
    assignment = await world.assignment()
    await described(world, assignment)
    await world.shortlist(assignment, "ada", reason="few_candidates")
    await world.run()
    await world.allocate(assignment, "ada")
    return assignment


async def test_what_the_host_left_unanswered_is_said_as_that_and_what_is_required_as_a_minimum() -> None:
    asked = {"en": "Lowest level of education", "fr": "Niveau d’études minimal", "ar": "أدنى مستوى تعليمي يتطلبه العمل"}
    async with town() as world:
        assignment = await world.draft()
        draft = f"/matching/assignments/{assignment}"
        bare = terms(education=0, experience_years=0, languages=())
        call = world.call(ASSIGNMENT, "revise", assignment, terms=bare)
        await world.works.requests.revise(call)
        for verb, account in PUBLISHED:
            await world.kernel.execute(ASSIGNMENTS, assignment, Asked(verb), world.cause(account=account))
        async with reader("matching", world.service.app, world.keys, world.clock) as http:
            for path in (draft, f"/matching/vacancies/{assignment}"):
                page = (await http.get(path)).text
                assert page.count("Not answered: nothing is required") == 3, path
                assert "ISCED 0" not in page
                for language, words in asked.items():
                    assert words in (await http.get(f"{path}?lang={language}")).text
            form = (await http.get("/matching/assignments/new/create?lang=en")).text
            assert "Lowest level of education that the work needs" in form
            assert "Highest level of education" not in form


async def test_the_page_of_a_match_shows_what_is_offered_while_it_stands_and_afterwards() -> None:
    async with town() as world:
        assignment = await allocated(world)
        path = f"/matching/matches/{match_id(assignment, 'ada')}"
        host = f"/registration/institutions/{HOST}/part"
        said = ("Teaching nurses", "At the new clinic.", "1 May 2027", "English", "Lowest level of education")
        async with reader(
            "matching", world.service.app, world.keys, world.clock, "expert", office=None, account=ADA
        ) as http:
            assert "Teaching nurses" not in (await http.get(path)).text
            await world.offer(assignment, "ada")
            page = (await http.get(path)).text
            assert [one for one in said if one not in page] == []
            # The host's name is for whoever reads institutions.
            assert host not in page
            await world.accept(assignment, "ada")
            page = (await http.get(path)).text
            assert [one for one in said if one not in page] == []
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            page = (await officer.get(path)).text
            assert (page.count(host), "Teaching nurses" in page) == (1, True)


@pytest.mark.parametrize("verb", ["accept", "decline"])
async def test_whoever_answers_an_offer_reads_its_terms_before_the_button(verb: str) -> None:
    async with town() as world:
        assignment = await allocated(world)
        path = f"/matching/matches/{match_id(assignment, 'ada')}/{verb}"
        async with reader(
            "matching", world.service.app, world.keys, world.clock, "expert", office=None, account=ADA
        ) as http:
            # Before there is an offer, there is nothing to read of one.
            assert "Teaching nurses" not in (await http.get(path)).text
            await world.offer(assignment, "ada")
            page = (await http.get(path)).text
        before = page.partition('name="idempotency-key"')[0]
        for said in ("What it is about", "Teaching nurses", "At the new clinic.", "1 May 2027", "English", "B2"):
            assert said in before, said


async def test_an_officer_applies_for_an_expert_of_the_own_office_alone() -> None:
    async with town() as world:
        path = f"/matching/vacancies/{await world.assignment()}"
        async with reader("matching", world.service.app, world.keys, world.clock) as http:
            page = await http.get(path)
            assert 'name="/expert"' in page.text
            empty = await http.post(path, data=held(page))
            assert (empty.status_code, 'href="#f-expert"' in empty.text) == (422, True)
            done = await http.post(path, data={**held(page), "/expert": expert_id("ada")})
            assert re.match(r"/matching/receipts/", done.headers["location"])
        async with reader("matching", world.service.app, world.keys, world.clock, "host", office=None) as host:
            assert (await host.post(path, data=held(page))).status_code == 403
        async with reader("matching", world.service.app, world.keys, world.clock, office="tbilisi") as other:
            strange = await other.get(path)
            sent = await other.post(path, data={**held(strange), "/expert": expert_id("ada")})
            assert sent.status_code in (404, 409, 422), sent.text
        missing = f"/matching/vacancies/{derived_id('nothing')}"
        async with reader("matching", world.service.app, world.keys, world.clock) as http:
            assert (await http.get(missing)).status_code == 404


async def test_who_has_not_agreed_yet_is_told_so_and_led_to_the_consent_and_back() -> None:
    async with town() as world:
        await world.others.expert("dora", account := derived_id("account", "dora"), consents=False)
        await world.others.consents("dora", "outreach")
        await world.run()
        path = f"/matching/vacancies/{await world.assignment()}"
        async with reader(
            "matching", world.service.app, world.keys, world.clock, "expert", office=None, account=account
        ) as http:
            page = await http.get(path)
            refused = await http.post(path, data=held(page))
        assert refused.status_code == 409
        assert "You have not agreed yet" in refused.text
        assert "This person" not in refused.text
        form = f"/registration/persons/{person_id('dora')}/give-consent?back={quote(path, safe='')}"
        assert f'href="{form}"' in refused.text
