"""The checker of messages is silent on what is right and goes red on a planted example."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.registration.domain.messages import message_id
from shared.clock import derived_id, text_of
from shared.contracts.base import Envelope
from shared.contracts.registration.experts import ExpertDeclaredEligible
from shared.messaging.port import Record
from tests.simulation.evidence import Evidence
from tests.simulation.post import check_messages

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
EXPERT, WHO, EVENT = derived_id("expert"), derived_id("person"), derived_id("event")
ID = message_id(EVENT, WHO, "eligible")


def found(ledger: dict[str, str], mails: list[str], *, recorded: datetime = NOW) -> list[str]:
    """The invariants that break, with an event that tells one person. `ledger`: states by id."""
    event = ExpertDeclaredEligible(happened_at=NOW, person=WHO)
    envelope = Envelope(EVENT, event.type_name(), 1, "/registration", EXPERT, text_of(NOW), 1, 1)
    headers = {**envelope.headers(), "ce_recordedtime": text_of(recorded)}
    raw = tuple((name, text.encode()) for name, text in headers.items())
    record = Record(event.topic, 0, 0, EXPERT.encode(), event.body().encode(), raw, 0)
    documents: dict[str, list[Any]] = {
        "meta": [{"_id": "sending", "state": {"since": text_of(NOW)}}],
        "experts": [{"_id": EXPERT, "state": {"person": WHO}}],
        "messages": [{"_id": id, "state": {"status": status, "template": "eligible"}} for id, status in ledger.items()],
    }
    evidence = Evidence({"registration": documents}, {event.topic: [record]})
    return [one.invariant for one in check_messages(evidence, mails, NOW)]


def test_messages() -> None:
    other = message_id(derived_id("another event"), WHO, "eligible")
    assert found({ID: "sent"}, [ID]) == found({ID: "sent"}, [ID, ID]) == found({ID: "failed"}, []) == []
    assert found({}, []) == ["I2"]
    assert found({ID: "sent"}, []) == ["I12"]
    assert found({ID: "sent", other: "queued"}, [ID]) == ["I2"]
    assert found({ID: "sent"}, [ID, other]) == ["I2"]
    assert found({ID: "sent"}, [ID], recorded=datetime(2026, 1, 5, 8, tzinfo=UTC)) == ["I2"]
    assert found({}, [], recorded=datetime(2026, 1, 5, 8, tzinfo=UTC)) == []
