"""What is open to applications, as experts see it, and how one applies: for the JSON edge and for pages alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

from services.matching import views
from services.matching.domain.assessment import attributes_on
from services.matching.domain.assignments import OPEN_TO_EXPERTS, Assignment, not_open
from services.matching.domain.knowledge import OfAnotherOffice, is_active
from services.matching.domain.matches import MATCH
from services.matching.store import ASSIGNMENTS, last_day_over_everywhere
from services.matching.work.selection import APPLICATION, Selection
from shared.cases.bodies import Change
from shared.clock import derived_id, text_of
from shared.contracts.base import Id
from shared.contracts.matching.assignments import Modality
from shared.errors import Refusal
from shared.identity.policy import Grant
from shared.intake.submissions import SUBMISSIONS
from shared.programmes.definitions import PUBLISHED
from shared.programmes.eligibility import terms_met
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.narrowing import Listed
from shared.store.port import Document
from shared.web.acting import id_of
from shared.web.callers import Granted
from shared.web.lists import Paged
from shared.web.strict_json import refuse

OPEN_VACANCIES = ("vacant", "all")
# By what the list is narrowed: the programme, and codes of the terms.
FILTERS = ("programme", "country", "sector", "modality")
MODALITIES: tuple[str, ...] = get_args(Modality)


class Application(Change):
    """Who applies: an expert for himself, or an officer for an expert of the own office."""

    expert: Id


@dataclass(frozen=True)
class Own:
    """The calling expert as the programme knows them, and their match on the vacancy, by the newest round."""

    person: str
    expert: str
    match: str = ""
    standing: str | None = None


class Vacancies:
    """Assignments that are open to applications, whose work is not over and whose institution may host."""

    def __init__(self, replica: Replica, selection: Selection) -> None:
        self._runtime = replica.ports.runtime
        self._store = replica.ports.store
        self._replica = replica
        self._selection = selection

    def narrowed(self, asked: Mapping[str, str]) -> tuple[Paged, str]:
        """The list that the filters leave, and behind what it begins: the index has vacancies by their last day.

        Raises Refusal 422 for a filter that no vacancy can have; TooEarly while programmes are still being read.
        """
        self._refuse_unknown(asked)
        now = self._runtime.now()

        async def offered(document: Document) -> bool:
            state = ASSIGNMENTS.read(document)
            if state is None or state.is_over(now):
                return False
            return all(_said(state, name) == value for name, value in asked.items()) and await self._has_host(state)

        filters = (f"{name}={asked[name]}" for name in sorted(asked))
        listed = Listed(OPEN_VACANCIES[0], OPEN_VACANCIES[1:], offered)
        return Paged(listed, (*OPEN_VACANCIES, *filters)), last_day_over_everywhere(now)

    def _refuse_unknown(self, asked: Mapping[str, str]) -> None:
        definitions = self._replica.definitions
        programme = asked.get("programme")
        if programme is not None and programme not in definitions.offices():
            refuse("programme_unknown", "query/programme", PUBLISHED)
        for name, codes in definitions.listed(programme).items():
            if name in asked and asked[name] not in codes:
                refuse(CODE_NOT_LISTED, f"query/{name}", "a code that a programme lists")
        if asked.get("modality", MODALITIES[0]) not in MODALITIES:
            refuse(CODE_NOT_LISTED, "query/modality", f"one of {', '.join(MODALITIES)}")

    async def load(self, id: str) -> Document:
        """Raises Refusal 404 for what is open to nobody."""
        document = await self._store.load(ASSIGNMENTS.name, id_of(id))
        state = ASSIGNMENTS.read(document)
        if document is None or state is None or not is_open(document) or not await self._has_host(state):
            raise Refusal("not_found", status=404)
        return document

    async def _has_host(self, state: Assignment) -> bool:
        return is_active(await self._selection.knowledge(state.terms.institution))

    async def own(self, document: Document, granted: Granted) -> Own | None:
        """The calling expert; None for any other role, and for an account that stands for nobody."""
        grants = [Grant(MATCH.name, "own")] if granted.principal.role == "expert" else []
        for _, person in await granted.equalities_of(grants):
            expert = derived_id(person, document["state"].get("programme") or "")
            match, standing = await self._selection.standing(document["_id"], expert)
            return Own(person, expert, match, standing)
        return None

    async def seen(self, document: Document, granted: Granted) -> views.VacancySeen:
        """As the list has it."""
        own = await self.own(document, granted)
        return views.vacancy(document, own.standing if own else None)

    async def read(self, document: Document, own: Own | None) -> views.VacancySeen:
        """As one is read: to experts with what the terms ask for, and whether their profile of today meets it."""
        seen = views.vacancy(document, own.standing if own else None)
        state = ASSIGNMENTS.read(document)
        profile = (await self._selection.knowledge(own.person)).get("profile", {}) if own else {}
        attributes = attributes_on(profile.get("entries", ()), self._runtime.now().date())
        if state is None or attributes is None:
            return seen
        met = tuple(views.CriterionSeen.model_validate(one) for one in terms_met(state.terms, attributes))
        return seen.model_copy(update={"criteria": met})

    async def apply(self, id: str, expert: str, cause: Cause, granted: Granted) -> Mapping[str, Any]:
        """The receipt. What is refused for what is known here by now is refused before it is acknowledged."""
        document = await self._store.load(ASSIGNMENTS.name, id)
        if await self._store.load(SUBMISSIONS.name, cause.command_id) is None:
            await self._may_apply(document, expert, granted, cause.happened_at or self._runtime.now())
        body = {"assignment": id, "expert": expert, "received_at": text_of(self._runtime.now())}
        office = document["state"].get("office") if document else None
        channel = "self" if granted.principal.role == "expert" else "officer"
        return await self._replica.submissions.submit(
            APPLICATION, derived_id(id, expert), body, cause, office=office, channel=channel
        )

    async def _may_apply(self, document: Document | None, expert: str, granted: Granted, at: datetime) -> None:
        """An expert for himself and an officer of the assignment's office, while it is open and its work is not over;
        else 404 or 409."""
        state = ASSIGNMENTS.read(document)
        equalities = await granted.equalities()
        if state is None or (not is_open(document) and ("office", state.office) not in equalities):
            raise Refusal("not_found", status=404)
        if state.status not in OPEN_TO_EXPERTS:
            raise not_open(state)
        state.refuse_over(at)
        await self._selection.check_host(state)
        own = any(name == "own" and derived_id(of, state.programme or "") == expert for name, of in equalities)
        if not own and ("office", state.office) not in equalities:
            raise OfAnotherOffice
        _, standing = await self._selection.standing(document["_id"] if document else "", expert)
        await self._selection.check_filing(state, expert, own=own, stood=standing is not None)


def path_of(id: str) -> str:
    """Where the JSON edge takes an application: with a key it names the command, whichever edge it came through."""
    return f"POST /matching/v1/assignments/{id}/applications"


def is_open(document: Document | None) -> bool:
    state = ASSIGNMENTS.read(document)
    return state is not None and state.status in OPEN_TO_EXPERTS


def _said(state: Assignment, name: str) -> str | None:
    found: str | None = state.programme if name == "programme" else getattr(state.terms, name)
    return found
