"""Which channel the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from services.registration.mailing.channel import Channel, sender_of
from services.registration.mailing.folder import Folder
from services.registration.mailing.smtp import Smtp, server_of
from shared.clock import Runtime

OFF = "off"


class Posting(Protocol):
    """What a channel takes from the environment; `mail` None, or `off`: there is none."""

    @property
    def mail(self) -> str | None: ...

    @property
    def mail_from(self) -> str: ...

    @property
    def mail_user(self) -> str | None: ...

    @property
    def mail_password(self) -> str | None: ...


def channel_of(settings: Posting, runtime: Runtime) -> Channel | None:
    """A server where `mail` is an address, else the folder of that path. Raises SettingsError."""
    if settings.mail is None or settings.mail == OFF:
        return None
    sender = sender_of(settings.mail_from)
    if "://" in settings.mail:
        return Smtp(server_of(settings.mail, settings.mail_user, settings.mail_password), sender)
    return Folder(Path(settings.mail), sender, runtime)
