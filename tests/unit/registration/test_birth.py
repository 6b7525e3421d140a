"""A birth is said as exactly as somebody knows it, and nothing of it is made up."""

from __future__ import annotations

import random
from typing import Any

import pytest

from services.registration.domain.birth import Birth
from services.registration.domain.examples import EXPERT
from services.registration.domain.identity import Identity
from services.registration.domain.registrants import PersonInput
from services.registration.identifiers import Identifiers
from shared.canonical import canonical_json
from shared.clock import derived_id
from shared.errors import Refusal
from shared.identity.keys import Keys
from shared.web.bodies import body_of
from shared.web.pages.filled import Form
from shared.web.pages.forms import Posted, fields_of, json_of

PERSON: dict[str, Any] = EXPERT["person"]


def person(born: dict[str, Any], year: int | None = None) -> PersonInput:
    attributes = {name: value for name, value in PERSON["attributes"].items() if name != "birth_year"}
    said = {**PERSON, "born": born, "attributes": attributes | ({"birth_year": year} if year else {})}
    return body_of(PersonInput, canonical_json(said)).model


@pytest.mark.parametrize(
    "born",
    [{"year": 1984, "month": 2, "day": 29}, {"year": 1984, "month": 2}, {"year": 1984}, {"year": 1984, "about": True}],
)
def test_the_year_among_the_attributes_follows(born: dict[str, Any]) -> None:
    for year in (None, 1984):
        said = person(born, year)
        assert (said.born, said.attributes.birth_year) == (Birth(**born), 1984)


@pytest.mark.parametrize(
    ("born", "rule", "place"),
    [
        ({"year": 1985, "month": 2, "day": 29}, "birth_day_unknown", "/born"),
        ({"year": 1985, "day": 2}, "birth_month_missing", "/born"),
        ({"year": 1985, "month": 2, "about": True}, "birth_about_a_year", "/born"),
        ({"month": 2}, "required", "/born/year"),
        ({"year": 1985, "month": 13}, "less_than_equal", "/born/month"),
        ({"year": 1984}, "birth_year_differs", "/attributes/birth_year"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(born: dict[str, Any], rule: str, place: str) -> None:
    with pytest.raises(Refusal) as refused:
        person(born, 1985 if born == {"year": 1984} else None)
    assert [(one.rule, one.pointer) for one in refused.value.problems] == [(rule, place)]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"day": "5", "month": "٣", "year": "1985"}, "5 March 1985"),
        ({"month": "3", "year": "1985"}, "March 1985"),
        ({"year": "1985"}, "1985"),
        ({"year": "1985", "about": "true"}, "about 1985"),
        ({"day": "31", "month": "2", "year": "1985"}, "31 2 1985"),
        ({"year": "before the war"}, "before the war"),
    ],
)
def test_a_form_asks_in_three_parts_and_says_it_in_words(typed: dict[str, str], said: str) -> None:
    fields = fields_of({"properties": {"born": Birth.model_json_schema()}})
    form = Form("en", fields, Posted({f"/born/{name}": (text,) for name, text in typed.items()}))
    assert fields[0].is_day
    assert [one.name for one in fields[0].by_day] == ["day", "month", "year", "about"]
    assert form.answers == [("Date of birth", said)]
    assert json_of(fields, Posted({})) == b"{}"


async def test_it_is_sealed_and_ends_with_a_year_that_turns_out_to_be_another() -> None:
    keys, rng = Keys.in_memory(random.Random(3)), random.Random(4)
    identifiers, id = Identifiers(keys, rng), derived_id("somebody")
    said = person({"year": 1984, "month": 2, "day": 29})
    private = await identifiers.sealed(id, said, None)
    assert "1984" not in str(private)
    assert await identifiers.born(id, private) == said.born
    changed = await identifiers.changed(id, private, Identity(birth_year=1983), said.attributes)
    assert await identifiers.born(id, {**private, **changed}) is None
    anew = Identity(born=Birth(year=1983, month=3))
    exactly = await identifiers.changed(id, private, anew, said.attributes)
    assert await identifiers.born(id, {**private, **exactly}) == anew.born
    named = await identifiers.changed(id, private, Identity(given_name="Other"), said.attributes)
    assert await identifiers.born(id, {**private, **named}) == said.born
