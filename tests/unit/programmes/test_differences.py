"""What two definitions differ in, part by part."""

from __future__ import annotations

import copy
from typing import Any

from services.registration.domain.examples import DEFINITION
from shared.programmes.differences import Difference, differences
from shared.programmes.loader import definition_of


def told(change: Any) -> tuple[Difference, ...]:
    """The differences between the example and what `change` makes of a copy of it."""
    changed = copy.deepcopy(DEFINITION)
    change(changed)
    return differences(definition_of(DEFINITION), definition_of(changed))


def test_the_same_definition_differs_in_nothing() -> None:
    assert told(lambda _: None) == ()


def test_an_item_that_is_new_gone_or_otherwise_is_named() -> None:
    herat = {**DEFINITION["offices"][0], "code": "herat"}
    sector = {"code": "music", "name": {"en": "Music"}}

    def change(definition: dict[str, Any]) -> None:
        definition["offices"].append(herat)
        definition["sectors"].append(sector)
        definition["title"] = {"en": "Another title"}
        definition["offices"][0]["time_zone"] = "Asia/Tehran"

    found = told(change)
    assert [(one.part, one.field, one.item) for one in found] == [
        ("title", "en", ""),
        ("offices", "", DEFINITION["offices"][0]["code"]),
        ("offices", "", "herat"),
        ("sectors", "", "music"),
    ]
    assert (found[0].before, found[0].after) == (DEFINITION["title"]["en"], "Another title")
    assert [one.before is None for one in found] == [False, False, True, True]
    (gone,) = differences(
        definition_of({**DEFINITION, "sectors": [*DEFINITION["sectors"], sector]}), definition_of(DEFINITION)
    )
    assert (gone.item, gone.after, gone.before) == ("music", None, sector)


def test_a_section_is_told_field_by_field_and_an_order_that_changed_is_one_thing() -> None:
    def later(definition: dict[str, Any]) -> None:
        definition["selection"]["offers"] = {"expires_days": 15}

    (changed,) = told(later)
    assert changed == Difference("selection", "offers", "", {"expires_days": 14}, {"expires_days": 15})

    def turned(definition: dict[str, Any]) -> None:
        definition["selection"]["score"].reverse()

    (order,) = told(turned)
    assert order == Difference("selection", "score", "", ["sector", "education"], ["education", "sector"])
