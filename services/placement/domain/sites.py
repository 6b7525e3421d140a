"""A site, from the proposal over the works to the handing over (docs/domain.md)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from services.placement.domain.bounds import BEYOND, OUTSIDE, Bounded, reason_outside
from services.placement.domain.works import (
    Work,
    Works,
    all_completed,
    check_reach,
    completed,
    next_number,
    standing,
)
from shared.cases.bodies import Change, Reason
from shared.cases.case import Case, Move, Told, Turn, states
from shared.cases.movable import Movable
from shared.cases.opening import DEFINITION, Framed, Opening, opens
from shared.cases.revisions import Facts, Revisions, at_any_time
from shared.cases.trail import Trailed
from shared.cases.transfers import Transfers
from shared.contracts.base import Code, Event
from shared.contracts.frame import Frame, Listed
from shared.contracts.placement.sites import (
    Condition,
    Reached,
    SiteAssessed,
    SiteDropped,
    SiteFactTakenBack,
    SiteHandedOver,
    SiteInspected,
    SiteProposed,
    SiteTimeCorrected,
    SiteTransferAsked,
    SiteTransferDeclined,
    SiteTransferred,
    SiteTransferWithdrawn,
    WorkNumber,
    WorksBegun,
    WorksCompleted,
)
from shared.identity.roles import BY_OFFICER


class Site(Framed, Trailed, Movable):
    """`override_reason`: why it was proposed before the programme had begun."""

    status: Literal["proposed", "assessed", "under_works", "handed_over", "dropped"]
    site_kind: Code
    works: Works = ()
    reason: Code | None = None
    override_reason: Code | None = None


class Proposal(Opening, Bounded):
    site_kind: Annotated[Code, Listed("site_kind")]


class Beginning(Bounded):
    work_kind: Annotated[Code, Listed("work_kind")]


class Completion(Change):
    """`families`, `persons`: how many use what was built, in the units that the programme states."""

    work: WorkNumber
    families: Reached | None = None
    persons: Reached | None = None


class Inspection(Change):
    condition: Condition


def proposed(turn: Turn[Site, Proposal]) -> Told:
    """No site is proposed before the programme has begun, unless there is a reason."""
    frame: Frame = turn.given.frame
    return {"frame": frame, **_on_a_day(turn, frame.day_of(turn.now))}


def under_its_number(turn: Turn[Site, Beginning]) -> Told:
    """Works of a site are numbered from 1, and begin as `begun_in_time` says."""
    return {"work": next_number(turn.state.works), **begun_in_time(turn)}


def begun_in_time(turn: Turn[Site, Any]) -> Mapping[str, Any]:
    """Works begin while the programme runs, unless there is a reason."""
    return _on_a_day(turn, turn.state.day_of(turn.now))


def _on_a_day(turn: Turn[Any, Any], day: date) -> Mapping[str, Any]:
    said = ("/happened_at", day)
    return {"override_reason": reason_outside(turn.given.programme, turn.body.override_reason, said, said)}


def reaching_so_many(turn: Turn[Site, Completion]) -> Told:
    """Works are completed once, and state whom they reach in the units of the programme."""
    work = standing(turn.state.works, turn.body.work)
    check_reach(turn.given.section, {"families": turn.body.families, "persons": turn.body.persons})
    return {"work_kind": work.work_kind}


def works_are_done(site: Site) -> None:
    """A site is handed over when all its works are completed, and there were some."""
    all_completed(site.works)


def may_have_more(site: Site) -> None:
    """A site with too many works is several sites."""
    next_number(site.works)


def fold(state: Site | None, event: Event) -> Mapping[str, Any]:
    works = state.works if state else ()
    match event:
        case WorksBegun():
            begun = Work(work_kind=event.work_kind, override_reason=event.override_reason)
            # The reason is of these works, not of the site's proposal.
            return {"works": (*works, begun), "override_reason": state.override_reason if state else None}
        case WorksCompleted():
            return {"works": completed(works, event.work, event.families, event.persons)}
    return {}


BEFORE_HANDING_OVER = states("proposed", "assessed", "under_works")
EXAMPLE: Mapping[str, Any] = {
    "programme": "coswa-nar",
    "office": "nakhchivan",
    "title": "The kahriz above the village school",
    "country": "AZ",
    "sector": "water",
    "site_kind": "village",
}

_PUT_RIGHT: Facts = {
    **dict.fromkeys((SiteAssessed, WorksCompleted, SiteHandedOver, SiteInspected, SiteDropped), at_any_time),
    WorksBegun: begun_in_time,
}
REVISIONS = Revisions(
    SiteTimeCorrected,
    SiteFactTakenBack,
    timed=_PUT_RIGHT,
    undone=frozenset(_PUT_RIGHT),
    refuses=(OUTSIDE,),
    example={"happened_at": "2011-03-11T09:00:00Z", "reason": "wrong_date"},
)
TRANSFERS = Transfers(
    SiteTransferAsked,
    SiteTransferWithdrawn,
    SiteTransferDeclined,
    SiteTransferred,
    BEFORE_HANDING_OVER | {"handed_over"},
)
FACTS: tuple[Move, ...] = (
    opens(
        "create",
        SiteProposed,
        Proposal,
        BY_OFFICER,
        rule=proposed,
        refuses=(OUTSIDE,),
        reasons=BEYOND,
        example=EXAMPLE,
    ),
    Move("assess", states("proposed"), SiteAssessed, by=BY_OFFICER),
    Move(
        "begin-works",
        states("assessed", "under_works"),
        WorksBegun,
        body=Beginning,
        by=BY_OFFICER,
        rule=under_its_number,
        needs=DEFINITION,
        when=may_have_more,
        refuses=("too_many_works", OUTSIDE),
        reasons=BEYOND,
        example={"work_kind": "water_system"},
    ),
    Move(
        "complete-works",
        states("under_works"),
        WorksCompleted,
        body=Completion,
        by=BY_OFFICER,
        rule=reaching_so_many,
        needs=DEFINITION,
        refuses=("work_unknown", "work_completed_before", "reach_stated_otherwise"),
        example={"work": 1, "families": 120},
    ),
    Move(
        "hand-over",
        states("under_works"),
        SiteHandedOver,
        by=BY_OFFICER,
        when=works_are_done,
        refuses=("works_not_completed",),
    ),
    Move(
        "inspect",
        states("handed_over"),
        SiteInspected,
        body=Inspection,
        by=BY_OFFICER,
        example={"condition": "working"},
        aside=True,
    ),
    Move(
        "drop",
        BEFORE_HANDING_OVER,
        SiteDropped,
        body=Reason,
        by=BY_OFFICER,
        reasons=("spring_dried_up", "owners_disagree", "unsuitable", "no_funds", "security", "mistake"),
        example={"reason": "spring_dried_up"},
        aside=True,
    ),
)

SITE = Case(
    "sites",
    Site,
    (*FACTS, *REVISIONS.moves(FACTS), *TRANSFERS.moves()),
    fold,
    revisable=REVISIONS.revisable,
    readers={**BY_OFFICER, "host": "institution"},
    filters=("programme", "institution"),
)
