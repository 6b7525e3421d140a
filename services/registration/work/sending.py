"""The outbox: sends what is due, one mail to one recipient, and notes what became of it.

In this order: claim (saved, so that a crash is no endless loop), address opened, handed to the channel, marked as sent.
A crash between the last two sends the same mail once more, under the same `Message-ID`. What is due as it is written is
claimed in the same save by whoever writes it, and sent with the next round.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.registration.domain.contact import GATHERED, next_gathering, night_until
from services.registration.domain.messages import (
    ADDRESS_REFUSED,
    CHANNEL_AWAY,
    ERASED,
    EXPIRED,
    MESSAGE,
    NO_ADDRESS,
    NO_LONGER_DUE,
    OPTED_OUT,
    Message,
    mails_of,
)
from services.registration.domain.notices import BY_TEMPLATE, TEMPLATES, by_day, kind_of
from services.registration.mailing.channel import AddressRefused, Channel, Mail
from services.registration.mailing.wording import gathered, worded
from services.registration.store import MESSAGES, SHADOWS
from services.registration.work.recipients import Gone, Recipient, Recipients
from shared.audit.chain import Reading
from shared.clock import Runtime, derived_id, text_of, together
from shared.errors import Conflict, Overloaded, PortError, Unavailable, UnknownOutcome
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.port import TIMER_INDEX, Document
from shared.telemetry.observability import count, logger

PURPOSE = "contact"
# A round of the outbox: what is more waits for the next one, so that mail never holds up the service.
AT_ONCE, EVERY_SECONDS = 20, 1.0
# So many as were claimed when they were written wait for their round; each other one is searched and claimed by a save.
WRITTEN_AT_MOST = 2 * AT_ONCE
# Longer than a channel takes to answer or to give up.
CLAIMED = timedelta(minutes=2)
# What was claimed as it was written is sent so soon, or has to be claimed anew: others wait for the end of the claim.
SENT_WITHIN = timedelta(seconds=30)
TRIES, LONGEST_PAUSE = 8, timedelta(hours=6)
# In the private part: how often the message was tried since it was last released.
TRIED = "tried"
# And until when it was put off, for the night or for one mail a day.
PUT_OFF = "put_off"
GATHERED_AT_MOST = 50

# Who reads an address here is nobody's account.
READER, ROLE, FIELDS = derived_id("sending"), "system", ("email",)
# Writes a reading durably; the address is opened only after it has returned.
Noting = Callable[[Reading], Awaitable[None]]


class Sending:
    """`channel`: None where nothing is sent. `noting`: the audit trail."""

    def __init__(
        self,
        replica: Replica,
        recipients: Recipients,
        channel: Channel | None,
        base_url: str,
        noting: Noting,
    ) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._runtime: Runtime = replica.ports.runtime
        self._recipients = recipients
        self._channel = channel
        self._base_url = base_url
        self._noting = noting
        self._written: list[Document] = []

    @property
    def sends(self) -> bool:
        return self._channel is not None

    def claim(self, due_at: datetime) -> tuple[Mapping[str, Any], datetime | None]:
        """What a message that is about to be written as due then has in its private part, and until when it is claimed;
        nothing, and None, where the rounds will find it.

        Whoever writes it with a claim gives it to `take`.
        """
        now = self._runtime.now()
        if due_at > now or len(self._written) >= WRITTEN_AT_MOST:
            return {}, None
        return {TRIED: {"round": 0, "times": 1}}, now + CLAIMED

    def take(self, document: Document) -> None:
        """A message as it was written, claimed: one of the next rounds sends it. After a stop it waits for the claim's
        end."""
        self._written.append(document)

    async def run(self) -> None:
        """Sends for ever; where store or keys are away it tries again."""
        while self._channel is not None:
            await self._runtime.sleep(EVERY_SECONDS * self._runtime.rng.uniform(0.5, 1.5))
            try:
                await self.sweep()
            except (PortError, Overloaded) as error:
                logger.warning("outbox_of_mail_waits", error=type(error).__name__)

    async def sweep(self) -> None:
        """One round over what is due. Raises Unavailable where the store does not answer."""
        written, self._written = self._written[:AT_ONCE], self._written[AT_ONCE:]
        latest = text_of(self._runtime.now() + CLAIMED - SENT_WITHIN)
        claimed = [document for document in written if document["next_at"] >= latest]
        now = text_of(self._runtime.now())
        due = await self._store.find(MESSAGES.name, TIMER_INDEX, "timed", until=now, limit=AT_ONCE - len(claimed))
        await together(*(self._tried(one, claimed=True) for one in claimed), *(self._tried(one) for one in due))

    async def _tried(self, document: Document, *, claimed: bool = False) -> None:
        try:
            if not claimed or await self._still_stands(document):
                await self._fire(document, claimed=claimed)
        except Conflict:
            # Another replica has it, or an officer.
            count("message_contended")
        except (PortError, Overloaded):
            raise
        except Exception as error:
            # One bad message must not keep the others; it comes again when its claim is over.
            count("message_failed")
            logger.error("message_failed", id=document["_id"], error=type(error).__name__)

    async def _still_stands(self, document: Document) -> bool:
        """Whether nobody has held it back, dropped or claimed it since it was written."""
        found = await self._store.load(MESSAGES.name, document["_id"])
        return found is not None and found["version"] == document["version"]

    async def _fire(self, document: Document, *, claimed: bool) -> None:
        message, now = MESSAGES.read(document), self._runtime.now()
        if message is None or self._channel is None:
            return
        if (lapsed := await self._lapsed(message, now)) is not None:
            await self._lapse(document, lapsed)
            return
        if message.status != "queued":
            return
        try:
            recipient = await self._recipients.of(message)
        except Gone:
            await self._lapse(document, ERASED)
            return
        if kind_of(message.template, message.to) in recipient.wishes.unwanted:
            await self._tell(document, "lapse", OPTED_OUT)
        elif later := _later(document, message, recipient, now):
            await self._put_off(document, later, tried=not claimed)
        else:
            if not claimed:
                document = await self._claim(document, message, now)
            await self._claimed(document, message, recipient, now)

    async def _claimed(self, document: Document, message: Message, recipient: Recipient, now: datetime) -> None:
        """Sends a claimed message, and claims what else waited for the same morning; they are one mail."""
        if document["private"][TRIED]["times"] > TRIES:
            await self._tell(document, "give-up", CHANNEL_AWAY)
            return
        sent = [(document, message)]
        if PUT_OFF in document["private"] and recipient.wishes.often == "daily":
            sent += await self._gathered(document["_id"], message, now)
        await self._send(sent, recipient, now)

    async def _gathered(self, id: str, message: Message, now: datetime) -> list[tuple[Document, Message]]:
        """The recipient's other messages that wait for this morning, each claimed; one that is contended stays."""
        found: list[tuple[Document, Message]] = []
        for other in await self._store.find(MESSAGES.name, "queued", message.recipient, limit=GATHERED_AT_MOST):
            one, until = MESSAGES.read(other), other["private"].get(PUT_OFF)
            if one is None or other["_id"] == id or until is None or until > text_of(now):
                continue
            if kind_of(one.template, one.to) not in GATHERED or await self._lapsed(one, now):
                continue
            try:
                found.append((await self._claim(other, one, now), one))
            except Conflict:
                continue
        return found

    async def _send(self, sent: list[tuple[Document, Message]], recipient: Recipient, now: datetime) -> None:
        """Each is marked as it went, the first of them last: a crash before that sends the same mail once more."""
        sent = sorted(sent, key=lambda one: str(one[0]["_id"]))
        (first, message), others = sent[0], sent[1:]
        verb, reason = await self._handed_in(first["_id"], message, [one for _, one in others], recipient, now)
        for each in (*(other for other, _ in others), first) if verb else ():
            await self._tell(each, verb, reason)

    async def _handed_in(
        self, id: str, message: Message, others: list[Message], recipient: Recipient, now: datetime
    ) -> tuple[str, str | None]:
        """What became of it, as a verb with its reason; no verb where it has to be tried again."""
        if recipient.document is not None:
            await self._noting(self._reading(message, now))
        try:
            reached = await self._recipients.reached(recipient, message)
        except Gone:
            return "lapse", ERASED
        if not reached.addresses:
            # Whoever sent something in was given a receipt there and then, and an office is told by what waits today;
            # anything else somebody has to tell.
            known = message.to == "office" or kind_of(message.template, message.to) == "receipt"
            return "lapse" if known else "give-up", NO_ADDRESS
        zone = self._recipients.zone_of(message)
        reader = replace(recipient.reader, language=reached.language or recipient.reader.language)
        told = [(one, await self._recipients.lead(one)) for one in (message, *others)]
        words = gathered(told, reader, zone, self._base_url) if others else None
        words = words or worded(message, reader, zone, self._base_url, leads=told[0][1])
        to_each = zip(mails_of(id), reached.addresses, strict=False)
        mails = [Mail(one, to, reader.language, words.subject, words.text, now) for one, to in to_each]
        became = [await self._became(mail) for mail in mails]
        if None in became:
            # Its claim says when it is tried again, to each address: what was taken is the same mail once more.
            return "", None
        if True not in became:
            return "return", ADDRESS_REFUSED
        if await self._recipients.is_gone(message):
            # Erased since the address was opened: whoever erased looked for the mail before it was there.
            await self._forget(id)
            return "lapse", ERASED
        return "confirm", None

    async def _became(self, mail: Mail) -> bool | None:
        """Whether the mail was taken; None where it has to be tried again. One address holds up no other."""
        if self._channel is None:
            return None
        try:
            await self._channel.send(mail)
        except AddressRefused:
            return False
        except (Unavailable, UnknownOutcome) as error:
            count("mail_waits")
            logger.warning("mail_waits", error=type(error).__name__)
            return None
        return True

    async def _forget(self, id: str) -> None:
        if self._channel is not None:
            for mail in mails_of(id):
                await self._channel.forget(mail)

    async def _lapse(self, document: Document, reason: str) -> None:
        """Of a mail that was handed in before a crash and not marked, the channel keeps nothing either."""
        await self._forget(document["_id"])
        await self._tell(document, "lapse", reason)

    def _reading(self, message: Message, now: datetime) -> Reading:
        service = self._kernel.service
        office = message.office or ""
        return Reading(text_of(now), READER, ROLE, office, service, PURPOSE, FIELDS, (message.recipient,))

    async def _claim(self, document: Document, message: Message, now: datetime) -> Document:
        """The message as it is this replica's until the claim is over, with how often it was tried. The pauses grow.
        Raises Conflict."""
        tried = document["private"].get(TRIED, {})
        tries = tried.get("times", 0) + 1 if tried.get("round") == message.round else 1
        pause = min(CLAIMED * 2 ** (tries - 1), LONGEST_PAUSE)
        return await self._wait(document, now + pause, {TRIED: {"round": message.round, "times": tries}})

    async def _put_off(self, document: Document, later: datetime, *, tried: bool) -> None:
        private = {name: said for name, said in document["private"].items() if tried or name != TRIED}
        await self._wait({**document, "private": private}, later, {PUT_OFF: text_of(later)})

    async def _wait(self, document: Document, until: datetime, beside: Mapping[str, Any]) -> Document:
        """Saves when the message is looked at again, which its state does not say. Raises Conflict."""
        private, version = {**document["private"], **beside}, document["version"]
        timed = {**document, "version": version + 1, "private": private, "timed": True, "next_at": text_of(until)}
        timed = MESSAGES.collection.indexed(timed)
        await self._store.save(MESSAGES.name, timed, version)
        return timed

    async def _lapsed(self, message: Message, now: datetime) -> str | None:
        """Why the message is not sent any more; None where it is."""
        if message.expires_at <= now:
            return EXPIRED
        if message.template not in TEMPLATES:
            # An older version wrote it, and it has no words any more.
            return NO_LONGER_DUE
        notice = BY_TEMPLATE.get((message.template, message.to))
        if notice is not None and notice.reminds and not notice.stands(await self._known(message), message.event):
            return NO_LONGER_DUE
        return None

    async def _known(self, message: Message) -> Mapping[str, Any]:
        shadow = await self._store.load(SHADOWS.name, message.subject)
        return shadow["knowledge"] if shadow else {}

    async def _tell(self, document: Document, verb: str, reason: str | None = None) -> None:
        """What became of it. A clock asks, so nothing is remembered but the state; it settles a second one."""
        id = document["_id"]
        command = MESSAGE.ask(verb) if reason is None else MESSAGE.ask(verb, reason=reason)
        cause = Cause(derived_id(id, verb, text_of(self._runtime.now())))
        await self._kernel.fire(MESSAGES, id, command, cause, lambda _document: True, known=document)


def _later(document: Document, message: Message, recipient: Recipient, now: datetime) -> datetime | None:
    """Until when it waits: for the morning, or the morning on which all is sent as one mail; None where it does not."""
    kind, until = kind_of(message.template, message.to), document["private"].get(PUT_OFF)
    if recipient.wishes.often == "daily" and kind in GATHERED:
        later = None if until else next_gathering(now, recipient.zone)
    else:
        later = night_until(now, recipient.zone) if by_day(message.template, message.to) else None
    return later if later is not None and later < message.expires_at else None
