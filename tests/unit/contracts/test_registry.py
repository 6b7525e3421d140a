"""Reading events: upcasting step by step, and the two ways in which a record cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.base import Code, Envelope, Event
from shared.contracts.registry import EVENTS, Registry, UnreadableBody, UnregisteredType, event_type, read
from shared.contracts.upcast import Step
from shared.errors import SankofaError

HAPPENED = "2007-03-05T09:00:00.000000Z"
RECORDED = "2026-03-02T10:15:30.123456Z"


class DutyStationChanged(Event):
    """A test's own event: version 1 had `station`, version 2 `stations`, version 3 adds the stay in days."""

    topic: ClassVar[str] = "placement.placements"
    version: ClassVar[int] = 3
    stations: tuple[Code, ...]
    stay_days: int


NAME = DutyStationChanged.type_name()


def to_two(body: dict[str, Any]) -> dict[str, Any]:
    body["stations"] = [body.pop("station")]
    return body


def to_three(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "stay_days": 7 * body.pop("stay_weeks")}


STEPS: dict[tuple[str, int], Step] = {(NAME, 1): to_two, (NAME, 2): to_three}
TESTED = Registry([DutyStationChanged], STEPS)


def envelope(version: int, name: str = NAME) -> Envelope:
    return Envelope("id", name, version, "/placement", "subject", HAPPENED, 1, 1)


def test_headers_of_both_forms_are_read() -> None:
    """Of today's, and from before a sequence had ten digits and the time of the record stood apart."""
    today = Envelope("id", "type", 1, "/placement", "subject", HAPPENED, 2, 37, recorded_time=RECORDED)
    headers = today.headers()
    assert (headers["ce_sequence"], headers["ce_time"], headers["ce_recordedtime"]) == (
        "0000000037",
        HAPPENED,
        RECORDED,
    )
    assert Envelope.of(headers) == today
    earlier = {**headers, "ce_sequence": "37"}
    del earlier["ce_recordedtime"]
    assert Envelope.of(earlier) == replace(today, recorded_time=None)


def value(**fields: Any) -> bytes:
    return json.dumps({"happened_at": HAPPENED, **fields}).encode()


def test_each_version_comes_out_as_the_newest() -> None:
    one = TESTED.read(envelope(1), value(station="KBL", stay_weeks=2))
    two = TESTED.read(envelope(2), value(stations=["KBL"], stay_weeks=2))
    three = TESTED.read(envelope(3), value(stations=["KBL"], stay_days=14))
    assert one == two == three == DutyStationChanged.model_validate_json(value(stations=["KBL"], stay_days=14))
    assert TESTED.versions() == ((NAME, 1), (NAME, 2), (NAME, 3))


def test_a_missing_field_of_an_old_version_is_unreadable_and_echoes_nothing() -> None:
    with pytest.raises(UnreadableBody) as caught:
        TESTED.read(envelope(1), value(other="Secret Name"))
    assert "Secret" not in str(caught.value)
    assert isinstance(caught.value, SankofaError)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"station": "KBL"}', b"[" * 100_000])
@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_unreadable_body_has_one_error_of_its_own(body: bytes, version: int) -> None:
    with pytest.raises(UnreadableBody) as caught:
        TESTED.read(envelope(version), body)
    assert caught.value.pointers
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("version", [0, -1, 4])
def test_an_unknown_version_is_unregistered(version: int) -> None:
    with pytest.raises(UnregisteredType):
        TESTED.read(envelope(version), value(stations=[], stay_days=1))


def test_an_unknown_type_is_unregistered() -> None:
    with pytest.raises(UnregisteredType):
        read(envelope(1, "org.sankofa.matching.NoSuchEvent"), b"{}")
    with pytest.raises(UnregisteredType):
        event_type("matching.NoSuchEvent")


def test_a_registry_with_a_gap_in_its_steps_cannot_be_built() -> None:
    with pytest.raises(ValueError, match=r"no upcast step for .* version 2"):
        Registry([DutyStationChanged], {(NAME, 1): to_two})
    with pytest.raises(ValueError, match="no older version"):
        Registry([DutyStationChanged], {**STEPS, (NAME, 3): to_three})


def test_a_field_that_a_newer_writer_added_is_ignored() -> None:
    event = TESTED.read(envelope(3), value(stations=["KBL"], stay_days=14, added_later="x"))
    assert "added_later" not in json.loads(event.body())


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="/happened_at"):
        TESTED.read(envelope(3), value(stations=[], stay_days=1).replace(b"000000Z", b"000000"))


@given(st.binary(max_size=200), st.sampled_from(sorted(EVENTS.newest)), st.integers(-1, 3))
def test_whatever_comes_in_is_read_or_refused_by_name(body: bytes, name: str, version: int) -> None:
    try:
        event = read(envelope(version, name), body)
    except (UnregisteredType, UnreadableBody):
        return
    assert event.type_name() == name
