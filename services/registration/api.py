"""Registration's HTTP edge: its cases, with the work of the verbs that take more than one document."""

from __future__ import annotations

from dataclasses import dataclass

from services.registration import views
from services.registration.domain.experts import EXPERT
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.persons import PERSON
from services.registration.domain.programmes import PROGRAMME
from services.registration.identifiers import Identifiers
from services.registration.store import EXPERTS, INSTITUTIONS, PERSONS, PROGRAMMES
from services.registration.views import ExpertSeen, InstitutionSeen, Named, PersonSeen, ProgrammeSeen
from services.registration.work.profiles import Profiles
from services.registration.work.proposing import Proposing
from services.registration.work.publishing import Publishing
from services.registration.work.registering import Registering
from services.registration.work.reviewing import Reviewing
from services.registration.work.screening import Screening
from shared.programmes.sections.selection import SelectionSection
from shared.web.acting import Served


@dataclass(frozen=True)
class Works:
    """What registration does with more than a case's own document."""

    publishing: Publishing
    profiles: Profiles
    registering: Registering
    screening: Screening
    proposing: Proposing
    reviewing: Reviewing


def served_cases(works: Works, identifiers: Identifiers) -> tuple[Served, ...]:
    screen = works.screening.screen
    return (
        Served(PROGRAMME, PROGRAMMES, ProgrammeSeen, views.programme, {"publish": works.publishing.publish}),
        Served(
            PERSON,
            PERSONS,
            PersonSeen,
            views.person,
            {"correct-profile": works.profiles.correct},
            unsealed=Named(identifiers).to_its_owner,
            about=lambda person: str(person["_id"]),
        ),
        Served(
            EXPERT,
            EXPERTS,
            ExpertSeen,
            views.expert,
            {
                "screen": screen,
                "declare-eligible": screen,
                "declare-ineligible": screen,
                "provide-info": works.screening.provide_info,
                "suspend": works.screening.suspend,
                "reinstate": works.screening.reinstate,
            },
            taken={"create": works.registering.take},
            about=lambda expert: str(expert["state"]["person"]),
            section=SelectionSection,
        ),
        Served(INSTITUTION, INSTITUTIONS, InstitutionSeen, views.institution, {"create": works.proposing.create}),
    )
