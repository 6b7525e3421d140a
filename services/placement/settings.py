"""What placement takes from whoever builds it."""

from __future__ import annotations

from typing import Protocol


class Settings(Protocol):
    """`issuer`: whose tokens count; None: the embedded development issuer's."""

    @property
    def issuer(self) -> str | None: ...
