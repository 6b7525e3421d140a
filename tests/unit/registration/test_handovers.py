"""An account is handed over by two people: who proposes, who answers with the code, and what nobody else learns."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.registration.app import Registration
from services.registration.applying.opening import WRONG_AT_MOST
from services.registration.domain.contact import HELD_KEPT
from services.registration.domain.examples import DEFINITION, EXPERT
from services.registration.domain.handover import PROPOSE, STANDS, WITHDRAW
from services.registration.domain.sessions import Account
from services.registration.store import ACCOUNTS, COLLECTIONS, DOCUMENTS, INSTITUTIONS, MESSAGES, PERSONS, SHADOWS
from services.registration.work.handing_over import person_following
from services.registration.work.sending import CLAIMED
from shared.clock import derived_id, text_of
from shared.identity.roles import Role
from shared.messaging.reading import parse
from shared.replica import stored
from shared.store.documents import new_document
from shared.store.port import TIMER_INDEX
from tests.unit.pages.test_cases import held
from tests.unit.registration.posting import Box
from tests.unit.registration.serving import Serving
from tests.unit.registration.test_readings import Bureau

pytestmark = pytest.mark.asyncio(loop_scope="module")
WHY = {"host": "contact_left", "expert": "applied_for_another"}
CASES = {"host": "institutions", "expert": "persons"}
BOTH = pytest.mark.parametrize("role", ["host", "expert"])


class Bench(Bureau):
    """Hosts and helpers who sign in for something, and what was written to whom."""

    box: Box

    async def case(self, role: Role, holder: str) -> str:
        if role == "host":
            return await self.institution(account=holder, email=f"{holder}@example.org")
        body = copy.deepcopy(EXPERT)
        body["person"] |= {"given_name": holder, "document": None, "email": f"{holder}@example.org"}
        sent = await self.serving.post("/experts", "expert", body, subject=holder)
        assert sent.status_code == 202, sent.text

        async def stands() -> bool:
            return await self.serving.store.load("experts", sent.json()["subject"]) is not None

        await self.serving.eventually(stands)
        document = await self.serving.store.load("experts", sent.json()["subject"])
        assert document
        return str(document["state"]["person"])

    async def do(self, role: Role, id: str, verb: str, holder: str, **how: Any) -> httpx.Response:
        body = how.pop("body", {"reason": WHY[role]} if verb == PROPOSE else {})
        return await self.serving.post(f"/{CASES[role]}/{id}/{verb}", role, body, subject=holder, **how)

    async def proposed(self, role: Role, holder: str) -> tuple[str, str]:
        """A case, and the code under which its holder offers the account."""
        id = await self.case(role, holder)
        answer = await self.do(role, id, PROPOSE, holder)
        assert answer.status_code == 200, answer.text
        return id, (await self.seen(role, id, holder))["handover"]["code_for_the_other"]

    async def seen(self, role: Role, id: str, who: str, **how: Any) -> dict[str, Any]:
        answer = await self.serving.get(f"/{CASES.get(role, 'institutions')}/{id}", role, subject=who, **how)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def answer(self, how: str, role: Role, code: str, who: str, *, key: str | None = None, **said: Any) -> Any:
        return await self.serving.post(f"/handovers/{how}", role, {"code": code, **said}, subject=who, key=key)

    async def mails(self) -> list[tuple[str, str]]:
        """Every mail that went out: to whom, and its subject line."""
        await self.serving.quiet()

        async def nothing_is_under_way() -> bool:
            # The service's own round may be halfway through what this one no longer finds.
            await self.serving.service.sending.sweep()
            until = text_of(self.serving.clock.now() + CLAIMED)
            timed = await self.serving.store.find(MESSAGES.name, TIMER_INDEX, "timed", until=until, limit=1000)
            return not any(one["state"]["status"] == "queued" for one in timed)

        await self.serving.eventually(nothing_is_under_way)
        return [(mail.to, mail.subject) for mail in self.box.mails]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    box = Box()

    def build(ports: Any, settings: Any) -> Registration:
        return Registration(ports, settings, box)

    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Bench(serving)
        one.box = box
        await serving.publish(DEFINITION)
        yield one
        await one.http.aclose()


def unknown(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["rule"]) == (404, "handover_unknown")


@BOTH
async def test_with_both_consents_the_account_is_the_others(bench: Bench, role: Role) -> None:
    holder, other = f"{role}-leaves", f"{role}-comes"
    id, code = await bench.proposed(role, holder)
    # Before the answer nothing of the case is the other's, and the code tells what is needed to decide.
    assert (await bench.serving.get(f"/{CASES[role]}/{id}", role, subject=other)).status_code == 404
    found = (await bench.answer("find", role, code.lower().replace("-", " "), other)).json()
    assert set(found) == {"case", "name", "reason", "ends_at"}
    assert (found["case"], found["reason"]) == (CASES[role], WHY[role])
    assert (found["name"] is None) == (role == "expert")
    assert (f"{holder}@example.org", "Your account was offered to another person") in await bench.mails()
    address = f"{other}@example.org"
    accepted = await bench.answer("accept", role, code, other, key="k", email=address)
    assert accepted.json() == {"case": CASES[role], "id": id}
    again = await bench.answer("accept", role, code, other, key="k", email=address)
    assert (again.status_code, again.json()) == (200, accepted.json())
    assert (await bench.answer("accept", role, code, other, key="k")).status_code == 422
    assert unknown(await bench.answer("accept", role, code, other, key="another"))
    assert (await bench.seen(role, id, other))["id"] == id
    assert (await bench.serving.get(f"/{CASES[role]}/{id}", role, subject=holder)).status_code == 404
    document = await bench.serving.store.load(CASES[role], id)
    assert document
    assert document["state"]["account"] == bench.serving.account(other)
    assert {document["private"]["handover"][one] for one in ("proposed_by", "accepted_by")} == {
        bench.serving.account(one) for one in (holder, other)
    }
    # One mail tells who left, another who came; what was said before goes to nobody but whoever said it.
    told = await bench.mails()
    assert (f"{holder}@example.org", "Your account has been passed on to another person") in told
    assert (address, "Another account now stands for you or your institution") in told
    left = next(mail for mail in bench.box.mails if mail.subject.startswith("Your account has been passed on"))
    assert f"/{id}" not in left.text
    timeline = (await bench.serving.get(f"/{CASES[role]}/{id}/timeline")).json()["items"]
    kind = "Institution" if role == "host" else "Person"
    assert [(one["fact"], one["by"]) for one in timeline[:2]] == [
        (f"{kind}AccountAssigned", role),
        (f"{kind}HandoverProposed", role),
    ]


@BOTH
async def test_a_proposal_that_ended_is_answered_by_nobody(bench: Bench, role: Role) -> None:
    holder, other = f"{role}-stays", f"{role}-asked"
    id, first = await bench.proposed(role, holder)
    assert (await bench.do(role, id, PROPOSE, holder)).json()["rule"] == "handover_proposed"
    assert (await bench.do(role, id, WITHDRAW, holder)).status_code == 200
    assert unknown(await bench.answer("find", role, first, other))
    assert (await bench.do(role, id, WITHDRAW, holder)).json()["rule"] == "handover_not_proposed"
    answer = await bench.do(role, id, PROPOSE, holder, key="again")
    second = (await bench.seen(role, id, holder))["handover"]["code_for_the_other"]
    assert answer.status_code == 200
    # The same request twice is one proposal, under one code.
    assert (await bench.do(role, id, PROPOSE, holder, key="again")).headers["etag"] == answer.headers["etag"]
    assert (await bench.seen(role, id, holder))["handover"]["code_for_the_other"] == second != first
    assert unknown(await bench.answer("accept", role, first, other))
    declined = await bench.answer("decline", role, second, other, key="no", reason="not_meant")
    assert declined.json() == {"case": CASES[role], "id": None}
    assert (await bench.answer("decline", role, second, other, key="no", reason="not_meant")).status_code == 200
    assert unknown(await bench.answer("accept", role, second, other))
    assert "handover" not in await bench.seen(role, id, holder)
    told = await bench.mails()
    assert (f"{holder}@example.org", "The other person does not take your account over") in told
    for wrong in ({}, {"reason": "because"}, {"reason": "not_meant", "note": "x"}):
        assert (await bench.answer("decline", role, second, other, **wrong)).status_code == 422


@BOTH
async def test_it_lapses_by_itself(bench: Bench, role: Role) -> None:
    holder = f"{role}-waits"
    id, code = await bench.proposed(role, holder)
    try:
        bench.serving.clock.ahead += STANDS
        # Whether or not the clock has fired by now.
        assert unknown(await bench.answer("accept", role, code, f"{role}-late"))

        async def over() -> bool:
            return "handover" not in await bench.seen(role, id, holder)

        await bench.serving.eventually(over)
        assert (f"{holder}@example.org", "Nobody took your account over in time") in await bench.mails()
        assert (await bench.do(role, id, PROPOSE, holder)).status_code == 200
    finally:
        bench.serving.clock.ahead -= STANDS


@BOTH
async def test_an_officer_ends_it_by_what_the_office_does_itself(bench: Bench, role: Role) -> None:
    holder, other = f"{role}-meanwhile", f"{role}-too-late"
    id, code = await bench.proposed(role, holder)
    seen = (await bench.serving.get(f"/{CASES[role]}/{id}")).json()
    assert (seen["handover"]["reason"], "code_for_the_other" in seen["handover"]) == (WHY[role], False)
    assert (WITHDRAW in seen["open"], PROPOSE in seen["open"]) == (True, False)
    reason = "contact_left" if role == "host" else "sign_in_lost"
    said = {"account": f"{role}-by-office", "reason": reason, "email": f"{role}-by-office@example.org"}
    assert (await bench.do(role, id, "assign-account", "", body=said)).status_code == 403
    path = f"/{CASES[role]}/{id}"
    assert (await bench.serving.post(f"{path}/assign-account", "officer", said)).status_code == 200
    assert unknown(await bench.answer("accept", role, code, other))
    # Whoever the office named offers it anew, and the office withdraws that.
    new = f"{role}-by-office"
    assert (await bench.do(role, id, PROPOSE, new)).status_code == 200
    code = (await bench.seen(role, id, new))["handover"]["code_for_the_other"]
    assert (await bench.serving.post(f"{path}/{PROPOSE}", "officer", {"reason": reason})).status_code == 403
    assert (await bench.serving.post(f"{path}/{WITHDRAW}", "officer", {})).status_code == 200
    assert unknown(await bench.answer("accept", role, code, other))
    subjects = [subject for _, subject in await bench.mails()]
    assert "The office has ended the handover of your account" in subjects


async def test_a_code_tells_nothing_to_whoever_it_was_not_meant_for(bench: Bench) -> None:
    _, code = await bench.proposed("host", "host-of-roles")
    nobody = await bench.answer("find", "host", "7K2M-QX9D-4WTN", "anybody")
    for strange in (
        await bench.answer("find", "expert", code, "anybody"),
        await bench.answer("find", "host", "not a code", "anybody"),
        await bench.answer("accept", "expert", code, "anybody"),
    ):
        assert {**strange.json(), "instance": ""} == {**nobody.json(), "instance": ""}
        assert unknown(strange)
    for role in ("officer", "evaluator", "protection", "administrator"):
        assert (await bench.answer("find", role, code, "")).status_code == 403  # type: ignore[arg-type]
    for _ in range(WRONG_AT_MOST):
        await bench.answer("find", "host", "7K2M-QX9D-4WTN", "guesser")
    assert (await bench.answer("find", "host", code, "guesser")).status_code == 429
    assert (await bench.answer("find", "host", code, "anybody")).status_code == 200


@BOTH
async def test_an_account_that_stands_for_another_one_takes_none_over(bench: Bench, role: Role) -> None:
    id, code = await bench.proposed(role, f"{role}-full")
    await bench.case(role, f"{role}-holds-one")
    held_one = await bench.answer("accept", role, code, f"{role}-holds-one")
    assert (held_one.status_code, held_one.json()["rule"]) == (409, "account_held_elsewhere")
    own = await bench.answer("accept", role, code, f"{role}-full")
    assert (own.status_code, own.json()["rule"]) == (409, "account_unchanged")
    assert "handover" in await bench.seen(role, id, f"{role}-full")


async def test_of_two_who_have_the_code_one_takes_the_account(bench: Bench) -> None:
    id, code = await bench.proposed("host", "host-of-two")
    first = await bench.answer("accept", "host", code, "first-of-two")
    second = await bench.answer("accept", "host", code, "second-of-two")
    assert (first.status_code, unknown(second)) == (200, True)
    assert (await bench.seen("host", id, "first-of-two"))["id"] == id


async def test_without_an_address_nobody_is_written_to_under_the_old_one(bench: Bench) -> None:
    id, code = await bench.proposed("expert", "helper-leaves")
    given = {"email": "helper-leaves@example.org", "often": "daily", "unwanted": ["progress"]}
    assert (await bench.do("expert", id, "set-contact", "helper-leaves", body=given)).status_code == 200
    assert (await bench.answer("accept", "expert", code, "owner-comes")).status_code == 200
    document = await bench.serving.store.load(PERSONS.name, id)
    assert document
    private = document["private"]
    assert ("wishes" in private, bool(private["sealed_email"])) == (False, False)
    told = [subject for to, subject in await bench.mails() if to == "helper-leaves@example.org"]
    assert "Another account now stands for you or your institution" not in told
    assert "Your account has been passed on to another person" in told


async def handed(bench: Bench, role: Role, id: str, holder: str, other: str, address: str) -> None:
    """Offered and taken over in one go."""
    assert (await bench.do(role, id, PROPOSE, holder)).status_code == 200
    code = (await bench.seen(role, id, holder))["handover"]["code_for_the_other"]
    assert (await bench.answer("accept", role, code, other, email=address)).status_code == 200


OFFERED, LEFT, CAME = (
    "Your account was offered to another person",
    "Your account has been passed on to another person",
    "Another account now stands for you or your institution",
)


@BOTH
async def test_of_handovers_at_once_each_holder_is_told_where_they_were(bench: Bench, role: Role) -> None:
    """However much later the mails are sent."""
    first, second, third = (f"{role}-{one}-at-once" for one in ("first", "second", "third"))
    a, b, c = (f"{one}@example.org" for one in (first, second, third))
    id = await bench.case(role, first)
    await handed(bench, role, id, first, second, b)
    await handed(bench, role, id, second, third, c)
    told = [one for one in await bench.mails() if one[0] in (a, b, c) and one[1] in (OFFERED, LEFT, CAME)]
    assert sorted(told) == sorted([(a, OFFERED), (a, LEFT), (b, CAME), (b, OFFERED), (b, LEFT), (c, CAME)])


@BOTH
async def test_who_changes_the_address_first_hides_no_handover(bench: Bench, role: Role) -> None:
    holder, other = f"{role}-robbed", f"{role}-thiefs"
    victim, thief, new = f"{holder}@example.org", f"{role}-thief@example.org", f"{other}@example.org"
    id = await bench.case(role, holder)
    await bench.mails()
    assert (await bench.do(role, id, "set-contact", holder, body={"email": thief})).status_code == 200
    await handed(bench, role, id, holder, other, new)
    told = await bench.mails()
    subjects = {to: [one for whom, one in told if whom == to] for to in (victim, thief, new)}
    assert {OFFERED, LEFT} < set(subjects[victim])
    changed = set(subjects[victim]) - {OFFERED, LEFT}
    assert any("address" in one.lower() for one in changed), changed
    assert (sorted(subjects[thief]), subjects[new]) == (sorted([OFFERED, LEFT]), [CAME])


@BOTH
async def test_nobody_pushes_an_address_out_by_many_handovers(
    bench: Bench, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.registration.identifiers.HELD_AT_MOST", 2)
    holder, other = f"{role}-often", f"{role}-once-more"
    id = await bench.case(role, holder)
    await handed(bench, role, id, holder, other, f"{other}@example.org")
    refused = await bench.do(role, id, PROPOSE, other)
    assert (refused.status_code, refused.json()["rule"]) == (409, "handover_too_often")
    bench.serving.clock.ahead += HELD_KEPT
    try:
        assert (await bench.do(role, id, PROPOSE, other)).status_code == 200
    finally:
        bench.serving.clock.ahead -= HELD_KEPT


@pytest.mark.parametrize("step", ["_decided", "_record"])
async def test_a_registration_that_the_own_acceptance_overtook_is_refused_in_words_that_are_true(
    bench: Bench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the account came to stand for another person before or after the number was held; no number is kept."""
    serving, other = bench.serving, f"registers{step}"
    _, code = await bench.proposed("expert", f"hands{step}")
    registering = serving.service.work.registering
    before, calls = getattr(registering, step), list[Any]()

    async def overtaken(*said: Any) -> Any:
        calls.append(said)
        if len(calls) == 1:
            assert (await bench.answer("accept", "expert", code, other)).status_code == 200
        return await before(*said)

    monkeypatch.setattr(registering, step, overtaken)
    body = copy.deepcopy(EXPERT)
    body["person"]["document"]["number"] = f"OVERTAKEN{step}"
    sent = await serving.post("/experts", "expert", body, subject=other)
    assert sent.status_code == 202, sent.text
    receipt: dict[str, Any] = {}

    async def decided() -> bool:
        receipt.update((await serving.get(f"/receipts/{sent.json()['id']}", "expert", subject=other)).json())
        return bool(receipt["status"] != "pending")

    await serving.eventually(decided)
    assert (receipt["status"], [one["rule"] for one in receipt["problems"]]) == ("refused", ["account_taken_over"])
    follows = person_following(serving.account(other))
    assert [one["_id"] async for one in serving.store.scan(DOCUMENTS.name) if follows in one["holds"]] == []


async def test_consents_stand_as_they_were_and_erasure_ends_the_offer(bench: Bench) -> None:
    serving = bench.serving
    id, code = await bench.proposed("expert", "helper-of-erased")
    withdrawn = await bench.do("expert", id, "withdraw-consent", "helper-of-erased", body={"purpose": "placement"})
    assert withdrawn.status_code == 200
    assert (await bench.answer("accept", "expert", code, "owner-of-erased")).status_code == 200
    assert (await bench.seen("expert", id, "owner-of-erased"))["consents"]["placement"] == "withdrawn"
    assert (await bench.do("expert", id, PROPOSE, "owner-of-erased")).status_code == 200
    code = (await bench.seen("expert", id, "owner-of-erased"))["handover"]["code_for_the_other"]
    erased = await serving.post(f"/persons/{id}/erase", "protection", {"reason": "own_request"})
    assert erased.status_code == 200, erased.text
    assert unknown(await bench.answer("accept", "expert", code, "somebody-else"))
    document = await serving.store.load(PERSONS.name, id)
    assert document
    assert ("handover" in document["state"], "handover" in document["private"]) == (False, False)


async def test_a_proposal_stands_in_the_way_of_no_correction(bench: Bench) -> None:
    """What a host says of its account is no fact of the institution."""
    id = await bench.case("host", "host-corrected")
    path = f"/institutions/{id}"
    assert (await bench.serving.post(f"{path}/assess", "officer", {})).status_code == 200
    assert (await bench.do("host", id, PROPOSE, "host-corrected")).status_code == 200
    last = (await bench.serving.get(path)).json()["last_fact"]
    assert last["fact"] == "InstitutionAssessed"
    taken = await bench.serving.post(f"{path}/take-back", "officer", {"reason": "wrong_case"})
    assert (taken.status_code, taken.json()["state"]) == (200, "proposed"), taken.text
    assert "handover" in await bench.seen("host", id, "host-corrected")


async def test_a_closed_institution_is_handed_to_nobody(bench: Bench) -> None:
    id, code = await bench.proposed("host", "host-closes")
    closed = await bench.serving.post(f"/institutions/{id}/close", "officer", {"reason": "dissolved"})
    assert closed.status_code == 200
    assert unknown(await bench.answer("accept", "host", code, "too-late-for-closed"))


async def test_nothing_of_it_leaves_by_a_topic_but_codes_and_ids(bench: Bench) -> None:
    _, code = await bench.proposed("host", "host-on-the-log")
    await bench.answer("accept", "host", code, "comes-on-the-log", email="comes@example.org")
    await bench.serving.quiet()
    records = await bench.serving.topic("registration.institutions")
    assert any(isinstance(parse(one), tuple) for one in records)
    for one in records:
        assert code.encode() not in (one.value or b"")
        assert b"example.org" not in (one.value or b"")
    documents = [json.dumps(one) async for one in bench.serving.store.scan(INSTITUTIONS.name)]
    assert all(code not in one and code.replace("-", "") not in one for one in documents)


async def test_the_pages_show_the_code_and_take_the_answer(bench: Bench) -> None:
    serving = bench.serving
    id = await bench.case("host", "host-on-pages")
    page = f"/registration/institutions/{id}"
    async with bench.browser("host", None, account=serving.account("host-on-pages")) as holder:
        form = await holder.get(f"{page}/{PROPOSE}")
        assert "The other person does not read it." in form.text
        sent = {**held(form), "/reason": "contact_left"}
        for _ in range(2):
            assert (await holder.post(f"{page}/{PROPOSE}", data=sent)).status_code == 303
        shown = (await holder.get(page)).text
        code = (await bench.seen("host", id, "host-on-pages"))["handover"]["code_for_the_other"]
        assert code in shown
    async with bench.browser("host", None, account=serving.account("comes-on-pages")) as other:
        assert "/registration/handovers" in (await other.get("/registration/today")).text
        asking = await other.get("/registration/handovers")
        wrong = await other.post("/registration/handovers", data={**held(asking), "/code": "7K2M-QX9D-4WTN"})
        assert (wrong.status_code, "No account is offered to you under this code" in wrong.text) == (404, True)
        found = await other.post("/registration/handovers", data={**held(asking), "/code": code})
        assert "Where you are written to about this account from now on." in found.text
        assert "about your application" not in found.text
        assert found.status_code == 200
        assert id not in found.text
        forms = re.findall(r'<form method="post" action="([^"]+)"', found.text)
        forms = [one for one in forms if "/handovers/" in one]
        assert [one.rpartition("/")[2] for one in forms] == ["accept", "decline"]
        # The last form's hidden fields are those of declining, but for the key.
        sent = {**held(found), "/email": "not an address"}
        refused = await other.post(forms[0], data=sent)
        assert (refused.status_code, "not an address" in refused.text) == (422, True)
        accepted = await other.post(forms[0], data={**sent, "/email": ""})
        assert (accepted.status_code, accepted.headers["location"]) == (303, page)
        assert (await other.post(forms[0], data={**sent, "/email": ""})).status_code == 303
        assert (await other.get(page)).status_code == 200
    async with bench.browser("host", None, account=serving.account("host-on-pages")) as holder:
        assert (await holder.get(page)).status_code == 404


@pytest.mark.parametrize("verbs", [(), ("assess", "accept-partner", "activate")])
async def test_an_offer_of_the_account_is_no_last_day_of_the_institution(bench: Bench, verbs: tuple[str, ...]) -> None:
    """Nothing of the case waits for the answer: its head is as without an offer, which says itself until when it is."""
    account = f"host-at-the-head-{len(verbs)}"
    id = await bench.case("host", account)
    for verb in verbs:
        assert (await bench.serving.post(f"/institutions/{id}/{verb}", "officer", {})).status_code == 200
    async with bench.browser("host", None, account=bench.serving.account(account)) as holder:

        async def head() -> str:
            page = (await holder.get(f"/registration/institutions/{id}")).text
            return page.partition('<dl class="words head">')[2].partition("</dl>")[0]

        before = await head()
        assert "Waits for" in before
        assert (await bench.do("host", id, PROPOSE, account)).status_code == 200
        assert await head() == before


async def test_declined_on_its_page(bench: Bench) -> None:
    _, code = await bench.proposed("expert", "helper-on-pages")
    account = bench.serving.account("declines-on-pages")
    for language, words in (("fr", "pas repris le compte"), ("ar", "لم تتولَّوا الحساب")):
        async with bench.browser("expert", None, account=account, language=language) as other:
            asking = await other.get("/registration/handovers")
            found = await other.post("/registration/handovers", data={**held(asking), "/code": code})
            if language == "fr":
                sent = {**held(found), "/reason": "not_wanted"}
            declined = await other.post("/registration/handovers/decline", data=sent)
            assert (declined.status_code, words in declined.text) == (200, True)


async def test_a_forged_form_answers_nothing(bench: Bench) -> None:
    _, code = await bench.proposed("host", "host-forged")
    async with bench.browser("host", None, account=derived_id("forger")) as other:
        for path in ("", "/accept", "/decline"):
            sent = {"/code": code, "idempotency-key": "k", "/reason": "not_wanted"}
            assert (await other.post(f"/registration/handovers{path}", data=sent)).status_code == 403


async def assigned_to(bench: Bench, role: Role, reason: str, **said: str) -> tuple[str, list[tuple[str, str]]]:
    """Of whom the office gave the account to another subject, and who was told what of it."""
    holder = f"{role}-{reason}-{len(said)}".replace("_", "-")
    id = await bench.case(role, holder)
    await bench.mails()
    bench.box.mails.clear()
    body = {"account": f"{holder}-now", "reason": reason, **said}
    answers = [
        await bench.serving.post(f"/{CASES[role]}/{id}/assign-account", "officer", body, key="k") for _ in (1, 2)
    ]
    assert [one.status_code for one in answers] == [200, 200], answers[0].text
    return f"{holder}@example.org", await bench.mails()


@BOTH
async def test_where_an_office_gives_the_account_to_somebody_else_the_old_address_is_told_once(
    bench: Bench, role: Role
) -> None:
    reason = "contact_left" if role == "host" else "mistaken_entry"
    former, told = await assigned_to(bench, role, reason)
    assert told == [(former, LEFT)], "nobody knows where the other one is reached"
    new = f"new-{role}@example.org"
    former, told = await assigned_to(bench, role, reason, email=new)
    assert sorted(told) == sorted([(former, LEFT), (new, CAME)])


@BOTH
async def test_whoever_signs_in_anew_is_still_reached_where_they_were(bench: Bench, role: Role) -> None:
    former, told = await assigned_to(bench, role, "sign_in_lost")
    assert told == [(former, CAME)]
    new = f"anew-{role}@example.org"
    former, told = await assigned_to(bench, role, "sign_in_lost", email=new)
    assert (new, CAME) in told
    assert LEFT not in [subject for _, subject in told]


@BOTH
@pytest.mark.parametrize(("wished", "language"), [("fr", "fr"), (None, "ar")])
async def test_whoever_left_is_written_to_in_the_own_language(
    bench: Bench, role: Role, wished: str | None, language: str
) -> None:
    """As it was wished, else as the account reads pages; and not as whoever came does."""
    holder, other = f"{role}-leaves-in-{language}", f"{role}-comes-in-english"
    account = bench.serving.account(holder)
    state = Account(reads="ar").model_dump(mode="json")
    await bench.serving.store.save(ACCOUNTS.name, {**new_document(account), "version": 1, "state": state}, 0)
    id = await bench.case(role, holder)
    if wished:
        said = await bench.do(role, id, "set-contact", holder, body={"language": wished})
        assert said.status_code == 200, said.text
    assert (await bench.do(role, id, PROPOSE, holder)).status_code == 200
    code = (await bench.seen(role, id, holder))["handover"]["code_for_the_other"]
    await bench.mails()
    bench.box.mails.clear()
    answered = await bench.answer("accept", role, code, f"{other}-{language}", email=f"{other}@example.org")
    assert answered.status_code == 200, answered.text
    await bench.mails()
    assert {(one.to, one.language) for one in bench.box.mails} == {
        (f"{holder}@example.org", language),
        (f"{other}@example.org", "en"),
    }


async def test_what_is_said_of_the_case_later_goes_to_the_new_address_alone(bench: Bench) -> None:
    id = await bench.case("host", "host-left-office")
    body = {"account": "host-came-office", "reason": "contact_left", "email": "host-came-office@example.org"}
    assert (await bench.serving.post(f"/institutions/{id}/assign-account", "officer", body)).status_code == 200
    await bench.mails()
    bench.box.mails.clear()
    assert (await bench.do("host", id, PROPOSE, "host-came-office")).status_code == 200
    assert await bench.mails() == [("host-came-office@example.org", OFFERED)]
