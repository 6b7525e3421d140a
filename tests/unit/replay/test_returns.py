"""Whatever a chapter of returns can state holds in its steps, on an example that states all of it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import pytest
from pydantic import TypeAdapter

from deploy.replay.expansion import planned
from deploy.replay.history import Figure, lint_history
from deploy.replay.planned import counted
from deploy.replay.returns.model import Returns
from deploy.replay.returns.people import Expert
from deploy.replay.returns.requests import Registering
from services.registration.domain.fields import DocumentNumber
from shared.contracts.registration.persons import Attributes
from shared.programmes.eligibility import failed_criteria
from shared.programmes.sections.selection import SelectionSection
from tests.unit.replay.files import EXAMPLE, RETURNS_PROGRAMME, check_found, told

ALL = told(EXAMPLE)
(CHAPTER,) = ALL.history.chapters
assert isinstance(CHAPTER, Returns)
STARTED = ALL.of("confirm-arrival")
EXPERT = Expert(1, CHAPTER.population.groups[0], "female", Attributes(country_of_residence="NL"))


def goes(step: Any) -> str:
    (name,) = step.about
    return str(name)


def terms(step: Any) -> Any:
    return ALL.step(step.id.split("/")[0] + "/draft").body["terms"]


@pytest.mark.parametrize("figure", ALL.history.figures, ids=lambda one: f"{one.indicator}-{one.period}-{one.by}")
def test_every_figure_comes_out_of_the_plan(figure: Figure) -> None:
    value = counted(RETURNS_PROGRAMME, ALL.plan.facts, figure.indicator, figure.period, figure.by)
    assert figure.met(value), value


@pytest.mark.parametrize("seed", range(8))
def test_every_seed_gives_the_figures(seed: int) -> None:
    plan = planned(ALL.history.model_copy(update={"seed": seed}), RETURNS_PROGRAMME)
    off = [
        (one.indicator, value)
        for one in ALL.history.figures
        if not one.met(value := counted(RETURNS_PROGRAMME, plan.facts, one.indicator, one.period, one.by))
    ]
    assert off == []


def test_everybody_registers_in_the_window_and_before_anything_else() -> None:
    window = CHAPTER.population.registered
    days = [step.happened_at.date() for step in ALL.of("experts")]
    assert len(days) == 68
    assert all(window.starts <= day < window.ends for day in days)
    first: dict[str, datetime] = {}
    for step in sorted(ALL.steps, key=lambda one: one.happened_at):
        for name in step.about:
            first.setdefault(name, step.happened_at)
    assert all(ALL.step(f"{name}/screen").happened_at < at for name, at in first.items())


def test_residences_nationalities_categories_and_languages_are_as_stated() -> None:
    people = {step.id.split("/")[0]: step for step in ALL.of("experts")}
    every = {name: ALL.attributes(name) for name in people}
    eligible = {
        name: one for name, one in every.items() if not failed_criteria(RETURNS_PROGRAMME, one, date(2006, 5, 1))
    }
    assert Counter(one.country_of_residence for one in eligible.values()) == {"NL": 30, "DE": 20, "FI": 15}
    by_category = Counter((one.category, one.sex) for one in every.values())
    assert by_category[("intern", "female")] == 5
    assert by_category[("diaspora", "other")] == 1
    assert by_category[("local", "male")] == 3
    assert {one.nationality for one in every.values() if one.category == "local"} == {"SO"}
    citizens = [one for one in every.values() if one.residence_status == "citizen" and one.category != "local"]
    assert all(one.nationality == one.country_of_residence for one in citizens)
    spoken = Counter(skill.level for one in eligible.values() for skill in one.languages if skill.language == "en")
    assert spoken == {"B1": 15, "B2": 30, "C1": 20}
    assert all(step.body["consents"] == ["placement", "stories"] for step in people.values())


def test_two_histories_share_no_document_number_however_alike_their_codes_are() -> None:
    numbers: list[str] = []
    for code in ("h-1", "h1", "h.1", "H-1", "h-10"):
        steps = Registering(code, "example-returns", ()).steps(EXPERT, datetime(2006, 5, 1, tzinfo=UTC))
        person: Any = next(steps).body["person"]
        numbers.append(TypeAdapter(DocumentNumber).validate_python(person["document"]["number"]))
    assert len(set(numbers)) == 5
    documents = [step.body["person"]["document"]["number"] for step in ALL.of("experts")]
    assert len(set(documents)) == 68


def test_so_many_hosts_received_somebody_and_no_other() -> None:
    received: dict[tuple[str, str | None], set[str]] = {}
    for step in STARTED:
        told_of = terms(step)
        received.setdefault((step.office, told_of.get("area")), set()).add(told_of["institution"])
    assert len(received[("kabul", None)]) == 5
    assert len(received[("nairobi", "puntland")]) == 5


def test_modalities_are_as_stated_and_nobody_travels_for_virtual_work() -> None:
    forms = Counter(terms(step)["modality"] for step in STARTED)
    assert forms == {"temporary": 10, "repeated": 3, "virtual": 5, "permanent": 2}
    virtual = {step.id.split("/")[0] for step in STARTED if terms(step)["modality"] == "virtual"}
    assert not virtual & {step.id.split("/")[0] for step in ALL.of("depart")}
    again = Counter(goes(step) for step in STARTED)
    repeated = [goes(step) for step in STARTED if terms(step)["modality"] == "repeated"]
    assert all(again[name] == 2 for name in repeated)


def test_shortlists_have_the_stated_length_and_so_many_apply() -> None:
    lists = [step for step in ALL.of("shortlist") if len(step.about) > 1]
    assert {len(step.about) for step in lists} == {4}
    assert {len(step.body["experts"]) for step in lists} == {1}
    alone = [step for step in ALL.of("shortlist") if len(step.about) == 1]
    assert [step.body["override_reason"] for step in alone] == ["single_candidate"] * 2
    for step in alone:
        case = step.id.split("/")[0]
        assert [one.id for one in ALL.steps if one.id.startswith(case + "/")][-1] == f"{case}/decline"


def test_returns_lie_apart_and_are_extended_as_often_as_stated() -> None:
    days: dict[str, list[date]] = {}
    for step in STARTED:
        days.setdefault(goes(step), []).append(step.happened_at.date())
    gaps = [(later - earlier).days for one in days.values() for earlier, later in pairwise(sorted(one))]
    assert len(gaps) == 3
    assert min(gaps) >= 100
    assert Counter(Counter(step.id.split("/")[0] for step in ALL.of("extend")).values()) == {1: 2, 2: 1}


def test_called_off_before_or_after_the_contract() -> None:
    cancelled = {step.id.split("/")[0]: step.body["reason"] for step in ALL.of("cancel")}
    contracted = {step.id.split("/")[0] for step in ALL.of("contract")}
    assert sorted((reason, case in contracted) for case, reason in cancelled.items()) == [
        ("host_closed", False),
        ("security", True),
    ]


def test_corrections_and_withdrawals_come_after_everything_else() -> None:
    corrections = {step.id.split("/")[0]: step for step in ALL.of("correct-profile")}
    first = {name: ALL.step(f"{name}/register").body["person"] for name in corrections}
    wrong = Counter(_wrong(first[name], ALL.attributes(name)) for name in corrections)
    assert wrong == {"sex": 2, "birth_year": 3}
    assert {goes(step) for step in STARTED} >= set(corrections)
    withdrawn = ALL.of("withdraw-consent")
    assert Counter((step.office, step.body["purpose"]) for step in withdrawn) == {
        ("kabul", "placement"): 2,
        ("nairobi", "stories"): 1,
    }
    last = max(step.happened_at for step in ALL.steps if step.phase == "delivery")
    assert all(step.happened_at > last for step in (*corrections.values(), *withdrawn))


def _wrong(first: Any, attributes: Any) -> str:
    (name,) = (key for key, value in first["attributes"].items() if attributes.model_dump(mode="json")[key] != value)
    return str(name)


@pytest.mark.parametrize(
    ("old", "new", "pointer", "rule"),
    [
        (
            "starts: 2006-04-05, ends: 2006-08-01",
            "starts: 2006-07-05, ends: 2006-08-01",
            "population/registered/starts",
            "window_too_late",
        ),
        (
            "starts: 2006-04-05, ends: 2006-08-01",
            "starts: 2006-03-05, ends: 2006-08-01",
            "population/registered/starts",
            "outside_programme",
        ),
        ("consents: [placement, stories]", "consents: [stories]", "population/consents", "consent_missing"),
        (
            "code: af, office: kabul, origin: AF,",
            "code: af, office: kabul, origin: AF, residence: NL,",
            "population/groups/0/residence",
            "stated_twice",
        ),
        ("category: intern,", "category: trainee,", "population/groups/1/category", "unknown_code"),
        (
            "languages: {so: C2}, female: 5",
            "languages: {so: C2, en: B1}, female: 5",
            "population/groups/1/languages/en",
            "stated_twice",
        ),
        ("{code: DE, persons: 20}", "{code: DE, persons: 21}", "population/residences", "marginal_sum"),
        ("{code: DE, persons: 20}", "{code: QQ, persons: 20}", "population/residences/1/code", "unknown_country"),
        ("{level: B2, persons: 30}", "{level: B2, persons: 31}", "population/languages/en", "marginal_sum"),
        ("first_said: male, persons: 2", "first_said: male, persons: 200", "population/corrections", "too_many"),
        ("{office: kabul, persons: 2}", "{office: kabul, persons: 20}", "population/withdrawn/0", "too_many"),
        (
            "education: 3, health: 3}\n        received: 5",
            "education: 3, health: 3}\n        received: 7",
            "hosts/0/received",
            "too_many",
        ),
        ("area: somaliland\n        number", "area: puntland\n        number", "hosts/2/area", "hosts_repeated"),
        ("area: somaliland\n        number", "area: jubaland\n        number", "hosts/2/area", "unknown_code"),
        (
            "area: somaliland, group: local,",
            "area: jubaland, group: local,",
            "deliveries/placed/4/area",
            "unknown_area",
        ),
        (
            "area: somaliland, group: local,",
            "area: somaliland, group: af,",
            "deliveries/placed/4/group",
            "unknown_group",
        ),
        ("virtual: 5", "virtual: 6", "deliveries/modalities", "marginal_sum"),
        ("names: 4", "names: 6", "deliveries/shortlist/names", "shortlist_bounds"),
        ("applying: 3", "applying: 5", "deliveries/shortlist/applying", "shortlist_bounds"),
        ("apart_days: 100", "apart_days: 50", "deliveries/apart_days", "too_close"),
        ("value: 40.0", "value: 40.05", "figures/14/value", "too_precise"),
        ("by: {modality: virtual}", "by: {form: virtual}", "figures/10/by/form", "unknown_dimension"),
        (
            "period: whole, value: 71",
            "period: whole, by: {office: kabul}, value: 71",
            "figures/3/by/office",
            "no_breakdown",
        ),
        ("by: {sex: female}, value: 8", "by: {age: old}, value: 8", "figures/8/by/age", "unknown_class"),
        ("by: {sex: female}, value: 8", "by: {sex: woman}, value: 8", "figures/8/by/sex", "unknown_class"),
        ("by: {sex: female}, value: 8", "by: {origin: IQ}, value: 8", "figures/8/by/origin", "unknown_class"),
        ("by: {sex: female}, value: 8", "by: {residence: BE}, value: 8", "figures/8/by/residence", "unknown_class"),
        ("by: {country: AF}", "by: {country: IQ}", "figures/21/by/country", "unknown_class"),
        ("by: {modality: virtual}", "by: {modality: remote}", "figures/10/by/modality", "unknown_class"),
        ("by: {category: local}", "by: {category: locals}", "figures/13/by/category", "unknown_class"),
        ("origin: AF,", "origin: IQ,", "population/groups/0/origin", "unknown_code"),
        ("{code: DE,", "{code: BE,", "population/residences/1/code", "unknown_code"),
    ],
)
def test_the_linter_finds_what_does_not_hold(old: str, new: str, pointer: str, rule: str) -> None:
    check_found(EXAMPLE, (old, new), pointer, rule)


@pytest.mark.parametrize("by", ["{sex: not_stated}", "{nationality: BE}", "{area: not_stated}", "{residence: FR}"])
def test_a_figure_may_stand_where_somebody_can_be(by: str) -> None:
    text = EXAMPLE.replace("by: {sex: female}, value: 8", f"by: {by}, value: 0")
    # Whoever lives elsewhere is ineligible, and registered all the same.
    old = "{criterion: experience, attribute: experience_years, value: 0,"
    text = text.replace(old, "{criterion: residence, attribute: country_of_residence, value: FR,")
    assert lint_history(text, RETURNS_PROGRAMME) == []


def test_where_no_residences_are_listed_any_may_be_named() -> None:
    (residence, *others) = RETURNS_PROGRAMME.section(SelectionSection).eligibility
    assert residence.criterion == "residence"
    selection = RETURNS_PROGRAMME.section(SelectionSection).model_copy(update={"eligibility": tuple(others)})
    open_to_all = RETURNS_PROGRAMME.model_copy(update={"countries_of_residence": (), "selection": selection})
    text = EXAMPLE.replace("{code: DE,", "{code: BE,").replace(
        "by: {sex: female}, value: 8", "by: {residence: BE}, value: 8"
    )
    assert lint_history(text, open_to_all) == []
