"""The letter box outside of the world, and what the ledger of messages has to be once all is quiet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from services.registration.domain.messages import mails_of, message_id, office_recipient
from services.registration.domain.notices import LATE_TOO, NOTICES, Notice
from services.registration.mailing.channel import AddressRefused, Mail
from services.registration.work.telling import SWITCHED_ON
from shared.clock import Runtime, instant_of
from shared.contracts.base import Event, Scope
from shared.contracts.registry import read as read_event
from shared.errors import Unavailable, UnknownOutcome
from tests.simulation.cast import OFFICE
from tests.simulation.evidence import Evidence, Read, Violation

AWAY, UNKNOWN, REFUSED = 0.1, 0.1, 0.02
TAKES_SECONDS = 0.05


class LetterBox:
    """A mail server: it outlives every replica, is away at times, and takes some mails without a word."""

    def __init__(self, mails: list[str], runtime: Runtime) -> None:
        self._mails = mails
        self._runtime = runtime

    async def send(self, mail: Mail) -> None:
        rng = self._runtime.rng
        await self._runtime.sleep(rng.uniform(0, TAKES_SECONDS))
        if rng.random() < AWAY:
            raise Unavailable("mail")
        if rng.random() < REFUSED:
            raise AddressRefused
        self._mails.append(mail.id)
        await self._runtime.sleep(rng.uniform(0, TAKES_SECONDS))
        if rng.random() < UNKNOWN:
            raise UnknownOutcome

    async def forget(self, id: str) -> None:
        """What was taken is the recipient's."""


def check_messages(evidence: Evidence, mails: Iterable[str], until: datetime) -> Iterator[Violation]:
    """I2 and I12: each event of the table has one message a recipient, nothing else has one, and what is marked as sent
    was. `until`: the instant of the end."""
    (noted,) = (one for one in evidence.documents["registration"]["meta"] if one["_id"] == SWITCHED_ON)
    ledger = {one["_id"]: one["state"] for one in evidence.documents["registration"]["messages"]}
    sent, owed, allowed = Counter(mails), dict[str, str](), set[str]()
    for read in _told(evidence, instant_of(noted["state"]["since"])):
        event: Any = read_event(read.envelope, read.record.value or b"")
        for notice in NOTICES[type(event)]:
            if (
                not notice.when(event, read.envelope)
                or (recipient := _recipient(evidence, read, event, notice)) is None
            ):
                continue
            id = message_id(read.envelope.id, recipient, notice.template)
            allowed.add(id)
            if _must(event, read.envelope.scope, notice, until):
                owed[id] = f"{read.name} {read.envelope.id}: {notice.template}"
    for id in owed.keys() - ledger.keys():
        yield Violation("I2", f"messages/{id}", f"nobody was told of {owed[id]}")
    for id in ledger.keys() - allowed:
        if ledger[id]["template"] != "told_by_mistake":
            yield Violation("I2", f"messages/{id}", f"{ledger[id]['template']} tells of nothing that is in the table")
    for id, state in ledger.items():
        if state["status"] == "sent" and not any(sent[mail] for mail in mails_of(id)):
            yield Violation("I12", f"messages/{id}", "is marked as sent, and no server has it")
    for id in sent.keys() - {mail for one in ledger for mail in mails_of(one)}:
        yield Violation("I2", f"messages/{id}", "was sent and is in no ledger")


def _told(evidence: Evidence, since: datetime) -> Iterator[Read]:
    for topic in {event.topic for event in NOTICES}:
        for read in evidence.reads(topic):
            told = any(event.__name__ == read.name for event in NOTICES)
            if told and instant_of(read.envelope.recorded_time or "") >= since:
                yield read


def _must(event: Event, scope: Scope, notice: Notice, until: datetime) -> bool:
    """Whether there is one whenever the event was heard: of what ends within the run some may have heard too late."""
    ends = notice.until(event)
    if notice.to == "office" and scope.programme is None:
        # Heard before the programme that has the office.
        return False
    return not notice.reminds and (ends is None or ends > until) and until - event.happened_at < notice.lasts


def _recipient(evidence: Evidence, read: Read, event: Any, notice: Notice) -> str | None:
    """By what the cases themselves say, not by what was heard of them."""
    service, _, cases = read.record.topic.partition(".")
    if notice.to == "office":
        # Only one of the two has an address.
        told = not event.recorded_late or notice.template in LATE_TOO
        whose = notice.whose(event, read.envelope.scope)
        return office_recipient(read.envelope.scope.programme, whose) if told and whose == OFFICE else None
    state = _states(evidence, service, cases).get(read.envelope.subject) or {}
    if notice.to == "expert":
        return read.envelope.subject if cases == "persons" else state.get("parties", state).get("person")
    if cases == "institutions":
        return read.envelope.subject
    return (state.get("parties") or state.get("terms") or {}).get("institution")


def _states(evidence: Evidence, service: str, cases: str) -> Mapping[str, Any]:
    return {one["_id"]: one.get("state") for one in evidence.documents[service].get(cases, [])}
