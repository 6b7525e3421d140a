"""Applications that came before their expert was known here: decided again as soon as something is heard.

The submission says itself of whom it waits to hear, and its own timer brings it back in any case. What this process
notes in memory beside that is for who is heard of between the look at them and that save.
"""

from __future__ import annotations

from collections import OrderedDict

from shared.errors import Conflict, TooEarly, Unavailable, UnknownOutcome
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.telemetry.observability import count, logger

SUBMISSIONS_AT_MOST = 10_000


class Waiting:
    """Which submissions wait for which subjects; the oldest are dropped at the bound."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._subjects_of: OrderedDict[str, set[str]] = OrderedDict()
        self._waiting_for: dict[str, set[str]] = {}

    def note(self, subject: str, submission: str) -> None:
        """Noted before the subject is looked up, so that what arrives in between is not missed."""
        self._subjects_of.setdefault(submission, set()).add(subject)
        self._waiting_for.setdefault(subject, set()).add(submission)
        if len(self._subjects_of) > SUBMISSIONS_AT_MOST:
            self.forget(next(iter(self._subjects_of)))

    def forget(self, submission: str) -> None:
        for subject in self._subjects_of.pop(submission, ()):
            self._waiting_for[subject].discard(submission)
            if not self._waiting_for[subject]:
                del self._waiting_for[subject]

    def of(self, submission: str) -> tuple[str, ...]:
        """The subjects for which the submission waits."""
        return tuple(sorted(self._subjects_of.get(submission, ())))

    async def heard(self, delivery: Delivery) -> None:
        """Something new is known of the subject: what waits for it is decided now, or waits on."""
        intake, subject = self._replica.intake, delivery.subject
        if intake:
            for submission in sorted({*self._waiting_for.get(subject, ()), *await intake.awaiting_of(subject)}):
                try:
                    await intake.decide(submission)
                except TooEarly:
                    # Something else is missing still; that will be heard of too.
                    continue
                except (Unavailable, UnknownOutcome, Conflict):
                    raise
                except Exception as error:
                    # The subject's event has done its work; the submission waits for its own timer.
                    count("submission_failed")
                    logger.error("submission_failed", id=submission, error=type(error).__name__)
