"""Everything that registration listens to: its own compacted topic, whose stale heads it mends."""

from __future__ import annotations

from services.registration.work.profiles import Profiles
from shared.contracts.registration import Profile
from shared.messaging.shadows import Handler, Handlers


def handlers(profiles: Profiles) -> Handlers:
    return {Profile: Handler(stale=profiles.reissue_profile)}
