"""What the lists of all services may be asked for, by role, and whether an address of one asks for nothing else.

Services never look at each other, so it comes from a file that is generated from their cases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from shared.identity.roles import ROLES, Role
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.web.acting import Served
from shared.web.filters import Filters
from shared.web.lists import limit_of
from shared.web.strict_json import refuse

KNOWN_LISTS = Path(__file__).with_name("known_lists.json")
COLUMNS = "columns"


@dataclass(frozen=True)
class KnownList:
    """`columns`: what its page may be asked to show; `filters`: by the roles that have such a list."""

    columns: tuple[str, ...]
    filters: Mapping[str, Filters]

    def check(self, role: Role, query: str, programmes: Callable[[], Collection[str]]) -> None:
        """`query`: of the list's address, as a browser writes it. Raises Refusal 422 as the list itself would, and with
        the parameter as its pointer; what `programmes` raises."""
        sent = parse_qsl(query)
        chosen_of((value for name, value in sent if name == COLUMNS), self.columns)
        limit_of(self.filters[role].asked((one for one in sent if one[0] != COLUMNS), programmes))


def chosen_of(sent: Iterable[str], columns: Collection[str]) -> tuple[str, ...]:
    """Of the columns those that are named. A form sends each by itself, an address may have them in one. Raises Refusal
    422 for one that there is not."""
    named = {one for value in sent for one in value.split(",") if one}
    if not named <= set(columns):
        refuse(CODE_NOT_LISTED, f"query/{COLUMNS}", f"of {', '.join(columns)}")
    return tuple(path for path in columns if path in named)


def known_list(path: str, role: Role) -> KnownList | None:
    """The list of that service and name, `registration/experts` for one; None where the role has none."""
    found = _known().get(path)
    return found if found is not None and role in found.filters else None


def described(served: Served) -> dict[str, Any]:
    """As the generated file has the list of a case."""
    lists = served.case.readers if served.case.lists is None else served.case.lists
    filters = {role: Filters.of(served, role).values for role in ROLES if role in lists}
    return {"columns": served.columns, "filters": filters}


@cache
def _known() -> Mapping[str, KnownList]:
    found = json.loads(KNOWN_LISTS.read_text(encoding="utf-8"))
    return {path: _read(one) for path, one in found.items()}


def _read(one: Mapping[str, Any]) -> KnownList:
    values = {role: {name: tuple(codes) for name, codes in by.items()} for role, by in one["filters"].items()}
    return KnownList(tuple(one["columns"]), {role: Filters(by) for role, by in values.items()})
