"""How many may be connected at once, and how long somebody may take over saying what he wants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """`connections` at once. Closed is who sends no byte of a begun request for `silent_seconds`, who sends less than
    `least_bytes_a_second` over `slow_seconds`, and who takes nothing of an answer for `slow_seconds`. A slow upload
    that goes on steadily is none of these.
    """

    connections: int = 2_000
    silent_seconds: float = 15.0
    slow_seconds: float = 60.0
    least_bytes_a_second: float = 1_024.0
