"""Messages: one for each event, recipient and template; what makes none; what becomes of one; what it never says."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from deploy.generate import cases_of
from services.registration.domain.contact import HeldAt, night_until
from services.registration.domain.handover import STANDS
from services.registration.domain.notices import BY_TEMPLATE, LONGEST, NOTICES, OPTIONAL
from services.registration.domain.persons import PERSON
from services.registration.domain.sessions import Account
from services.registration.mailing.channel import AddressRefused, Mail, composed
from services.registration.mailing.folder import Folder
from services.registration.mailing.wording import Reader, worded
from services.registration.messages import message
from services.registration.store import ACCOUNTS, MESSAGES, PERSONS, SHADOWS
from services.registration.work.recipients import zone_in
from services.registration.work.sending import TRIES
from services.registration.work.telling import Telling
from shared.cases.case import NEW, Case
from shared.clock import derived_id
from shared.contracts.matching.matches import ExpertNotSelected, MatchFactTakenBack, OfferMade
from shared.contracts.registration.experts import (
    ExpertDeclaredEligible,
    ExpertDeclaredIneligible,
    ExpertInfoRequested,
    ExpertRegistered,
)
from shared.contracts.registration.persons import PersonErased, PersonHandoverProposed
from shared.errors import Overloaded, Unavailable
from shared.identity.tokens import Principal
from shared.messaging.shadow import new_shadow
from shared.store.documents import new_document
from shared.web.pages.languages import LANGUAGES
from shared.zones import zone
from tests.unit.registration.posting import ADDRESS, CASE, NOW, WHO, Post, posting

# What ends a case and is told to nobody: the address is gone with the person.
WITHOUT_A_MESSAGE = {"PersonErased", "ExpertWithdrawn"}
TOLD_CASES = [case for one in ("registration", "matching", "placement") for case in cases_of(one)]


def read(whole: bytes) -> EmailMessage:
    """A mail as a mail program has it."""
    return message_from_bytes(whole, policy=default)


def registered(**how: Any) -> ExpertRegistered:
    said = {"happened_at": NOW, "person": WHO, "programme": "p", "office": "kabul", "channel": "self"}
    return ExpertRegistered(**{**said, **how})


def eligible(**how: Any) -> ExpertDeclaredEligible:
    return ExpertDeclaredEligible(**{"happened_at": NOW, "person": WHO, **how})


@pytest.mark.parametrize("case", [one for one in TOLD_CASES if one.name != "messages"], ids=lambda case: case.name)
def test_every_end_of_a_case_is_told(case: Case[Any]) -> None:
    """A state that nothing leads on from, of a case of persons or hosts."""
    if case.name in ("programmes", "trainings", "sites"):
        return
    leads_on = {one for move in case.moves for one in move.before if move.leads_to(one) != {one}}
    ends = set(case.statuses) - leads_on - {NEW}
    told = {event for event in case.events if event.leads_to in ends and event.__name__ not in WITHOUT_A_MESSAGE}
    assert told <= set(NOTICES)


def test_receipts_decisions_and_security_cannot_be_refused() -> None:
    assert {"receipt", "decision", "security"}.isdisjoint(OPTIONAL)
    assert len(BY_TEMPLATE) > 50


async def test_an_event_that_comes_twice_is_one_mail() -> None:
    async with posting() as post:
        await post.person()
        first = await post.tell(registered())
        await post.telling.heard(first)
        await post.sweep()
        await post.telling.heard(first)
        await post.sweep(days=1)
        assert [mail.to for mail in post.box.mails] == [ADDRESS]
        assert await post.states() == [("registered", "sent", None)]


async def test_a_new_event_of_the_same_type_is_another_mail() -> None:
    async with posting() as post:
        await post.person()
        await post.case()
        for _ in range(2):
            await post.tell(ExpertInfoRequested(happened_at=NOW, items=("diploma",)))
        await post.sweep()
        assert len({mail.id for mail in post.box.mails}) == 2


async def test_what_was_recorded_before_sending_was_switched_on_tells_nobody() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible(), recorded_at=NOW - timedelta(seconds=1))
        post.clock.instant += LONGEST * 2
        await post.tell(eligible(recorded_late=True))
        assert await post.ledger() == []


async def test_where_nothing_is_sent_nothing_is_written() -> None:
    async with posting(sends=False) as post:
        await post.person()
        await post.tell(eligible())
        assert await post.ledger() == []
        assert await post.telling.since() is None


async def test_the_instant_of_switching_on_is_noted_once() -> None:
    async with posting() as post:
        since = await post.telling.since()
        post.clock.instant += timedelta(days=3)
        again = Telling(post.replica, post.sending)
        assert await again.since() == since == NOW


async def test_a_fact_that_is_entered_late_is_held_until_an_officer_releases_it() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible(happened_at=NOW - timedelta(days=3), recorded_late=True))
        await post.sweep(days=1)
        assert (post.box.mails, await post.states()) == ([], [("eligible", "held", None)])
        await post.ask("release")
        await post.sweep()
        assert await post.states() == [("eligible", "sent", None)]


async def test_a_refusal_is_held_and_an_officer_may_discard_it() -> None:
    async with posting() as post:
        await post.person()
        until = NOW + timedelta(days=10)
        await post.tell(
            ExpertDeclaredIneligible(happened_at=NOW, person=WHO, criteria=("residence_abroad",), appeal_until=until)
        )
        assert await post.states() == [("ineligible", "held", None)]
        await post.ask("discard", reason="told_otherwise")
        await post.sweep(days=1)
        assert (post.box.mails, await post.states()) == ([], [("ineligible", "dropped", "told_otherwise")])


async def test_a_message_whose_time_is_over_is_not_sent() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        await post.sweep(days=31)
        assert (post.box.mails, await post.states()) == ([], [("eligible", "dropped", "message_expired")])


@pytest.mark.parametrize(("role", "told"), [("expert", []), ("officer", ["not_selected"]), (None, ["not_selected"])])
async def test_nobody_is_told_of_the_own_act(role: str | None, told: list[str]) -> None:
    async with posting() as post:
        await post.person()
        event = ExpertNotSelected(happened_at=NOW, reason="family")
        await post.tell(event, match={"person": WHO}, by_role=role)
        assert [template for template, _, _ in await post.states()] == told
        # A receipt answers whoever sent something in.
        await post.tell(registered(), by_role="expert")
        assert "registered" in [template for template, _, _ in await post.states()]


class Killed(BaseException):
    pass


async def erase(post: Post) -> None:
    document = await post.store.load(PERSONS.name, WHO)
    assert document is not None
    erased = PERSON.evolve(PERSONS.read(document), PersonErased(happened_at=NOW, reason="own_request"))
    changed = {**document, "state": erased.model_dump(mode="json"), "version": document["version"] + 1}
    await post.store.save(PERSONS.name, changed, document["version"])


async def test_whoever_is_erased_while_a_mail_is_handed_in_is_forgotten_by_the_channel() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        whole = post.box.send

        async def meanwhile(mail: Mail) -> None:
            await erase(post)
            await whole(mail)

        post.box.send = meanwhile  # type: ignore[method-assign]
        await post.sweep()
        assert (post.box.mails, await post.states()) == ([], [("eligible", "dropped", "person_erased")])


async def test_a_mail_that_a_crash_left_unmarked_is_forgotten_with_its_person() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        whole = post.box.send

        async def killed(mail: Mail) -> None:
            await whole(mail)
            raise Killed

        post.box.send = killed  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await post.sweep()
        await erase(post)
        assert len(post.box.mails) == 1
        await post.sweep(hours=1)
        assert (post.box.mails, await post.states()) == ([], [("eligible", "dropped", "person_erased")])


async def test_a_crash_between_sending_and_marking_sends_the_same_mail_again() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        told = post.sending._tell

        async def dies(*_: Any) -> None:
            raise Killed

        post.sending._tell = dies  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await post.sweep()
        post.sending._tell = told  # type: ignore[method-assign]
        await post.sweep()
        assert len(post.box.mails) == 1, "its claim is not over"
        await post.sweep(minutes=3)
        first, second = post.box.mails
        assert first.id == second.id
        numbers = {read(composed(mail, "a@example.org"))["Message-ID"] for mail in (first, second)}
        assert numbers == {f"<{first.id}@example.org>"}
        assert await post.states() == [("eligible", "sent", None)]


async def test_a_channel_that_is_away_is_tried_again_and_given_up_in_the_end() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        post.box.failing = [Unavailable("mail")]
        await post.sweep()
        assert await post.states() == [("eligible", "queued", None)]
        await post.sweep(minutes=3)
        assert len(post.box.mails) == 1
        await post.tell(eligible())
        post.box.failing = [Unavailable("mail") for _ in range(TRIES)]
        for _ in range(3 * TRIES):
            await post.sweep(hours=7)
        assert ("eligible", "failed", "channel_away") in await post.states()


async def test_who_cannot_be_reached_waits_for_an_officer() -> None:
    async with posting() as post:
        await post.person(None)
        await post.tell(eligible())
        await post.sweep()
        assert await post.states() == [("eligible", "failed", "no_address")]
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        post.box.failing = [AddressRefused()]
        await post.sweep()
        assert await post.states() == [("eligible", "bounced", "address_refused")]
        await post.ask("release")
        await post.sweep()
        assert await post.states() == [("eligible", "sent", None)]


async def offered_after_a_change(post: Post) -> None:
    """Whose address was another one a moment before, at an offer of the account that is the case's third event."""
    await post.person("before@example.org")
    document = await post.store.load(PERSONS.name, WHO)
    assert document is not None
    private = {**document["private"]}
    private |= await post.identifiers.addressed(WHO, private, ADDRESS, NOW)
    private |= await post.identifiers.offered(WHO, private, HeldAt(after=2, at=NOW))
    changed = {**document, "private": private, "version": document["version"] + 1}
    await post.store.save(PERSONS.name, changed, document["version"])
    await post.tell(PersonHandoverProposed(happened_at=NOW, reason="r", ends_at=NOW + STANDS), WHO, sequence=3)


@pytest.mark.parametrize("failing", [[AddressRefused()], [Unavailable("away")]])
async def test_of_two_addresses_one_holds_up_no_other(failing: list[BaseException]) -> None:
    async with posting() as post:
        await offered_after_a_change(post)
        post.box.failing = list(failing)
        await post.sweep()
        assert [mail.to for mail in post.box.mails] == ["before@example.org"]
        known = {mail.id for mail in post.box.mails}
        await post.sweep(minutes=3)
        if isinstance(failing[0], Unavailable):
            # What was taken comes once more as the same mail.
            assert [mail.to for mail in post.box.mails[1:]] == [ADDRESS, "before@example.org"]
            assert post.box.mails[2].id in known
        assert await post.states() == [("handover_proposed", "sent", None)]
        assert len({mail.id for mail in post.box.mails}) == len({mail.to for mail in post.box.mails})


async def test_both_mails_are_forgotten_with_their_person() -> None:
    async with posting() as post:
        await offered_after_a_change(post)
        whole = post.box.send

        async def meanwhile(mail: Mail) -> None:
            await whole(mail)
            if mail.to == "before@example.org":
                await erase(post)

        post.box.send = meanwhile  # type: ignore[method-assign]
        await post.sweep()
        assert (post.box.mails, await post.states()) == ([], [("handover_proposed", "dropped", "person_erased")])


async def test_nobody_writes_to_an_erased_person() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        await erase(post)
        await post.sweep()
        assert (post.box.mails, await post.states()) == ([], [("eligible", "dropped", "person_erased")])


async def offered(post: Any, id: str, *, lasts: timedelta = timedelta(days=10), **how: Any) -> None:
    event = OfferMade(happened_at=post.clock.instant, expires_at=post.clock.instant + lasts, **how)
    await post.tell(event, match={"person": WHO, "offer": id}, id=id)


async def known(post: Any, **match: Any) -> None:
    """What is heard of the case by now."""
    shadow = await post.store.load(SHADOWS.name, CASE)
    saved = {**(shadow or new_shadow(CASE)), "knowledge": {"match": match}}
    saved["version"] += 1
    await post.store.save(SHADOWS.name, SHADOWS.indexed(saved), saved["version"] - 1)


async def test_an_offer_is_reminded_of_while_it_stands_open() -> None:
    async with posting() as post:
        await post.person()
        event = derived_id("offer")
        await offered(post, event)
        await known(post, offer=event)
        said = ["offer_made"]
        for later, reminder in (
            ({"days": 5}, "offer_half_time"),
            ({"days": 4}, "offer_one_day"),
            ({"hours": 21}, "offer_three_hours"),
        ):
            await post.sweep()
            assert sorted(one for one, state, _ in await post.states() if state == "sent") == sorted(said)
            await post.sweep(**later)
            said.append(reminder)
        assert len(post.box.mails) == 4


async def test_an_offer_that_was_answered_is_not_reminded_of() -> None:
    async with posting() as post:
        await post.person()
        await offered(post, derived_id("offer"))
        await post.sweep()
        await known(post, offer=None)
        await post.sweep(days=5, minutes=1)
        assert ("offer_half_time", "dropped", "no_longer_due") in await post.states()
        assert [mail.subject for mail in post.box.mails] == ["An offer waits for your answer"]


async def test_of_what_is_entered_late_nobody_is_reminded() -> None:
    async with posting() as post:
        await post.person()
        await offered(post, derived_id("offer"), recorded_late=True)
        assert await post.states() == [("offer_made", "held", None)]


async def test_what_was_a_mistake_is_not_sent_or_taken_back() -> None:
    async with posting() as post:
        await post.person()
        event = derived_id("offer")
        await offered(post, event)
        await known(post, offer=event)
        await post.sweep()
        said = {"fact": 4, "of": "OfferMade", "replaces": event, "reason": "mistaken_entry", "status": "allocated"}
        await post.tell(MatchFactTakenBack(happened_at=NOW, **said), match={"person": WHO})
        states = await post.states()
        assert ("told_by_mistake", "held", None) in states
        assert [reason for one, state, reason in states if state == "dropped"] == ["fact_taken_back"] * 3


def asked() -> ExpertInfoRequested:
    return ExpertInfoRequested(happened_at=NOW, items=("diploma",))


async def test_nobody_is_woken_at_night_but_for_what_cannot_wait() -> None:
    async with posting() as post:
        await post.person()
        # 22:30 in the Netherlands, where the person lives.
        post.clock.instant = NOW + timedelta(hours=9, minutes=30)
        await post.tell(registered(happened_at=post.clock.instant))
        await post.tell(eligible(happened_at=post.clock.instant))
        event = derived_id("offer")
        await offered(post, event, lasts=timedelta(hours=12))
        await known(post, offer=event)
        await post.sweep()
        assert {mail.subject for mail in post.box.mails} == {"Your registration was received"}
        (told,) = [one for one in await post.ledger() if one["state"]["template"] == "eligible"]
        seen = message(told, Principal(WHO, "officer", "kabul"))
        assert (seen.state, seen.due_at) == ("queued", NOW + timedelta(hours=19)), "what is put off says until when"
        await post.sweep(hours=9, minutes=1)
        assert [mail.subject for mail in post.box.mails[1:]] == ["An offer waits for your answer: three hours are left"]
        await post.sweep(minutes=30)
        assert len(post.box.mails) == 5


@pytest.mark.parametrize(
    ("account", "language"),
    [({"reads": "ar"}, "ar"), ({"reads": "ar", "language": "fr"}, "fr"), ({}, "en"), ({"reads": "xx"}, "en")],
)
async def test_whoever_said_nothing_is_written_to_in_the_language_that_the_account_reads(
    account: dict[str, str], language: str
) -> None:
    async with posting() as post:
        await post.person(account=WHO)
        state = Account(**account).model_dump(mode="json")
        await post.store.save(ACCOUNTS.name, {**new_document(WHO), "version": 1, "state": state}, 0)
        await post.tell(registered())
        await post.sweep()
        assert [mail.language for mail in post.box.mails] == [language]


async def test_whoever_wants_one_mail_a_day_gets_one_with_all_that_can_wait() -> None:
    async with posting() as post:
        await post.person()
        await post.case()
        await post.wishes(often="daily", language="fr")
        for _ in range(3):
            await post.tell(asked())
        await post.tell(eligible())
        await post.sweep()
        assert [mail.subject for mail in post.box.mails] == ["Votre inscription a été vérifiée"]
        await post.sweep(hours=18)
        assert len(post.box.mails) == 1
        await post.sweep(hours=1, minutes=1)
        assert post.box.mails[1].subject == "3 messages pour vous"
        assert post.box.mails[1].text.count("Votre bureau vous demande") == 3
        await post.sweep(days=2)
        assert len(post.box.mails) == 2
        assert {state for _, state, _ in await post.states()} == {"sent"}


async def test_a_crash_in_the_middle_of_several_sends_the_same_mail_again() -> None:
    async with posting() as post:
        await post.person()
        await post.case()
        await post.wishes(often="daily")
        for _ in range(3):
            await post.tell(asked())
        await post.sweep()
        tell, left = post.sending._tell, [1]

        async def dies(*said: Any) -> None:
            if not left:
                raise Killed
            left.pop()
            await tell(*said)

        post.sending._tell = dies  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await post.sweep(hours=20)
        post.sending._tell = tell  # type: ignore[method-assign]
        await post.sweep(minutes=3)
        first, second = post.box.mails
        assert first.id == second.id
        assert {state for _, state, _ in await post.states()} == {"sent"}


async def test_what_nobody_has_to_be_told_can_be_refused() -> None:
    async with posting() as post:
        await post.person()
        await post.case()
        await post.wishes(unwanted=("request",))
        await post.tell(asked())
        await post.tell(eligible())
        await post.sweep()
        assert ("info_requested", "dropped", "opted_out") in await post.states()
        assert len(post.box.mails) == 1


@pytest.mark.parametrize(
    ("hour", "until"), [("20:59", None), ("21:00", "08:00"), ("23:59", "08:00"), ("07:59", "08:00"), ("08:00", None)]
)
def test_the_night(hour: str, until: str | None) -> None:
    now = datetime.fromisoformat(f"2026-03-28T{hour}:00").replace(tzinfo=zone("Europe/Amsterdam"))
    found = night_until(now, zone("Europe/Amsterdam"))
    assert (found and f"{found.astimezone(zone('Europe/Amsterdam')):%H:%M}") == until
    # The clocks were set forward in that night, and it is the morning's eight o'clock all the same.
    assert found is None or found > now


async def test_an_address_is_opened_once_that_is_in_the_audit_trail() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(eligible())
        post.box.failing = [Overloaded("audit entries")]
        with pytest.raises(Overloaded):
            await post.sweep()
        assert (post.box.mails, post.readings) == ([], [])
        await post.sweep(minutes=3)
        (reading,) = post.readings
        assert (reading.purpose, reading.fields, reading.subjects) == ("contact", ("email",), (WHO,))
        assert len(post.box.mails) == 1


async def test_a_mail_names_nobody_and_says_no_reason() -> None:
    async with posting() as post:
        await post.person()
        until = NOW + timedelta(days=10)
        await post.tell(
            ExpertDeclaredIneligible(happened_at=NOW, person=WHO, criteria=("residence_abroad",), appeal_until=until)
        )
        await post.ask("release")
        await post.sweep()
        (mail,) = post.box.mails
        whole = read(composed(mail, "office@example.org"))
        text = whole.get_content()
        assert str(whole["To"]) == ADDRESS
        assert [word for word in ("residence_abroad", ADDRESS, WHO, "kabul", "ineligible") if word in text] == []
        assert CASE[:8] in text
        assert f"http://127.0.0.1:8000/registration/experts/{CASE}" in text
        assert "11 March 2026, 12:00 UTC; your time: 11 March 2026, 13:00 (Amsterdam time, UTC+01:00)" in text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_template_has_words_in_each_language(language: str) -> None:
    async with posting() as post:
        await post.person()
        await offered(post, derived_id("offer"))
        message = MESSAGES.read((await post.ledger())[0])
        assert message is not None
        for template, _ in BY_TEMPLATE:
            one = message.model_copy(update={"template": template, "until": NOW})
            words = worded(one, Reader(language), zone("Asia/Kabul"), "http://test", leads=True)
            assert "code:" not in words.text
            assert "<" not in words.text
            assert words.subject in words.text
        assert ("UTC+04:30" in words.text) or language == "ar"


def test_a_zone_is_said_of_countries_that_have_one_time() -> None:
    found = {country: zone_in(country, NOW) for country in ("NL", "AF", "CD", "US", "DE")}
    assert {country: str(one) if one else None for country, one in found.items()} == {
        "NL": "Europe/Amsterdam",
        "AF": "Asia/Kabul",
        "CD": None,
        "US": None,
        "DE": found["DE"] and str(found["DE"]),
    }


@pytest.mark.parametrize(
    "address", ["a b@example.org", "a,b@example.org", "a\r\nBcc: c@example.org", "a@@b.org", "a@.org"]
)
def test_an_address_that_no_header_holds_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused):
        composed(Mail("id", address, "en", "Subject", "Text", NOW), "office@example.org")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_mail_is_read_as_it_was_written(language: str) -> None:
    subject = {"en": "A long subject, " * 9, "fr": "Une réponse " * 9, "ar": "عرض ينتظر ردكم " * 9}[language].strip()
    text = f"From here\n.\n\n{subject}=3D\ttrailing \n{'x' * 200}\nRésumé, القرار\n"
    whole = composed(Mail("id", "o'neil+a@mail.example.org", language, subject, text, NOW), "office@example.org")
    lines = whole.split(b"\r\n")
    assert max(map(len, lines)) <= 78
    assert b"\n" not in b"".join(lines)
    assert whole.isascii()
    found = read(whole)
    assert not found.defects
    assert (found["Subject"], found.get_content().splitlines()) == (subject, text.splitlines())
    assert (found["To"], found["Content-Language"]) == ("o'neil+a@mail.example.org", language)
    assert found["Date"].datetime == NOW.replace(microsecond=0)
    (header,) = [
        line
        for line in composed(Mail("id", "a@b.org", "en", "Two\r\nBcc: c@d.org", "", NOW), "a@b.org").split(b"\r\n")
        if line.startswith(b"Subject")
    ]
    assert header == b"Subject: Two Bcc: c@d.org"


async def test_mails_that_come_together_are_written_together_and_fail_together(tmp_path: Path) -> None:
    async with posting() as post:
        folder, mails = tmp_path / "mail", [Mail(str(n), "a@b.org", "en", "S", "T", NOW) for n in range(5)]
        channel = Folder(folder, "office@example.org", post.clock)
        await asyncio.gather(*(channel.send(mail) for mail in mails))
        assert {path.name for path in folder.iterdir()} == {f"{mail.id}.eml" for mail in mails}
        (tmp_path / "file").touch()
        away = Folder(tmp_path / "file", "office@example.org", post.clock)
        outcomes = await asyncio.gather(*(away.send(mail) for mail in mails), return_exceptions=True)
        assert {type(one) for one in outcomes} == {Unavailable}


async def test_the_folder_has_one_file_a_message_however_often_it_is_sent(tmp_path: Path) -> None:
    async with posting() as post:
        folder = Folder(tmp_path / "mail", "office@example.org", post.clock)
        mail = Mail("one", "somebody@exämple.org", "ar", "عرض ينتظر ردكم", "نص\n", NOW)
        for _ in range(2):
            await folder.send(mail)
        (file,) = (tmp_path / "mail").iterdir()
        found = read(file.read_bytes())
        assert (found["Subject"], found.get_content().splitlines(), found["Message-ID"]) == (
            mail.subject,
            ["نص"],
            "<one@example.org>",
        )
        assert found["To"] == "somebody@xn--exmple-cua.org"
        await folder.forget("one")
        assert list((tmp_path / "mail").iterdir()) == []
        (tmp_path / "mail" / ".one.4711").write_bytes(b"half of a mail")
        await folder.forget("one")
        assert list((tmp_path / "mail").iterdir()) == []
        (tmp_path / "file").touch()
        with pytest.raises(Unavailable):
            await Folder(tmp_path / "file", "office@example.org", post.clock).send(mail)
