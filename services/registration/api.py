"""Registration's HTTP edge: its cases, with the work of the verbs that take more than one document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.registration import definition_pages, messages, views
from services.registration.domain.experts import EXPERT
from services.registration.domain.flags import POSSIBLE_DUPLICATE
from services.registration.domain.handover import PROPOSE
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.messages import MESSAGE
from services.registration.domain.persons import PERSON
from services.registration.domain.programmes import PROGRAMME
from services.registration.files.api import FILES
from services.registration.identifiers import SERVICE, Identifiers
from services.registration.messages import MessageSeen, Previewed
from services.registration.readings.alike import COMPARE
from services.registration.readings.api import READ_IDENTITY, READ_TRAIL
from services.registration.readings.copying import COPY
from services.registration.store import EXPERTS, INSTITUTIONS, MESSAGES, PERSONS, PROGRAMMES
from services.registration.views import ExpertSeen, Flagged, Handed, InstitutionSeen, Named, PersonSeen, ProgrammeSeen
from services.registration.weighing import shuts, weighs
from services.registration.work.case_files import CaseFiles
from services.registration.work.claiming import Claiming
from services.registration.work.consenting import Consenting
from services.registration.work.contacts import Contacts
from services.registration.work.criteria import Criteria
from services.registration.work.erasing import Erasing
from services.registration.work.handing_over import HandingOver
from services.registration.work.identity_changes import IdentityChanges
from services.registration.work.profiles import Profiles
from services.registration.work.proposing import Proposing
from services.registration.work.publishing import Publishing
from services.registration.work.readings import Readings
from services.registration.work.registering import Registering
from services.registration.work.reviewing import Reviewing
from services.registration.work.screening import Screening
from shared.programmes.sections.selection import SelectionSection
from shared.store.aggregates import Saved
from shared.store.port import Document
from shared.web.acting import Begins, Beside, Call, Lacks, News, Served, Work


@dataclass(frozen=True)
class Works:
    """What registration does with more than a case's own document."""

    publishing: Publishing
    profiles: Profiles
    registering: Registering
    screening: Screening
    proposing: Proposing
    reviewing: Reviewing
    handing_over: HandingOver
    claiming: Claiming
    identity_changes: IdentityChanges
    erasing: Erasing
    criteria: Criteria
    contacts: Contacts
    consenting: Consenting
    putting_right: Mapping[str, Work]
    transferring: Mapping[str, Mapping[str, Work]]


def served_cases(
    works: Works, identifiers: Identifiers, readings: Readings, previewed: Previewed, files: CaseFiles
) -> tuple[Served, ...]:
    return (
        Served(
            PROGRAMME,
            PROGRAMMES,
            ProgrammeSeen,
            views.programme,
            {"publish": works.publishing.publish},
            columns=("code", "version"),
            beside=(Beside(PROGRAMME.name, "read", _definition, named=definition_pages.DEFINITION),),
        ),
        _persons(works, identifiers, readings),
        _experts(works, readings, files),
        _institutions(works),
        Served(
            MESSAGE,
            MESSAGES,
            MessageSeen,
            messages.message,
            unsealed=previewed.to_its_reader,
            news=News("template", "due_at", timedelta(days=14)),
            columns=("template", "to", "about", "due_at", "reason"),
        ),
    )


def _institutions(works: Works) -> Served:
    return Served(
        INSTITUTION,
        INSTITUTIONS,
        InstitutionSeen,
        views.institution,
        {
            "create": works.proposing.create,
            "assign-account": works.handing_over.of_institution,
            PROPOSE: works.consenting.of_institution,
            "set-contact": works.contacts.of_institution,
            **works.putting_right,
            **works.transferring[INSTITUTION.name],
        },
        unsealed=Handed(works.consenting.shown_code).to_its_holder,
        columns=("name", "country", "sector", "host_type", "registered_at"),
    )


def _persons(works: Works, identifiers: Identifiers, readings: Readings) -> Served:
    return Served(
        PERSON,
        PERSONS,
        PersonSeen,
        views.person,
        _of_persons(works),
        unsealed=Handed(works.consenting.shown_code, Named(identifiers, readings).to_those_concerned).to_its_holder,
        beside=_beside(lambda person: str(person["_id"])),
        about=lambda person: str(person["_id"]),
        outlasting=frozenset({"erase"}),
        tells=views.tells_of_person,
        columns=("office", "opened_at"),
        begins={"correct-profile": _stands(works.profiles)},
        in_part=views.person_in_part,
    )


def _experts(works: Works, readings: Readings, files: CaseFiles) -> Served:
    return Served(
        EXPERT,
        EXPERTS,
        ExpertSeen,
        views.expert,
        {
            **_of_experts(works.screening),
            "settle-identity": works.claiming.settle,
            **_noted(works.transferring[EXPERT.name], readings),
        },
        taken={"create": works.registering.take},
        unsealed=Flagged(works.identity_changes.is_pending, works.claiming.holder_for).to_its_reader,
        about=lambda expert: str(expert["state"]["person"]),
        beside=(
            *_beside(lambda expert: str(expert["state"]["person"])),
            Beside(EXPERT.name, COMPARE, _comparison, _flagged),
            Beside(
                EXPERT.name,
                FILES,
                _files,
                lambda expert: bool(files.asked(expert)),
                helps="provide-info",
                lacks=_lacking(files),
            ),
        ),
        section=SelectionSection,
        begins={"provide-info": works.screening.begins},
        columns=("programme", "office", "registered_at", "channel", "reason"),
        weighs=weighs(works.criteria),
        shuts=shuts(works.criteria),
    )


def _stands(profiles: Profiles) -> Begins:
    async def begins(person: Document) -> Mapping[str, Any]:
        return {"attributes": await profiles.that_stands(person["_id"])}

    return begins


def _definition(document: Document) -> str:
    return f"/{SERVICE}/{PROGRAMME.name}/{document['_id']}/{definition_pages.DEFINITION}"


def _noted(works: Mapping[str, Work], readings: Readings) -> Mapping[str, Work]:
    """That an office offers the person's case to another one, and that this one takes it, stands in the trail too."""

    def noting(work: Work) -> Work:
        async def noted(call: Call[Any]) -> Saved[Any]:
            saved = await work(call)
            await readings.note(call.principal, "transfer", (EXPERT.name,), [saved.state.person])
            return saved

        return noted

    return {verb: noting(work) for verb, work in works.items()}


def _beside(person_of: Callable[[Document], str]) -> tuple[Beside, ...]:
    """The pages of the person whom a case is about."""

    def at(verb: str) -> Beside:
        return Beside(PERSONS.name, verb, lambda document: f"/{SERVICE}/{PERSONS.name}/{person_of(document)}/{verb}")

    return at(READ_IDENTITY), at(READ_TRAIL), at(COPY)


def _comparison(expert: Document) -> str:
    return f"/{SERVICE}/{EXPERT.name}/{expert['_id']}/{COMPARE}"


def _lacking(files: CaseFiles) -> Lacks:
    async def lacking(expert: Document) -> Sequence[Mapping[str, str]]:
        return [one.name for one in await files.lacking(expert)]

    return lacking


def _files(expert: Document) -> str:
    return f"/{SERVICE}/{EXPERT.name}/{expert['_id']}/{FILES}"


def _flagged(expert: Document) -> bool:
    return bool(expert["private"].get(POSSIBLE_DUPLICATE))


def _of_persons(works: Works) -> Mapping[str, Work]:
    return {
        "correct-profile": works.profiles.correct,
        "assign-account": works.handing_over.of_person,
        PROPOSE: works.consenting.of_person,
        "set-contact": works.contacts.of_person,
        "erase": works.erasing.erase,
        "request-identity-change": works.identity_changes.request,
        "confirm-identity-change": works.identity_changes.confirm,
        "refuse-identity-change": works.identity_changes.refuse,
    }


def _of_experts(screening: Screening) -> Mapping[str, Work]:
    return {
        **dict.fromkeys(("screen", "declare-eligible", "declare-ineligible"), screening.screen),
        "provide-info": screening.provide_info,
        "suspend": screening.suspend,
        "reinstate": screening.reinstate,
    }
