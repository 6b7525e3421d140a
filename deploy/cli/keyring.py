"""The keys of a system that has been started, for verbs that must not make any of their own."""

from __future__ import annotations

from deploy.cli.settings import Settings
from shared.errors import SettingsError
from shared.identity.keys import Keys


def keys_of(settings: Settings, name: str) -> Keys:
    """The keys in the system's folder. SettingsError where it does not hold the one of that name.

    A key made here would sign what no system accepts, and the mistake would show far away.
    """
    if not (settings.keys / name).is_file():
        raise SettingsError(f"no system has been started with the keys' folder {settings.keys} (SANKOFA_KEYS)")
    return Keys(settings.keys)
