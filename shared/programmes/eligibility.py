"""Whether a person meets a programme's declared criteria, and the requirements of terms of reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from pydantic import JsonValue

from shared.contracts.matching.assignments import Terms
from shared.contracts.registration.persons import Attributes, Cefr, LanguageSkill
from shared.programmes.model import Definition
from shared.programmes.sections.selection import Criterion, Operator, SelectionSection

LEVELS: tuple[Cefr, ...] = ("A1", "A2", "B1", "B2", "C1", "C2")


@dataclass(frozen=True)
class FailedCriterion:
    """A condition that is not met. `actual` is the person's own value (None: not stated): registration keeps it."""

    criterion: str
    required: JsonValue
    actual: JsonValue


@dataclass(frozen=True)
class WeighedCriterion(FailedCriterion):
    """A condition, and whether it is met."""

    met: bool = False


def level_rank(level: Cefr) -> int:
    """0 for A1 to 5 for C2."""
    return LEVELS.index(level)


def speaks(attributes: Attributes, required: LanguageSkill) -> bool:
    """Whether the language is spoken at that CEFR level or higher."""
    return any(
        held.language == required.language and level_rank(held.level) >= level_rank(required.level)
        for held in attributes.languages
    )


def failed_criteria(definition: Definition, attributes: Attributes, on: date) -> tuple[FailedCriterion, ...]:
    """The criteria of the definition that the person does not meet on that day, in the file's order.

    What a person has not stated does not meet a criterion. Raises Refusal `not_in_programme` without a selection.
    """
    weighed = weighed_criteria(definition, attributes, on)
    return tuple(FailedCriterion(one.criterion, one.required, one.actual) for one in weighed if not one.met)


def weighed_criteria(definition: Definition, attributes: Attributes, on: date) -> tuple[WeighedCriterion, ...]:
    """Every criterion of the definition as it stands with the person on that day; as `failed_criteria` says."""
    return tuple(
        WeighedCriterion(
            one.criterion,
            _required(one),
            _actual(one, attributes, on),
            met=_CHECKS[one.operator](one, attributes, on),
        )
        for one in definition.section(SelectionSection).eligibility
    )


def unmet_terms(terms: Terms, attributes: Attributes) -> tuple[FailedCriterion, ...]:
    """The hard filters of terms of reference that the person does not pass: education, experience, languages.

    Everything else (occupation, sector, ...) moves the score and excludes nobody.
    """
    failed = []
    if (attributes.education or 0) < terms.education:
        failed.append(FailedCriterion("education", terms.education, attributes.education))
    if (attributes.experience_years or 0) < terms.experience_years:
        failed.append(FailedCriterion("experience", terms.experience_years, attributes.experience_years))
    missing = [skill for skill in terms.languages if not speaks(attributes, skill)]
    if missing:
        failed.append(FailedCriterion("languages", _json_of(tuple(missing)), _json_of(attributes.languages)))
    return tuple(failed)


def terms_met(terms: Terms, attributes: Attributes) -> tuple[dict[str, JsonValue], ...]:
    """What the hard filters of the terms ask for: `criterion`, `required`, and `met`; null where the person has not
    stated what it is held against."""
    asked: dict[str, JsonValue] = {
        "education": terms.education,
        "experience": terms.experience_years,
        "languages": _json_of(terms.languages),
    }
    failed = {one.criterion: one for one in unmet_terms(terms, attributes)}
    return tuple(
        {
            "criterion": name,
            "required": required,
            "met": name not in failed or (False if failed[name].actual else None),
        }
        for name, required in asked.items()
        if required
    )


def _codes(one: Criterion) -> tuple[object, ...]:
    return one.required if isinstance(one.required, tuple) else ()


def _one_of(one: Criterion, attributes: Attributes, on: date) -> bool:
    return any(code in _codes(one) for code in _held(one, attributes))


def _held(one: Criterion, attributes: Attributes) -> tuple[str | None, ...]:
    """The person's codes: of nationalities each one counts, whichever is counted in figures."""
    return attributes.nationalities if one.attribute == "nationality" else (getattr(attributes, one.attribute),)


def _at_least(one: Criterion, attributes: Attributes, on: date) -> bool:
    value = getattr(attributes, one.attribute)
    return isinstance(one.required, int) and value is not None and value >= one.required


def _at_most(one: Criterion, attributes: Attributes, on: date) -> bool:
    value = getattr(attributes, one.attribute)
    return isinstance(one.required, int) and value is not None and value <= one.required


def _age_at_least(one: Criterion, attributes: Attributes, on: date) -> bool:
    born = attributes.birth_year
    return isinstance(one.required, int) and born is not None and on.year - born >= one.required


def _language_at_least(one: Criterion, attributes: Attributes, on: date) -> bool:
    return isinstance(one.required, LanguageSkill) and speaks(attributes, one.required)


def _any_of(one: Criterion, attributes: Attributes, on: date) -> bool:
    return any(isinstance(skill, LanguageSkill) and speaks(attributes, skill) for skill in _codes(one))


_CHECKS: dict[Operator, Callable[[Criterion, Attributes, date], bool]] = {
    "one_of": _one_of,
    "at_least": _at_least,
    "at_most": _at_most,
    "age_at_least": _age_at_least,
    "language_at_least": _language_at_least,
    "any_of": _any_of,
}


def _required(one: Criterion) -> JsonValue:
    return _json_of(one.required)


def _actual(one: Criterion, attributes: Attributes, on: date) -> JsonValue:
    if one.operator == "age_at_least":
        return None if attributes.birth_year is None else on.year - attributes.birth_year
    if one.attribute == "nationality" and attributes.other_nationalities:
        return _json_of(attributes.nationalities)
    return _json_of(getattr(attributes, one.attribute))


def _json_of(value: object) -> JsonValue:
    if isinstance(value, LanguageSkill):
        return {"language": value.language, "level": value.level}
    if isinstance(value, tuple):
        return [_json_of(item) for item in value]
    return value if value is None or isinstance(value, int) else str(value)
