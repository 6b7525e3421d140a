"""What registration takes from the environment."""

from __future__ import annotations

from typing import Protocol

from services.registration.mailing.channels import Posting


class Issued(Posting, Protocol):
    """Whoever builds the service says whose tokens count (None: the embedded development issuer's), under which
    address it is reached, as which client of the issuer it signs people in (None: as none), and of how many persons an
    account reads the identifiers in an hour and in a day."""

    @property
    def issuer(self) -> str | None: ...

    @property
    def base_url(self) -> str: ...

    @property
    def pages_client_id(self) -> str | None: ...

    @property
    def pages_client_secret(self) -> str | None: ...

    @property
    def readings_an_hour(self) -> int: ...

    @property
    def readings_a_day(self) -> int: ...
