"""The key of a day of intake: it seals the bodies that came in then, and dies with the last of their decisions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from shared.clock import Runtime, text_of
from shared.errors import SankofaError, Unavailable
from shared.identity.keys import Keys
from shared.identity.sealing import open_sealed, seal_all
from shared.store.port import Document
from shared.telemetry.observability import count, logger

RETIRE_EVERY_SECONDS = 3_600.0
KEY_DAYS_AT_MOST = 30


class IntakeKeyMissing(SankofaError):
    """The day's key is not in this process's folder of keys: the submission waits, and a restored key heals it."""


class DayKeys:
    """One service's keys by day. `undecided` counts the submissions of a day that wait for their decision."""

    def __init__(self, service: str, keys: Keys, runtime: Runtime, undecided: Callable[[str], Awaitable[int]]) -> None:
        self._service = service
        self._keys = keys
        self._runtime = runtime
        self._undecided = undecided

    def sealed(self, fields: Mapping[str, Mapping[str, Any]], id: str, day: str) -> dict[str, str]:
        """The values under the day's key, each bound to the submission and its field."""
        key = self._keys.intake_day_key(self._service, day)
        texts = {name: json.dumps(value, ensure_ascii=False, separators=(",", ":")) for name, value in fields.items()}
        return seal_all(key, texts, person=id, rng=self._runtime.rng)

    def opened(self, document: Document, field: str) -> Mapping[str, Any]:
        """What the field of the document holds sealed. Raises IntakeKeyMissing."""
        value: dict[str, Any] = json.loads(self.opened_text(document, field))
        return value

    def opened_text(self, document: Document, field: str) -> str:
        """`opened`, as the JSON text that was sealed. Raises IntakeKeyMissing."""
        today = text_of(self._runtime.now())[:10]
        if document["day"] != today and document["day"] not in self._keys.intake_days(self._service):
            raise IntakeKeyMissing
        key = self._keys.intake_day_key(self._service, document["day"])
        return open_sealed(key, document[field], person=document["_id"], field=field)

    async def run(self) -> None:
        while True:
            await self._runtime.sleep(RETIRE_EVERY_SECONDS)
            try:
                await self.retire()
            except Unavailable as error:
                logger.warning("intake_keys_wait", error=type(error).__name__)

    async def retire(self) -> None:
        """Destroys the key of each past day whose last submission is decided.

        A key that is older than 30 days and still needed is named in the log every hour: what was acknowledged is
        never made unreadable, and somebody has to see why it was not decided (docs/decisions/0016).
        """
        today = self._runtime.now()
        oldest = text_of(today - timedelta(days=KEY_DAYS_AT_MOST))[:10]
        for day in self._keys.intake_days(self._service):
            # Yesterday's key may still be in use by a replica whose clock is a little behind.
            if day >= text_of(today - timedelta(days=1))[:10]:
                continue
            undecided = await self._undecided(day)
            if not undecided:
                self._keys.destroy_intake_day(self._service, day)
            elif day < oldest:
                count("intake_day_overdue")
                logger.error("intake_day_overdue", service=self._service, day=day, count=undecided)
