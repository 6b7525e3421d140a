"""Which channel a setting names."""

from __future__ import annotations

from pathlib import Path

from services.registration.mailing.channel import Channel
from services.registration.mailing.folder import Folder
from shared.clock import Runtime

OFF = "off"


def channel_of(mail: str | None, sender: str, runtime: Runtime) -> Channel | None:
    """`mail`: a folder's path, or `off` (None for both). `sender`: the address from which mail comes."""
    if mail is None or mail == OFF:
        return None
    return Folder(Path(mail), sender, runtime)
