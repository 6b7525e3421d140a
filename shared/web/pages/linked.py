"""What a field of a case may name by its id: the page of that, and the roles that may read it.

Services never look at each other, so the roles come from a file that is generated from their tables of moves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.identity.roles import Role

LINKED = Path(__file__).with_name("linked.json")


@dataclass(frozen=True)
class Linked:
    """`page`: the address under which each case of the kind has its page."""

    page: str
    readers: frozenset[str]


@cache
def _linked() -> Mapping[str, Linked]:
    found = json.loads(LINKED.read_text(encoding="utf-8"))
    return {name: Linked(one["page"], frozenset(one["readers"])) for name, one in found.items()}


def page_for(name: str, role: Role | None, service: str | None = None) -> str:
    """Where pages of what a field of that name means stand, `expert` for one; empty where the role reads none, and
    where they are not of the `service`, if one is named."""
    found = _linked().get(name)
    if found is None or role not in found.readers:
        return ""
    return found.page if service is None or found.page.startswith(f"/{service}/") else ""


def kind_of(name: str) -> tuple[str, str]:
    """Of what a field of that name means the service, and the name of its kind of case: `registration`, `experts`."""
    _, service, kind = _linked()[name].page.split("/")
    return service, kind
