"""Direct identifiers: sealed under the person's key, found again by keyed hashes alone."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any

from services.registration.domain.documents import IdentityDocument, numbered_as
from services.registration.domain.experts import PersonInput
from services.registration.domain.names import fold_name
from shared.clock import short_hash
from shared.contracts.registration import Attributes
from shared.identity.keys import Keys
from shared.identity.sealing import blind, open_sealed, seal_all
from shared.texts import fold_number

SERVICE = "registration"
NAMES = ("given_name", "family_name")
TEXTS = (*NAMES, "email", "telephone")
# What the private fields of sealed documents begin with.
SEALED_DOCUMENT = "sealed_document_"


class Identifiers:
    """Seals and opens what no event and no answer to others may carry."""

    def __init__(self, keys: Keys, rng: random.Random) -> None:
        self._keys = keys
        self._rng = rng

    def guard_id(self, document: IdentityDocument) -> str:
        """The blind index of type, country and number; the guard's id."""
        key = self._keys.blind_index_key(SERVICE)
        return blind(key, numbered_as(document.type), document.country, fold_number(document.number))

    async def sealed(self, person_id: str, person: PersonInput, guard_id: str | None) -> dict[str, str]:
        """The private fields of the person; what was not given stays as it is in the document.

        `guard_id`: of the person's document, None without one. Raises KeyDestroyed for an erased person, Unavailable.
        """
        key = await self._keys.persons(SERVICE).key(person_id)
        texts = {name: text for name in TEXTS if (text := getattr(person, name)) is not None}
        # A name is one whole: half of an older one beside half of a newer one is nobody's.
        unnamed = {f"sealed_{name}": "" for name in NAMES if getattr(person, name) is None}
        if person.document is not None and guard_id is not None:
            text = json.dumps(person.document.model_dump(), ensure_ascii=False)
            texts[f"document_{short_hash(guard_id)}"] = text
        sealed = seal_all(key, texts, person=person_id, rng=self._rng)
        names = tuple(name for name in (person.given_name, person.family_name) if name)
        named = {f"sealed_{name}": text for name, text in sealed.items()}
        return unnamed | named | self._likeness(names, person.attributes)

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

    async def likeness(self, person_id: str, private: Mapping[str, Any], attributes: Attributes) -> dict[str, str]:
        """The private field `likeness` after the attributes changed."""
        names = await self.names(person_id, private)
        return self._likeness(tuple(names.values()), attributes) if names else {}

    def _likeness(self, names: tuple[str, ...], attributes: Attributes) -> dict[str, str]:
        # Without a year of birth or an origin half of the pool would resemble somebody.
        if attributes.birth_year is None or attributes.country_of_origin is None:
            return {"likeness": ""}
        compared = f"{fold_name(*names)}\x1f{attributes.birth_year}"
        key = self._keys.blind_index_key(SERVICE)
        return {"likeness": blind(key, "likeness", attributes.country_of_origin, compared)}
