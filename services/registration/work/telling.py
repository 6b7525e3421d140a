"""From an event to the ledger: one message for each recipient that the table of notices names.

Nothing is told of what was recorded before this system first switched sending on, nor of what is older than its kind
of message lasts: so a replay, a rebuild, an import or a history from years ago tells nobody anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from services.registration.domain.messages import MESSAGE, TAKEN_BACK, Recipient, message_id, office_recipient
from services.registration.domain.notices import CORRECTION, LASTS, LATE_TOO, NOTICES, TAKES_BACK, Notice
from services.registration.store import EXPERTS, INSTITUTIONS, MESSAGES, PERSONS
from services.registration.work.recipients import office_zone
from services.registration.work.sending import Sending
from shared.cases.case import Asked
from shared.clock import instant_of, text_of
from shared.contracts.base import Envelope
from shared.contracts.corrections import FactTakenBack
from shared.contracts.registration.experts import ExpertRegistered
from shared.errors import Conflict
from shared.messaging.handlers import Delivery
from shared.replica import META, Replica
from shared.store.aggregates import Cause
from shared.store.documents import new_document
from shared.telemetry.observability import count

SWITCHED_ON = "sending"
OF_ONE_FACT_AT_MOST = 20
_NAMED: Mapping[Recipient, str] = {"expert": "person", "host": "institution"}
_TOPIC_OF_PERSONS, _TOPIC_OF_INSTITUTIONS = PERSONS.name, INSTITUTIONS.name


class Telling:
    """Writes messages, and gives what is due to `sending`. Where that sends nothing, it writes none and notes no
    instant."""

    def __init__(self, replica: Replica, sending: Sending) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._definitions = replica.definitions
        self._sending = sending
        # Nobody is served before this replica has started, so nothing that it records is earlier.
        self._began = self._runtime.now()
        self._since: datetime | None = None

    async def since(self) -> datetime | None:
        """The instant at which this system first switched sending on, noted once for ever; None where it is off."""
        if self._since is None and self._sending.sends:
            document = await self._store.load(META.name, SWITCHED_ON)
            if document is None:
                document = {**new_document(SWITCHED_ON), "version": 1, "state": {"since": text_of(self._began)}}
                try:
                    await self._store.save(META.name, document, 0)
                except Conflict:
                    return await self.since()
            self._since = instant_of(document["state"]["since"])
        return self._since

    async def heard(self, delivery: Delivery) -> None:
        """The messages of an event; a second delivery finds them."""
        if not await self._counts(delivery.envelope):
            return
        for notice in NOTICES.get(type(delivery.event), ()):
            if notice.when(delivery.event, delivery.envelope):
                await self._write(delivery, notice)
        if isinstance(delivery.event, TAKES_BACK) and isinstance(delivery.event, FactTakenBack):
            await self._take_back(delivery, delivery.event.replaces)

    async def _counts(self, envelope: Envelope) -> bool:
        since = await self.since()
        recorded = envelope.recorded_time
        return since is not None and recorded is not None and instant_of(recorded) >= since

    async def _write(self, delivery: Delivery, notice: Notice) -> None:
        """One notice to its recipient; none of what is too old by now, and no reminder of what is told late."""
        event, now = delivery.event, self._runtime.now()
        due_at = notice.due(event, office_zone(self._definitions, delivery.envelope.scope) if notice.reminds else UTC)
        until = notice.until(event)
        if due_at is None or (until is not None and until <= now):
            return
        if (event.recorded_late or due_at <= now) if notice.reminds else now - event.happened_at > notice.lasts:
            return
        to_office = notice.to == "office"
        if to_office and event.recorded_late and notice.template not in LATE_TOO:
            return
        office = self._office_told(delivery, notice) if to_office else None
        if (to_office and office is None) or notice.is_own(delivery.envelope, office):
            # Without an address, what waits today is all that an office is told.
            return
        programme = delivery.envelope.scope.programme
        recipient = office_recipient(programme, office) if office else await self.recipient(delivery, notice.to)
        if recipient is None:
            count("recipient_unknown")
            return
        ends = max(due_at, now) + notice.lasts
        await self._save(
            delivery,
            recipient,
            notice.to,
            template=notice.template,
            until=until,
            due_at=due_at,
            expires_at=ends if until is None else min(ends, until),
            held=notice.held or event.recorded_late,
            office=office,
        )

    async def _take_back(self, delivery: Delivery, replaced: str) -> None:
        """What was told of the fact and is not sent yet goes to nobody; who was told is told of the mistake, once an
        officer has looked."""
        for document in await self._store.find(MESSAGES.name, "event", replaced, limit=OF_ONE_FACT_AT_MOST):
            message = MESSAGES.read(document)
            if message is None:
                continue
            if message.status == "sent":
                now, to = self._runtime.now(), message.to
                said = {"template": CORRECTION, "due_at": now, "expires_at": now + LASTS["decision"], "held": True}
                await self._save(delivery, message.recipient, to, office=message.office, **said)
            else:
                command = MESSAGE.ask("lapse", reason=TAKEN_BACK)
                await self._kernel.execute(MESSAGES, document["_id"], command, delivery.cause(document["_id"]))

    async def _save(
        self, delivery: Delivery, recipient: str, to: Recipient, *, office: str | None = None, **said: object
    ) -> None:
        envelope, scope = delivery.envelope, delivery.envelope.scope
        template = str(said["template"])
        body = {
            "event": envelope.id,
            "sequence": envelope.sequence,
            "about": delivery.event.topic,
            "subject": envelope.subject,
            **({_NAMED[to]: recipient} if to in _NAMED else {}),
            "office": office or scope.office or await self._office(recipient, to),
            "programme": scope.programme,
            "programme_version": scope.programme_version,
            **said,
        }
        id = message_id(envelope.id, recipient, template)
        command: Asked = MESSAGE.ask("write", **body)
        private, until = ({}, None) if command.body.held else self._sending.claim(command.body.due_at)
        # Without the event's own lateness: a message is written now, whenever its fact happened.
        cause = Cause(id, causation_id=envelope.id, correlation_id=envelope.correlation_id, claimed_until=until)
        saved = await self._kernel.execute(MESSAGES, id, command, cause, private=private, known=None)
        if until is not None and not saved.repeated:
            self._sending.take(saved.document)

    def _office_told(self, delivery: Delivery, notice: Notice) -> str | None:
        """The code of the office that the notice is for, if that has an address now. Raises TooEarly."""
        scope = delivery.envelope.scope
        code = notice.whose(delivery.event, scope)
        office = self._definitions.office_now(scope.programme, code) if code else None
        return office.code if office and office.mailbox else None

    async def recipient(self, delivery: Delivery, to: Recipient) -> str | None:
        """The person's or the institution's id: by the event, by what is known of its subject, or by the case, where
        that is registration's own. None for a case that names nobody. Raises Unavailable."""
        name = _NAMED[to]
        own = _TOPIC_OF_PERSONS if to == "expert" else _TOPIC_OF_INSTITUTIONS
        if delivery.event.topic.endswith(f".{own}"):
            return delivery.subject
        known = (getattr(delivery.event, name, None), getattr(getattr(delivery.event, "parties", None), name, None))
        heard = (part.get(name) for part in delivery.knowledge.values() if isinstance(part, dict))
        found = next((one for one in (*known, *heard) if one), None)
        if found is None and delivery.event.topic == ExpertRegistered.topic:
            case = await self._store.load(EXPERTS.name, delivery.subject)
            found = ((case or {}).get("state") or {}).get(name)
        return found

    async def _office(self, recipient: str, to: Recipient) -> str | None:
        collection = PERSONS.name if to == "expert" else INSTITUTIONS.name
        document = await self._store.load(collection, recipient)
        office: str | None = (document or {}).get("state", {}).get("office")
        return office
