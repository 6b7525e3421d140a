"""Whom a message goes to: the address, opened for this alone, the language, the zone in which somebody lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any

from babel.core import get_global

from services.registration.domain.contact import HeldAt, Wishes, held_when, left_since
from services.registration.domain.messages import Message
from services.registration.domain.notices import (
    ACCOUNT_LEFT,
    CONTACT_CHANGED,
    HANDOVER_OFFERED,
    kind_of,
    parts_with,
)
from services.registration.domain.sessions import Account
from services.registration.identifiers import Identifiers
from services.registration.mailing.wording import Reader
from services.registration.store import ACCOUNTS, EXPERTS, INSTITUTIONS, PERSONS
from services.registration.work.contacts import wishes_of
from shared.contracts.base import Scope
from shared.contracts.registration.experts import ExpertRegistered
from shared.contracts.registration.institutions import InstitutionRegistered
from shared.contracts.registration.persons import attributes_on
from shared.errors import Refusal, SankofaError
from shared.identity.keyfiles import KeyDestroyed
from shared.programmes.definitions import Definitions
from shared.programmes.model import Mailbox
from shared.replica import Replica
from shared.store.collection import belongs
from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.pages.languages import DEFAULT, LANGUAGES
from shared.zones import zone, zone_names

# Cases that this service can ask whose they are, by the topic of their events.
_OF_AN_OFFICE: Mapping[str, str] = {
    ExpertRegistered.topic: EXPERTS.name,
    InstitutionRegistered.topic: INSTITUTIONS.name,
}


class Gone(SankofaError):
    """The recipient is erased."""


@dataclass(frozen=True)
class Recipient:
    """Who is written to, before any address is opened. `document`: None for an office, whose address is no secret.
    `zone`: of the person's life where it is known, else the office's."""

    document: Document | None
    reader: Reader
    wishes: Wishes
    zone: tzinfo


@dataclass(frozen=True)
class Reached:
    """Where a message goes, two addresses at most; none where none is known. `language`: of whoever held the account
    at the event, None where that is the recipient's."""

    addresses: tuple[str, ...] = ()
    language: str | None = None


class Recipients:
    """Opens addresses, for messages and nothing else."""

    def __init__(self, replica: Replica, identifiers: Identifiers) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._definitions = replica.definitions
        self._identifiers = identifiers

    async def of(self, message: Message) -> Recipient:
        """Raises Gone for an erased person; TooEarly, Unavailable."""
        if message.to == "office":
            return self._office(message)
        document = await self._loaded(message)
        state: Mapping[str, Any] = (document or {}).get("state") or {}
        if document is None or state.get("status") == "erased":
            raise Gone
        wishes, lives_in = wishes_of(document), self._lives_in(document, message)
        reader = Reader(wishes.language or await self._language(state), lives_in)
        return Recipient(document, reader, wishes, lives_in or self.zone_of(message))

    async def is_gone(self, message: Message) -> bool:
        """Whether the recipient is erased by now, which no office is. Raises Unavailable."""
        if message.to == "office":
            return False
        document = await self._loaded(message)
        return document is None or (document.get("state") or {}).get("status") == "erased"

    async def reached(self, recipient: Recipient, message: Message) -> Reached:
        """Raises Gone; SealBroken, Unavailable."""
        if recipient.document is None:
            mailbox = self._mailbox(message)
            return Reached((mailbox.email,)) if mailbox else Reached()
        try:
            return await self._of_holder(recipient.document, message)
        except KeyDestroyed:
            raise Gone from None

    async def _of_holder(self, document: Document, message: Message) -> Reached:
        """Security is told to whoever held the account at the event, however much later the mail is sent."""
        id, private, former = document["_id"], document["private"], message.template == CONTACT_CHANGED
        if message.subject == id and message.sequence is not None:
            known = await self._identifiers.held_at(id, private)
            stood = held_when(known, message.sequence)
            if message.template in (HANDOVER_OFFERED, ACCOUNT_LEFT) and stood is not None:
                return await self._as_held(stood, stood.both)
            left = left_since(known, message.sequence)
            if kind_of(message.template, message.to) == "security" and left is not None:
                return await self._as_held(left, left.both[-1:] if former else left.both[:1])
        if message.template == ACCOUNT_LEFT:
            return Reached()
        address = await self._identifiers.address(id, private, former=former)
        return Reached((address,)) if address else Reached()

    async def _as_held(self, held: HeldAt, addresses: tuple[str, ...]) -> Reached:
        reads = await self._language({"account": held.account}) if held.account else None
        return Reached(addresses, held.language or reads)

    async def lead(self, message: Message) -> bool:
        """Whether whoever is told sees the case by now. An office that has passed it on since does not, whatever its
        message was when it was written; of other services' cases the template alone says it. Raises Unavailable."""
        if parts_with(message.template, message.to):
            return False
        collection = _OF_AN_OFFICE.get(message.about)
        if message.to != "office" or collection is None or message.office is None:
            return True
        document = await self._store.load(collection, message.subject)
        relations = ("office", RECEIVING)
        return document is None or any(belongs(document, one, message.office) for one in relations)

    def _office(self, message: Message) -> Recipient:
        """As the programme's newest version says; what it does not want to be told then is not sent."""
        mailbox, zone = self._mailbox(message), self.zone_of(message)
        wishes = Wishes(**mailbox.model_dump(exclude={"email"})) if mailbox else Wishes()
        return Recipient(None, Reader(wishes.language or DEFAULT, zone), wishes, zone)

    def _mailbox(self, message: Message) -> Mailbox | None:
        office = self._definitions.office_now(message.programme, message.office or "")
        return office.mailbox if office else None

    async def _loaded(self, message: Message) -> Document | None:
        return await self._store.load(PERSONS.name if message.to == "expert" else INSTITUTIONS.name, message.recipient)

    async def language_of(self, message: Message) -> str:
        """In which the recipient is written to. Raises Unavailable."""
        document = await self._loaded(message)
        if document is None:
            return DEFAULT
        return wishes_of(document).language or await self._language(document.get("state") or {})

    def zone_of(self, message: Message) -> tzinfo:
        """The zone of the message's office. Raises TooEarly."""
        scope = Scope(message.office, message.programme, message.programme_version)
        return office_zone(self._definitions, scope)

    async def _language(self, state: Mapping[str, Any]) -> str:
        """In which the account reads pages."""
        document = await self._store.load(ACCOUNTS.name, state["account"]) if state.get("account") else None
        reads = Account.model_validate(document["state"]).written_to_in if document else None
        return reads if reads is not None and reads in LANGUAGES else DEFAULT

    def _lives_in(self, document: Document, message: Message) -> tzinfo | None:
        if message.to == "host":
            return zone_in(document["state"]["country"], self._runtime.now())
        person = PERSONS.read(document)
        now = self._runtime.now()
        attributes = attributes_on(person.entries, now.date()) if person else None
        country = attributes.country_of_residence if attributes else None
        return zone_in(country, now) if country else None


def office_zone(definitions: Definitions, scope: Scope) -> tzinfo:
    """The zone in which the case's days are reckoned: an institution's, which is in no programme, by whichever lists
    its office. UTC for what no programme has. Raises TooEarly while the definition is not here."""
    if scope.programme is None:
        office = definitions.office_now(None, scope.office) if scope.office else None
        return office.zone if office else UTC
    try:
        return definitions.zone_of(scope.programme, scope.programme_version, scope.office)
    except Refusal:
        return UTC


def zone_in(country: str, at: datetime) -> tzinfo | None:
    """A zone of the country, where all of the country has one time then; None where nobody can say."""
    found = [zone(name) for name in _zones().get(country, ())]
    return found[0] if len({at.astimezone(one).utcoffset() for one in found}) == 1 else None


@cache
def _zones() -> Mapping[str, tuple[str, ...]]:
    """Names of zones by country, of those that this system has."""
    found: dict[str, list[str]] = {}
    for name, country in sorted(get_global("zone_territories").items()):
        if name in zone_names():
            found.setdefault(country, []).append(name)
    return {country: tuple(names) for country, names in found.items()}
