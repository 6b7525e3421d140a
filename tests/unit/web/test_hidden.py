"""One view a role: what is hidden from it in one service is hidden in every service that shows the same case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deploy.generate import GROUPS, cases_of
from services.matching import views as of_matching
from services.matching.domain.matches import MATCH
from services.placement import views as of_placement
from services.placement.domain.placements import PLACEMENT
from shared.cases.case import Case
from shared.identity.roles import ROLES, Role
from shared.identity.tokens import Principal
from shared.store.documents import new_document
from shared.web.acting import Represent
from shared.web.hidden import HIDDEN
from shared.web.json import representation
from tests.unit.matching.test_rules import stand
from tests.unit.placement.test_placements import contracted

# Every case that names both an expert and the person behind it, with how its service shows it.
SHOWN: Mapping[str, tuple[Case[Any], Represent, Any]] = {
    "matches": (MATCH, of_matching.match, stand()),
    "placements": (PLACEMENT, of_placement.placement, contracted()),
}


def names_in(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield name
            yield from names_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from names_in(one)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", SHOWN)
def test_no_role_is_shown_in_one_service_what_is_hidden_from_it_in_another(name: str, role: Role) -> None:
    case, represent, state = SHOWN[name]
    if role not in case.readers:
        return
    document = new_document("a") | {"state": state.model_dump(mode="json", exclude_none=True), "version": 1}
    shown = set(names_in(representation(represent(document, Principal("account", role, "kabul")))))
    assert not shown & HIDDEN.get(role, frozenset())
    assert ("person" in shown) is (role not in ("host", "panel"))
    assert "expert" in shown


def test_every_case_that_names_a_person_behind_an_expert_is_looked_at() -> None:
    named = {case.name for service in GROUPS for case in cases_of(service) if "parties" in case.state.model_fields}
    assert named == set(SHOWN)
