"""Everything that registration listens to: its own compacted topic, on which the current profile stands last."""

from __future__ import annotations

from services.registration.domain.persons import PERSON
from services.registration.store import PERSONS
from shared.contracts.registration import Profile
from shared.messaging.handlers import Handler, Handlers
from shared.messaging.heads import Reissue


def handlers() -> Handlers:
    return {Profile: Handler(reissue=Reissue(PERSONS, PERSON.ask("reissue")))}
