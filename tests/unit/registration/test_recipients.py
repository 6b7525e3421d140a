"""Every notice of the table finds whom it is for from its event as it is published: nothing is put in by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from deploy.generate import cases_of
from services.registration.domain import knowledge
from services.registration.domain.experts import EXPERT
from services.registration.domain.messages import Recipient
from services.registration.domain.notices import NOTICES
from services.registration.store import EXPERTS
from shared.cases.case import NEW
from shared.clock import derived_id
from shared.contracts.base import TYPE_PREFIX, Envelope, Event
from shared.contracts.registration.experts import ExpertInfoRequested
from shared.messaging.handlers import Delivery
from shared.store.documents import new_document
from tests.unit.registration.posting import CASE, NOW, posting

SAMPLES = Path(__file__).resolve().parents[3] / "shared/contracts/samples"
NAMED: dict[Recipient, str] = {"expert": "person", "host": "institution"}
# What is known of a case of another service, and by which function of it.
KNOWS = {
    "matching.assignments": knowledge.assignment,
    "matching.matches": knowledge.match,
    "placement.placements": knowledge.placement,
}


def sample(event: type[Event], *, least: bool) -> Event:
    """The published sample of its newest version; `least`: no more of it than every event of that type says."""
    name = event.type_name().removeprefix(TYPE_PREFIX)
    body = json.loads((SAMPLES / f"{name}.{event.version}.json").read_text())["body"]
    said = {key: value for key, value in body.items() if not least or event.model_fields[key].is_required()}
    return event.model_validate_json(json.dumps(said))


def openings(topic: str) -> list[type[Event]]:
    """The events with which a case of the topic begins."""
    moves = chain.from_iterable(
        case.moves for name in ("registration", "matching", "placement") for case in cases_of(name)
    )
    return [event for move in moves if NEW in move.before for event in move.first if event.topic == topic]


def told() -> Iterator[Any]:
    for event, notices in NOTICES.items():
        for to in dict.fromkeys(one.to for one in notices if one.to != "office"):
            for first in openings(event.topic):
                yield pytest.param(event, to, first, id=f"{event.__name__}-{to}-{first.__name__}")


def envelope_of(event: Event, subject: str, sequence: int) -> Envelope:
    source = f"/{event.topic.split('.')[0]}"
    return Envelope(derived_id(event.type_name()), event.type_name(), event.version, source, subject, "", 1, sequence)


def named_in(opening: Any, to: Recipient) -> str:
    holder = getattr(opening, "parties", None) or getattr(opening, "terms", None) or opening
    found: str = getattr(holder, NAMED[to])
    return found


@pytest.mark.parametrize(("event", "to", "first"), list(told()))
async def test_a_notice_finds_whom_it_is_for(event: type[Event], to: Recipient, first: type[Event]) -> None:
    async with posting() as post:
        opening, said = sample(first, least=False), sample(event, least=event is not first)
        known: dict[str, Any] = {}
        know = KNOWS.get(event.topic)
        if know is not None:
            for number, one in enumerate((opening, said), 1):
                known = know(known, one, envelope_of(one, CASE, number))
        elif event.topic == ExpertInfoRequested.topic:
            state = EXPERT.evolve(None, opening).model_dump(mode="json")
            await post.store.save(EXPERTS.name, {**new_document(CASE), "version": 1, "state": state}, 0)
        heard = {know.__name__: known} if know else {}
        found = await post.telling.recipient(Delivery(envelope_of(said, CASE, 2), said, heard), to)
        own = event.topic in ("registration.persons", "registration.institutions")
        assert found == (CASE if own else named_in(opening, to))


def test_every_notice_to_somebody_is_looked_at() -> None:
    looked_at = {(param.values[0], param.values[1]) for param in told()}
    assert looked_at == {(event, one.to) for event, notices in NOTICES.items() for one in notices if one.to != "office"}


async def test_whoever_is_asked_for_more_is_told_once() -> None:
    async with posting() as post:
        await post.person()
        await post.case()
        heard = await post.tell(ExpertInfoRequested(happened_at=NOW, items=("diploma",)))
        await post.telling.heard(heard)
        await post.sweep()
        assert await post.states() == [("info_requested", "sent", None)]
        assert len(post.box.mails) == 1
