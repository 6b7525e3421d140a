"""What matching takes from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Issued(Protocol):
    """Whoever builds the service says whose tokens count; None: the embedded development issuer's."""

    @property
    def issuer(self) -> str | None: ...


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    issuer: str | None = None


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """`SANKOFA_ISSUER` alone; folders and addresses belong to whoever gives the ports."""
    return Settings(issuer=environment.get("SANKOFA_ISSUER") or None)
