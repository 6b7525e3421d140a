"""Mails about applications that were begun without an account: to the address that was typed, and to no other.

They have no place in the ledger of messages: nothing of a draft is an event, so no replay and no history sends any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta, tzinfo

from services.registration.identifiers import SERVICE
from services.registration.mailing.channel import AddressRefused, Channel, Mail
from services.registration.mailing.draft_words import About
from services.registration.mailing.wording import Words
from services.registration.work.drafting import Drafting
from services.registration.work.drafts import Opened
from services.registration.work.sending import (
    CLAIMED,
    EVERY_SECONDS,
    FIELDS,
    LONGEST_PAUSE,
    PURPOSE,
    READER,
    ROLE,
    Noting,
)
from shared.audit.chain import Reading
from shared.clock import text_of
from shared.errors import Conflict, Overloaded, PortError, Unavailable, UnknownOutcome
from shared.replica import Replica
from shared.store.port import Document
from shared.telemetry.observability import count, logger
from shared.web.pages.languages import DEFAULT

Sweep = Callable[[], Awaitable[None]]


class DraftMail:
    """`channel`: None where nothing is sent. `noting`: the audit trail."""

    def __init__(self, replica: Replica, drafting: Drafting, channel: Channel | None, noting: Noting) -> None:
        self.replica = replica
        self.drafting = drafting
        self.runtime = replica.ports.runtime
        self._channel = channel
        self._noting = noting

    @property
    def sends(self) -> bool:
        return self._channel is not None

    async def run(self, *sweeps: Sweep) -> None:
        """Sweeps for ever, beside the sweeper of timers: a mail server that is away holds no deadline up."""
        while self.sends:
            await self.runtime.sleep(EVERY_SECONDS * self.runtime.rng.uniform(0.5, 1.5))
            for sweep in sweeps:
                try:
                    await sweep()
                except (PortError, Overloaded) as error:
                    logger.warning("mail_of_drafts_waits", error=type(error).__name__)

    async def each(self, document: Document, send: Callable[[Document], Awaitable[None]]) -> None:
        """One that is due. A bad one must not keep the others; it comes again when its claim is over."""
        try:
            await send(document)
        except Conflict:
            # Another replica has it, or the person is just typing.
            count("mail_of_draft_contended")
        except (PortError, Overloaded):
            raise
        except Exception as error:
            count("mail_of_draft_failed")
            logger.error("mail_of_draft_failed", id=document["_id"], error=type(error).__name__)

    def about(self, opened: Opened) -> About:
        case = self.drafting.cases.id_of(opened)
        return About(case, opened.draft.language or DEFAULT, self.zone_of(opened))

    def zone_of(self, opened: Opened) -> tzinfo:
        """In which the programme's days are reckoned at the office that was chosen."""
        return self.replica.definitions.newest(opened.draft.programme).zone_of(opened.office)

    async def post(self, id: str, about: Sequence[Opened], words: Words, *, stop: str | None = None) -> bool:
        """One mail about drafts of one address, to it as it stands in the first. Whether it is done with: sent, or
        nowhere to go. The readings of the address are in the trail before.

        Raises Unavailable, Overloaded where the trail cannot be written.
        """
        first = about[0]
        if self._channel is None or first.address is None:
            return True
        now = self.runtime.now()
        for office in sorted({one.office for one in about}):
            whose = tuple(one.id for one in about if one.office == office)
            await self._noting(Reading(text_of(now), READER, ROLE, office, SERVICE, PURPOSE, FIELDS, whose))
        language = first.draft.language or DEFAULT
        try:
            await self._channel.send(Mail(id, first.address, language, words.subject, words.text, now, stop))
        except AddressRefused:
            count("mail_of_draft_refused")
        except (Unavailable, UnknownOutcome) as error:
            logger.warning("mail_of_draft_waits", error=type(error).__name__)
            return False
        if None in [await self.drafting.opened(one.id) for one in about]:
            # One ended since it was opened: whoever ended it looked for the mail before it was there.
            await self._channel.forget(id)
        return True

    def pause(self, tries: int) -> timedelta:
        """For how long it is claimed; the pauses grow."""
        pause: timedelta = CLAIMED * 2 ** (tries - 1)
        return min(pause, LONGEST_PAUSE)
