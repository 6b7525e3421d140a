"""Scores: explained by their components, monotone, a total order, and blind to sex."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import derived_id
from shared.contracts.matching.assignments import Terms
from shared.contracts.registration.persons import Attributes, LanguageSkill, Sex
from shared.programmes.eligibility import LEVELS, failed_criteria, unmet_terms
from shared.programmes.loader import load_definition
from shared.programmes.scoring import Standing, rank_key, score
from shared.programmes.sections.selection import SelectionSection

ROOT = Path(__file__).resolve().parents[3]
TRQN = load_definition(ROOT / "deploy/programmes/trqn-1.yaml")

skills = st.builds(LanguageSkill, language=st.sampled_from(["en", "fa", "nl"]), level=st.sampled_from(LEVELS))
occupations = st.from_regex(r"[12][0-3]{1,3}", fullmatch=True)
sectors = st.sampled_from([one.code for one in TRQN.sectors])
attributes = st.builds(
    Attributes,
    sex=st.sampled_from(get_args(Sex)),
    birth_year=st.none() | st.integers(1920, 2005),
    country_of_origin=st.none() | st.sampled_from(["AF", "BA", "SO"]),
    country_of_residence=st.none() | st.sampled_from(["NL", "DE"]),
    residence_status=st.none() | st.sampled_from(["citizen", "permanent", "temporary"]),
    education=st.none() | st.integers(0, 8),
    occupation=st.none() | occupations,
    experience_years=st.none() | st.integers(0, 80),
    sector=st.none() | sectors,
    languages=st.lists(skills, max_size=4).map(tuple),
)
terms = st.builds(
    Terms,
    institution=st.just(derived_id("institution")),
    country=st.sampled_from(["AF", "BA"]),
    sector=sectors,
    host_type=st.just("public"),
    occupation=occupations,
    starts_on=st.just(date(2007, 5, 1)),
    ends_on=st.just(date(2007, 8, 1)),
    education=st.integers(0, 8),
    experience_years=st.integers(0, 30),
    languages=st.lists(skills, max_size=3).map(tuple),
)
standings = st.builds(Standing, returns=st.integers(0, 5))


def better(person: Attributes, **change: Any) -> Attributes:
    return person.model_copy(update=change)


@given(terms, attributes, standings)
def test_the_score_is_the_sum_of_explained_integers(wanted: Terms, person: Attributes, facts: Standing) -> None:
    total, components = score(TRQN, wanted, person, facts)
    assert total == sum(one.points for one in components)
    assert [one.component for one in components] == [one.component for one in TRQN.section(SelectionSection).score]
    assert all(type(one.points) is int and 0 <= one.points <= one.weight for one in components)
    assert 0 <= total <= 100
    assert sum(one.weight for one in components) == 100


@given(terms, attributes, standings, st.sampled_from(get_args(Sex)))
def test_sex_never_matters(wanted: Terms, person: Attributes, facts: Standing, sex: Sex) -> None:
    assert score(TRQN, wanted, person, facts) == score(TRQN, wanted, better(person, sex=sex), facts)
    assert unmet_terms(wanted, person) == unmet_terms(wanted, better(person, sex=sex))
    assert "sex" not in {one.component for one in TRQN.section(SelectionSection).score}


@given(terms, attributes, standings, st.integers(1, 5), skills)
def test_more_never_lowers_the_score(
    wanted: Terms, person: Attributes, facts: Standing, more: int, skill: LanguageSkill
) -> None:
    before = score(TRQN, wanted, person, facts)[0]
    more_education = better(person, education=min(8, (person.education or 0) + more))
    more_experience = better(person, experience_years=min(80, (person.experience_years or 0) + more))
    more_languages = better(person, languages=(*person.languages, skill))
    for grown in (more_education, more_experience, more_languages):
        assert score(TRQN, wanted, grown, facts)[0] >= before
        assert {one.criterion for one in unmet_terms(wanted, grown)} <= {
            one.criterion for one in unmet_terms(wanted, person)
        }


@given(terms, attributes)
def test_who_has_returned_before_never_scores_higher(wanted: Terms, person: Attributes) -> None:
    assert score(TRQN, wanted, person, Standing(0))[0] >= score(TRQN, wanted, person, Standing(1))[0]


@given(terms, st.lists(attributes, max_size=8), st.randoms())
def test_the_ranking_is_a_total_order_whatever_order_they_come_in(
    wanted: Terms, people: list[Attributes], rng: Any
) -> None:
    scored = [(score(TRQN, wanted, one)[0], derived_id(str(number))) for number, one in enumerate(people)]
    ranked = sorted(scored, key=lambda one: rank_key(*one))
    rng.shuffle(scored)
    assert sorted(scored, key=lambda one: rank_key(*one)) == ranked
    assert len({rank_key(*one) for one in scored}) == len(scored)
    assert [points for points, _ in ranked] == sorted((points for points, _ in ranked), reverse=True)


def test_exact_terms_give_half_of_each_graded_component() -> None:
    languages = (LanguageSkill(language="en", level="B2"),)
    wanted = Terms(
        institution=derived_id("institution"),
        country="AF",
        sector="health",
        host_type="public",
        occupation="2211",
        starts_on=date(2007, 5, 1),
        ends_on=date(2007, 8, 1),
        education=6,
        experience_years=5,
        languages=languages,
    )
    person = Attributes(
        education=6, experience_years=5, languages=languages, occupation="2212", sector="health", country_of_origin="AF"
    )
    total, components = score(TRQN, wanted, person)
    assert {one.component: one.points for one in components} == {
        "occupation": 22,
        "sector": 20,
        "education": 5,
        "experience": 7,
        "language": 5,
        "origin": 10,
        "first_time": 5,
    }
    assert total == 74
    assert score(TRQN, wanted, better(person, occupation="2211", education=8, experience_years=15))[0] == 95


def test_each_failed_criterion_says_what_it_requires_and_what_there_is() -> None:
    person = Attributes(
        country_of_residence="DE", country_of_origin="AF", residence_status="citizen", birth_year=1990, education=3
    )
    failed = failed_criteria(TRQN, person, date(2007, 3, 1))
    assert [(one.criterion, one.required, one.actual) for one in failed] == [
        ("residence", ["NL"], "DE"),
        ("age", 18, 17),
        ("education", 4, 3),
        ("experience", 2, None),
    ]


@pytest.mark.parametrize(
    ("first", "others", "actual"),
    [("AF", [], None), ("NL", ["AF"], None), ("NL", ["SU"], ["NL", "SU"]), ("NL", [], "NL"), (None, [], None)],
)
def test_a_criterion_on_nationality_looks_at_every_one(first: str | None, others: list[str], actual: Any) -> None:
    criterion = {
        "criterion": "tested",
        "name": {"en": "Tested"},
        "attribute": "nationality",
        "operator": "one_of",
        "required": ["AF", "XXA"],
    }
    definition = TRQN.model_validate({**TRQN.as_json(), "selection": {"eligibility": [criterion]}})
    person = Attributes.model_validate({"nationality": first, "other_nationalities": others})
    failed = failed_criteria(definition, person, date(2007, 1, 1))
    assert (failed == ()) is ("AF" in (first, *others))
    assert [one.actual for one in failed] == ([] if failed == () else [actual])


@given(attributes, st.dates(date(2006, 1, 1), date(2030, 1, 1)))
def test_sex_never_matters_to_eligibility_and_who_fails_nothing_meets_all(person: Attributes, on: date) -> None:
    failed = failed_criteria(TRQN, person, on)
    assert failed == failed_criteria(TRQN, better(person, sex="not_stated"), on)
    meets = (
        person.country_of_residence == "NL"
        and person.country_of_origin in TRQN.countries_of_origin
        and person.residence_status in ("citizen", "permanent")
        and person.birth_year is not None
        and on.year - person.birth_year >= 18
        and (person.education or 0) >= 4
        and (person.experience_years or 0) >= 2
    )
    assert (failed == ()) == meets


@pytest.mark.parametrize(
    ("operator", "attribute", "required", "languages", "meets"),
    [
        ("language_at_least", "languages", {"language": "en", "level": "B2"}, [("en", "C1")], True),
        ("language_at_least", "languages", {"language": "en", "level": "B2"}, [("en", "B1"), ("fr", "C2")], False),
        ("language_at_least", "languages", {"language": "haz", "level": "B2"}, [("haz", "C1")], True),
        ("language_at_least", "languages", {"language": "eng", "level": "B2"}, [("en", "C1")], True),
        ("language_at_least", "languages", {"language": "fa", "level": "B2"}, [("prs", "C2")], False),
        ("any_of", "languages", [{"language": "en", "level": "B1"}, {"language": "so", "level": "C1"}], [], False),
        (
            "any_of",
            "languages",
            [{"language": "en", "level": "B1"}, {"language": "so", "level": "C1"}],
            [("so", "C2")],
            True,
        ),
        ("at_most", "education", 6, [], True),
        ("at_most", "education", 4, [], False),
    ],
)
def test_operators(operator: str, attribute: str, required: Any, languages: list[tuple[str, str]], meets: bool) -> None:
    criterion = {
        "criterion": "tested",
        "name": {"en": "Tested"},
        "attribute": attribute,
        "operator": operator,
        "required": required,
    }
    definition = TRQN.model_validate({**TRQN.as_json(), "selection": {"eligibility": [criterion]}})
    person = Attributes.model_validate(
        {"education": 6, "languages": [{"language": language, "level": level} for language, level in languages]}
    )
    assert (failed_criteria(definition, person, date(2007, 1, 1)) == ()) is meets
