"""What registration knows of an offer follows from where the match stands, whatever is taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.registration.domain import knowledge
from shared.clock import derived_id
from shared.contracts.base import Envelope, Event
from shared.contracts.matching.matches import MatchFactTakenBack, OfferDeclined, OfferMade

NOW = datetime(2027, 1, 12, 9, tzinfo=UTC)
OFFER = OfferMade(happened_at=NOW, expires_at=NOW + timedelta(days=14))


def told(*events: Event) -> knowledge.Knowledge:
    known: knowledge.Knowledge = {}
    for number, event in enumerate(events, 1):
        envelope = Envelope(derived_id(str(number)), event.type_name(), 1, "/matching", "match", "", 1, number)
        known = knowledge.match(knowledge.match(known, event, envelope), event, envelope)
    return known


def taken_back(of: str, status: str) -> MatchFactTakenBack:
    said = {"fact": 1, "of": of, "replaces": derived_id("event"), "reason": "mistake"}
    return MatchFactTakenBack(happened_at=NOW, status=status, **said)


@pytest.mark.parametrize(
    ("event", "offered"),
    [
        (taken_back("OfferMade", "allocated"), False),
        (taken_back("OfferDeclined", "retracted"), False),
        (taken_back("ExpertAnswered", "offered"), True),
    ],
    ids=["the offer", "its end, whose seat is gone", "what came after it"],
)
def test_an_offer_is_out_as_long_as_its_match_says_so(event: MatchFactTakenBack, offered: bool) -> None:
    known = told(OFFER, event)
    assert (known["offered"], known["offer"] is not None) == (offered, offered)


def test_an_answer_ends_what_is_known_of_the_offer() -> None:
    known = told(OFFER, OfferDeclined(happened_at=NOW, reason="family"))
    assert (known["offered"], known["offer"]) == (False, None)
