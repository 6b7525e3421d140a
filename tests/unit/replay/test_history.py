"""The history of trqn-1: its expansion holds every stated marginal, and the same file gives the same steps."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deploy.replay.expansion import expand, planned
from deploy.replay.history import Figure, History, history_schema, lint_history, load_history
from deploy.replay.planned import counted
from deploy.replay.returns.hosts import HistoryImpossible
from deploy.replay.returns.model import Returns
from deploy.replay.steps import PHASES, NotAnswered, Step, resolve
from shared.clock import derived_id
from shared.contracts.matching.assignments import Terms
from shared.contracts.registration.persons import Attributes
from shared.programmes.eligibility import failed_criteria, unmet_terms
from shared.programmes.indicators import share_value
from shared.programmes.loader import FileRefused, load_definition
from shared.programmes.scoring import score
from shared.programmes.sections.placement import PlacementSection

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
FILE = DEPLOY / "histories/trqn-1.yaml"
TEXT = FILE.read_text(encoding="utf-8")
TRQN = load_definition(DEPLOY / "programmes/trqn-1.yaml")
HISTORY = load_history(FILE, TRQN)
PLAN = planned(HISTORY, TRQN)
STEPS = PLAN.steps
(CHAPTER,) = HISTORY.chapters
assert isinstance(CHAPTER, Returns)
BY_ID = {step.id: step for step in STEPS}


def verb(step: Step) -> str:
    return step.path.rsplit("/", 1)[1]


def steps_of(name: str) -> list[Step]:
    return [step for step in STEPS if verb(step) == name]


def expert_of(step: Step) -> str:
    """Whom a step on one match or placement is about."""
    (name,) = step.about
    return name


def attributes_of(expert: str) -> Attributes:
    person: Any = BY_ID[f"{expert}/register"].body["person"]
    return Attributes.model_validate(person["attributes"])


def terms_of(step: Step) -> Terms:
    terms: Any = BY_ID[step.id.split("/")[0] + "/draft"].body["terms"]
    return Terms.model_validate({**terms, "institution": derived_id("any")})


STARTED = steps_of("confirm-arrival")


def shown() -> dict[tuple[str, str], int | Decimal | None]:
    """Every indicator of the figures, recounted from the steps alone."""
    women = sum(attributes_of(expert_of(step)).sex == "female" for step in STARTED)
    first = sum(step.happened_at < datetime(2007, 8, 1, tzinfo=UTC) for step in STARTED)
    counts: dict[str, int | Decimal | None] = {
        "registrations": len(steps_of("experts")),
        "eligible_experts": sum(not failed(step.id.split("/")[0]) for step in steps_of("experts")),
        "requests": len(steps_of("submit")),
        "applications": len(steps_of("applications")),
        "offers_declined": len(steps_of("decline")),
        "contracts": len(steps_of("contract")) + len(steps_of("extend")),
        "assignments": len(STARTED),
        "assignments_by_women": women,
        "women_share": share_value(women, len(STARTED), 0),
        "persons_placed": len({expert_of(step) for step in STARTED}),
        "returns_completed": len(steps_of("complete")),
        "ended_early": len(steps_of("end-early")),
        "no_shows": len(steps_of("report-no-show")),
    }
    whole = {(name, "whole"): value for name, value in counts.items()}
    return {**whole, ("assignments", "first-report"): first, ("assignments", "second-report"): len(STARTED) - first}


def failed(expert: str) -> list[str]:
    screened = BY_ID[f"{expert}/screen"].happened_at.date()
    return [one.criterion for one in failed_criteria(TRQN, attributes_of(expert), screened)]


@pytest.mark.parametrize("figure", HISTORY.figures, ids=lambda one: f"{one.indicator}-{one.period}-{one.origin}")
def test_every_figure_comes_out_of_the_steps(figure: Figure) -> None:
    assert figure.met(shown()[(figure.indicator, figure.period)])
    assert figure.met(counted(TRQN, PLAN.facts, figure.indicator, figure.period, figure.by))


def test_the_published_figures_are_the_golden_ones() -> None:
    golden = {
        (one.indicator, one.period): (one.comparison, one.value) for one in HISTORY.figures if one.origin == "published"
    }
    assert golden == {
        ("assignments", "first-report"): ("equals", 160),
        ("assignments", "whole"): ("equals", 272),
        ("women_share", "whole"): ("equals", 25),
        ("registrations", "whole"): ("at_least", 500),
        ("requests", "whole"): ("at_least", 280),
    }


def test_marginals_of_the_people_hold_exactly() -> None:
    population = CHAPTER.population
    people = [step.id.split("/")[0] for step in steps_of("experts")]
    by_group = Counter((BY_ID[f"{one}/register"].office, attributes_of(one).sex) for one in people)
    for group in population.groups:
        assert by_group[(group.office, "female")] == group.female
        assert by_group[(group.office, "male")] == group.male
    reasons = Counter(tuple(failed(one)) for one in people)
    assert reasons == {
        (): population.eligible,
        **{(one.criterion,): one.persons for one in population.ineligible},
    }
    eligible = [attributes_of(one) for one in people if not failed(one)]
    for name, field in (("birth_years", "birth_year"), ("education", "education"), ("experience_years",) * 2):
        for band in getattr(population, name):
            assert sum(band.least <= getattr(one, field) <= band.most for one in eligible) == band.persons
    assert Counter(one.sector for one in eligible) == {one.sector: one.persons for one in population.professions}
    assert Counter(one.residence_status for one in eligible) == {
        one.code: one.persons for one in population.residence_statuses
    }
    english = Counter(skill.level for one in eligible for skill in one.languages if skill.language == "en")
    assert english == {one.level: one.persons for one in population.languages["en"]}


def test_marginals_of_the_returns_hold_exactly() -> None:
    times = Counter(expert_of(step) for step in STARTED)
    found: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for expert, count in times.items():
        found[(BY_ID[f"{expert}/register"].office, attributes_of(expert).sex)][count] += 1
    for placed in CHAPTER.deliveries.placed:
        stated = {count: persons for count, persons in enumerate(placed.persons_by_returns, 1) if persons}
        assert found[(placed.office, placed.sex)] == stated
    assert Counter(times.values()) == {1: 168, 2: 40, 3: 8}
    for window in CHAPTER.deliveries.starts:
        assert sum(window.starts <= step.happened_at.date() < window.ends for step in STARTED) == window.returns


def test_no_person_is_on_two_placements_at_once() -> None:
    stays: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for step in steps_of("contract"):
        extended = BY_ID.get(step.id.replace("/contract", "/extend"))
        ends = (extended or step).body["ends_on"]
        stays[expert_of(step)].append((str(step.body["starts_on"]), str(ends)))
    assert max(len(one) for one in stays.values()) == 3
    for one in stays.values():
        assert all(earlier[1] < later[0] for earlier, later in pairwise(sorted(one)))


def test_a_step_comes_after_what_it_needs_and_after_it_in_time() -> None:
    seen: dict[str, Step] = {}
    before = STEPS[0]
    for step in STEPS:
        assert step.id not in seen
        for need in step.needs:
            assert need in seen, f"{step.id} needs {need}"
            assert seen[need].happened_at <= step.happened_at
        assert PHASES.index(step.phase) >= PHASES.index(before.phase)
        seen[step.id] = before = step
    assert len(STEPS) < 7000


def test_time_never_falls_in_a_document() -> None:
    latest: dict[str, datetime] = {}
    for step in STEPS:
        document = step.path.rsplit("/", 1)[0] if "{" in step.path else step.id
        assert latest.get(document, step.happened_at) <= step.happened_at
        latest[document] = step.happened_at
    assert all(step.happened_at < datetime(2008, 7, 1, tzinfo=UTC) for step in STEPS)
    assert all(step.body["happened_at"] for step in STEPS if step.phase != "programme")


def test_what_is_about_one_person_happens_one_after_the_other() -> None:
    latest: dict[str, Step] = {}
    for step in (one for one in STEPS if one.phase == "delivery"):
        for name in step.about:
            if name in latest:
                assert latest[name].id in reached(step)
            latest[name] = step


def reached(step: Step) -> set[str]:
    """The step's needs and, within two steps more, theirs."""
    found = set(step.needs)
    for _ in range(2):
        found |= {need for one in found for need in BY_ID[one].needs}
    return found


def test_every_shortlist_has_three_eligible_people_in_the_order_of_their_scores() -> None:
    for step in steps_of("shortlist"):
        terms = terms_of(step)
        assert len(set(step.about)) == 3
        people = [attributes_of(expert) for expert in step.about]
        assert all(not failed(expert) for expert in step.about)
        assert all(unmet_terms(terms, one) == () for one in people)
        scores = [score(TRQN, terms, one)[0] for one in people]
        assert scores == sorted(set(scores), reverse=True)
        assert all(BY_ID[f"{expert}/register"].office == step.office for expert in step.about)


def test_a_declined_offer_goes_to_the_first_reserve() -> None:
    for step in steps_of("decline"):
        case = step.id.split("/")[0]
        listed = BY_ID[f"{case}/shortlist"].about
        assert expert_of(step) == listed[0]
        assert expert_of(BY_ID[f"{case}/accept-reserve"]) == listed[1]
        assert expert_of(BY_ID[f"{case}/confirm-arrival"]) == listed[1]
        assert BY_ID[f"{case}/allocate-reserve"].settled == ("allocated", "offered", "accepted")


def test_nobody_departs_before_the_obligatory_steps() -> None:
    for step in steps_of("depart"):
        case = step.id.split("/")[0]
        done = [one.body["step"] for one in steps_of_case(case) if verb(one) == "complete-step"]
        assert tuple(done) == TRQN.section(PlacementSection).obligatory_steps("temporary")


CASES: dict[str, list[Step]] = defaultdict(list)
for _step in STEPS:
    CASES[_step.id.split("/")[0]].append(_step)


def steps_of_case(name: str) -> list[Step]:
    return CASES[name]


def test_whoever_drafts_terms_does_not_approve_them() -> None:
    for step in steps_of("approve"):
        assert step.subject != BY_ID[step.id.replace("approve", "draft")].subject


def test_the_same_seed_gives_the_same_steps_and_another_one_others() -> None:
    assert expand(load_history(TEXT, TRQN), TRQN) == STEPS
    other = expand(HISTORY.model_copy(update={"seed": 7}), TRQN)
    assert other != STEPS
    assert Counter(verb(step) for step in other) == Counter(verb(step) for step in STEPS)


def test_keys_follow_from_history_and_step_alone() -> None:
    keys = {step.key("trqn-1") for step in STEPS}
    assert len(keys) == len(STEPS)
    assert STEPS[0].key("trqn-1") == derived_id("history", "trqn-1", "programme/publish")
    assert STEPS[0].key("trqn-2") not in keys


def test_references_are_replaced_by_earlier_answers() -> None:
    answers = {
        "assignment-0001/draft": {"id": "A"},
        **{f"assignment-0001/apply-{number}": {"id": "S"} for number in (1, 2)},
        **{f"{expert}/register": {"id": "R", "subject": expert} for expert in BY_ID["assignment-0001/shortlist"].about},
    }
    first = BY_ID["assignment-0001/shortlist"].about[0]
    match = derived_id("A", first)
    assert resolve(BY_ID["assignment-0001/offer"], answers).path == f"/matching/v1/matches/{match}/offer"
    contract = resolve(BY_ID["assignment-0001/contract"], answers)
    placement = derived_id(match, "placement")
    assert contract.path == f"/placement/v1/placements/{placement}/contract"
    assert [one.path for one in contract.awaits] == [f"/placement/v1/placements/{placement}"]
    shortlist = resolve(BY_ID["assignment-0001/shortlist"], answers)
    assert shortlist.body["experts"] == [BY_ID["assignment-0001/shortlist"].about[2]]
    with pytest.raises(NotAnswered):
        resolve(BY_ID["assignment-0002/offer"], answers)


def test_every_reference_names_a_step_that_is_needed_before() -> None:
    every = {step.id: {"id": derived_id(step.id), "subject": derived_id(step.id, "subject")} for step in STEPS}
    for step in STEPS:
        resolved = resolve(step, every)
        text = json.dumps([resolved.path, resolved.body, [one.path for one in resolved.awaits]])
        assert step.phase == "programme" or not any(sign in text for sign in (".id}", ".subject}", " + "))


@pytest.mark.parametrize(
    ("old", "new", "pointer", "rule"),
    [
        ("female: 46, male: 132", "female: 47, male: 132", "/population/birth_years", "marginal_sum"),
        ("returns: 112}", "returns: 113}", "/deliveries/starts", "marginal_sum"),
        (
            "persons_by_returns: [12, 3, 1]",
            "persons_by_returns: [62, 3, 1]",
            "/deliveries/placed/9",
            "too_many",
        ),
        (
            "origin: ET, residence: NL",
            "origin: ET, residence: QQ",
            "/population/groups/2/residence",
            "unknown_country",
        ),
        ("origin: ET, residence: NL", "origin: ET, residence: BE", "/population/groups/2/residence", "unknown_code"),
        (
            "languages: {ka: C2",
            "languages: {qq: C2",
            "/population/groups/3/languages/qq",
            "unknown_language",
        ),
        (
            "criterion: experience,",
            "criterion: expertise,",
            "/population/ineligible/1/criterion",
            "unknown_code",
        ),
        ("publisher: the-hague", "publisher: hague", "/publisher", "unknown_code"),
        ("starts: 2006-06-12", "starts: 2006-05-12", "/deliveries/starts/0/starts", "outside_programme"),
        (
            "duration_days: {least: 14, most: 60}",
            "duration_days: {least: 61, most: 60}",
            "/deliveries/duration_days",
            "band_backwards",
        ),
        ("ends: 2008-05-20", "ends: 2005-05-20", "/population/registered/ends", "window_backwards"),
        ("declined: 9", "declined: 900", "/deliveries", "too_many"),
        ("seed: 20060401", "seed: -1", "/seed", "greater_than_equal"),
        ("  - indicator: women_share", "  - indicator: men_share", "/figures/2/indicator", "unknown_indicator"),
        ("    period: first-report", "    period: last-report", "/figures/0/period", "unknown_period"),
        ("ended_early: [", "ended_late: [", "/deliveries/ended_late", "unknown_field"),
        ("reached: approved", "reached: filled", "/deliveries/unfilled/2/reached", "literal_error"),
        ("ict: 2, agriculture: 2,", "agriculture: 2,", "/hosts/0/number_by_sector/ict", "host_missing"),
        (
            "- office: khartoum\n        country: SD",
            "- office: juba\n        country: SD",
            "/hosts/5/office",
            "unknown_code",
        ),
    ],
)
def test_the_linter_finds_what_does_not_hold(old: str, new: str, pointer: str, rule: str) -> None:
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    if pointer.startswith(("/population", "/hosts", "/deliveries")):
        pointer = "/chapters/0" + pointer
    findings = lint_history(text, TRQN)
    (first, *_) = [one for one in findings if one.rule == rule and one.pointer.startswith(pointer)]
    changed = TEXT[: TEXT.index(old)].count("\n") + 1
    lines = {changed, changed + 1} | ({first.line} if rule in ("marginal_sum", "too_many") else set())
    assert first.line in lines
    with pytest.raises(FileRefused):
        load_history(text, TRQN)


def test_a_history_can_be_linted_without_its_programme() -> None:
    assert lint_history(TEXT) == []
    assert lint_history(TEXT, TRQN) == []
    assert history_schema()["additionalProperties"] is False


def test_marginals_that_leave_no_room_are_named() -> None:
    window = CHAPTER.deliveries.starts[0].model_copy(
        update={"starts": date(2007, 1, 1), "ends": date(2007, 2, 1), "returns": CHAPTER.deliveries.returns}
    )
    deliveries = CHAPTER.deliveries.model_copy(update={"starts": (window,)})
    chapter = CHAPTER.model_copy(update={"deliveries": deliveries})
    crowded: History = HISTORY.model_copy(update={"chapters": (chapter,)})
    with pytest.raises(HistoryImpossible, match="180 days apart"):
        expand(crowded, TRQN)


@pytest.mark.parametrize(
    ("comparison", "value", "given", "met"),
    [
        ("equals", 25, Decimal("25"), True),
        ("equals", 25, Decimal("25.5"), False),
        ("equals", 25, 24, False),
        ("at_least", 500, 512, True),
        ("at_least", 500, 499, False),
        ("at_least", 0, None, False),
    ],
)
def test_a_figure_is_met_or_not(comparison: str, value: int, given: int | Decimal | None, met: bool) -> None:
    figure = Figure.model_validate(
        {"indicator": "i", "period": "p", "comparison": comparison, "value": value, "origin": "chosen", "source": "s"}
    )
    assert figure.met(given) is met
