"""What a role never sees of a case, in whichever service it reads it: one view a role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.identity.roles import Role

# A host and a panel judge the expert, never the person behind it; a rank tells the person of others.
HIDDEN: Mapping[Role, frozenset[str]] = {
    "host": frozenset({"person"}),
    "panel": frozenset({"person"}),
    "expert": frozenset({"rank", "position"}),
}


def shown_to(role: Role, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields without those that the role never sees."""
    hidden = HIDDEN.get(role, frozenset())
    return {name: value for name, value in fields.items() if name not in hidden}
