"""Messages to offices: who is told of what at which address, at once or in the morning, and what tells nobody."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from deploy.generate import built
from services.registration.domain.fields import Email
from services.registration.domain.notices import NOTICES
from services.registration.store import EXPERTS, MESSAGES
from shared.clock import text_of
from shared.contracts.base import Event, Scope
from shared.contracts.matching.matches import CandidateConfirmed, ExpertNotSelected, MatchRetracted, OfferAccepted
from shared.contracts.placement.placements import NoShowReported, PlacementContracted, PlacementEndedEarly
from shared.contracts.registration.experts import (
    ExpertAppealed,
    ExpertInfoProvided,
    ExpertRegistered,
    ExpertTransferAsked,
    ExpertTransferDeclined,
    ExpertTransferred,
)
from shared.errors import TooEarly
from shared.programmes.loader import FileRefused, load_definition
from shared.store.documents import new_document
from tests.unit.registration.posting import ADDRESS, CASE, NOW, WHO, Post, posting

BOX, OTHER = "kabul@office.example", "herat@office.example"
NEXT_MORNING = {"hours": 20}


def registered(**how: Any) -> ExpertRegistered:
    said = {"happened_at": NOW, "person": WHO, "programme": "p", "office": "kabul", "channel": "self"}
    return ExpertRegistered(**{**said, **how})


def ended(party: Any) -> PlacementEndedEarly:
    return PlacementEndedEarly(happened_at=NOW, party=party, reason="family")


def test_every_template_of_an_office_is_of_one_kind() -> None:
    kinds: dict[str, set[str]] = {}
    for notices in NOTICES.values():
        for one in (one for one in notices if one.to == "office"):
            kinds.setdefault(one.template, set()).add(one.kind)
    assert len(kinds) == 18
    assert all(len(one) == 1 for one in kinds.values())


async def test_an_office_without_an_address_is_told_nothing() -> None:
    async with posting() as post:
        await post.person()
        await post.office("kabul")
        await post.tell(registered())
        assert [one["state"]["template"] for one in await post.ledger()] == ["registered"]


async def test_what_is_not_urgent_is_one_mail_in_the_morning() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX)
        first = await post.tell(registered())
        await post.telling.heard(first)
        await post.tell(ExpertInfoProvided(happened_at=NOW))
        await post.tell(ExpertAppealed(happened_at=NOW, person=WHO, ground="facts"))
        await post.sweep()
        assert post.box.mails == []
        await post.sweep(**NEXT_MORNING)
        (mail,) = post.box.mails
        assert mail.to == BOX
        for said in ("registered with your office", "asked for has come", "appeal waits", CASE[:8]):
            assert said in mail.text
        assert CASE in mail.text
        for hidden in (WHO, ADDRESS, "facts"):
            assert hidden not in mail.text
        # The address is no person's, so nobody's identifiers were read.
        assert post.readings == []
        of_office = [one["state"] for one in await post.ledger() if one["state"]["template"].startswith("office_")]
        assert {one["status"] for one in of_office} == {"sent"}
        assert all("person" not in one and "institution" not in one for one in of_office)


async def test_an_office_may_want_each_at_once_and_some_not_at_all() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once", language="fr", unwanted=["progress"])
        await post.tell(registered())
        await post.tell(ExpertInfoProvided(happened_at=NOW))
        await post.sweep()
        (mail,) = post.box.mails
        assert (mail.language, "Ce que votre bureau avait demandé" in mail.text) == ("fr", True)
        assert ("office_registered", "dropped", "opted_out") in await post.states()


async def test_what_is_urgent_does_not_wait() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX)
        await post.tell(NoShowReported(happened_at=NOW))
        for party in ("expert", "host", "programme"):
            await post.tell(ended(party))
        await post.sweep()
        assert len(post.box.mails) == 3


@pytest.mark.parametrize(
    ("answer", "template"),
    [
        (CandidateConfirmed(happened_at=NOW), "office_candidate_agreed"),
        (ExpertNotSelected(happened_at=NOW, reason="other_profile", host="refused"), "office_candidate_refused"),
        (MatchRetracted(happened_at=NOW, reason="other_profile", host="refused"), "office_candidate_refused"),
    ],
)
async def test_an_office_is_told_what_a_host_has_answered_for_a_candidate(answer: Event, template: str) -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        heard = await post.tell(answer, by_role="host")
        await post.telling.heard(heard)
        assert [one[0] for one in await post.states()].count(template) == 1
        await post.sweep()
        (mail,) = [one for one in post.box.mails if one.to == BOX]
        assert "candidate of your office" in mail.text
        assert "other_profile" not in mail.text


async def test_what_no_host_has_answered_tells_no_office_of_an_answer() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        await post.tell(ExpertNotSelected(happened_at=NOW, reason="hard_filters"))
        await post.tell(MatchRetracted(happened_at=NOW, reason="no_funds"))
        # An officer who writes the host's answer down knows it.
        await post.tell(CandidateConfirmed(happened_at=NOW), by_role="officer")
        assert [one for one in await post.states() if one[0].startswith("office_")] == []


async def test_the_office_that_did_it_is_not_told() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        await post.tell(registered(channel="officer"))
        await post.tell(ended("programme"))
        await post.tell(NoShowReported(happened_at=NOW, recorded_late=True))
        assert [one for one in await post.states() if one[0].startswith("office_")] == []


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"by_role": "officer"}, False),
        ({"by_role": "officer", "by_office": "herat"}, True),
        ({"by_role": "expert"}, True),
        ({}, True),
    ],
)
async def test_an_office_whose_officer_acted_for_somebody_is_not_told(how: dict[str, str], told: bool) -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        await post.tell(ended("expert"), **how)
        assert bool([one for one in await post.states() if one[0].startswith("office_")]) is told


async def test_transfers_are_told_to_the_other_office() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        await post.office("herat", email=OTHER, often="at_once")
        asked = ExpertTransferAsked(happened_at=NOW, to_office="herat", reason="workload", recorded_late=True)
        await post.tell(asked)
        (waits,) = await post.ledger()
        # Recorded late, it is held, and is the other office's to release.
        assert (waits["state"]["status"], waits["state"]["office"]) == ("held", "herat")
        await post.tell(asked.model_copy(update={"recorded_late": False}))
        await post.sweep()
        await post.tell(ExpertTransferDeclined(happened_at=NOW, reason="no_capacity"))
        await post.tell(ExpertTransferred(happened_at=NOW, office="herat", left="kabul"), scope=Scope("herat"))
        await post.sweep()
        assert [mail.to for mail in post.box.mails] == [OTHER, BOX, BOX]
        assert all("workload" not in mail.text and "capacity" not in mail.text for mail in post.box.mails)
        declined, gone = post.box.mails[1:]
        assert f"/registration/experts/{CASE}" in declined.text
        assert "has answered" in declined.subject
        # Whoever has passed a case on sees it no more: there is nothing to open, and nothing to answer.
        assert gone.subject == "Another office has taken a case over from yours"
        assert CASE[:8] in gone.text
        assert "Expert" in gone.text
        for absent in ("http", CASE, "Sign in", "answer"):
            assert absent not in gone.text


async def test_an_arrival_that_nobody_confirmed_is_said_on_the_second_day_alone() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX)
        starts, ends = NOW.date() + timedelta(days=5), NOW.date() + timedelta(days=60)
        contracted = await post.tell(PlacementContracted(happened_at=NOW, starts_on=starts, ends_on=ends))
        (message,) = [one for one in await post.ledger() if one["state"]["template"] == "office_arrival_unconfirmed"]
        assert message["state"]["due_at"].startswith((NOW.date() + timedelta(days=7)).isoformat())
        assert contracted.subject == CASE
        # Nothing is known of a contract that stands by then.
        await post.sweep(days=8)
        assert post.box.mails == []
        assert ("office_arrival_unconfirmed", "dropped", "no_longer_due") in await post.states()


async def test_an_address_that_goes_meanwhile_ends_what_waits() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX)
        await post.tell(NoShowReported(happened_at=NOW))
        await post.office("kabul")
        await post.sweep()
        assert post.box.mails == []
        assert ("office_placement_ended", "dropped", "no_address") in await post.states()


async def test_a_replay_and_what_was_before_sending_tell_no_office() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        await post.tell(NoShowReported(happened_at=NOW), recorded_at=NOW - timedelta(seconds=1))
        await post.tell(NoShowReported(happened_at=NOW - timedelta(days=400), recorded_late=True))
        assert await post.ledger() == []


async def test_before_programmes_are_known_the_event_waits() -> None:
    async with posting() as post:
        await post.replica.definitions.stop()
        post.replica.definitions._end_at_start = None
        with pytest.raises(TooEarly):
            await post.tell(NoShowReported(happened_at=NOW), placement={"person": WHO})


async def test_officers_of_that_office_alone_find_it() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX)
        await post.tell(ExpertInfoProvided(happened_at=NOW))
        (document,) = await post.store.find(MESSAGES.name, "office", "kabul")
        assert (document["ix"].get("own"), document["ix"].get("institution")) == (None, None)


def test_every_event_of_the_table_is_heard() -> None:
    """Also of the services whose cases no expert or host is told of."""
    assert set(NOTICES) <= set(built("registration").replica.handled)
    assert OfferAccepted in NOTICES


def test_a_mailbox_is_an_address() -> None:
    text = Path("deploy/programmes/trqn-1.yaml").read_text()
    named = text.replace("time_zone: Asia/Kabul}", "time_zone: Asia/Kabul, mailbox: {email: kabul@office.example}}")
    office = load_definition(named).office("kabul")
    assert office
    assert office.mailbox
    assert (office.mailbox.email, office.mailbox.often) == (BOX, "daily")
    with pytest.raises(FileRefused, match="/offices/1/mailbox/email"):
        load_definition(named.replace(BOX, "nowhere"))
    for refused in ("a,x@b.c", "<a@b.c>", "a..b@b.c", ".a@b.c", "a:b@b.c", "a@b,c.de"):
        text = named.replace("email: kabul@office.example", f"email: '{refused}'")
        with pytest.raises(FileRefused, match="/offices/1/mailbox/email"):
            load_definition(text)
        with pytest.raises(ValidationError):
            TypeAdapter(Email).validate_python(refused)
    for taken in ("o'neil+x@b-c.example", "a.b.c@d.e.example", "é@b.example"):
        office = load_definition(named.replace("email: kabul@office.example", f'email: "{taken}"')).office("kabul")
        assert office
        assert office.mailbox
        assert office.mailbox.email == TypeAdapter(Email).validate_python(taken) == taken


async def of_the_office(post: Post, office: str, status: str = "screening") -> None:
    """The case as this service has it, of that office by now."""
    document = await post.store.load(EXPERTS.name, CASE)
    state = {"person": WHO, "programme": "trqn", "office": office, "channel": "self", "status": status}
    changed = {**new_document(CASE), "version": 1, "state": {**state, "registered_at": text_of(NOW)}}
    if document is not None:
        changed["version"] = document["version"] + 1
    await post.store.save(EXPERTS.name, EXPERTS.collection.indexed(changed), changed["version"] - 1)


@pytest.mark.parametrize(("office", "leads"), [("kabul", True), ("herat", False)])
async def test_a_mail_that_waited_leads_to_a_case_that_its_office_still_has(office: str, leads: bool) -> None:
    """Whichever template it was written by: what it was written of may have ended meanwhile, or an older version."""
    async with posting() as post:
        await post.office("kabul", email=BOX)
        await of_the_office(post, "kabul")
        await post.tell(ExpertInfoProvided(happened_at=NOW))
        await post.sweep()
        await post.tell(ExpertTransferDeclined(happened_at=NOW, reason="no_capacity"))
        await of_the_office(post, office)
        await post.sweep(**NEXT_MORNING)
        mails = [mail.text for mail in post.box.mails]
        assert len(mails) == 2
        assert [(f"/registration/experts/{CASE}" in text, CASE[:8] in text) for text in mails] == [(leads, True)] * 2


async def test_a_message_of_a_template_that_is_no_more_is_not_sent() -> None:
    async with posting() as post:
        await post.office("kabul", email=BOX, often="at_once")
        await post.tell(ExpertInfoProvided(happened_at=NOW))
        (document,) = await post.ledger()
        older = {**document, "state": {**document["state"], "template": "of_an_older_version"}}
        await post.store.save(MESSAGES.name, {**older, "version": document["version"] + 1}, document["version"])
        await post.sweep(minutes=3)
        assert (post.box.mails, await post.states()) == ([], [("of_an_older_version", "dropped", "no_longer_due")])
