"""Each checker is silent on what is right and goes red on a planted example."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.registration.store import EXPERTS
from shared.clock import derived_id, short_hash, text_of
from shared.contracts.base import Envelope, Event
from shared.contracts.matching.assignments import AssignmentDrafted, AssignmentMatchingStarted, Terms
from shared.contracts.matching.matches import (
    AssignmentMatched,
    ExpertShortlisted,
    MatchParties,
    MatchReserved,
    OfferDeclined,
)
from shared.contracts.placement.placements import (
    PlacementCancelled,
    PlacementContracted,
    PlacementExtended,
    PlacementOpened,
    ReturnCompleted,
    ReturnStarted,
)
from shared.contracts.registration.experts import ExpertDeclaredEligible, ExpertRegistered
from shared.messaging.handlers import Handler
from shared.messaging.port import Record
from shared.store.streams import chained
from tests.simulation import case_checks, stream_checks
from tests.simulation.evidence import Evidence, Violation, firsts, readable
from tests.simulation.journal import Acknowledgement, Journal
from tests.simulation.promise_checks import check_handovers
from tests.simulation.stream_checks import Consequence, Reader, link

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
TOPIC = "registration.experts"
PERSON = derived_id("person")
SUBJECT = derived_id("expert")


def record(event: Event, sequence: int, offset: int, subject: str = SUBJECT, **changes: Any) -> Record:
    """The record of one event; `changes` are fields of its envelope."""
    fields: dict[str, Any] = {
        "id": derived_id("event", event.topic, subject, str(sequence)),
        "type": event.type_name(),
        "version": event.version,
        "source": f"/{event.topic.split('.')[0]}",
        "subject": subject,
        "time": text_of(event.happened_at),
        "recorded_time": f"2026-01-05T09:00:{sequence:02}.000000Z",
        "epoch": 1,
        "sequence": sequence,
    }
    headers = Envelope(**{**fields, **changes}).headers()
    encoded = tuple((name, text.encode()) for name, text in headers.items())
    return Record(event.topic, 0, offset, subject.encode(), event.body().encode(), encoded, 0)


REGISTERED = ExpertRegistered(happened_at=AT, person=PERSON, programme="trqn-1", office="NL", channel="self")
ELIGIBLE = ExpertDeclaredEligible(happened_at=AT, person=PERSON)
PAST = [{"fact": type(one).__name__, "at": text_of(AT), "save": 1} for one in (REGISTERED, ELIGIBLE)]


def two_events() -> list[Record]:
    """The second event's first sending, both again, as a relay that was interrupted leaves them."""
    first, second = record(REGISTERED, 1, 0), record(ELIGIBLE, 2, 1)
    return [first, second, first._replace(offset=2), second._replace(offset=3)]


def head_of(records: list[Record], epoch: int = 1) -> dict[str, Any]:
    chain, count = "", 0
    for read in firsts(readable(records)):
        chain, count = link(chain, read.envelope.id, read.record.value or b""), count + 1
    return {"epoch": epoch, "count": count, "chain": chain, "began": [[1, 0, ""]]}


def expert(records: list[Record], **changes: Any) -> dict[str, Any]:
    return {
        "_id": SUBJECT,
        "version": 2,
        "state": EXPERTS.evolve(EXPERTS.evolve(None, REGISTERED), ELIGIBLE).model_dump(mode="json", exclude_none=True),
        "outbox": [],
        "pending": False,
        "applied": {short_hash("c1"): ["", 1]},
        "emitted": {"experts": head_of(records)},
        "past": PAST,
        **changes,
    }


def owners(records: list[Record], **changes: Any) -> Evidence:
    return Evidence({"registration": {"experts": [expert(records, **changes)]}}, {TOPIC: records})


def red(violations: Any) -> set[str]:
    return {violation.invariant for violation in violations}


def check_owner(evidence: Evidence) -> list[Violation]:
    return [
        *stream_checks.check_outboxes(evidence, "registration"),
        *stream_checks.check_streams(evidence, "registration"),
        *stream_checks.check_fold(evidence, "registration", EXPERTS.name, [TOPIC], EXPERTS.evolve),
        *stream_checks.check_past(evidence, "registration", EXPERTS.name, TOPIC),
        *case_checks.check_histories(evidence),
    ]


def test_link_is_the_kernels() -> None:
    assert link("a", "b", b"c") == chained("a", "b", "c")


def test_a_stream_as_it_should_be() -> None:
    assert check_owner(owners(two_events())) == []


def swapped(records: list[Record]) -> list[Record]:
    return [records[1], records[0]]


def other_content(records: list[Record]) -> list[Record]:
    return [*records[:2], records[0]._replace(offset=2, value=b"{}")]


PLANTED: dict[str, tuple[Callable[[list[Record]], list[Record]], dict[str, Any], str]] = {
    "left in the outbox": (lambda records: records, {"outbox": [{}], "pending": True}, "I8"),
    "lost on the way": (lambda records: records[:1], {}, "I8"),
    "first one lost": (lambda records: records[1:2], {}, "I8"),
    "first occurrences out of order": (swapped, {}, "I8"),
    "sent with two contents": (other_content, {}, "I8"),
    "invented": (lambda records: records, {"_id": "another"}, "I2"),
    "state that no event tells of": (lambda records: records, {"state": {"status": "in_pool"}}, "fold"),
    "a past that leaves out what happened": (lambda records: records, {"past": PAST[:1]}, "past"),
    "a past of another time": (lambda records: records, {"past": [PAST[0], {**PAST[1], "at": "2026"}]}, "past"),
    "illegal history": (lambda records: [record(ELIGIBLE, 1, 0), record(REGISTERED, 2, 1)], {}, "I6"),
}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_stream_with_a_planted_fault(name: str) -> None:
    change, fields, invariant = PLANTED[name]
    evidence = owners(two_events(), **fields)
    evidence.records[TOPIC][:] = change(two_events())
    assert invariant in red(check_owner(evidence))


def test_chain_of_another_content_is_red() -> None:
    head = {**head_of(two_events()), "chain": "0" * 64}
    assert red(check_owner(owners(two_events(), emitted={"experts": head}))) == {"I8"}


def test_epochs_are_checked_where_they_began() -> None:
    records = [record(REGISTERED, 1, 0), record(ELIGIBLE, 2, 1, epoch=2)]
    first = link("", derived_id("event", TOPIC, SUBJECT, "1"), records[0].value or b"")
    head = {**head_of(records, epoch=2), "began": [[1, 0, ""], [2, 1, first]]}
    assert check_owner(owners(records, emitted={"experts": head})) == []
    for began in ([[1, 0, ""], [2, 0, ""]], [[1, 0, ""], [2, 1, "wrong"]]):
        assert red(check_owner(owners(records, emitted={"experts": {**head, "began": began}}))) == {"I8"}


def test_compacted_topic_is_checked_by_its_head() -> None:
    records = two_events()
    good = Evidence({"registration": {"experts": [expert(records)]}}, {TOPIC: records[1:2]})
    assert list(stream_checks.check_streams(good, "registration", {TOPIC})) == []
    stale = Evidence(good.documents, {TOPIC: [records[1], records[2]]})
    assert red(stream_checks.check_streams(stale, "registration", {TOPIC})) == {"I8"}
    empty = Evidence(good.documents, {TOPIC: []})
    assert red(stream_checks.check_streams(empty, "registration", {TOPIC})) == {"I8"}


def shadow(mark: int, parked: tuple[int, ...] = (), dropped: tuple[int, ...] = ()) -> dict[str, Any]:
    entries = [{"topic": TOPIC, "partition": 0, "offset": at, "reason": "too_early:x", "tries": 0} for at in parked]
    marks = {"registration/experts": [1, mark]} if mark else {}
    gone = [{"topic": TOPIC, "partition": 0, "offset": at, "reason": "lost"} for at in dropped]
    return {"_id": SUBJECT, "marks": marks, "parked": entries, "dropped": gone}


def follower(shadows: list[dict[str, Any]], records: list[Record], position: int = 4) -> Evidence:
    effects = [{"_id": "m", "applied": {short_hash("effect"): ["", 1]}}]
    documents = {"matching": {"shadows": shadows, "matches": effects}}
    return Evidence(documents, {TOPIC: records}, {"matching": {(TOPIC, 0): position}})


READER = Reader("matching", [TOPIC], consequences=lambda read: [Consequence("matches", "effect")])


@pytest.mark.parametrize(
    ("shadows", "position", "expected"),
    [
        ([shadow(2)], 4, set()),
        ([shadow(1, (1, 3))], 4, set()),
        ([shadow(1, (1,))], 4, set()),
        ([shadow(1)], 1, set()),
        ([], 0, set()),
        ([], 1, {"I10"}),
        ([shadow(1)], 4, {"I10"}),
        ([shadow(2, (1,))], 4, {"I10"}),
        ([shadow(3)], 4, {"I10"}),
        ([shadow(2, dropped=(1,))], 4, set()),
        ([shadow(1, dropped=(1,))], 4, set()),
        ([shadow(1, (1,), (1,))], 4, {"I10"}),
    ],
)
def test_marks_parking_and_position(shadows: list[dict[str, Any]], position: int, expected: set[str]) -> None:
    assert red(stream_checks.check_reader(follower(shadows, two_events(), position), READER)) == expected


def test_ignored_and_unreadable_records() -> None:
    ignoring = dataclasses.replace(READER, ignored={ELIGIBLE.type_name()})
    assert list(stream_checks.check_reader(follower([shadow(1)], two_events()), ignoring)) == []
    unreadable = two_events()[0]._replace(headers=(("ce_id", b"\xff"),))
    assert red(stream_checks.check_reader(follower([], [unreadable], 1), READER)) == {"I10"}
    assert list(stream_checks.check_reader(follower([shadow(0, (0,))], [unreadable], 1), READER)) == []
    assert list(stream_checks.check_reader(follower([shadow(0, (), (0,))], [unreadable], 1), READER)) == []


def test_missing_effect_of_a_marked_event() -> None:
    reader = dataclasses.replace(READER, consequences=lambda read: [Consequence("matches", "never ran")])
    assert red(stream_checks.check_reader(follower([shadow(2)], two_events()), reader)) == {"I10"}


def test_nothing_has_to_follow_from_what_was_dropped() -> None:
    reader = dataclasses.replace(READER, consequences=lambda read: [Consequence("matches", "never ran")])
    assert list(stream_checks.check_reader(follower([shadow(2, (), (0, 1))], two_events()), reader)) == []


def test_what_is_known_follows_from_the_events_that_were_applied() -> None:
    def programme(known: dict[str, Any], event: Any, _envelope: Envelope) -> dict[str, Any]:
        return {**known, "code": event.programme}

    reader = dataclasses.replace(READER, handled={ExpertRegistered: Handler(know=programme)})
    told = {**shadow(2), "knowledge": {"programme": {"code": "trqn-1"}}}
    assert list(stream_checks.check_known(follower([told], two_events()), reader)) == []
    for wrong in (
        {**told, "knowledge": {}},
        {**shadow(0, (0,)), "knowledge": told["knowledge"]},
        {**shadow(2, (), (0,)), "knowledge": told["knowledge"]},
    ):
        assert red(stream_checks.check_known(follower([wrong], two_events()), reader)) == {"I10"}


def test_answers_out_of_the_order_of_their_causes() -> None:
    causes = two_events()[:2]
    ids = [read.envelope.id for read in readable(causes)]
    answers = [
        record(ReturnStarted(happened_at=AT), 1, 0, causation_id=ids[0]),
        record(ReturnCompleted(happened_at=AT), 2, 1, causation_id=ids[1]),
    ]
    good = Evidence(records={TOPIC: causes, "placement.placements": answers})
    assert list(stream_checks.check_causes(good)) == []
    answers = [
        record(ReturnStarted(happened_at=AT), 1, 0, causation_id=ids[1]),
        record(ReturnCompleted(happened_at=AT), 2, 1, causation_id=ids[0]),
    ]
    assert red(stream_checks.check_causes(Evidence(records={TOPIC: causes, "placement.placements": answers}))) == {"I9"}


def test_who_is_counted_as_a_reserve_may_answer_an_earlier_round_and_no_earlier_answer() -> None:
    """Only the rounds of one request are looked at as it stands."""
    request, other, match = (derived_id(name) for name in ("request", "other", "match"))
    rounds = [
        record(AssignmentMatchingStarted(happened_at=AT, round=n, matches=(match,)), n, n, request) for n in (1, 2)
    ]
    offers = [record(OfferDeclined(happened_at=AT, reason="family"), n, n, other) for n in (1, 2)]

    def answers(causes: list[Record]) -> Evidence:
        first, second = (read.envelope.id for read in readable(causes))
        listed = record(ExpertShortlisted(happened_at=AT, rank=1), 1, 3, match, causation_id=second)
        reserved = record(MatchReserved(happened_at=AT, position=1), 2, 4, match, causation_id=first)
        records: dict[str, list[Record]] = {}
        for one in (*causes, listed, reserved):
            records.setdefault(one.topic, []).append(one)
        return Evidence(records=records)

    assert list(stream_checks.check_causes(answers(rounds))) == []
    assert red(stream_checks.check_causes(answers(offers))) == {"I9"}


def test_acknowledged_asked_and_once() -> None:
    evidence, journal = owners(two_events()), Journal()
    journal.ask(SUBJECT)
    journal.acknowledge(Acknowledgement("step", "registration", "experts", SUBJECT, "c1"))
    assert list(case_checks.check_acknowledged(evidence, journal)) == []
    assert list(case_checks.check_invented(evidence, "registration", "experts", journal)) == []
    assert list(case_checks.check_once(evidence, "registration", "experts", lambda document: document["_id"])) == []
    for lost in (("elsewhere", "c1"), (SUBJECT, "c2")):
        journal.acknowledge(Acknowledgement("step", "registration", "experts", *lost))
        assert red(case_checks.check_acknowledged(evidence, journal)) == {"I1"}
    assert red(case_checks.check_invented(evidence, "registration", "experts", Journal())) == {"I2"}
    evidence.documents["registration"]["experts"].append({"_id": "twin"})
    assert red(case_checks.check_once(evidence, "registration", "experts", lambda document: "same")) == {"I2"}


def terms(month: int, modality: str = "temporary") -> Terms:
    return Terms.model_validate(
        {
            "institution": derived_id("institution"),
            "country": "GH",
            "sector": "health",
            "host_type": "public",
            "occupation": "2211",
            "modality": modality,
            "starts_on": date(2026, month, 1),
            "ends_on": date(2026, month + 1, 1),
        }
    )


PARTIES = MatchParties(assignment=derived_id("assignment"), expert=SUBJECT, person=PERSON)


def placed(name: str, month: int, *later: Event, modality: str = "temporary") -> list[Record]:
    opened = PlacementOpened(happened_at=AT, match=derived_id(name), parties=PARTIES, terms=terms(month, modality))
    return [record(event, n, n - 1, name) for n, event in enumerate((opened, *later), 1)]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (placed("b", 4), set()),
        (placed("b", 3), {"I5"}),
        (placed("b", 3, modality="virtual"), set()),
        (placed("b", 3, PlacementCancelled(happened_at=AT, match=derived_id("b"), reason="x")), set()),
        (placed("b", 2), set()),
        (placed("b", 2, PlacementExtended(happened_at=AT, ends_on=date(2026, 3, 2))), {"I5"}),
    ],
)
def test_calendar(second: list[Record], expected: set[str]) -> None:
    evidence = Evidence(records={"placement.placements": [*placed("a", 3), *second]})
    assert red(case_checks.check_calendar(case_checks.stays(evidence))) == expected


def test_seats() -> None:
    drafted = record(AssignmentDrafted(happened_at=AT, terms=terms(3)), 1, 0, PARTIES.assignment)
    matched = AssignmentMatched(happened_at=AT, parties=PARTIES)
    declined = record(OfferDeclined(happened_at=AT, reason="x"), 2, 1, "m1")
    both = [record(matched, 1, 0, "m1"), record(matched, 1, 2, "m2")]
    records = {"matching.assignments": [drafted], "matching.matches": both}
    assert red(case_checks.check_seats(Evidence(records=records))) == {"I5"}
    records = {"matching.assignments": [drafted], "matching.matches": [both[0], declined, both[1]]}
    assert list(case_checks.check_seats(Evidence(records=records))) == []


def test_completion_before_placement_and_time_running_backwards() -> None:
    contracted = PlacementContracted(happened_at=AT, starts_on=date(2026, 3, 1), ends_on=date(2026, 4, 1))
    legal = placed("a", 3, contracted, ReturnStarted(happened_at=AT), ReturnCompleted(happened_at=AT))
    assert list(case_checks.check_histories(Evidence(records={"placement.placements": legal}))) == []
    early = placed("a", 3, contracted, ReturnCompleted(happened_at=AT))
    assert red(case_checks.check_histories(Evidence(records={"placement.placements": early}))) == {"I6"}
    backwards = [*legal[:1], record(contracted, 2, 1, "a", recorded_time="2026-01-05T08:00:00.000000Z")]
    assert red(case_checks.check_histories(Evidence(records={"placement.placements": backwards}))) == {"I6"}


def test_an_account_that_is_offered_beyond_its_time_is_found() -> None:
    offered = {"reason": "contact_left", "proposed_at": text_of(AT), "ends_at": text_of(AT + timedelta(days=14))}
    documents = {"institutions": [{"_id": SUBJECT, "state": {"handover": offered}}], "persons": [{"_id": PERSON}]}
    evidence = Evidence({"registration": documents})
    assert list(check_handovers(evidence, AT + timedelta(days=13))) == []
    (found,) = check_handovers(evidence, AT + timedelta(days=15))
    assert (found.invariant, found.subject) == ("I12", f"institutions/{SUBJECT}")
