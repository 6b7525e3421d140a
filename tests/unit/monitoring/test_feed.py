"""The feed's rules: who is told what, what a message is, and what a cursor tells of others."""

from __future__ import annotations

import json
import random
import re
from datetime import timedelta
from pathlib import Path

import pytest

from services.monitoring.domain.telling import (
    EVERYTHING,
    TOLD_TO_OFFICES,
    WITHHELD_FROM_OFFICES,
    Audience,
)
from services.monitoring.feed.cursors import Cursors, beginning
from services.monitoring.feed.messages import Messages
from services.monitoring.feed.walking import Walk
from shared.canonical import canonical_json
from shared.clock import RealRuntime
from shared.clock import derived_id as id_of
from shared.contracts.base import Event, declares
from shared.contracts.registration.experts import ExpertTransferred
from shared.contracts.registration.persons import Profile
from shared.contracts.registry import declared_events
from shared.errors import Refusal
from shared.identity.keys import Keys, verify_receipt
from shared.messaging.local import LocalLog
from shared.messaging.port import Message, Record
from shared.messaging.topics import TOPICS
from tests.unit.monitoring.story import OFFICE, START, Story

PUBLISHED, KABUL, BOGOTA = Audience("published"), Audience("office", "kabul"), Audience("office", "bogota")
DOCUMENT = Path(__file__).parents[3] / "docs" / "feed.md"


def told_to(audience: Audience, records: list[Record]) -> list[Record]:
    return [one for one in records if audience.takes(one.named, one.value)]


def type_of(record: Record) -> str:
    return record.named["ce_type"].decode()


def story() -> Story:
    told = Story()
    told.published()
    told.host()
    told.person("ali")
    told.accepted("ali")
    told.returned("ali")
    told.office = "bogota"
    told.person("ben")
    return told


def test_an_office_is_told_of_its_own_cases_and_of_no_person() -> None:
    records = story().records
    own = told_to(KABUL, records)
    assert {one.named["ce_office"] for one in own} == {b"kabul"}
    assert {one.topic for one in own} <= set(KABUL.topics)
    assert not [one for one in own if one.topic in ("registration.persons", "registration.profiles")]
    assert {type_of(one).rsplit(".", 1)[1] for one in told_to(BOGOTA, records)} == {
        "ExpertRegistered",
        "ExpertDeclaredEligible",
    }
    assert told_to(Audience("office", ""), records) == told_to(PUBLISHED, records) == []
    everything = told_to(EVERYTHING, records)
    assert len(everything) == len([one for one in records if one.topic != "registration.profiles"])


def test_no_event_that_an_office_is_told_names_an_account_or_another_person() -> None:
    for event in TOLD_TO_OFFICES:
        assert not declares(event, "account"), event
        assert not declares(event, "holder"), event
    assert Profile.type_name() not in {**KABUL.types, **PUBLISHED.types, **EVERYTHING.types}
    named = {one.__name__ for one in WITHHELD_FROM_OFFICES}
    assert named == {"InstitutionRegistered", "InstitutionAccountAssigned", "ExpertIdentitySettled"}
    topics = {one.topic for one in declared_events()}
    assert set(EVERYTHING.topics) == {name for name in topics if name and not TOPICS[name].compacted}


def test_the_document_lists_every_event_that_an_office_is_told() -> None:
    """A new one is looked at before it goes out: it has to be written there."""
    listed = DOCUMENT.read_text().partition("## What an office is told")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"`([A-Z]\w+)`", listed.partition("Left out")[0])) == sorted(
        one.__name__ for one in TOLD_TO_OFFICES
    )


def test_an_office_that_a_case_has_left_is_told_that_it_went() -> None:
    told = Story(office="bogota")
    moved = told.tell(
        id_of("expert", "ali"), ExpertTransferred(happened_at=START, office="bogota", left=OFFICE, time_zone=None)
    )
    assert told_to(KABUL, [moved]) == told_to(BOGOTA, [moved]) == [moved]
    assert told_to(Audience("office", "tbilisi"), [moved]) == []
    foreign = moved._replace(value=b'["left"]')
    assert told_to(KABUL, [foreign]) == []


def test_a_message_is_a_cloud_event_with_the_exact_body_and_a_signature() -> None:
    keys = Keys.in_memory(random.Random(1))
    messages = Messages(keys)
    for record in story().records:
        if record.topic == "registration.profiles":
            continue
        text = messages.text(record)
        assert text is not None
        assert b"\n" not in text
        assert record.value is not None
        assert b'"data":' + record.value in text
        message = json.loads(text)
        event = message["event"]
        assert verify_receipt(
            keys.receipt_public_keys("monitoring"), message["key_id"], canonical_json(event), message["signature"]
        )
        assert (event["specversion"], event["id"]) == ("1.0", record.named["ce_id"].decode())
        assert re.fullmatch(r"[0-9]{10}", event["sequence"])
        names = set(event) - {"data"}
        assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in names)
        assert not {"traceparent", "correlationid", "causationid"} & names
        assert None not in event.values()
        event["data"]["happened_at"] = "2026-01-10T12:00:01.000000Z"
        assert not verify_receipt(
            keys.receipt_public_keys("monitoring"), message["key_id"], canonical_json(event), message["signature"]
        )


def test_a_body_of_several_lines_is_one_and_what_is_no_event_is_no_message() -> None:
    messages, record = Messages(Keys.in_memory(random.Random(1))), story().records[1]
    value = json.dumps(json.loads(record.value or b""), indent=1).replace("\n", "\r\n").encode()
    text = messages.text(record._replace(value=value))
    assert text is not None
    assert not {b"\r", b"\n"} & {text[at : at + 1] for at in range(len(text))}
    assert json.loads(text)["event"]["data"] == json.loads(record.value or b"")
    for broken in (record._replace(value=b"{"), record._replace(value=None), record._replace(headers=())):
        assert messages.text(broken) is None


def test_a_cursor_says_a_place_to_its_own_audience_and_nothing_to_anybody() -> None:
    cursors = Cursors(b"k" * 32, lambda: 7, RealRuntime())
    near, far = beginning(KABUL), {one: 987_654_321 for one in beginning(KABUL)}
    text = cursors.written(far, KABUL)
    assert cursors.read(text, KABUL) == far
    assert re.fullmatch(r"[A-Za-z0-9_-]+", text)
    assert len(text) == len(cursors.written(near, KABUL)), "a longer one would tell that more has happened"
    assert cursors.written(near, KABUL) != cursors.written(near, KABUL), "equal ones that nothing has"
    for other in (BOGOTA, PUBLISHED, EVERYTHING):
        with pytest.raises(Refusal, match="cursor_not_of_this_feed"):
            cursors.read(text, other)


@pytest.mark.parametrize("text", ["", "x", "now ", "ä", "A" * 3_000, "=", "s1."])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        Cursors(b"k" * 32, lambda: 1, RealRuntime()).read(text, KABUL)
    assert (refused.value.rule, refused.value.status) == ("cursor_not_of_this_feed", 422)


def test_a_cursor_of_another_system_and_one_from_before_a_restore_are_told_apart() -> None:
    runtime = RealRuntime()
    text = Cursors(b"k" * 32, lambda: 1, runtime).written(beginning(KABUL), KABUL)
    with pytest.raises(Refusal) as elsewhere:
        Cursors(b"o" * 32, lambda: 1, runtime).read(text, KABUL)
    with pytest.raises(Refusal) as restored:
        Cursors(b"k" * 32, lambda: 2, runtime).read(text, KABUL)
    assert (elsewhere.value.rule, elsewhere.value.status) == ("cursor_not_of_this_feed", 422)
    assert (restored.value.rule, restored.value.status) == ("cursor_before_restore", 409)


def test_a_topic_that_is_new_begins_at_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    cursors = Cursors(b"k" * 32, lambda: 1, RealRuntime())
    older = Audience("office", "kabul")
    vars(older)["topics"] = KABUL.topics[1:]
    text = cursors.written({one: 5 for one in beginning(older)}, older)
    assert cursors.read(text, KABUL) == {one: 0 if one[0] == KABUL.topics[0] else 5 for one in beginning(KABUL)}


async def test_a_walk_goes_by_append_time_over_all_partitions_and_each_record_comes_once() -> None:
    runtime = RealRuntime()
    log = LocalLog(None, list(TOPICS.values()), runtime)
    await log.start()
    try:
        told = story()
        for number in range(30):
            told.person(f"more {number}")
        for record in told.records:
            message = Message((record.key or b"").decode(), record.value or b"", record.headers)
            await log.append(record.topic, record.partition, [message])
        walk = await Walk.to_the_end(log, EVERYTHING.topics, beginning(EVERYTHING))
        first = await walk.next()
        found = [first]
        while record_now := await walk.next():
            found.append(record_now)
        assert walk.positions == await log.ends(EVERYTHING.topics)
        kept = [one for one in found if one is not None]
        assert [one.appended_ms for one in kept] == sorted(one.appended_ms for one in kept)
        places = [(one.topic, one.partition, one.offset) for one in kept]
        assert len(places) == len(set(places)) == len([r for r in told.records if r.topic != "registration.profiles"])
    finally:
        await log.stop()
        runtime.close()


def test_events_are_known_by_their_type_alone() -> None:
    """An event's class is not asked for: what a newer version of the software tells is nobody's here."""
    record = Story().tell(id_of("expert", "ali"), _Unknown(happened_at=START + timedelta(days=1)))
    assert told_to(EVERYTHING, [record]) == []


class _Unknown(Event):
    topic = "registration.experts"
