"""What a share has above the line is a part of what stands below it, or the file says that it need not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.contracts.catalogue import CATALOGUE
from shared.programmes.indicators import Indicator
from shared.programmes.loader import lint
from shared.programmes.shares import is_part

FILE = Path(__file__).resolve().parents[3] / "deploy/programmes/trqn-1.yaml"
WOMEN = {"attribute": "sex", "at": "now", "one_of": ["female"]}
IN_AF = {"field": "country", "one_of": ["AF"]}
MEASURES: dict[str, Any] = {"count": "count", "persons": {"distinct": "person"}, "days": {"sum": "days"}}


def counting(kinds: list[str], *where: dict[str, Any], measure: str = "count") -> Indicator:
    facts = {"kinds": kinds, "where": list(where)}
    named = {"code": "i", "name": {"en": "I"}, "unit": "things"}
    return Indicator.model_validate({**named, "measure": MEASURES[measure], "facts": facts})


BEGUN, ENDED = ["return_started"], ["return_completed"]


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (counting(BEGUN, WOMEN), counting(BEGUN), True),
        (counting(BEGUN), counting(BEGUN, WOMEN), False),
        (counting(BEGUN, WOMEN, IN_AF), counting(BEGUN, WOMEN), True),
        (counting(BEGUN), counting([*BEGUN, "contract"]), True),
        (counting([*BEGUN, "contract"]), counting(BEGUN), False),
        (counting(BEGUN), counting(BEGUN, measure="persons"), False),
        (counting(ENDED), counting(BEGUN), True),
        (counting(BEGUN), counting(ENDED), False),
        (counting(ENDED), counting(["placement_contracted"]), True),
        (counting(ENDED), counting(["contract"]), False),
        (counting(ENDED), counting(["offer_made"]), False),
        (counting(ENDED, WOMEN), counting(BEGUN, WOMEN), True),
        (counting(ENDED), counting(BEGUN, WOMEN), False),
        (counting(ENDED, {**WOMEN, "at": "event"}), counting(BEGUN, {**WOMEN, "at": "event"}), False),
        (counting(ENDED, IN_AF), counting(BEGUN, IN_AF), True),
        # Terms may be revised between the request and its approval.
        (counting(["assignment_approved"], IN_AF), counting(["assignment_requested"], IN_AF), False),
        (counting(["assignment_approved"]), counting(["assignment_requested"]), True),
        # A case could tell both, and would count twice.
        (counting([*ENDED, "placement_ended_early"]), counting(BEGUN), False),
        (counting([*ENDED, "placement_ended_early"], measure="persons"), counting(BEGUN, measure="persons"), True),
        (
            counting(["contract"], {"field": "days", "at_least": 30}, measure="days"),
            counting(["contract"], {"field": "days", "at_least": 10}, measure="days"),
            True,
        ),
    ],
)
def test_a_part_is_known_by_the_declarations_alone(part: Indicator, whole: Indicator, expected: bool) -> None:
    assert is_part(part, whole) is expected


def test_a_kind_that_outlives_the_one_before_is_no_part_of_it() -> None:
    for name, kind in CATALOGUE.kinds.items():
        for before in CATALOGUE.kinds:
            if CATALOGUE.implies(name, before):
                assert CATALOGUE.kinds[before].ended_by <= kind.ended_by
                assert not CATALOGUE.implies(before, name)


def test_the_linter_refuses_a_share_of_no_part_unless_the_file_says_so() -> None:
    text = FILE.read_text(encoding="utf-8")
    wrong = text.replace("in: assignments}}", "in: returns_completed}}").replace(
        "unit: returns\n", "unit: assignments\n"
    )
    assert wrong != text
    (finding,) = lint(wrong)
    assert (finding.pointer, finding.rule) == ("/indicators/8/measure/share/of", "share_of_no_part")
    assert lint(wrong.replace("in: returns_completed}}", "in: returns_completed, part: unchecked}}")) == []
