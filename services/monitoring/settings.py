"""What monitoring takes from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class Placed(Protocol):
    """Whoever builds the service says whose tokens count (None: the embedded development issuer's) and in which
    folder the read model's file stands (None: in memory)."""

    @property
    def issuer(self) -> str | None: ...

    @property
    def data(self) -> Path | None: ...


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    issuer: str | None = None
    data: Path | None = None


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """`SANKOFA_ISSUER` and `SANKOFA_DATA`."""
    data = environment.get("SANKOFA_DATA")
    return Settings(issuer=environment.get("SANKOFA_ISSUER") or None, data=Path(data) if data else None)
