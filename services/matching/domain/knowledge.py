"""What matching knows of the subjects of others, event by event. Pure; applying an event twice changes nothing.

What a function knows stands in the subject's shadow under the function's name:

| name | fields |
|---|---|
| person | account, office, erased |
| consents | by purpose: whether it stands, and the (epoch, sequence) that said so |
| profile | entries |
| expert | person, programme, office, screening (screening, eligible, ineligible), suspended, turned (by what) |
| institution | account, office, country, area, sector, host_type, status |
| placement | match, person, programme, status, returned, completed, ended {party, reason} |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from shared.contracts.base import Envelope, Event
from shared.contracts.placement.placements import (
    PlacementCancelled,
    PlacementEndedEarly,
    PlacementFactTakenBack,
    PlacementOpened,
    PlacementRefused,
    ReturnCompleted,
    ReturnStarted,
)
from shared.contracts.registration.experts import (
    AppealUpheld,
    ExpertIdentityClashed,
    ExpertIdentitySettled,
    ExpertRegistered,
    ExpertReinstated,
    ExpertScreeningReopened,
    ExpertSuspended,
)
from shared.contracts.registration.institutions import (
    InstitutionAccountAssigned,
    InstitutionFactTakenBack,
    InstitutionRegistered,
)
from shared.contracts.registration.persons import (
    PLACEMENT,
    ConsentGiven,
    ConsentWithdrawn,
    PersonAccountAssigned,
    PersonErased,
    PersonRecorded,
    PersonTransferred,
    Profile,
)
from shared.contracts.transfers import CaseTransferred
from shared.errors import Problem, Refusal, TooEarly


class NotHeard(TooEarly):
    """Something was not heard yet of a subject of others, and what is heard of it brings what waits for it back."""


Knowledge = dict[str, Any]
CONSENT_WITHDRAWN = "consent_withdrawn"
NO_CONSENT = "no_consent"

Return = Literal["not begun", "begun", "over"]
Answer = Literal["return_begun", "return_over", "ended"]


def person(
    known: Knowledge,
    event: PersonRecorded | PersonAccountAssigned | PersonTransferred | PersonErased,
    _envelope: Envelope,
) -> Knowledge:
    """An erasure is for ever, whatever is heard after it."""
    if isinstance(event, PersonErased):
        return {**known, "erased": True}
    if isinstance(event, PersonAccountAssigned):
        return {**known, "account": event.account}
    if isinstance(event, PersonTransferred):
        return {**known, "office": event.office}
    return {**known, "account": event.account, "office": event.office}


def consents(known: Knowledge, event: ConsentGiven | ConsentWithdrawn, envelope: Envelope) -> Knowledge:
    said = known.get(event.purpose)
    if said and _is_overtaken(said["by"], envelope):
        return known
    return {**known, event.purpose: {"stands": isinstance(event, ConsentGiven), "by": _order(envelope)}}


def _order(envelope: Envelope) -> list[int]:
    return [envelope.epoch, envelope.sequence]


def _is_overtaken(by: list[int], envelope: Envelope) -> bool:
    """Whether a later event of the subject was heard ahead of its turn, as what stops people is."""
    return _order(envelope) < by


def profile(known: Knowledge, event: Profile, _envelope: Envelope) -> Knowledge:
    """What is left of an erased person is for counting alone."""
    if event.erased:
        return {**known, "entries": []}
    return {**known, "entries": [entry.model_dump(mode="json", exclude_none=True) for entry in event.entries]}


def expert(known: Knowledge, event: Event, envelope: Envelope) -> Knowledge:
    """A suspension leaves the screening as it was: that stands again afterwards. It may come before all else."""
    if isinstance(event, ExpertSuspended | ExpertReinstated):
        if _is_overtaken(known.get("turned", [0, 0]), envelope):
            return known
        suspended = isinstance(event, ExpertSuspended)
        return {**known, "person": event.person, "suspended": suspended, "turned": _order(envelope)}
    if isinstance(event, CaseTransferred):
        return {**known, "office": event.office}
    # Until the identity is settled, and for whoever applies, it is as if screening had not ended.
    clashes = isinstance(event, ExpertIdentityClashed)
    changed = {**known, "screening": "screening" if clashes else event.leads_to}
    if isinstance(event, ExpertIdentitySettled):
        # Whose case ended with that is nobody to be placed; anybody else is told as registered after it.
        changed["screening"] = "ineligible"
    lifts = isinstance(event, AppealUpheld | ExpertScreeningReopened) or (clashes and known.get("suspended"))
    if lifts and not _is_overtaken(known.get("turned", [0, 0]), envelope):
        # Whatever was decided before no longer stands, a suspension included.
        changed |= {"suspended": False, "turned": _order(envelope)}
    if clashes or isinstance(event, ExpertRegistered):
        changed |= event.model_dump(include={"person", "programme", "office"})
        changed.setdefault("suspended", False)
    return changed


def institution(known: Knowledge, event: Event, _envelope: Envelope) -> Knowledge:
    if isinstance(event, InstitutionAccountAssigned):
        return {**known, "account": event.account}
    if isinstance(event, CaseTransferred):
        return {**known, "office": event.office}
    stands = event.status if isinstance(event, InstitutionFactTakenBack) else event.leads_to
    changed = {**known, "status": stands}
    if isinstance(event, InstitutionRegistered):
        changed |= event.model_dump(include={"account", "office", "country", "area", "sector", "host_type"})
    return changed


def placement(known: Knowledge, event: Event, _envelope: Envelope) -> Knowledge:
    """`status` follows every event that leads to a state, of whatever type it is."""
    known = {**known, "status": event.leads_to} if event.leads_to else known
    match event:
        case PlacementOpened() | PlacementRefused() | PlacementCancelled():
            parties = event.parties
            told = {"person": parties.person, "programme": parties.programme} if parties else {}
            return {**known, "match": event.match, **told}
        case ReturnStarted():
            return {**known, "returned": True}
        case ReturnCompleted():
            return {**known, "completed": True}
        case PlacementEndedEarly():
            return {**known, "ended": {"party": event.party, "reason": event.reason}}
        case PlacementFactTakenBack():
            gone = _TOLD_BY.get(event.of)
            return {**{name: value for name, value in known.items() if name != gone}, "status": event.status}
    return known


# What is known by a fact of a placement, and no more once it is taken back.
_TOLD_BY = {
    ReturnStarted.__name__: "returned",
    ReturnCompleted.__name__: "completed",
    PlacementEndedEarly.__name__: "ended",
}


def return_of(known: Mapping[str, Any]) -> Return:
    """How far the return has come, by what `placement` knows: `over` is completed or ended early."""
    if known.get("completed") or known.get("ended"):
        return "over"
    return "begun" if known.get("returned") else "not begun"


def answer_to(known: Mapping[str, Any], retraction: str) -> Answer | None:
    """What placement has answered to a match's retraction for that reason; None before it has said so.

    `ended`: the return ended by it. The others: it came too late, and why.

    A consent that is taken back breaks off no return that has begun. Any other retraction ends it for the same
    reason in the programme's name; an end of another kind came first, and left nothing to take back. What never
    begun is answered by events of its own, whatever the reason. Never by the order of arrival: this is asked
    again with each event of either side.
    """
    if retraction == CONSENT_WITHDRAWN and return_of(known) != "not begun":
        return "return_begun"
    if known.get("ended") == {"party": "programme", "reason": retraction}:
        return "ended"
    return "return_over" if return_of(known) == "over" else None


ExpertStatus = Literal["unknown", "screening", "eligible", "ineligible", "suspended", "withdrawn"]


def expert_status(known: Mapping[str, Any]) -> ExpertStatus:
    """What counts for matching; a suspension covers whatever the screening said."""
    found = known.get("expert", {})
    if "programme" not in found:
        return "unknown"
    if is_suspended(known):
        return "suspended"
    status: ExpertStatus = found["screening"]
    return status


def is_erased(known: Mapping[str, Any]) -> bool:
    """Of a person: also of one of whom nothing else has been heard."""
    return bool(known.get("person", {}).get("erased"))


def is_suspended(known: Mapping[str, Any]) -> bool:
    """Also of an expert of whom nothing else has been heard."""
    return bool(known.get("expert", {}).get("suspended"))


Consent = Literal["unknown", "stands", "not_given", "withdrawn"]


def consent_to_placement(known: Mapping[str, Any]) -> Consent:
    """What the person has said about being placed. Only what stands lets anything begin: silence is no consent.

    `unknown` until something has been heard of the person at all.
    """
    said = known.get("consents", {}).get(PLACEMENT)
    if said is None:
        return "not_given" if "person" in known else "unknown"
    return "stands" if said["stands"] else "withdrawn"


# What would be right, by the rule that an expert breaks.
WANTED: Mapping[str, str] = {
    NO_CONSENT: "an expert who consents to be proposed and placed; who gives the consent then may be named again",
    CONSENT_WITHDRAWN: "an expert whose consent to be proposed and placed stands",
    "expert_unknown": "the id of a registered expert of the own office",
    "expert_not_screened": "an expert who is eligible; the screening has not ended",
    "expert_ineligible": "an expert who is eligible",
    "expert_suspended": "an expert who is not suspended",
    "expert_withdrawn": "an expert whose case stands",
    "expert_of_another_programme": "an expert of the programme of the assignment",
}


def refusal_of_expert(rule: str, pointer: str) -> Refusal:
    """The Refusal for the expert that stands at that place, with what would be right."""
    return Refusal(rule, WANTED.get(rule, ""), problems=(Problem(rule, pointer, WANTED.get(rule, "")),))


class OfAnotherOffice(Refusal):
    """An officer named an expert of another office: answered as one who does not exist."""

    def __init__(self) -> None:
        super().__init__("not_found", problems=(Problem("not_found", "/expert"),), status=404)


def check_office(known: Mapping[str, Any], office: str | None) -> None:
    """An officer puts experts of the own office on its assignments, and learns nothing about those of another.

    Experts apply wherever they like by themselves. Raises OfAnotherOffice; passes an expert who is not known yet.
    """
    if expert_status(known) != "unknown" and known["expert"]["office"] != office:
        raise OfAnotherOffice


NOT_ACTIVE = "institution_not_active"
# What would be right, by the rule that an institution breaks.
WANTED_OF_HOSTS: Mapping[str, str] = {
    "institution_unknown": "the id of a registered institution; the news of a new one may be on its way",
    "institution_of_another_office": "an institution of the office that the terms name",
    NOT_ACTIVE: "an institution that its office has activated",
}


def refusal_of_institution(rule: str, pointer: str = "") -> Refusal:
    """The Refusal for an institution, with what would be right; `pointer`: of the field that names it, if one does."""
    wanted = WANTED_OF_HOSTS[rule]
    return Refusal(rule, wanted, problems=(Problem(rule, pointer, wanted),))


def is_active(known: Mapping[str, Any]) -> bool:
    """Of an institution: whether it may host, by what was heard of it last."""
    return bool(known.get("institution", {}).get("status") == "active")


def check_active(known: Mapping[str, Any]) -> None:
    """Nobody is sought for, or sent to, an institution that may not host. What its office decides at that moment is
    heard a moment later, so nothing rests on this but an early answer.

    Raises Refusal `institution_not_active`, NotHeard before anything was heard of it.
    """
    if "institution" not in known:
        raise NotHeard("institution")
    if not is_active(known):
        raise refusal_of_institution(NOT_ACTIVE)
