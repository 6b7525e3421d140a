"""Offices of a programme as a replica knows them: by the case's version, or by the first that has them."""

from __future__ import annotations

import pytest

from shared.clock import RealRuntime
from shared.errors import Refusal, TooEarly
from shared.messaging.local import LocalLog
from shared.programmes.definitions import Definitions
from tests.unit.matching.facts import CODE, DEFINITION

YOUNGER = DEFINITION.model_copy(
    update={"offices": (*DEFINITION.offices, DEFINITION.offices[0].model_copy(update={"code": "herat"}))}
)


def known(*versions: int) -> Definitions:
    runtime = RealRuntime()
    definitions = Definitions(LocalLog(None, [], runtime), runtime)
    runtime.close()
    definitions._end_at_start = 0
    both = {1: DEFINITION, 2: YOUNGER}
    definitions._versions = {CODE: {one: both[one] for one in versions}} if versions else {}
    return definitions


def test_an_office_that_is_younger_than_the_case_is_found() -> None:
    definitions = known(1, 2)
    found = definitions.office(CODE, 1, "herat")
    assert found
    assert (found.time_zone, definitions.office(CODE, 1, "nowhere")) == ("Asia/Kabul", None)
    assert definitions.office(CODE, None, None) is None


def test_what_has_not_arrived_here_yet_is_too_early_and_no_refusal() -> None:
    """A handler that is refused waits for a person; one that is too early heals by itself."""
    for definitions in (known(), known(1)):
        with pytest.raises(TooEarly):
            definitions.office(CODE, 2, "kabul")
    with pytest.raises(TooEarly):
        known().office_now(CODE, "kabul")
    with pytest.raises(Refusal):
        known().office(CODE, None, "kabul")
    assert known().office_now(None, "kabul") is None
    assert known(1).office_now(CODE, "herat") is None
