"""A host institution: proposed > assessed > partner > active <> on_hold > closed (docs/domain.md, section 3).

Its name is no personal datum, but it is text, and texts never travel on topics: it stays in the private part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, StringConstraints

from services.registration.domain import examples
from services.registration.domain.contact import SAID_ANEW, ContactChange, as_wished
from services.registration.domain.contact import UNCHANGED as CONTACT_UNCHANGED
from services.registration.domain.fields import Email, KnownCountry
from services.registration.domain.handover import (
    CALLERS,
    HELD,
    UNCHANGED,
    AccountAssignment,
    AccountBorne,
    Handovers,
    SignsInAs,
    handed,
    lapses,
    to_another,
)
from shared.cases.bodies import Change, Reason
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.cases.movable import Movable
from shared.cases.revisions import Facts, Revisions, at_any_time
from shared.cases.trail import Trailed
from shared.cases.transfers import Transfers
from shared.contracts.base import Code, Instant
from shared.contracts.registration.handovers import HandingOver
from shared.contracts.registration.institutions import (
    InstitutionAccountAssigned,
    InstitutionActivated,
    InstitutionAssessed,
    InstitutionBecamePartner,
    InstitutionClosed,
    InstitutionContactChanged,
    InstitutionFactTakenBack,
    InstitutionHandoverDeclined,
    InstitutionHandoverLapsed,
    InstitutionHandoverProposed,
    InstitutionHandoverWithdrawn,
    InstitutionPutOnHold,
    InstitutionRegistered,
    InstitutionTimeCorrected,
    InstitutionTransferAsked,
    InstitutionTransferDeclined,
    InstitutionTransferred,
    InstitutionTransferWithdrawn,
)
from shared.identity.roles import BY_HOST, BY_OFFICER
from shared.texts import one_line

Status = Literal["proposed", "assessed", "partner", "active", "on_hold", "closed"]


class Institution(AccountBorne, Trailed, Movable):
    """`reason`: why it is on hold or closed."""

    model_config = ConfigDict(frozen=True)

    office: str
    country: str
    sector: str
    host_type: str
    area: str | None = None
    registered_at: Instant
    status: Status = "proposed"
    reason: str | None = None


class InstitutionRegistration(Change):
    """`account`: the subject under which the institution signs in; `email`: where its mail goes, sealed."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200), BeforeValidator(one_line)]
    country: KnownCountry
    area: Code | None = None
    sector: Code
    host_type: Code
    office: Code
    account: SignsInAs | None = None
    email: Email | None = None


def under_its_account(turn: Turn[Institution, InstitutionRegistration]) -> Told:
    """A host registers itself; an officer names the subject under which the host will sign in."""
    return {"account": turn.given}


def fold(state: Institution | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    match event:
        case InstitutionRegistered():
            return {"registered_at": event.happened_at}
        case InstitutionActivated():
            return {"reason": None}
        case InstitutionAccountAssigned() | HandingOver() if state:
            # The case's own reason is why it is on hold.
            return {"reason": state.reason, **handed(event)}
        case InstitutionClosed() if state and state.handover:
            return {"handover": None}
    return {}


OPEN = states("proposed", "assessed", "partner", "active", "on_hold")
TRANSFERS = Transfers(
    InstitutionTransferAsked,
    InstitutionTransferWithdrawn,
    InstitutionTransferDeclined,
    InstitutionTransferred,
    OPEN,
)
HANDOVERS = Handovers(
    InstitutionHandoverProposed,
    InstitutionHandoverWithdrawn,
    InstitutionHandoverDeclined,
    InstitutionHandoverLapsed,
    InstitutionAccountAssigned,
    OPEN,
    {"host": "institution"},
    ("contact_left", "task_passed_on", "mistaken_entry"),
)

FACTS: tuple[Move, ...] = (
    Move(
        "create",
        states(NEW),
        InstitutionRegistered,
        body=InstitutionRegistration,
        by={"host": "own", "officer": "office"},
        rule=under_its_account,
        needs=states("account", "definition", "private"),
        refuses=(
            "account_held_elsewhere",
            "account_is_the_callers",
            "code_not_listed",
            "office_unknown",
            "other_office",
        ),
        example=examples.INSTITUTION,
    ),
    Move(
        "assign-account",
        OPEN,
        InstitutionAccountAssigned,
        body=AccountAssignment,
        by=BY_OFFICER,
        rule=to_another,
        needs=states("account"),
        refuses=(CALLERS, HELD, UNCHANGED),
        reasons=("contact_left", "first_sign_in", "sign_in_lost", "mistaken_entry"),
        example={"account": "new-contact@example.org", "reason": "contact_left"},
        aside=True,
        of_one=True,
    ),
    Move(
        "set-contact",
        OPEN,
        InstitutionContactChanged,
        body=ContactChange,
        by=BY_HOST,
        rule=as_wished,
        refuses=(CONTACT_UNCHANGED,),
        needs=states("private"),
        example=examples.CONTACT,
        aside=True,
        of_one=True,
        anew=SAID_ANEW,
    ),
    Move("assess", states("proposed"), InstitutionAssessed, by=BY_OFFICER),
    Move("accept-partner", states("assessed"), InstitutionBecamePartner, by=BY_OFFICER),
    Move("activate", states("partner", "on_hold"), InstitutionActivated, by=BY_OFFICER),
    Move(
        "put-on-hold",
        states("active"),
        InstitutionPutOnHold,
        body=Reason,
        by=BY_OFFICER,
        reasons=("relocating", "no_capacity", "no_answer", "security", "conduct", "under_inquiry"),
        example={"reason": "relocating"},
        aside=True,
    ),
    Move(
        "close",
        OPEN,
        InstitutionClosed,
        body=Reason,
        by=BY_OFFICER,
        reasons=("merged", "dissolved", "own_request", "unsuitable", "conduct", "security", "registered_twice"),
        example={"reason": "merged"},
        aside=True,
    ),
)

_PUT_RIGHT: Facts = dict.fromkeys(
    (InstitutionAssessed, InstitutionBecamePartner, InstitutionActivated, InstitutionPutOnHold, InstitutionClosed),
    at_any_time,
)
REVISIONS = Revisions(
    InstitutionTimeCorrected, InstitutionFactTakenBack, timed=_PUT_RIGHT, undone=frozenset(_PUT_RIGHT)
)

INSTITUTION = Case(
    "institutions",
    Institution,
    (*FACTS, *REVISIONS.moves(FACTS), *HANDOVERS.moves(), *TRANSFERS.moves()),
    fold,
    timer=lapses,
    revisable=REVISIONS.revisable,
    readers=BY_HOST,
    second="already_registered",
)
