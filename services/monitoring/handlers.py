"""Everything that monitoring listens to: each type of event, read by position and turned into rows (`records.take`).

It has no group and no shadows: it decides nothing about a case, so it needs no order between subjects.
"""

from __future__ import annotations

from shared.contracts.base import Event
from shared.contracts.registry import declared_events


def followed() -> tuple[type[Event], ...]:
    return declared_events()
