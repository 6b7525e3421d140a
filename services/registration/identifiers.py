"""Direct identifiers: sealed under the person's key, found again by keyed hashes alone."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.registration.domain.birth import Birth
from services.registration.domain.contact import FORMER_KEPT, HELD_AT_MOST, TOO_OFTEN, HeldAt, held_until
from services.registration.domain.documents import IdentityDocument, numbered_as
from services.registration.domain.identity import Identity
from services.registration.domain.names import fold_name
from services.registration.domain.readings import DOCUMENTS, NAMES
from services.registration.domain.registrants import PersonInput
from shared.clock import instant_of, short_hash, text_of
from shared.contracts.registration.persons import Attributes
from shared.errors import Refusal
from shared.identity.keys import Keys
from shared.identity.sealing import blind, open_sealed, seal_all
from shared.texts import fold_number

SERVICE = "registration"
BORN = "born"
TEXTS = (*NAMES, "email", "telephone")
# What the private fields of sealed documents begin with.
SEALED_DOCUMENT = "sealed_document_"
# The address before the present one, and since when it is that.
FORMER, FORMER_SINCE = "former_email", "former_since"
# Where its holders were written to when the account was offered and when it was handed over.
HELD_AT = "held_at"
# Of the words of a name by which a person is found; a longer one is found by the first of them.
TOKENS_AT_MOST = 12
# A change of identity that waits for a decision.
ASKED = "identity_asked"
NOTHING_ASKED: Mapping[str, str] = {f"sealed_{ASKED}": ""}


class Identifiers:
    """Seals and opens what no event and no answer to others may carry."""

    def __init__(self, keys: Keys, rng: random.Random) -> None:
        self._keys = keys
        self._rng = rng

    def guard_id(self, document: IdentityDocument) -> str:
        """The blind index of type, country and number; the guard's id."""
        key = self._keys.blind_index_key(SERVICE)
        return blind(key, numbered_as(document.type), document.country, fold_number(document.number))

    async def sealed(self, person_id: str, person: PersonInput, guard_id: str | None) -> dict[str, Any]:
        """The private fields of the person; what was not given stays as it is in the document.

        `guard_id`: of the person's document, None without one. Raises KeyDestroyed for an erased person, Unavailable.
        """
        texts = {name: text for name in TEXTS if (text := getattr(person, name)) is not None}
        names = {name: texts[name] for name in NAMES if name in texts}
        born = {BORN: person.born.model_dump_json(exclude_none=True)} if person.born else {}
        sealed = await self._sealed(person_id, texts | born | _numbered(person.document, guard_id))
        return _one_whole(names) | sealed | self._known_by(tuple(names.values()), person.attributes)

    async def asked(self, person_id: str, identity: Identity) -> dict[str, str]:
        """The private field of a change that is asked for. Raises KeyDestroyed, Unavailable."""
        said = {name: getattr(identity, name) for name in Identity.model_fields}
        return await self._sealed(person_id, {ASKED: Identity(**said).model_dump_json(exclude_none=True)})

    async def asked_for(self, person_id: str, private: Mapping[str, Any]) -> Identity | None:
        """The change that waits for a decision; None without one. Raises KeyDestroyed, SealBroken, Unavailable."""
        key = await self._keys.persons(SERVICE).existing(person_id)
        sealed = private.get(f"sealed_{ASKED}")
        if key is None or not sealed:
            return None
        return Identity.model_validate_json(open_sealed(key, sealed, person=person_id, field=ASKED))

    async def changed(
        self, person_id: str, private: Mapping[str, Any], identity: Identity, attributes: Attributes
    ) -> dict[str, Any]:
        """The private fields of whoever is somebody else by name or document from now on; nothing is asked any more.

        `attributes`: as they are with the change.
        """
        guard_id = self.guard_id(identity.document) if identity.document else None
        born = {BORN: identity.born.model_dump_json(exclude_none=True)} if identity.born else {}
        sealed = await self._sealed(person_id, identity.names | born | _numbered(identity.document, guard_id))
        names = identity.names or await self.names(person_id, private)
        # A day of another year than the one that is right is no longer known.
        unborn = {f"sealed_{BORN}": ""} if identity.year is not None and not born else {}
        known = self._known_by(tuple(names.values()), attributes)
        return _one_whole(names) | sealed | known | unborn | dict(NOTHING_ASKED)

    async def _sealed(self, person_id: str, texts: Mapping[str, str]) -> dict[str, str]:
        key = await self._keys.persons(SERVICE).key(person_id)
        sealed = seal_all(key, texts, person=person_id, rng=self._rng)
        return {f"sealed_{name}": text for name, text in sealed.items()}

    async def names(self, person_id: str, private: Mapping[str, Any]) -> dict[str, str]:
        """Given and family name. Raises KeyDestroyed, SealBroken, Unavailable."""
        key = await self._keys.persons(SERVICE).existing(person_id)
        if key is None:
            return {}
        return {
            name: open_sealed(key, private[f"sealed_{name}"], person=person_id, field=name)
            for name in NAMES
            if private.get(f"sealed_{name}")
        }

    async def born(self, person_id: str, private: Mapping[str, Any]) -> Birth | None:
        """As exactly as it was said; None for whoever said no more than a year of the attributes.

        Raises KeyDestroyed, SealBroken, Unavailable.
        """
        key, sealed = await self._keys.persons(SERVICE).existing(person_id), private.get(f"sealed_{BORN}")
        if key is None or not sealed:
            return None
        return Birth.model_validate_json(open_sealed(key, sealed, person=person_id, field=BORN))

    async def address(self, id: str, private: Mapping[str, Any], *, former: bool = False) -> str | None:
        """The address for mail of a person or an institution; None without one. `former`: the one before, where there
        was one not long ago. Raises KeyDestroyed, SealBroken, Unavailable."""
        found = await self.opened(id, private, (FORMER, "email") if former else ("email",))
        address: str | None = found.get(FORMER, found.get("email"))
        return address

    async def held_at(self, id: str, private: Mapping[str, Any]) -> tuple[HeldAt, ...]:
        """Where the holders were written to, the oldest first. Raises as `address`."""
        text = (await self.opened(id, private, (HELD_AT,))).get(HELD_AT)
        return tuple(HeldAt.model_validate(one) for one in json.loads(text)) if text else ()

    async def offered(self, id: str, private: Mapping[str, Any], holder: HeldAt) -> dict[str, str]:
        """The private field of what is offered now: where its holder is written to. `holder`: but for the addresses.
        Refusal `handover_too_often`. Raises as `address`."""
        known = held_until(await self.held_at(id, private), holder.at)
        if len(known) >= HELD_AT_MOST:
            raise Refusal(TOO_OFTEN, "the account was offered or handed over too often lately")
        return await self._held(id, (*known, await self._holds(id, private, holder)))

    async def left(self, id: str, private: Mapping[str, Any], address: str | None, holder: HeldAt) -> dict[str, Any]:
        """The private fields of what is somebody else's account from now on, who is written to at that address: those
        before are kept for what is still to be told there, and are no former ones of theirs. Raises as `offered`."""
        left = (await self._holds(id, private, holder)).model_copy(update={"left": True})
        kept = await self._held(id, (*held_until(await self.held_at(id, private), holder.at), left))
        sealed = await self._sealed(id, {"email": address} if address else {})
        nobodys = dict.fromkeys((f"sealed_{name}" for name in ("email", FORMER)), "")
        return {**nobodys, **sealed, **kept, FORMER_SINCE: None}

    async def _holds(self, id: str, private: Mapping[str, Any], holder: HeldAt) -> HeldAt:
        since, found = private.get(FORMER_SINCE), await self.opened(id, private, ("email", FORMER))
        kept = since is not None and holder.at < instant_of(since) + FORMER_KEPT
        said = {"email": found.get("email"), "former": found.get(FORMER) if kept else None}
        return holder.model_copy(update=said)

    async def _held(self, id: str, known: Sequence[HeldAt]) -> dict[str, str]:
        return await self._sealed(id, {HELD_AT: json.dumps([one.model_dump(mode="json") for one in known])})

    async def addressed(self, id: str, private: Mapping[str, Any], address: str, now: datetime) -> dict[str, str]:
        """The private fields with that address; the one before is kept, and the oldest of several within that time.

        Raises KeyDestroyed, SealBroken, Unavailable.
        """
        before = await self.address(id, private)
        sealed = await self._sealed(id, {"email": address})
        since = private.get(FORMER_SINCE)
        if before is None or before == address or (since and now < instant_of(since) + FORMER_KEPT):
            return sealed
        return {**sealed, **await self._sealed(id, {FORMER: before}), FORMER_SINCE: text_of(now)}

    async def contact(self, id: str, address: str | None) -> dict[str, str]:
        """The private fields of an institution's address; none without one."""
        return await self._sealed(id, {"email": address}) if address else {}

    async def opened(self, person_id: str, private: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
        """Those of the fields that are there: texts, and `documents`. Raises KeyDestroyed, SealBroken, Unavailable."""
        key = await self._keys.persons(SERVICE).existing(person_id)
        if key is None:
            return {}
        sealed = {name.removeprefix("sealed_"): text for name, text in private.items() if text}
        found: dict[str, Any] = {
            name: open_sealed(key, sealed[name], person=person_id, field=name) for name in fields if name in sealed
        }
        if DOCUMENTS in fields:
            named = (name for name in sorted(private) if name.startswith(SEALED_DOCUMENT) and private[name])
            texts = (
                open_sealed(key, private[name], person=person_id, field=name.removeprefix("sealed_")) for name in named
            )
            # As it was taken, also where a list of codes has changed since.
            found[DOCUMENTS] = tuple(IdentityDocument.model_construct(**json.loads(text)) for text in texts)
        return found

    def tokens(self, *names: str) -> list[str]:
        """The keyed hashes of a name's words, as they are folded for comparing."""
        key = self._keys.blind_index_key(SERVICE)
        words = dict.fromkeys(fold_name(*names).split())
        return [blind(key, "name", "", word) for word in words][:TOKENS_AT_MOST]

    async def likeness(self, person_id: str, private: Mapping[str, Any], attributes: Attributes) -> dict[str, Any]:
        """The private fields by which the person is found, after the attributes changed."""
        names = await self.names(person_id, private)
        return self._known_by(tuple(names.values()), attributes) if names else {}

    def holds(self, private: Mapping[str, Any], document: IdentityDocument) -> bool:
        """Whether the document is one of the person's already."""
        return f"sealed_{_document_field(self.guard_id(document))}" in private

    def _known_by(self, names: tuple[str, ...], attributes: Attributes) -> dict[str, Any]:
        return {"name_tokens": self.tokens(*names), **self._likeness(names, attributes)}

    def _likeness(self, names: tuple[str, ...], attributes: Attributes) -> dict[str, str]:
        # Without a year of birth or an origin half of the pool would resemble somebody.
        if attributes.birth_year is None or attributes.country_of_origin is None:
            return {"likeness": ""}
        compared = f"{fold_name(*names)}\x1f{attributes.birth_year}"
        key = self._keys.blind_index_key(SERVICE)
        return {"likeness": blind(key, "likeness", attributes.country_of_origin, compared)}


def _one_whole(names: Mapping[str, str]) -> dict[str, str]:
    """Half of an older name beside half of a newer one is nobody's."""
    return {f"sealed_{name}": "" for name in NAMES if name not in names}


def _document_field(guard_id: str) -> str:
    return f"document_{short_hash(guard_id)}"


def _numbered(document: IdentityDocument | None, guard_id: str | None) -> dict[str, str]:
    """The document as a text by its field. `guard_id`: the document's."""
    if document is None or guard_id is None:
        return {}
    return {_document_field(guard_id): json.dumps(document.model_dump(), ensure_ascii=False)}
