"""Which event tells whom: one table. From it follow the handlers, the ledger, the reminders and the words.

A notice goes to those who did not do it, and its words name no reason, no other party and no score. A receipt goes to
whoever sent something in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from services.registration.domain.contact import BY_DAY, Unwanted
from services.registration.domain.due import Due, after, at_half, at_once, before, morning
from services.registration.domain.handover import to_somebody_else
from services.registration.domain.messages import Recipient
from shared.contracts.base import Envelope, Event, Scope
from shared.contracts.matching import assignments as a
from shared.contracts.matching import matches as m
from shared.contracts.placement import placements as p
from shared.contracts.placement import sites as s
from shared.contracts.placement import trainings as t
from shared.contracts.registration import experts as e
from shared.contracts.registration import institutions as i
from shared.contracts.registration import persons as r

Kind = Literal["receipt", "decision", "security", "request", "progress", "reminder"]
# What somebody may ask not to be told; receipts, decisions and security are told always.
OPTIONAL: tuple[Kind, ...] = get_args(Unwanted)
LASTS: Mapping[Kind, timedelta] = {
    "receipt": timedelta(days=14),
    "decision": timedelta(days=30),
    "security": timedelta(days=14),
    "request": timedelta(days=14),
    "progress": timedelta(days=14),
    "reminder": timedelta(days=2),
}
# The oldest fact that anybody is told of.
LONGEST = max(LASTS.values())
# Goes to the address before.
CONTACT_CHANGED = "contact_changed"
# Goes to the address of whoever handed the account over, and to the one before.
ACCOUNT_LEFT = "account_left"
# Goes to the address of whoever the account was when it was offered, and to the one before.
HANDOVER_OFFERED = "handover_proposed"

Knowledge = Mapping[str, Any]
# Whether what is known of the subject by now still makes it true, beside the id of the event.
Stands = Callable[[Knowledge, str], bool]


# The office that is told.
Whose = Callable[[Any, Scope], str | None]


def of_the_case(_event: Any, scope: Scope) -> str | None:
    return scope.office


def always(_event: Any, _envelope: Envelope) -> bool:
    return True


def no_end(_event: Any) -> datetime | None:
    return None


def still(_known: Knowledge, _event: str) -> bool:
    return True


@dataclass(frozen=True)
class Notice:
    """`held`: an officer releases it. `until`: what it names as the last instant. `when`: of which of the events.

    `at_any_hour`: it says how much time is left, so it does not wait for the morning.

    A reminder is `due` later, and is sent only if it `stands` then. `whose`: the office, of a notice to one.
    `parts`: whoever it goes to sees the case no more.
    """

    template: str
    to: Recipient
    kind: Kind
    held: bool = False
    until: Callable[[Any], datetime | None] = no_end
    when: Callable[[Any, Envelope], bool] = always
    at_any_hour: bool = False
    due: Due = at_once
    stands: Stands = still
    whose: Whose = of_the_case
    parts: bool = False

    @property
    def reminds(self) -> bool:
        return self.due is not at_once

    @property
    def lasts(self) -> timedelta:
        return LASTS[self.kind]

    def is_own(self, envelope: Envelope, office: str | None) -> bool:
        """Whether it tells somebody of what they did; what was received, and what may be misused, is told all the same.

        `office`: the one that it is for, if it is for one.
        """
        if self.reminds or self.kind in ("receipt", "security"):
            return False
        if self.to != "office":
            return envelope.by_role == self.to
        return envelope.by_role == "officer" and (envelope.by_office or envelope.scope.office) == office


def _appeal(event: Any) -> datetime | None:
    found: datetime | None = event.appeal_until
    return found


def _expiry(event: Any) -> datetime | None:
    found: datetime | None = event.expires_at
    return found


def _first(_event: Any, envelope: Envelope) -> bool:
    """Whose number was another's is registered again when that is decided, and reads nothing of it."""
    return envelope.sequence == 1


def _later(event: Any, envelope: Envelope) -> bool:
    return not _first(event, envelope)


def _ends(event: Any, _envelope: Envelope) -> bool:
    return bool(event.outcome == "same_person")


def _by_officer(_event: Any, envelope: Envelope) -> bool:
    return envelope.by_role == "officer"


def _by_both(event: Any, envelope: Envelope) -> bool:
    """Of an account that was handed over: by the two people, not by the office."""
    return not _by_officer(event, envelope)


def _ends_at(event: Any) -> datetime | None:
    found: datetime | None = event.ends_at
    return found


def _says(name: str) -> Callable[[Any, Envelope], bool]:
    """Of the events that say something under that name."""

    def check(event: Any, _envelope: Envelope) -> bool:
        return bool(getattr(event, name))

    return check


def _not_by(party: str) -> Callable[[Any, Envelope], bool]:
    def check(event: Any, _envelope: Envelope) -> bool:
        return bool(event.party != party)

    return check


def _known_as(part: str, name: str, *stages: str) -> Stands:
    """The event is still the one that is known under that name, and the case in one of the stages, if there are any."""

    def stands(known: Knowledge, event: str) -> bool:
        found: Mapping[str, Any] = known.get(part, {})
        return bool(found.get(name) == event and (not stages or found.get("stage") in stages))

    return stands


_offer_open = _known_as("match", "offer")
_round_open = _known_as("assignment", "round")
_not_arrived = _known_as("placement", "contract", "contracted")
_under_contract = _known_as("placement", "contract", "contracted", "active")
_report_missing = _known_as("placement", "reports_due", "active")


def _by_itself(event: Any, envelope: Envelope) -> bool:
    return bool(event.channel == "self" and _first(event, envelope))


def _of_placement(event: Any, _envelope: Envelope) -> bool:
    return bool(event.purpose == "placement")


def _asked(event: Any, _scope: Scope) -> str | None:
    found: str = event.to_office
    return found


def _left(event: Any, _scope: Scope) -> str | None:
    found: str = event.left
    return found


def _to_office(template: str, kind: Kind, **how: Any) -> Notice:
    return Notice(f"office_{template}", "office", kind, **how)


def _account_assigned(to: Recipient) -> tuple[Notice, ...]:
    return (
        Notice("account_assigned", to, "security"),
        Notice(ACCOUNT_LEFT, to, "receipt", when=to_somebody_else, parts=True),
        _to_office("account_handed_over", "progress", when=_by_both),
    )


def _handover_proposed(to: Recipient) -> tuple[Notice, ...]:
    """Whoever may have got hold of somebody's session is found out by it."""
    return (Notice(HANDOVER_OFFERED, to, "security", until=_ends_at),)


def _handover_ended(to: Recipient, how: str) -> tuple[Notice, ...]:
    """Whoever ended it, in the same role or by saying nothing, is another one than who is told."""
    return (Notice(f"handover_{how}", to, "security"),)


def _handover_withdrawn(to: Recipient) -> tuple[Notice, ...]:
    return (Notice("handover_withdrawn", to, "security", when=_by_officer),)


# What officers record late they know, but for what another office says.
LATE_TOO = frozenset({"office_transfer_asked", "office_transfer_answered", "office_transferred"})
_TRANSFER_ASKED = (_to_office("transfer_asked", "request", whose=_asked),)
_TRANSFER_ANSWERED = _to_office("transfer_answered", "decision")
_TRANSFER_DONE = _to_office("transferred", "decision", whose=_left, parts=True)
_REGISTERED = (
    Notice("registered", "expert", "receipt", when=_first),
    _to_office("registered", "progress", when=_by_itself),
)
_OFFER_ANSWERED = _to_office("offer_answered", "progress")
_CANDIDATE_AGREED = _to_office("candidate_agreed", "progress")
_CANDIDATE_REFUSED = _to_office("candidate_refused", "progress", when=_says("host"))
_PLACEMENT_ENDED = _to_office("placement_ended", "decision")
OFFER_REMINDERS = tuple(
    Notice(
        template,
        "expert",
        "reminder",
        until=_expiry,
        when=_says("expires_at"),
        at_any_hour=due is not at_half,
        due=due,
        stands=_offer_open,
    )
    for template, due in (
        ("offer_half_time", at_half),
        ("offer_one_day", before(days=1)),
        ("offer_three_hours", before(hours=3)),
    )
)
_ARRIVAL = Notice("arrival_to_confirm", "host", "reminder", due=morning(lambda e: e.starts_on, 1), stands=_not_arrived)
_NOT_ARRIVED_YET = _to_office(
    "arrival_unconfirmed", "reminder", due=morning(lambda e: e.starts_on, 2), stands=_not_arrived
)
_REPORT_SOON = Notice("report_soon", "expert", "reminder", due=morning(lambda e: e.ends_on, -8), stands=_under_contract)

NOTICES: Mapping[type[Event], tuple[Notice, ...]] = {
    e.ExpertRegistered: _REGISTERED,
    # Read by whoever it is about, it is the same as what happens where nobody else holds the number.
    e.ExpertIdentityClashed: (*_REGISTERED, Notice("screening_reopened", "expert", "decision", when=_later)),
    e.ExpertIdentitySettled: (Notice("registration_ended", "expert", "decision", held=True, when=_ends),),
    e.ExpertInfoRequested: (Notice("info_requested", "expert", "request"),),
    e.ExpertDeclaredEligible: (Notice("eligible", "expert", "decision"),),
    e.ExpertDeclaredIneligible: (Notice("ineligible", "expert", "decision", held=True, until=_appeal),),
    e.ExpertScreeningReopened: (Notice("screening_reopened", "expert", "decision"),),
    e.ExpertSuspended: (Notice("suspended", "expert", "decision", held=True, until=_appeal),),
    e.ExpertReinstated: (Notice("reinstated", "expert", "decision"),),
    e.ExpertAppealed: (
        Notice("appeal_received", "expert", "receipt"),
        _to_office("appeal", "request"),
    ),
    e.AppealUpheld: (Notice("appeal_decided", "expert", "decision"),),
    e.AppealDismissed: (Notice("appeal_decided", "expert", "decision", held=True),),
    e.ExpertTransferred: (
        Notice("office_changed", "expert", "progress"),
        _TRANSFER_DONE,
    ),
    r.PersonAccountAssigned: _account_assigned("expert"),
    r.PersonHandoverProposed: _handover_proposed("expert"),
    r.PersonHandoverWithdrawn: _handover_withdrawn("expert"),
    r.PersonHandoverDeclined: _handover_ended("expert", "declined"),
    r.PersonHandoverLapsed: _handover_ended("expert", "lapsed"),
    r.PersonContactChanged: (Notice(CONTACT_CHANGED, "expert", "security", when=_says("elsewhere")),),
    r.IdentityChangeRequested: (Notice("identity_change_received", "expert", "receipt"),),
    r.IdentityChangeConfirmed: (Notice("identity_change_decided", "expert", "decision"),),
    r.IdentityChangeRefused: (Notice("identity_change_decided", "expert", "decision"),),
    r.ConsentWithdrawn: (
        Notice("consent_withdrawn", "expert", "receipt"),
        _to_office("consent_withdrawn", "decision", when=_of_placement),
    ),
    i.InstitutionRegistered: (
        Notice("institution_registered", "host", "receipt"),
        _to_office("institution_registered", "request"),
    ),
    i.InstitutionBecamePartner: (Notice("institution_partner", "host", "decision"),),
    i.InstitutionActivated: (Notice("institution_active", "host", "decision"),),
    i.InstitutionPutOnHold: (Notice("institution_on_hold", "host", "decision", held=True),),
    i.InstitutionClosed: (Notice("institution_closed", "host", "decision", held=True),),
    i.InstitutionContactChanged: (Notice(CONTACT_CHANGED, "host", "security", when=_says("elsewhere")),),
    i.InstitutionTransferred: (
        Notice("office_changed", "host", "progress"),
        _TRANSFER_DONE,
    ),
    i.InstitutionAccountAssigned: _account_assigned("host"),
    i.InstitutionHandoverProposed: _handover_proposed("host"),
    i.InstitutionHandoverWithdrawn: _handover_withdrawn("host"),
    i.InstitutionHandoverDeclined: _handover_ended("host", "declined"),
    i.InstitutionHandoverLapsed: _handover_ended("host", "lapsed"),
    a.AssignmentSubmitted: (
        Notice("terms_received", "host", "receipt"),
        _to_office("terms_submitted", "request"),
    ),
    a.AssignmentEditsRequested: (Notice("terms_edits", "host", "request"),),
    a.AssignmentApproved: (Notice("terms_approved", "host", "decision"),),
    a.AssignmentRejected: (Notice("terms_rejected", "host", "decision", held=True),),
    a.AssignmentPublished: (Notice("terms_published", "host", "progress"),),
    a.AssignmentMatchingStarted: (
        Notice("shortlist_made", "host", "request"),
        Notice("shortlist_waits_5", "host", "reminder", due=after(5), stands=_round_open),
        Notice("shortlist_waits_10", "host", "reminder", due=after(10), stands=_round_open),
    ),
    a.AssignmentFilled: (Notice("assignment_filled", "host", "progress"),),
    a.AssignmentCancelled: (Notice("assignment_cancelled", "host", "decision"),),
    a.AssignmentTransferred: (
        Notice("office_changed", "host", "progress"),
        _TRANSFER_DONE,
    ),
    m.ApplicationReceived: (
        Notice("application_received", "expert", "receipt"),
        _to_office("application", "progress"),
    ),
    m.ExpertNotSelected: (Notice("not_selected", "expert", "decision", held=True), _CANDIDATE_REFUSED),
    m.CandidateConfirmed: (_CANDIDATE_AGREED,),
    m.OfferMade: (Notice("offer_made", "expert", "decision", until=_expiry), *OFFER_REMINDERS),
    m.MatchTimeCorrected: (
        Notice("deadline_changed", "expert", "decision", until=_expiry, when=_says("expires_at")),
        *OFFER_REMINDERS,
    ),
    m.OfferAccepted: (
        Notice("offer_accepted", "host", "progress"),
        _OFFER_ANSWERED,
    ),
    m.OfferDeclined: (
        Notice("offer_declined", "host", "progress"),
        _OFFER_ANSWERED,
    ),
    m.OfferExpired: (
        Notice("offer_expired", "expert", "decision"),
        Notice("offer_expired_host", "host", "progress"),
        _OFFER_ANSWERED,
    ),
    m.MatchRetracted: (
        Notice("match_ended", "expert", "decision"),
        Notice("match_ended_host", "host", "decision"),
        _CANDIDATE_REFUSED,
    ),
    p.PlacementRefused: (
        Notice("placement_refused", "expert", "decision"),
        Notice("placement_refused_host", "host", "decision"),
        _PLACEMENT_ENDED,
    ),
    p.PlacementContracted: (
        Notice("contracted", "expert", "request"),
        Notice("contracted_host", "host", "progress"),
        _ARRIVAL,
        _REPORT_SOON,
        _NOT_ARRIVED_YET,
    ),
    p.PlacementContractCorrected: (
        Notice("contract_changed", "expert", "decision"),
        Notice("contract_changed_host", "host", "decision"),
        _ARRIVAL,
        _REPORT_SOON,
        _NOT_ARRIVED_YET,
    ),
    p.PlacementExtended: (
        Notice("extended", "expert", "decision"),
        Notice("extended_host", "host", "decision"),
        _REPORT_SOON,
    ),
    p.ReturnStarted: (Notice("arrival_confirmed", "expert", "progress"),),
    p.ReportsDue: (
        Notice("report_due", "expert", "request"),
        Notice("certificate_due", "host", "request"),
        Notice("report_overdue", "expert", "reminder", due=after(7), stands=_report_missing),
    ),
    p.ReportAccepted: (Notice("report_accepted", "expert", "progress"),),
    p.HostCertified: (Notice("certificate_ready", "expert", "progress"),),
    p.ReturnCompleted: (Notice("completed", "expert", "decision"), Notice("completed_host", "host", "decision")),
    p.PlacementEndedEarly: (
        Notice("ended_early", "expert", "decision", when=_not_by("expert")),
        Notice("ended_early_host", "host", "decision", when=_not_by("host")),
        _to_office("placement_ended", "decision", when=_not_by("programme")),
    ),
    p.NoShowReported: (
        Notice("no_show", "expert", "decision"),
        Notice("no_show_host", "host", "decision"),
        _PLACEMENT_ENDED,
    ),
    p.PlacementCancelled: (
        Notice("placement_cancelled", "expert", "decision"),
        Notice("placement_cancelled_host", "host", "decision"),
    ),
    e.ExpertInfoProvided: (_to_office("info_provided", "request"),),
    e.ExpertEligibilityChanged: (_to_office("criteria_changed", "request", when=_says("failing")),),
    p.ReportSubmitted: (_to_office("report", "request"),),
    **dict.fromkeys(
        (
            e.ExpertTransferAsked,
            i.InstitutionTransferAsked,
            a.AssignmentTransferAsked,
            t.TrainingTransferAsked,
            s.SiteTransferAsked,
        ),
        _TRANSFER_ASKED,
    ),
    **dict.fromkeys(
        (
            e.ExpertTransferDeclined,
            i.InstitutionTransferDeclined,
            a.AssignmentTransferDeclined,
            t.TrainingTransferDeclined,
            s.SiteTransferDeclined,
        ),
        (_TRANSFER_ANSWERED,),
    ),
    **dict.fromkeys((t.TrainingTransferred, s.SiteTransferred), (_TRANSFER_DONE,)),
}
# Of facts that turn out to be mistakes: what was told of them is taken back, where it was sent.
CORRECTION = "told_by_mistake"
TAKES_BACK: tuple[type[Event], ...] = (
    i.InstitutionFactTakenBack,
    a.AssignmentFactTakenBack,
    m.MatchFactTakenBack,
    p.PlacementFactTakenBack,
)
BY_TEMPLATE: Mapping[tuple[str, Recipient], Notice] = {
    (one.template, one.to): one for notices in NOTICES.values() for one in notices
}
TEMPLATES: tuple[str, ...] = (*dict.fromkeys(one.template for one in BY_TEMPLATE.values()), CORRECTION)


def by_day(template: str, to: Recipient) -> bool:
    """Whether a message of the template waits for the end of the night."""
    found = BY_TEMPLATE.get((template, to))
    return kind_of(template, to) in BY_DAY and not (found and found.at_any_hour)


def parts_with(template: str, to: Recipient) -> bool:
    """Whether whoever the message goes to sees its case no more."""
    found = BY_TEMPLATE.get((template, to))
    return bool(found and found.parts)


def kind_of(template: str, to: Recipient) -> Kind:
    found = BY_TEMPLATE.get((template, to))
    return found.kind if found else "decision"
