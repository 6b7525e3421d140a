"""Of what an office decides by, what an application leaves unsaid."""

from __future__ import annotations

import pytest

from deploy.cli.files import definition_path, read_definition
from services.registration.applying.unsaid import unsaid
from services.registration.domain.drafts import Typed
from shared.programmes.sections.selection import Criterion

CONSENT: Typed = (("/consents", "placement"),)
YEARS = {"operator": "at_least", "required": 2}


def criterion(attribute: str, **more: object) -> Criterion:
    name = {"en": attribute, "fr": attribute, "ar": attribute}
    return Criterion.model_validate({"criterion": "one", "name": name, "attribute": attribute, **(more or YEARS)})


def test_a_programme_that_asks_for_nothing_still_needs_the_consent() -> None:
    assert [one.pointer for one in unsaid((), ())] == ["/consents"]
    assert list(unsaid((), CONSENT)) == []
    assert [one.pointer for one in unsaid((), (("/consents", "stories"),))] == ["/consents"]


@pytest.mark.parametrize(
    ("attribute", "typed", "left"),
    [
        ("experience_years", (), "/person/attributes/experience_years"),
        ("experience_years", (("/person/attributes/experience_years", "  "),), "/person/attributes/experience_years"),
        ("experience_years", (("/person/attributes/experience_years", "1"),), None),
        ("birth_year", (("/person/born/month", "3"),), "/person/born/year"),
        ("birth_year", (("/person/born/year", "1985"),), None),
        ("sex", (("/person/attributes/sex", "not_stated"),), "/person/attributes/sex"),
        ("sex", (("/person/attributes/sex", "female"),), None),
        ("nationality", (("/person/attributes/other_nationalities/0", "AF"),), None),
        ("languages", (("/person/attributes/languages/3/language", "fa"),), None),
        ("languages", (("/person/attributes/languages_of_others", "fa"),), "/person/attributes/languages"),
    ],
)
def test_it_is_said_where_people_are_asked_for_it(attribute: str, typed: Typed, left: str | None) -> None:
    found = [one.pointer for one in unsaid((criterion(attribute),), (*typed, *CONSENT))]
    assert found == ([] if left is None else [left])


def test_every_criterion_of_a_programme_is_asked_for_in_its_order() -> None:
    declared = read_definition(definition_path("trqn-1")).as_json()["selection"]["eligibility"]
    found = list(unsaid([Criterion.model_validate(one) for one in declared], ()))
    assert [one.name for one in found] == [*(one["name"] for one in declared), None]
