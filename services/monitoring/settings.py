"""What monitoring takes from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

# Of a control group of version 2: microseconds of processor time, or "max", in so many.
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


class Placed(Protocol):
    """Whoever builds the service says whose tokens count (None: the embedded development issuer's), in which
    folder the read model's file stands (None: in memory), where Kafka is (None: another log), and whether messages may
    go to http and to addresses of the own network."""

    @property
    def issuer(self) -> str | None: ...

    @property
    def data(self) -> Path | None: ...

    @property
    def kafka(self) -> str | None: ...

    @property
    def webhooks_local(self) -> bool: ...


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True)

    issuer: str | None = None
    data: Path | None = None
    kafka: str | None = None
    webhooks_local: bool = False


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """`SANKOFA_ISSUER`, `SANKOFA_DATA`, `KAFKA_BOOTSTRAP_SERVERS` and `SANKOFA_WEBHOOKS_LOCAL`."""
    data = environment.get("SANKOFA_DATA")
    return Settings(
        issuer=environment.get("SANKOFA_ISSUER") or None,
        data=Path(data) if data else None,
        kafka=environment.get("KAFKA_BOOTSTRAP_SERVERS") or None,
        webhooks_local=environment.get("SANKOFA_WEBHOOKS_LOCAL") == "yes",
    )


def cores(quota: Path = CPU_QUOTA) -> int:
    """How many processor cores this process may use at once: those of the machine, or what its container is given."""
    found = os.cpu_count() or 1
    try:
        granted, _, period = quota.read_text().strip().partition(" ")
    except OSError:
        return found
    return found if granted == "max" else min(found, max(int(granted) // int(period), 1))
