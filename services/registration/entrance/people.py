"""Who can be entered as where no issuer is configured: one person of each role, two of those who may hand an account
over, and one of each office that works so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.identity.roles import ROLES, Role
from shared.programmes.definitions import Definitions
from shared.programmes.model import Office

# Those whose cases are an office's.
OF_AN_OFFICE: tuple[Role, ...] = ("officer", "finance", "panel")
# Those whose account somebody may hand over: that takes two, and nobody hands one over to themselves.
WITH_ANOTHER: tuple[Role, ...] = ("expert", "host")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Somebody:
    """`subject`: the one that `sankofa token` takes for that role and office, so that both are one account.
    `number`: from the second person of a role on."""

    role: Role
    office: str | None = None
    number: int = 1

    @property
    def name(self) -> str:
        return f"{self.role}{self._which}@{self.office or ''}"

    @property
    def subject(self) -> str:
        return f"{self.role}{self._which}@{self.office or 'all'}"

    @property
    def _which(self) -> str:
        return "" if self.number == 1 else f"-{self.number}"


def is_development(issuer: str | None, base_url: str) -> bool:
    """Whether anybody may enter as anybody: no issuer, and an address under which this machine alone is asked."""
    return not issuer and urlsplit(base_url).hostname in LOOPBACK


def offices_of(definitions: Definitions) -> dict[str, Office]:
    """The offices of the newest versions by code."""
    codes: Iterable[str] = definitions.codes() if definitions.ready else ()
    found = {office.code: office for code in codes for office in definitions.newest(code).offices}
    return dict(sorted(found.items()))


def everybody(offices: Iterable[str]) -> Iterator[Somebody]:
    for role in ROLES:
        if role not in OF_AN_OFFICE:
            yield Somebody(role)
        if role in WITH_ANOTHER:
            yield Somebody(role, number=2)
    for office in offices:
        for role in OF_AN_OFFICE:
            yield Somebody(role, office)
