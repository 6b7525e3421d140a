"""Records read by columns, and bodies by their patterns: the same rows as of one record after the other."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.monitoring.columns import Sweep
from services.monitoring.domain.rows import EventRow, payload_of
from services.monitoring.patterns import pattern_of
from services.monitoring.records import ID, Batch, Mark, take
from shared.clock import derived_id
from shared.contracts.monitoring.statements import StatementIssued
from shared.contracts.registration.persons import Profile
from shared.contracts.registration.programmes import ProgrammePublished
from shared.contracts.registry import EVENTS
from shared.messaging.columns import RecordColumns
from shared.messaging.port import Record
from shared.messaging.topics import TOPICS

PATHS = sorted((Path(__file__).parents[3] / "shared/contracts/samples").glob("*.json"))


def body_of(path: Path) -> bytes:
    """The sample's body as it is sent; of an older version, as it was."""
    content = json.loads(path.read_text())
    model, version = EVENTS.newest[content["headers"]["ce_type"]], int(path.stem.rsplit(".", 1)[1])
    if version < model.version:
        return json.dumps(content["body"], separators=(",", ":")).encode()
    return model.model_validate(content["body"]).body().encode()


def record_of(path: Path, offset: int = 0, value: bytes | None = None) -> Record:
    headers = {name: text.encode() for name, text in json.loads(path.read_text())["headers"].items()}
    topic = EVENTS.newest[headers["ce_type"].decode()].topic
    return Record(topic, 0, offset, headers["ce_subject"], value or body_of(path), tuple(headers.items()), 5)


SAMPLES = {path.stem: record_of(path) for path in PATHS}


def one_by_one(records: Iterable[Record]) -> tuple[Counter[EventRow], Batch]:
    """The rows of the events, each once, and the rest."""
    batch = Batch()
    take(batch, list(records), Mark())
    firsts: dict[Any, EventRow] = {}
    for row in batch.events:
        firsts.setdefault(row[1:4], row)
    return Counter(firsts.values()), batch


def by_columns(records: list[Record], at_once: int = 7) -> tuple[Counter[EventRow], Batch]:
    sweep, high_ms = Sweep((records[0].topic, 0)), 0
    for start in range(0, len(records), at_once):
        columns = RecordColumns(records[start : start + at_once])
        known_ms = np.maximum(np.maximum.accumulate(columns.appended_ms), high_ms)
        high_ms = int(known_ms[-1])
        sweep.take(columns, np.ones(len(known_ms), bool), known_ms)
    assert sweep.records == len(records)
    return Counter(EventRow(**row) for row in sweep.events().to_pylist()), sweep.rest


def same(records: list[Record], at_once: int = 7) -> None:
    (events, whole), (found, rest) = one_by_one(records), by_columns(records, at_once)
    assert found == events
    assert rest.unreadable == whole.unreadable
    assert (rest.profiles, rest.offices) == (whole.profiles, whole.offices)


def spoiled(record: Record, dice: random.Random) -> Record:
    """The record with something in it that does not belong there, which may be readable all the same."""
    value, headers = bytearray(record.value or b""), list(record.headers)
    at = dice.randrange(len(value))
    kind = dice.randrange(9)
    if kind == 0:
        value[at] = dice.choice(b'0192faz"\\{}[],:. \x00\xff')
    elif kind == 1:
        del value[at]
    elif kind == 2:
        value[at:at] = dice.choice([b" ", b"0", b'"', b"\\u0061", b',"x":1', "é".encode()])
    elif kind == 3:
        again = dice.choice([b'"recorded_late":true', b'"person":null', b'"happened_at":"2020-01-01T00:00:00Z"'])
        value[-1:] = b"," + again + b"}"
    elif kind == 4:
        digits = [place for place, letter in enumerate(value) if letter in b"0123456789"]
        value[dice.choice(digits)] = dice.choice(b"0123456789")
    elif kind == 5:
        place = dice.randrange(len(headers))
        headers[place] = (headers[place][0], dice.choice([b"", b"1", b"-1", b"x y", b"\xff", headers[place - 1][1]]))
    elif kind == 6:
        del headers[dice.randrange(len(headers))]
    elif kind == 7:
        headers.insert(dice.randrange(len(headers)), dice.choice(headers))
    else:
        return record._replace(key=dice.choice([None, b"", b"another", record.key]), value=dice.choice([None, b""]))
    return record._replace(value=bytes(value), headers=tuple(headers))


def test_every_event_has_a_pattern_but_those_that_hold_what_anybody_may_say() -> None:
    without = {model for model in EVENTS.newest.values() if pattern_of(model) is None}
    # A statement is a whole document, of which no fact is made.
    assert without == {ProgrammePublished, Profile, StatementIssued}


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_sample_is_read_alike(name: str) -> None:
    same([SAMPLES[name]])


def test_the_bodies_that_are_sent_are_known_by_their_patterns() -> None:
    """All but the language that has no code of two letters."""
    unknown = []
    for record in SAMPLES.values():
        model = EVENTS.newest[dict(record.headers)["ce_type"].decode()]
        pattern = pattern_of(model)
        if pattern is None or not dict(record.headers)["ce_dataschema"].endswith(b":%d" % model.version):
            continue
        said = pattern.read(
            RecordColumns([record._replace(value=(record.value or b"").replace(b'"haz"', b'"ha"'))]).bodies(
                np.arange(1)
            )
        )
        if said.rows.tolist() != [0]:
            unknown.append(model.__name__)
            continue
        found = [column[0].as_py() for column in (said.person, said.entry, said.told)]
        event = model.model_validate_json((record.value or b"").replace(b'"haz"', b'"ha"'))
        assert tuple(found) == payload_of(model)(event)
    assert unknown == []


@pytest.mark.parametrize("year", [b"1007", b"1899", b"1900", b"2999", b"3000"])
def test_a_day_of_no_year_that_a_contract_knows_is_read_alike(year: bytes) -> None:
    """Found by the test below."""
    dated = [record for record in SAMPLES.values() if b'"starts_on":"' in (record.value or b"")]
    assert dated
    for record in dated:
        at = (record.value or b"").index(b'"starts_on":"') + len(b'"starts_on":"')
        value = (record.value or b"")[:at] + year + (record.value or b"")[at + 4 :]
        same([record._replace(value=value)])


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(sorted(TOPICS)))
def test_what_is_spoiled_is_read_alike(dice: random.Random, topic: str) -> None:
    own = [record for record in SAMPLES.values() if record.topic == topic]
    if not own:
        return
    records = []
    for offset in range(20):
        record = dice.choice(own)._replace(offset=offset, appended_ms=dice.randrange(10))
        records.append(spoiled(record, dice) if dice.random() < 0.7 else record)
    same(records)


def crowd(record: Record, number: int) -> list[Record]:
    """So many records that say the same of other subjects."""

    def like(content: bytes, place: int) -> bytes:
        return ID.sub(lambda found: derived_id(found[0].decode(), str(place)).encode(), content)

    return [
        record._replace(
            offset=place,
            key=like(record.key or b"", place),
            value=like(record.value or b"", place),
            headers=tuple((name, like(value, place)) for name, value in record.headers),
        )
        for place in range(number)
    ]


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(sorted(SAMPLES)))
def test_what_is_spoiled_among_others_like_it_is_read_alike(dice: random.Random, name: str) -> None:
    records = crowd(SAMPLES[name], 30)
    for place in dice.sample(range(len(records)), 9):
        records[place] = spoiled(records[place], dice)
    same(records, at_once=len(records))


def test_bodies_that_are_alike_are_not_matched_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    record = SAMPLES["matching.OfferMade.1"]
    bodies = RecordColumns(crowd(record, 30)).bodies(np.arange(30))
    pattern = pattern_of(EVENTS.newest[dict(record.headers)["ce_type"].decode()])
    assert pattern is not None
    monkeypatch.setattr(pattern, "_match", None)
    assert sorted(pattern.read(bodies).rows.tolist()) == list(range(30))


def test_what_stands_on_another_topic_is_no_event_there() -> None:
    records = [record._replace(topic="matching.matches", offset=at) for at, record in enumerate(SAMPLES.values())]
    same(records)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *(
            (b'"seats":1', b'"seats":%b' % number)
            for number in (b"0", b"10", b"99", b"100", b"101", b"-0", b"1.0", b"01")
        ),
        *((b'"education":6', b'"education":%b' % number) for number in (b"0", b"8", b"9", b"-1")),
        *((b'"experience_years":3', b'"experience_years":%b' % number) for number in (b"79", b"80", b"81", b"1e1")),
        *(
            (b'"starts_on":"2007-05-01"', b'"starts_on":"%b"' % day)
            for day in (b"2007-02-28", b"2007-02-29", b"2008-02-29", b"2007-02-30", b"2007-04-31", b"2007-05-31")
        ),
        *(
            (b'"starts_on":"2007-05-01"', b'"starts_on":"%b"' % day)
            for day in (
                b"0000-05-01",
                b"0999-05-01",
                b"1007-05-01",
                b"1899-05-01",
                b"3000-05-01",
                b"2007-13-01",
                b"2007-00-01",
                b"2007-05-00",
            )
        ),
        *(
            (b'"happened_at":"2007-03-05T09:00:00.000000Z"', b'"happened_at":"%b"' % time)
            for time in (b"2007-03-05T24:00:00.000000Z", b"2007-03-05T09:60:00.000000Z", b"2007-03-05T09:00:00Z")
        ),
        (b'"happened_at":"2007-03-05T09:00:00.000000Z"', b'"happened_at":"2999-12-31T23:59:59.999999Z"'),
        (b'"happened_at":"2007-03-05T09:00:00.000000Z"', b'"happened_at":"1899-12-31T23:59:59.999999Z"'),
        (b'"modality":"temporary"', b'"modality":"Temporary"'),
        (b'"language":"haz"', b'"language":"eng"'),
        (b'"languages":[', b'"languages":[,'),
        (b'"terms":{', b'"terms":null,"term":{'),
        (b'"area":"kabul",', b""),
        (b'"area":"kabul"', b'"area":null'),
        (b'"area":"kabul"', b'"area":"%b"' % (b"k" * 65)),
        (b'"area":"kabul"', b'"area":"k\\u0061bul"'),
    ],
)
def test_the_edges_of_what_may_be_said_are_read_alike(old: bytes, new: bytes) -> None:
    record = SAMPLES["matching.ApplicationReceived.3"]
    value = (record.value or b"").replace(b'"haz"', b'"ha"') if b"haz" not in old else record.value or b""
    assert old in value
    changed = value.replace(old, new)
    same([record._replace(value=changed)])
    # In the midst of others, of which it may differ in nothing but the value.
    others = crowd(record._replace(value=value), 40)
    others[20] = others[20]._replace(value=(others[20].value or b"").replace(old, new))
    same(others, at_once=len(others))
