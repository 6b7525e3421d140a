"""A person: account, office, consents and the timeline of coded attributes. Identifiers are never in the state.

Every change of the profile emits the whole timeline for the compacted topic and then a thin `ProfileChanged`
(docs/kernel.md, section 2). The two topics share no order, so neither event needs the other one first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict

from services.registration.domain.claims import Heard, Settled, settled
from services.registration.domain.contact import SAID_ANEW, ContactChange, as_wished
from services.registration.domain.contact import UNCHANGED as CONTACT_UNCHANGED
from services.registration.domain.examples import CHANGED_IDENTITY, CONTACT, PROFILE
from services.registration.domain.fields import ConsentPurpose, KnownAttributes
from services.registration.domain.handover import (
    CALLERS,
    HELD,
    UNCHANGED,
    AccountAssignment,
    AccountBorne,
    Handovers,
    handed,
    lapses,
    to_another,
)
from services.registration.domain.identity import (
    GROUNDS,
    NEEDED,
    PROOFS,
    REFUSALS,
    UNDECIDED,
    IdentityChange,
    Outcome,
    is_pending,
    none_pending,
)
from services.registration.domain.identity import (
    UNCHANGED as SAME_IDENTITY,
)
from services.registration.domain.lives import RULES as LIVES
from services.registration.domain.timeline import ENTRIES_AT_MOST, changed
from shared.cases.bodies import REASON, Change, Input, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.contracts.base import Code, Date, Event, Id, Instant
from shared.contracts.frame import Listed
from shared.contracts.registration.handovers import HandingOver
from shared.contracts.registration.persons import (
    Attributes,
    ConsentGiven,
    ConsentWithdrawn,
    DocumentClaimSettled,
    IdentityChangeConfirmed,
    IdentityChangeRefused,
    IdentityChangeRequested,
    PersonAccountAssigned,
    PersonContactChanged,
    PersonErased,
    PersonHandoverDeclined,
    PersonHandoverLapsed,
    PersonHandoverProposed,
    PersonHandoverWithdrawn,
    PersonRecorded,
    PersonTransferred,
    Profile,
    ProfileChanged,
    ProfileEntry,
    attributes_on,
)
from shared.errors import Refusal
from shared.identity.roles import BY_EXPERT, BY_OFFICER, By

Consent = Literal["given", "withdrawn"]


class Person(AccountBorne):
    """`entries` in the order in which they were recorded; `consents` by purpose, the latest answer, and
    `consents_at` when it was given, which older documents do not tell.

    `opened_at`: when the person was recorded, which older documents do not tell.
    `claim`: what was decided last where somebody else claimed the person's document number.
    `identity_change`, `identity_reason`: how the last change of identity that was asked for stands, and why.
    """

    model_config = ConfigDict(frozen=True)

    status: Literal["recorded", "erased"] = "recorded"
    office: str | None = None
    opened_at: Instant | None = None
    consents: dict[str, Consent] = {}
    consents_at: dict[str, Instant] = {}
    entries: tuple[ProfileEntry, ...] = ()
    claim: Settled | None = None
    identity_change: Outcome | None = None
    identity_reason: Code | None = None


class Recording(Input):
    """Somebody registers: for the first time, or once more for another programme."""

    account: Id | None = None
    office: Code
    entry: ProfileEntry
    consents: tuple[Code, ...] = ()


class ProfileCorrection(Change):
    """`corrects`: the entry that was wrong; the correction keeps its `valid_from`."""

    attributes: KnownAttributes
    valid_from: Date
    corrects: Id | None = None


class ConsentTo(Change):
    purpose: ConsentPurpose


class ErasureFor(Change):
    """No note: nothing more is written about the person."""

    reason: Annotated[Code, Listed(REASON)]


@dataclass(frozen=True)
class Standing:
    """`statistical`: the attributes that stay, by the person's programmes. `offered`, `placed`: what was heard of any
    of the person's cases, an offer that is out or was accepted, and a placement."""

    statistical: frozenset[str]
    offered: bool = False
    placed: bool = False


def as_registered(turn: Turn[Person, Recording]) -> Told:
    """Whoever registers again and says the same gets no second entry, and a full timeline refuses nobody."""
    found, body, now = turn.found, turn.body, turn.now
    events: list[Event] = []
    if found is None:
        events.append(PersonRecorded(happened_at=now, account=body.account, office=body.office))
    entries = found.entries if found else ()
    if attributes_on(entries, body.entry.valid_from) != body.entry.attributes and len(entries) < ENTRIES_AT_MOST:
        events += changed(entries, (body.entry,), now)
    given = found.consents if found else {}
    wanted = dict.fromkeys(body.consents)
    return [*events, *(ConsentGiven(happened_at=now, purpose=one) for one in wanted if given.get(one) != "given")]


def something_new(turn: Turn[Person, ProfileCorrection]) -> Told:
    """An entry that says something new; one that corrects takes the place of that entry and keeps its day."""
    entries, entry = turn.state.entries, turn.given
    if turn.body.corrects is not None:
        corrected = next((one for one in entries if one.id == turn.body.corrects), None)
        if corrected is None:
            raise Refusal("entry_unknown", "the id of an entry of the timeline", at="/corrects")
        if corrected.valid_from != entry.valid_from:
            detail = "the day of the entry that is corrected"
            raise Refusal("correction_keeps_valid_from", detail, at="/valid_from")
    if attributes_on(entries, entry.valid_from) == entry.attributes:
        raise Refusal("profile_unchanged", "it says what is recorded already")
    return changed(entries, (entry,), turn.now)


def as_asked_for(turn: Turn[Person, Reason]) -> Told:
    """What is not in the timeline changes with the sealed identifiers; the year of birth is corrected on every day."""
    events: list[Event] = [IdentityChangeConfirmed(happened_at=turn.now, reason=turn.body.reason)]
    return [*events, *changed(turn.state.entries, turn.given, turn.now)] if turn.given else events


class Follow(Input):
    """A case of the person went to that `office`; `left`: the one in which the person has no case any more, if none."""

    office: Code
    left: Code | None = None


def from_the_office_that_recorded(turn: Turn[Person, Follow]) -> Told:
    """The person goes with the case to another office, from the one that answers for the person until then."""
    return {} if turn.body.left is not None and turn.state.office == turn.body.left else []


def as_it_stands(turn: Turn[Person, Change]) -> Told:
    """An older record stands at the head of the compacted topic: the current one has to follow it."""
    entries, erased = turn.state.entries, turn.state.status == "erased" or None
    return [Profile(happened_at=turn.now, entries=entries, erased=erased)] if entries or erased else []


def nothing_but_statistics(turn: Turn[Person, ErasureFor]) -> Told:
    """What stays are the attributes that the person's programmes list as statistical. Every consent ends with it.

    Nobody whose case has reached a placement is erased yet, and nobody who stands on an offer.
    """
    state, now, stands = turn.state, turn.now, turn.given
    if stands.placed:
        raise Refusal("placement_reached", "a case of the person has reached a placement; erasing those is not built")
    if stands.offered:
        raise Refusal("offer_stands", "the person stands on an offer; take the consent to placement back first")
    given = [purpose for purpose, answer in state.consents.items() if answer == "given"]
    kept = tuple(_statistics_of(entry, stands.statistical) for entry in state.entries) if stands.statistical else ()
    return [
        *(ConsentWithdrawn(happened_at=now, purpose=purpose) for purpose in given),
        Profile(happened_at=now, entries=kept, erased=True),
        PersonErased(happened_at=now, reason=turn.body.reason),
    ]


def _statistics_of(entry: ProfileEntry, statistical: frozenset[str]) -> ProfileEntry:
    known = entry.attributes
    kept = Attributes(**{name: getattr(known, name) for name in Attributes.model_fields if name in statistical})
    return entry.model_copy(update={"attributes": kept})


def not_given_yet(turn: Turn[Person, ConsentTo]) -> Told:
    """A consent is given once, until it is taken back."""
    if turn.state.consents.get(turn.body.purpose) == "given":
        raise Refusal("consent_already_given", "the consent stands")
    return {}


def given_before(turn: Turn[Person, ConsentTo]) -> Told:
    """Only a consent that stands can be taken back."""
    if turn.state.consents.get(turn.body.purpose) != "given":
        raise Refusal("consent_not_given", "only a consent that was given is withdrawn")
    return {}


def _answered(state: Person | None, event: ConsentGiven | ConsentWithdrawn, answer: Consent) -> Mapping[str, Any]:
    consents, since = (state.consents, state.consents_at) if state else ({}, {})
    return {
        "consents": {**consents, event.purpose: answer},
        "consents_at": {**since, event.purpose: event.happened_at},
    }


def fold(state: Person | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    match event:
        case ConsentGiven():
            return _answered(state, event, "given")
        case ConsentWithdrawn():
            return _answered(state, event, "withdrawn")
        case DocumentClaimSettled():
            return {"claim": settled(event)}
        case PersonAccountAssigned() | HandingOver():
            return handed(event)
        case PersonErased():
            return {"identity_change": None, "identity_reason": None, "handover": None}
        case IdentityChangeRequested():
            return {"identity_change": "pending", "identity_reason": event.reason}
        case IdentityChangeConfirmed():
            return {"identity_change": "confirmed", "identity_reason": event.reason}
        case IdentityChangeRefused():
            return {"identity_change": "refused", "identity_reason": event.reason}
    return {}


OWN_OR_OFFICE: By = {"expert": "own", "officer": "office", "protection": "all"}
RECORDED = states("recorded")
# Who signs with an account that is not the own one could undo nothing of it, so the role that is asked does it.
BY_PROTECTION: By = {"protection": "all"}
HANDOVERS = Handovers(
    PersonHandoverProposed,
    PersonHandoverWithdrawn,
    PersonHandoverDeclined,
    PersonHandoverLapsed,
    PersonAccountAssigned,
    RECORDED,
    {"expert": "own"},
    ("applied_for_another", "mistaken_entry"),
)

MOVES: tuple[Move, ...] = (
    # Of two topics either may be read first, so a profile can be the first that is known of a person.
    Move(
        "record",
        RECORDED | {NEW},
        (PersonRecorded, Profile),
        then=(ProfileChanged, ConsentGiven),
        to=RECORDED,
        body=Recording,
        rule=as_registered,
    ),
    Move("reissue", RECORDED | {"erased"}, Profile, rule=as_it_stands),
    Move(
        "follow",
        RECORDED,
        PersonTransferred,
        body=Follow,
        rule=from_the_office_that_recorded,
        overtaken="nothing",
    ),
    Move("hear-claim", RECORDED, DocumentClaimSettled, body=Heard),
    Move(
        "assign-account",
        RECORDED,
        PersonAccountAssigned,
        body=AccountAssignment,
        by=BY_OFFICER,
        rule=to_another,
        needs=states("account"),
        refuses=(CALLERS, HELD, UNCHANGED),
        reasons=("first_sign_in", "sign_in_lost", "mistaken_entry"),
        example={"account": "somebody@example.org", "reason": "first_sign_in"},
        aside=True,
        of_one=True,
    ),
    Move(
        "set-contact",
        RECORDED,
        PersonContactChanged,
        body=ContactChange,
        by=BY_EXPERT,
        rule=as_wished,
        refuses=(CONTACT_UNCHANGED,),
        needs=states("private"),
        example=CONTACT,
        aside=True,
        of_one=True,
        anew=SAID_ANEW,
    ),
    Move(
        "correct-profile",
        RECORDED,
        Profile,
        then=(ProfileChanged,),
        body=ProfileCorrection,
        by=OWN_OR_OFFICE,
        rule=something_new,
        needs=states("definition", "private"),
        refuses=(
            "code_not_listed",
            "correction_keeps_valid_from",
            "entry_unknown",
            NEEDED,
            "profile_unchanged",
            "timeline_full",
            "valid_in_the_future",
            *LIVES,
        ),
        example=PROFILE,
        aside=True,
    ),
    Move(
        "request-identity-change",
        RECORDED,
        IdentityChangeRequested,
        body=IdentityChange,
        by=BY_EXPERT,
        needs=states("private"),
        when=none_pending,
        writes=True,
        refuses=("identity_change_pending", SAME_IDENTITY, *LIVES),
        reasons=GROUNDS,
        note_to=("expert",),
        example=CHANGED_IDENTITY,
        aside=True,
    ),
    Move(
        "confirm-identity-change",
        RECORDED,
        IdentityChangeConfirmed,
        then=(Profile, ProfileChanged),
        body=Reason,
        by=BY_OFFICER,
        rule=as_asked_for,
        needs=states("private", "guard:document"),
        when=is_pending,
        checked_by_another=True,
        refuses=(UNDECIDED, "four_eyes", "identity_change_not_asked", "timeline_full", *LIVES),
        reasons=PROOFS,
        note_to=("expert",),
        example={"reason": PROOFS[0]},
    ),
    Move(
        "refuse-identity-change",
        RECORDED,
        IdentityChangeRefused,
        body=Reason,
        by=BY_OFFICER,
        needs=states("private"),
        when=is_pending,
        checked_by_another=True,
        refuses=("four_eyes", "identity_change_not_asked"),
        reasons=REFUSALS,
        note_to=("expert",),
        example={"reason": REFUSALS[0]},
    ),
    Move(
        "give-consent",
        RECORDED,
        ConsentGiven,
        body=ConsentTo,
        by=OWN_OR_OFFICE,
        rule=not_given_yet,
        refuses=("consent_already_given",),
        example={"purpose": "placement"},
        aside=True,
        of_one=True,
    ),
    Move(
        "withdraw-consent",
        RECORDED,
        ConsentWithdrawn,
        body=ConsentTo,
        by=OWN_OR_OFFICE,
        rule=given_before,
        refuses=("consent_not_given",),
        example={"purpose": "placement"},
        aside=True,
        of_one=True,
    ),
    Move(
        "erase",
        RECORDED,
        PersonErased,
        then=(ConsentWithdrawn, Profile),
        body=ErasureFor,
        by=BY_PROTECTION,
        rule=nothing_but_statistics,
        needs=states("definition", "private"),
        already=states("erased"),
        refuses=("offer_stands", "placement_reached"),
        reasons=("own_request", "retention_over", "unlawful_processing", "mistaken_entry"),
        example={"reason": "own_request"},
        aside=True,
    ),
    *HANDOVERS.moves(),
)

PERSON = Case(
    "persons",
    Person,
    MOVES,
    fold,
    readers=OWN_OR_OFFICE,
    lists={"officer": "office", "protection": "all"},
    timer=lapses,
)
