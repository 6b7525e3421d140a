"""What a log line, a span or a metric may hold: allowed keys with ids, codes, routes and addresses, never a text."""

from __future__ import annotations

import re
from typing import Any

ALLOWED_KEYS = frozenset(
    re.findall(
        r"\w+",
        """account aggregate assignment attempt attempts causation_id code collection command_id correlation_id count
        day dropped duration_ms end epoch error event event_id expert format group handler id index institution kind
        left_out level logger match method offset office partition period person phase pid placement port position
        programme reason replica resource retry_after_seconds role route rule seconds seed sequence service signal
        slot status subject task timestamp topic traceparent type url verb version waiting""",
    )
)
# Ids, codes, routes and addresses; a text with a space or a letter beyond ASCII may be a name.
_VALUE = re.compile(r"[A-Za-z0-9_.:/{}@+=,<>*-]{0,200}")
WITHHELD = "withheld"


def plain(value: Any) -> Any:
    """The value as it is where it is a number or a code, else that it was withheld."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return value if isinstance(value, str) and _VALUE.fullmatch(value) else WITHHELD
