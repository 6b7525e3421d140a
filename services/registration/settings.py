"""What registration takes from the environment."""

from __future__ import annotations

from typing import Protocol


class Issued(Protocol):
    """Whoever builds the service says whose tokens count (None: the embedded development issuer's), under which
    address it is reached, as which client of the issuer it signs people in (None: as none), and where mail goes: the
    address of a server or a folder (None: nowhere, and nobody is told anything)."""

    @property
    def issuer(self) -> str | None: ...

    @property
    def base_url(self) -> str: ...

    @property
    def pages_client_id(self) -> str | None: ...

    @property
    def pages_client_secret(self) -> str | None: ...

    @property
    def mail(self) -> str | None: ...

    @property
    def mail_from(self) -> str: ...
