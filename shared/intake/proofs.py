"""Receipts as they are kept: sealed, for their digest and salt together would tell a guessed body.

Under the day's key, as the body is, until the submission is decided, then under the person's, with which they die;
under the service's own where the submission is about nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from shared.clock import Runtime
from shared.identity.digests import derived_key
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.keys import Keys
from shared.identity.sealing import open_sealed, seal
from shared.intake.daykeys import DayKeys
from shared.store.port import Document

FIELD = "proof"
Receipt = dict[str, Any]


class Proofs:
    """One service's receipts, sealed and opened."""

    def __init__(self, service: str, keys: Keys, runtime: Runtime, days: DayKeys) -> None:
        self._service = service
        self._keys = keys
        self._runtime = runtime
        self._days = days

    async def for_good(self, document: Document, receipt: Mapping[str, Any] | None) -> str | None:
        """Sealed for a submission that is decided; None where the person was erased meanwhile.

        `receipt`: as it was given, where this replica has it still; else the sealed one is opened. Raises
        IntakeKeyMissing, Unavailable.
        """
        try:
            key = await sealing_key(self._keys, self._service, document)
        except KeyDestroyed:
            return None
        text = self._days.opened_text(document, FIELD) if receipt is None else json.dumps(receipt)
        return seal(key, text, person=document["_id"], field=FIELD, rng=self._runtime.rng)

    async def opened(self, document: Document) -> Receipt:
        """The receipt as it was given. Raises KeyDestroyed for an erased person, IntakeKeyMissing, Unavailable."""
        if document["status"] == "pending":
            return dict(self._days.opened(document, FIELD))
        return await decided_receipt(self._keys, self._service, document)


async def decided_receipt(keys: Keys, service: str, document: Document) -> Receipt:
    """The receipt of a decided submission. Raises KeyDestroyed for an erased person, Unavailable."""
    key = await sealing_key(keys, service, document)
    if document[FIELD] is None:
        raise KeyDestroyed
    found: Receipt = json.loads(open_sealed(key, document[FIELD], person=document["_id"], field=FIELD))
    return found


async def sealing_key(keys: Keys, service: str, document: Document) -> bytes:
    """The key of receipts that dies with the person's, or the service's own. Raises KeyDestroyed, Unavailable."""
    person = document["person"]
    key = keys.command_key(service) if person is None else await keys.persons(service).key(person)
    return derived_key(key, "receipts")
