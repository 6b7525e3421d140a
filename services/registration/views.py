"""What each caller sees of registration's cases: codes, and a name for whoever bears it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from services.registration.domain.appeals import Outcome
from services.registration.domain.birth import Birth
from services.registration.domain.claims import Settled
from services.registration.domain.contact import Wishes
from services.registration.domain.experts import EXPERT, Channel
from services.registration.domain.handover import AccountBorne, Proposal
from services.registration.domain.identity import Identity
from services.registration.domain.identity import Outcome as IdentityOutcome
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.persons import PERSON, Consent
from services.registration.domain.programmes import PROGRAMME
from services.registration.domain.readings import DOCUMENTS, NAMES, Noted
from services.registration.identifiers import BORN, Identifiers
from services.registration.work.contacts import wishes_of
from services.registration.work.readings import Readings
from shared.cases.movable import Movable
from shared.cases.trail import Trailed
from shared.contracts.base import Event, Instant
from shared.contracts.registration.persons import (
    IdentityChangeConfirmed,
    IdentityChangeRefused,
    IdentityChangeRequested,
    LanguageSkill,
    ProfileEntry,
    attributes_on,
)
from shared.errors import Refusal
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.store.port import Document
from shared.web.acting import Seen, Unsealed
from shared.web.callers import Granted
from shared.web.revising import FactSeen, last_fact

# Of an expert's state what the reader sees under another name, or not at all.
HIDDEN = {
    *Movable.model_fields,
    "status",
    "identity",
    "criteria",
    "resumes",
    "resumes_until",
    "against",
    "ground",
    "appealed_at",
    "appeal",
}
_TOLD = tuple(name for name in EXPERT.state.model_fields if name not in HIDDEN)
# Who may see what a criterion required and what the person stated.
SEES_ACTUAL_VALUES = ("expert", "officer")
# Who may see that another identity is to be recorded.
SEES_IDENTITY_CHANGES = ("expert", "officer")
_IDENTITY_CHANGES = (IdentityChangeRequested, IdentityChangeConfirmed, IdentityChangeRefused)


# Who may see in which language and how often somebody wants to be written to.
SEES_WISHES = ("expert", "host", "officer")


class ProgrammeSeen(Seen):
    """The newest definition; `version` counts the published ones."""

    code: str
    definition: dict[str, Any]


class IdentityChangeSeen(BaseModel):
    """The last change of identity that was asked for: how it stands (`pending` at first), and why.

    `asked`: what is to be recorded, for the person and the office's officers, while it waits.
    """

    model_config = ConfigDict(frozen=True)

    outcome: IdentityOutcome
    reason: str
    asked: Identity | None = None


class HandoverSeen(Proposal):
    """The account is offered to another person. `code_for_the_other`: for whoever signs in for it alone, where one case
    is read: it is given to that person by hand, who answers with it after signing in."""

    code_for_the_other: str | None = None


class PersonSeen(Seen):
    """Consents by purpose, when each was answered, and the timeline of coded attributes as it was recorded.

    `document_claim`: somebody else claimed the person's document number, and what was decided. The name is shown to the
    person, with when they were `born`; to officers, who decide on it, while another one waits to be recorded.
    """

    office: str | None
    opened_at: Instant | None
    consents: Mapping[str, Consent]
    consents_at: Mapping[str, Instant] = {}
    profile: tuple[ProfileEntry, ...]
    document_claim: Settled | None = None
    contact: Wishes | None = None
    given_name: str = ""
    family_name: str = ""
    born: Birth | None = None
    identity_change: IdentityChangeSeen | None = None
    handover: HandoverSeen | None = None


class PersonInPart(BaseModel):
    """What a match or a placement shows of its person to whoever may read the person: the office, the name where the
    person's own page has it, and what somebody is chosen by. Sex, age and nationality choose nobody."""

    model_config = ConfigDict(frozen=True)

    given_name: str
    family_name: str
    office: str | None
    occupation: str | None = None
    sector: str | None = None
    experience_years: int | None = None
    education: int | None = None
    languages: tuple[LanguageSkill, ...] = ()
    country_of_residence: str | None = None


class FailedSeen(BaseModel):
    """A criterion that is not met, or is: its name, what it requires, what the person stated (null: nothing)."""

    model_config = ConfigDict(frozen=True)

    criterion: str
    required: JsonValue = None
    actual: JsonValue = None


class AppealSeen(BaseModel):
    """The last appeal: against which state, on what ground, when, and what became of it (`pending` at first)."""

    model_config = ConfigDict(frozen=True)

    against: str
    ground: str
    appealed_at: Instant
    outcome: Outcome


class ExpertSeen(Seen):
    """`possible_duplicate`: somebody else has the same name, year of birth and origin. `identity_differs`: the account
    registered under another name or year of birth than before; what was recorded first is kept.

    `identity_change_pending`: the person is to be recorded under another name, year of birth or document.

    `met_criteria`: those that the last screening found to be met, for those who see the values.
    `failing`: criteria that an eligible expert with an offer no longer meets; an officer decides what follows.
    `appeal_until`: before that instant whoever is ineligible or suspended may appeal.
    `identity`: what was decided of a document number that was another person's; `holder`: that person, where one case
    is read before it is decided, by somebody who may read the person.
    """

    person: str
    programme: str
    programme_version: int | None
    office: str
    channel: Channel
    registered_at: Instant
    items: tuple[str, ...]
    failed_criteria: tuple[FailedSeen, ...]
    met_criteria: tuple[FailedSeen, ...] = ()
    reason: str | None
    failing: tuple[str, ...]
    appeal_until: Instant | None
    appeal: AppealSeen | None
    identity: Settled | None
    holder: str = ""
    possible_duplicate: bool = False
    identity_differs: bool = False
    identity_change_pending: bool = False


class InstitutionSeen(Seen):
    """`reason`: why it is on hold or closed."""

    name: str | None
    office: str
    country: str
    area: str | None
    sector: str
    host_type: str
    registered_at: Instant
    reason: str | None
    last_fact: FactSeen | None
    contact: Wishes | None = None
    handover: HandoverSeen | None = None


def programme(document: Document, _principal: Principal) -> ProgrammeSeen:
    state = PROGRAMME.state.model_validate(document["state"])
    return ProgrammeSeen(
        id=state.code,
        version=state.definition_version,
        state=state.status,
        code=state.code,
        definition=state.definition,
    )


def person(document: Document, principal: Principal) -> PersonSeen:
    state = PERSON.state.model_validate(document["state"])
    change = None
    if state.identity_change and state.identity_reason and principal.role in SEES_IDENTITY_CHANGES:
        change = IdentityChangeSeen(outcome=state.identity_change, reason=state.identity_reason)
    return PersonSeen(
        id=document["_id"],
        version=document["version"],
        state=state.status,
        office=state.office,
        opened_at=state.opened_at,
        consents=state.consents,
        consents_at=state.consents_at,
        profile=state.entries,
        document_claim=state.claim,
        **({"identity_change": change} if change else {}),
        **({"contact": wishes_of(document)} if principal.role in SEES_WISHES else {}),
        **_handover(state, principal),
    )


def person_in_part(seen: PersonSeen, day: date) -> PersonInPart:
    """As the profile says it on that day."""
    own = {name: getattr(seen, name) for name in ("given_name", "family_name", "office")}
    known = attributes_on(seen.profile, day, before="first")
    chosen_by = PersonInPart.model_fields.keys() - own.keys()
    return PersonInPart(**own, **({} if known is None else {name: getattr(known, name) for name in chosen_by}))


def _handover(state: AccountBorne, principal: Principal) -> dict[str, HandoverSeen]:
    if state.handover is None or principal.role not in SEES_WISHES:
        return {}
    return {"handover": HandoverSeen(**dict(state.handover))}


class Handed:
    """Whoever signs in for a case whose account is offered is shown the code again, to give it to the other person."""

    def __init__(self, code_of: Callable[[Document], str | None], *also: Unsealed) -> None:
        self._code_of = code_of
        self._also = also

    async def to_its_holder(self, document: Document, granted: Granted) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for one in self._also:
            found |= await one(document, granted)
        own = any(grant.relation in ("own", "institution") for grant in granted.grants)
        if own and (code := self._code_of(document)):
            proposal = dict(AccountBorne.model_validate(document["state"]).handover or ())
            found["handover"] = HandoverSeen(**proposal, code_for_the_other=code)
        return found


def tells_of_person(event: type[Event], role: Role) -> bool:
    """That another identity was asked for, and what became of it, to those who see it in the case."""
    return event not in _IDENTITY_CHANGES or role in SEES_IDENTITY_CHANGES


class Named:
    """A person's name is shown where one case is read: to the person, and to officers while a change of it waits."""

    def __init__(self, identifiers: Identifiers, readings: Readings) -> None:
        self._identifiers = identifiers
        self._readings = readings

    async def to_those_concerned(self, document: Document, granted: Granted) -> Mapping[str, Any]:
        """The trail has it first. Officers who have read all that they may now see none.

        Raises KeyDestroyed, SealBroken, Unavailable, Overloaded.
        """
        own = any(grant.relation == "own" for grant in granted.grants)
        seen, id, private = person(document, granted.principal), document["_id"], document["private"]
        change = seen.identity_change
        if not (own or (change is not None and change.outcome == "pending")):
            return {}
        if not own and not await self._counted(granted.principal):
            return {}
        try:
            names: dict[str, Any] = await self._identifiers.names(id, private)
            if own and (born := await self._identifiers.born(id, private)):
                names[BORN] = born
            asked = await self._identifiers.asked_for(id, private)
        except KeyDestroyed:
            if own:
                raise
            return {}
        document_too = (DOCUMENTS,) if asked is not None and asked.document else ()
        birth_too = (BORN,) if BORN in names else ()
        if names or asked:
            purpose: Noted = "own" if own else "identity_change"
            await self._readings.note(granted.principal, purpose, (*NAMES, *birth_too, *document_too), [id])
        if change is None or asked is None:
            return names
        return {**names, "identity_change": change.model_copy(update={"asked": asked})}

    async def _counted(self, principal: Principal) -> bool:
        try:
            await self._readings.count(principal)
        except Refusal:
            return False
        return True


class Flagged:
    """While a change of the person's identity waits, each of the person's cases says so to officers of its office.

    `holder_for`: of a case that waits for whose its document number is, the holder, for whoever may read that person.
    """

    def __init__(self, is_pending: Callable[[str], Awaitable[bool]], holder_for: Unsealed) -> None:
        self._is_pending = is_pending
        self._holder_for = holder_for

    async def to_its_reader(self, document: Document, granted: Granted) -> Mapping[str, Any]:
        holder = await self._holder_for(document, granted)
        if granted.principal.role != "officer" or _is_strange(document, granted.principal):
            return holder
        return {**holder, "identity_change_pending": await self._is_pending(document["state"]["person"])}


def _is_strange(document: Document, principal: Principal) -> bool:
    """Whether it is another office's case: whoever is asked to take it over does not know whom it is about yet."""
    return principal.role == "officer" and principal.office != document["state"]["office"]


def expert(document: Document, principal: Principal) -> ExpertSeen:
    """Values behind a failed criterion for the expert and the officer alone."""
    state, private = EXPERT.state.model_validate(document["state"]), document["private"]
    failed: list[dict[str, Any]] = [{"criterion": name} for name in state.criteria]
    stranger = _is_strange(document, principal)
    weighed: Mapping[str, Any] = {}
    if principal.role in SEES_ACTUAL_VALUES and not stranger:
        screening = private.get("screening", {})
        failed = screening.get("failed", []) if failed else failed
        met = screening.get("met", []) if state.status in ("eligible", "ineligible") else []
        weighed = {"met_criteria": tuple(FailedSeen(**row) for row in met)}
    against, ground, appealed_at, outcome = state.against, state.ground, state.appealed_at, state.appeal
    appeal = None
    if against and ground and appealed_at and outcome:
        appeal = AppealSeen(against=against, ground=ground, appealed_at=appealed_at, outcome=outcome)
    of_officers = {name: bool(private.get(name)) for name in EXPERT.flags}
    of_state = vars(state)
    told = {name: of_state[name] for name in _TOLD}
    return ExpertSeen(
        id=document["_id"],
        version=document["version"],
        state=EXPERT.veiled.get(state.status, state.status) if principal.role == "expert" else state.status,
        failed_criteria=tuple(FailedSeen(**row) for row in failed),
        appeal=appeal,
        identity=None if stranger else state.identity,
        **told,
        **weighed,
        **(of_officers if principal.role == "officer" and not stranger else {}),
    )


def institution(document: Document, principal: Principal) -> InstitutionSeen:
    state = INSTITUTION.state.model_validate(document["state"])
    sees_wishes = principal.role in SEES_WISHES and not _is_strange(document, principal)
    return InstitutionSeen(
        id=document["_id"],
        version=document["version"],
        state=state.status,
        name=document["private"].get("name"),
        last_fact=last_fact(state),
        **({"contact": wishes_of(document)} if sees_wishes else {}),
        **(_handover(state, principal) if sees_wishes else {}),
        **state.model_dump(
            exclude={"status", *AccountBorne.model_fields, *Trailed.model_fields, *Movable.model_fields}
        ),
    )
