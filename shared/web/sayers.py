"""As what somebody did or wrote something in a case, as its reader may know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.identity.roles import Role

OFFICE = "office"
# Who is outside of every office: to them whoever works for one is the office.
OUTSIDE: frozenset[Role] = frozenset({"expert", "host", "panel"})


def said_by(row: Mapping[str, Any], reader: Role) -> tuple[str | None, str | None]:
    """The role of whoever said it and its office, as the reader may know them; None where it followed by itself."""
    by: str | None = row.get("role")
    if reader not in OUTSIDE:
        return by, row.get("office")
    return (by if by is None or by in OUTSIDE - {"panel"} else OFFICE), None
