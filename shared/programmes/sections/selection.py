"""The section `selection`: who may be chosen, how experts are scored, and how seats are offered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.base import Code
from shared.contracts.iso_codes import A_LANGUAGE
from shared.contracts.registration.persons import LANGUAGES_AT_MOST, LanguageSkill
from shared.programmes.indicators import Declared, Listing, Texts
from shared.programmes.marked_yaml import Broken
from shared.programmes.sections.base import CaseSection, Known, Listed

Operator = Literal["one_of", "at_least", "at_most", "age_at_least", "language_at_least", "any_of"]
Component = Literal["occupation", "sector", "education", "experience", "language", "origin", "first_time"]
CriterionAttribute = Literal[
    "sex",
    "nationality",
    "country_of_origin",
    "country_of_residence",
    "residence_status",
    "sector",
    "category",
    "education",
    "experience_years",
    "birth_year",
    "languages",
]

# What a person can have; of the year of birth, the years completed. A criterion beyond it admits nobody or everybody.
POSSIBLE: Mapping[str, range] = {"education": range(9), "experience_years": range(81), "birth_year": range(1, 121)}


class Criterion(Declared):
    """One condition of eligibility.

    | operator | attribute | required |
    |---|---|---|
    | one_of | a coded one | list of codes |
    | at_least, at_most | education, experience_years | integer, inclusive |
    | age_at_least | birth_year | years completed by the end of the calendar year |
    | language_at_least | languages | one {language, level}: that CEFR level or higher |
    | any_of | languages | list of {language, level}: any one of them |
    """

    criterion: Annotated[Code, Field(description="its code; a refusal names it")]
    name: Annotated[Texts, Field(description="what people read")]
    attribute: Annotated[CriterionAttribute, Field(description="what of the person is looked at")]
    operator: Annotated[Operator, Field(description="how it is compared")]
    required: Annotated[
        int | LanguageSkill | Annotated[tuple[LanguageSkill, ...], Field(max_length=LANGUAGES_AT_MOST)] | Listing,
        Field(description="what it is compared with, of the operator's type"),
    ]


class Weight(Declared):
    """How many of the 100 points a component may give. There is none for sex, and there cannot be one."""

    component: Annotated[Component, Field(description="what gives points")]
    weight: Annotated[int, Field(ge=1, le=100, description="points at most; all weights sum to 100")]


class Shortlist(Declared):
    """How many names a post's shortlist has, and whether its host has a say in them."""

    least: Annotated[int, Field(ge=3, le=5, description="names without a reason for fewer")] = 3
    most: Annotated[int, Field(ge=3, le=5, description="names at most")] = 5
    host_confirms: Annotated[
        bool, Field(description="whether the host institution agrees to a candidate before there is an offer")
    ] = False


class Offers(Declared):
    """How long an offer stands."""

    expires_days: Annotated[int, Field(ge=1, le=365, description="days until an unanswered offer expires")] = 14


class Appeals(Declared):
    """How long whoever was found ineligible, or suspended, may appeal."""

    within_days: Annotated[
        int,
        Field(ge=1, le=365, description="days after the decision's, in the office's time zone"),
    ] = 30


class Seats(Declared):
    """How many seats an assignment offers, and who follows where one is free."""

    most: Annotated[int, Field(ge=1, le=100, description="seats that one assignment may offer")] = 1
    reserve: Annotated[bool, Field(description="a free seat goes to the next of the shortlist")] = True


class AskedDocument(Listed):
    """A document that whoever applies adds as a file. `needed` stops no application: pages say what is missing."""

    needed: Annotated[bool, Field(description="whether the office needs it to go on")] = False
    most: Annotated[int, Field(ge=1, le=20, description="files of it at most")] = 1


class SelectionSection(CaseSection):
    """Eligibility, scores, shortlists, offers and seats: what matching does for the programme."""

    adds = {**CaseSection.adds, "item": "items"}

    items: Annotated[
        tuple[Listed, ...],
        Field(max_length=100, description="further items, beside the service's, that may be asked for"),
    ] = ()
    documents: Annotated[
        tuple[AskedDocument, ...],
        Field(max_length=20, description="documents that are asked for as files; without any, none is taken"),
    ] = ()
    eligibility: Annotated[
        tuple[Criterion, ...], Field(max_length=50, description="what a person must meet; without any, everybody does")
    ] = ()
    score: Annotated[
        tuple[Weight, ...],
        Field(max_length=20, description="the components of an expert's score; the weights sum to 100"),
    ] = ()
    shortlist: Annotated[Shortlist, Field(description="how many names")] = Shortlist()
    appeals: Annotated[Appeals, Field(description="how long a decision may be appealed")] = Appeals()
    offers: Annotated[Offers, Field(description="how long an offer stands")] = Offers()
    seats: Annotated[Seats, Field(description="seats an assignment, and reserves")] = Seats()

    def document(self, code: str) -> AskedDocument | None:
        return next((one for one in self.documents if one.code == code), None)

    def weights(self) -> Mapping[Component, int]:
        return {one.component: one.weight for one in self.score}

    def broken(self, known: Known) -> Iterator[Broken]:
        total = sum(one.weight for one in self.score)
        if self.score and total != 100:
            yield Broken("/score", "weights_sum", f"the weights sum to {total}, not to 100")
        if self.shortlist.least > self.shortlist.most:
            yield Broken("/shortlist/most", "shortlist_backwards", "most is not below least")
        for number, one in enumerate(self.eligibility):
            yield from _criterion(one, f"/eligibility/{number}/required", known)


def _criterion(one: Criterion, pointer: str, known: Known) -> Iterator[Broken]:
    if not _fits(one):
        yield Broken(pointer, "operator_mismatch", "operator, attribute and required do not fit")
        return
    possible = POSSIBLE.get(one.attribute)
    if possible and one.required not in possible:
        yield Broken(pointer, "criterion_not_possible", f"from {possible[0]} to {possible[-1]}, as persons have it")
        return
    for place, value in enumerate(one.required if isinstance(one.required, tuple) else ()):
        if isinstance(value, str) and value not in known.get(one.attribute, {value}):
            yield Broken(f"{pointer}/{place}", "unknown_code", "the programme does not list this code")
    skills = one.required if isinstance(one.required, tuple) else (one.required,)
    if any(isinstance(skill, LanguageSkill) and skill.language not in known["language"] for skill in skills):
        yield Broken(pointer, "unknown_language", A_LANGUAGE)


def _fits(one: Criterion) -> bool:
    """Whether the operator can compare this attribute with what is required; the table is in `Criterion`."""
    required = one.required
    listed = isinstance(required, tuple) and bool(required)
    of_skills = isinstance(required, tuple) and all(isinstance(value, LanguageSkill) for value in required)
    numbers = ("education", "experience_years")
    match one.operator:
        case "at_least" | "at_most":
            return isinstance(required, int) and one.attribute in numbers
        case "age_at_least":
            return isinstance(required, int) and one.attribute == "birth_year"
        case "language_at_least":
            return isinstance(required, LanguageSkill) and one.attribute == "languages"
        case "any_of":
            return listed and of_skills and one.attribute == "languages"
        case "one_of":
            return listed and not of_skills and one.attribute not in (*numbers, "birth_year", "languages")
