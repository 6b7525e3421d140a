"""Applications that were refused for good: what one replica refused, another one that slept does not accept.

A closed pool refuses and remembers nothing, so that the person may apply again after a new consent (decision 0009).
Then the refused application itself has to be remembered: in the private part of the match that it would have made,
so that the save that makes the match meets the refusal, or the refusal meets the match.
"""

from __future__ import annotations

from typing import Any

from services.matching.store import MATCHES
from shared.clock import short_hash
from shared.errors import Conflict, PreconditionFailed, Refusal, UnknownOutcome
from shared.intake.submission import Submission
from shared.store.aggregates import ATTEMPTS, Cause, Kernel, Saved, settled
from shared.store.documents import new_document
from shared.store.port import Document

REFUSED = "refused_applications"
# Of one expert for one assignment; a decider that slept over so many of them has long been replaced.
REFUSED_AT_MOST = 50


class Refusals:
    """The first answer to an application wins, whoever gives it."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def remember(self, submission: Submission, refusal: Refusal) -> bool:
        """Whether the refusal stands; False where the same application has made its match meanwhile."""
        for attempt in range(ATTEMPTS):
            document = await self._kernel.store.load(MATCHES.name, submission.subject)
            if document is not None and document["state"] is not None:
                # Whoever decides the application now meets the match; nothing has to be remembered.
                return not settled(document, submission.cause.step("match"))
            draft = new_document(submission.subject) if document is None else dict(document)
            refused = dict(draft["private"].get(REFUSED, {}))
            if short_hash(submission.id) in refused:
                return True
            refused[short_hash(submission.id)] = [refusal.rule, refusal.problems[0].pointer]
            kept = dict(list(refused.items())[-REFUSED_AT_MOST:])
            before = draft["version"]
            draft |= {"version": before + 1, "private": {**draft["private"], REFUSED: kept}}
            try:
                await self._kernel.store.save(MATCHES.name, MATCHES.collection.indexed(draft), before)
                return True
            except (Conflict, UnknownOutcome):
                await self._kernel.runtime.sleep(self._kernel.runtime.rng.uniform(0, 0.002 * min(attempt + 1, 20)))
        raise Conflict

    async def execute(self, match: str, command: Any, cause: Cause, submission: str) -> Saved[Any]:
        """Makes the match unless the application was refused. Raises the Refusal that is remembered, Conflict."""
        for _ in range(ATTEMPTS):
            document = await self._kernel.store.load(MATCHES.name, match)
            raise_refused(document, submission)
            expected = document["version"] if document else 0
            try:
                return await self._kernel.execute(MATCHES, match, command, cause, expected_version=expected)
            except PreconditionFailed:
                continue
        raise Conflict


def raise_refused(document: Document | None, submission: str) -> None:
    """Raises the Refusal with which the application was answered, if it was."""
    refused = document["private"].get(REFUSED, {}) if document else {}
    if answer := refused.get(short_hash(submission)):
        rule, pointer = answer
        raise Refusal(rule, at=pointer)
