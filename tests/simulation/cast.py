"""Who and what the history is about: a small programme, five persons, a host, three terms of reference."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from shared.clock import derived_id
from shared.contracts.matching.assignments import Terms
from shared.programmes.loader import definition_of

CODE, OTHER_CODE, DOCUMENT = "simulated-1", "simulated-2", "diploma"
OFFICE, OTHER_OFFICE = "kabul", "herat"
PURPOSE = "placement"
# Of experience, for whoever is eligible.
LEAST_YEARS = 2
STARTS_ON = "2026-01-05"
OFFICER = derived_id("account", "officer")
SECOND_OFFICER = derived_id("account", "second officer")
PROTECTION = derived_id("account", "data-protection officer")
HOST = derived_id("account", "host")


def _indicator(code: str, kind: str, measure: Any, **more: Any) -> dict[str, Any]:
    facts = {"kinds": [kind], **more}
    return {"code": code, "name": {"en": code}, "unit": "cases", "measure": measure, "facts": facts}


WOMEN = {"where": [{"attribute": "sex", "at": "now", "one_of": ["female"]}]}


def _period(code: str, starts: str, ends: str) -> dict[str, Any]:
    return {"code": code, "name": {"en": code}, "series": "months", "starts": starts, "ends": ends}


FEMALE = {"where": [{"field": "sex", "one_of": ["female"]}]}
DEFINITION = definition_of(
    {
        "code": CODE,
        "title": {"en": "A small programme"},
        "phase": "one",
        "dates": {"starts": "2026-01-01", "ends": "2027-01-01"},
        "offices": [
            {
                "code": OFFICE,
                "name": {"en": "Kabul"},
                "country": "AF",
                "time_zone": "Asia/Kabul",
                "mailbox": {"email": "kabul@office.example", "often": "at_once"},
            },
            # Its days begin at another hour.
            {"code": OTHER_OFFICE, "name": {"en": "Herat"}, "country": "AF", "time_zone": "Asia/Tashkent"},
        ],
        "countries_of_origin": ["AF"],
        "countries_of_residence": ["NL"],
        "sectors": [{"code": "education", "name": {"en": "Education"}}],
        "selection": {
            "documents": [{"code": DOCUMENT, "name": {"en": "Diploma"}}],
            "eligibility": [
                {
                    "criterion": "experience",
                    "name": {"en": "Has worked for two years"},
                    "attribute": "experience_years",
                    "operator": "at_least",
                    "required": LEAST_YEARS,
                }
            ],
            "score": [{"component": "experience", "weight": 80}, {"component": "first_time", "weight": 20}],
            "shortlist": {"host_confirms": True},
            "offers": {"expires_days": 1},
            "seats": {"most": 2, "reserve": True},
        },
        "placement": {
            "modalities": ["temporary", "virtual"],
            "host_types": [{"code": "public", "name": {"en": "Public"}}],
            "preparation": {"temporary": ["training", "ticket"], "virtual": ["training"]},
        },
        "trainings": {"kinds": [{"code": "workshop", "name": {"en": "Workshop"}}]},
        "results": {
            "site_kinds": [{"code": "village", "name": {"en": "Village"}}],
            "work_kinds": [{"code": "water_system", "name": {"en": "Water system"}}],
            "reached": ["families"],
        },
        "disclosure": {"threshold": 3, "protection": 2, "tables": [{}, {"by": ["sex"]}]},
        "periods": [
            _period("before", "2025-12-01", "2026-01-01"),
            _period("first-month", "2026-01-01", "2026-02-01"),
        ],
        "dimensions": [
            {"code": "sex", "name": {"en": "Sex"}, "attribute": "sex", "at": "now", "statistical": True},
        ],
        "indicators": [
            _indicator("registrations", "expert_registered", {"distinct": "expert"}),
            _indicator("eligible", "expert_eligible", {"distinct": "expert"}),
            _indicator("ineligible", "expert_ineligible", {"distinct": "expert"}),
            _indicator("appeals", "appeal_filed", "count"),
            _indicator("hosts", "institution_activated", "count"),
            _indicator("requests", "assignment_requested", "count"),
            _indicator("filled", "assignment_filled", "count"),
            _indicator("applications", "application_received", "count"),
            _indicator("declined", "offer_declined", "count"),
            _indicator("accepted", "offer_accepted", "count"),
            _indicator("contracts", "contract", "count"),
            _indicator("returns", "return_started", "count"),
            _indicator("returns_of_women", "return_started", "count", **WOMEN),
            {
                "code": "women_share",
                "name": {"en": "Share of women"},
                "unit": "percent",
                "measure": {"share": {"of": "returns_of_women", "in": "returns"}},
            },
            _indicator("persons", "return_started", {"distinct": "person"}),
            _indicator("completed", "return_completed", "count"),
            _indicator("ended_early", "placement_ended_early", "count"),
            _indicator("no_shows", "no_show", "count"),
            _indicator("trainings", "training_held", "count"),
            _indicator("participants", "training_participants", {"sum": "participants"}),
            _indicator("women_trained", "training_participants", {"sum": "participants"}, **FEMALE),
            _indicator("works_begun", "works_begun", "count"),
            _indicator("families", "works_completed", {"sum": "families"}),
            _indicator("handed_over", "site_handed_over", {"distinct": "site"}),
        ],
    }
)


@dataclass(frozen=True)
class Person:
    """Somebody who registers: alone under an account, or (`self_registered` false) through an officer."""

    name: str
    experience_years: int
    self_registered: bool = True
    sex: str = "female"
    document: str | None = None
    called: str = ""
    programme: str = CODE

    @property
    def account(self) -> str:
        return derived_id("account", self.name) if self.self_registered else OFFICER

    @property
    def command_id(self) -> str:
        again = () if self.programme == CODE else (self.programme,)
        return derived_id("client", "register", self.name, *again)

    @property
    def id(self) -> str:
        if self.self_registered:
            return derived_id("account-person", self.account)
        return derived_id("person", self.command_id)

    @property
    def expert(self) -> str:
        return derived_id(self.id, self.programme)

    def attributes(self, **changes: Any) -> dict[str, Any]:
        plain = {"sex": self.sex, "birth_year": 1980, "country_of_origin": "AF", "education": 6}
        return {**plain, "experience_years": self.experience_years, **changes}

    def registration(self) -> dict[str, Any]:
        """The body of the registration."""
        person: dict[str, Any] = {
            "given_name": self.called or self.name,
            "family_name": "Example",
            "email": f"{self.name}@example.org",
            "attributes": self.attributes(),
            "valid_from": "2025-01-01",
        }
        if self.document:
            person["document"] = {"type": "passport", "country": "AF", "number": self.document}
        return {"programme": self.programme, "office": OFFICE, "person": person, "consents": [PURPOSE]}


# By experience the first one leads every list; so she is offered two assignments whose dates overlap.
FIRST = Person("first", 12, document="P 1")
SECOND = Person("second", 9, self_registered=False, document="P 2")
THIRD = Person("third", 7, sex="male")
FOURTH = Person("fourth", 5, self_registered=False)
NOVICE = Person("novice", 1, document="P 5")
# The same document under another account: whoever comes second waits until somebody has decided whose it is.
DOUBLE = Person("double", 1, document="P 5", called="novice")
# Never put on a list; her data are erased.
LEAVING = Person("leaving", 4, document="P 7")
PERSONS = (FIRST, SECOND, THIRD, FOURTH, NOVICE, DOUBLE, LEAVING)
# Of whom whatever officers can ask for is asked for; under another name registered in another programme too.
WANDERING = Person("wandering", LEAST_YEARS)
AGAIN = replace(WANDERING, called="otherwise", programme=OTHER_CODE)
CORRECTED, WITHDRAWING = THIRD, SECOND
# Suspended for a while, with a note; so is whoever is erased.
SUSPENDED = THIRD
# Too little experience at first, which was a mistake.
CONTESTING = NOVICE
# His years of experience are corrected to too few, and back again.
CHANGING = FOURTH


@dataclass(frozen=True)
class Post:
    """Terms of reference, who applies and whom the officer sources; `refusals`: how the first offers are answered."""

    name: str
    ends_on: str
    starts_on: str = STARTS_ON
    seats: int = 1
    modality: str = "temporary"
    applicants: tuple[Person, ...] = ()
    sourced: tuple[Person, ...] = ()
    answers: tuple[str, ...] = field(default=())

    @property
    def id(self) -> str:
        return derived_id("client", f"draft {self.name}")

    def terms(self, institution: str) -> Terms:
        return Terms.model_validate(
            {
                "institution": institution,
                "country": "AF",
                "sector": "education",
                "host_type": "public",
                "occupation": "2310",
                "modality": self.modality,
                "seats": self.seats,
                "starts_on": self.starts_on,
                "ends_on": self.ends_on,
                "experience_years": 3,
            }
        )


POSTS = (
    Post("lecture", "2026-04-05", applicants=(FIRST, THIRD), sourced=(SECOND,)),
    Post("workshop", "2026-03-05", starts_on="2026-01-04", applicants=(FOURTH,), sourced=(FIRST, SECOND, THIRD)),
    Post(
        "training",
        "2026-08-05",
        # After the other two, so that whoever holds one of those can hold this one as well.
        starts_on="2026-04-20",
        seats=2,
        applicants=(SECOND, FOURTH),
        sourced=(FIRST, THIRD),
        answers=("decline", "ignore"),
    ),
)
