"""A training, from the announcement to the participants, who are counted in groups and never named (docs/domain.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from services.placement.domain.bounds import BEYOND, OUTSIDE, Bounded, reason_outside
from services.placement.domain.calendars import in_order
from shared.cases.bodies import Change, Reason
from shared.cases.case import Case, Move, Told, Turn, states
from shared.cases.movable import Movable
from shared.cases.opening import DEFINITION, Framed, Opening, opens
from shared.cases.revisions import Facts, Revisions, at_any_time
from shared.cases.trail import Trailed
from shared.cases.transfers import Transfers
from shared.contracts.base import Code, Date, Event, Instant
from shared.contracts.frame import Listed
from shared.contracts.placement.trainings import (
    Group,
    Groups,
    Sessions,
    TrainingAnnounced,
    TrainingCancelled,
    TrainingFactTakenBack,
    TrainingHeld,
    TrainingParticipantsCorrected,
    TrainingRescheduled,
    TrainingTimeCorrected,
    TrainingTransferAsked,
    TrainingTransferDeclined,
    TrainingTransferred,
    TrainingTransferWithdrawn,
)
from shared.errors import Problem, Refusal
from shared.identity.roles import BY_OFFICER


class Training(Framed, Trailed, Movable):
    """`correction`: number of the last one. `reason`: of that, or of the cancellation. `override_reason`: why its days
    lie outside those of the programme."""

    status: Literal["announced", "held", "cancelled"]
    training_kind: Code
    training_topic: Code | None = None
    starts_on: Date
    ends_on: Date
    sessions: int | None = None
    participants: tuple[Group, ...] = ()
    override_reason: Code | None = None
    held_at: Instant | None = None
    correction: int = 0
    reason: Code | None = None


class Dated(Bounded):
    starts_on: Date
    ends_on: Date


class Announcement(Opening, Dated):
    training_kind: Annotated[Code, Listed("training_kind")]
    training_topic: Annotated[Code | None, Listed("training_topic")] = None


class Held(Change):
    sessions: Sessions
    participants: Groups


class Recount(Reason):
    participants: Groups


def announced(turn: Turn[Training, Announcement]) -> Told:
    """A training ends after it begins, within the programme unless there is a reason; its last day is the one before
    `ends_on`."""
    return {"frame": turn.given.frame, **on_its_days(turn)}


def on_its_days(turn: Turn[Training, Any]) -> Mapping[str, Any]:
    """A training ends after it begins, within the programme unless there is a reason, on its new days too."""
    body = turn.body
    in_order(body.starts_on, body.ends_on)
    days = ("/starts_on", body.starts_on), ("/ends_on", body.ends_on)
    return {"override_reason": reason_outside(turn.given.programme, body.override_reason, *days)}


def held_when_it_began(turn: Turn[Training, Held]) -> Told:
    """No training is held before its first day; each group of participants stands once."""
    from_its_first_day(turn)
    each_group_once(turn.body.participants)
    return {}


def from_its_first_day(turn: Turn[Training, Any]) -> Told:
    """No training is held before its first day."""
    if turn.state.day_of(turn.now) < turn.state.starts_on:
        raise Refusal("held_before_start", f"the training begins on {turn.state.starts_on}")
    return {}


def counted_anew(turn: Turn[Training, Recount]) -> Told:
    """A correction counts when the training was held, and replaces all that was said of its participants before."""
    each_group_once(turn.body.participants)
    if set(turn.body.participants) == set(turn.state.participants):
        raise Refusal("participants_unchanged", "it says what is recorded already", at="/participants")
    return [
        TrainingParticipantsCorrected(
            happened_at=turn.state.held_at or turn.now,
            correction=turn.state.correction + 1,
            participants=turn.body.participants,
            reason=turn.body.reason,
        )
    ]


def each_group_once(groups: Groups) -> None:
    """Two counts of one group would be added up, though one of them may be meant to replace the other."""
    seen: set[tuple[Any, ...]] = set()
    for number, one in enumerate(groups):
        named = (one.sex, one.category, one.institution)
        if named in seen:
            problem = Problem("group_repeated", f"/participants/{number}", "each sex, category and institution once")
            raise Refusal("group_repeated", problems=(problem,), status=422)
        seen.add(named)


def fold(_state: Training | None, event: Event) -> Mapping[str, Any]:
    match event:
        case TrainingHeld():
            return {"held_at": event.happened_at}
        case TrainingAnnounced() | TrainingRescheduled():
            return {"override_reason": event.override_reason}
    return {}


ANNOUNCED = states("announced")
HELD = states("held")
DAYS: Mapping[str, Any] = {"starts_on": "2011-03-07", "ends_on": "2011-03-12"}
GROUPS: Mapping[str, Any] = {"participants": [{"sex": "female", "persons": 20}, {"sex": "male", "persons": 40}]}
COUNTED_ANEW: Mapping[str, Any] = {"participants": [{"sex": "female", "persons": 22}, {"sex": "male", "persons": 40}]}
EXAMPLE: Mapping[str, Any] = {
    "programme": "institution-capacity",
    "office": "kabul",
    "title": "Planning of returns, for staff of ministries",
    "country": "AF",
    "sector": "governance",
    "training_kind": "workshop",
    **DAYS,
}

DATES_REFUSED = ("dates_reversed", "dates_too_far_apart", OUTSIDE)

# Participants are counted anew by a verb of its own, whose count stands for the one before.
_PUT_RIGHT: Facts = {
    TrainingRescheduled: at_any_time,
    TrainingHeld: from_its_first_day,
    TrainingCancelled: at_any_time,
}
REVISIONS = Revisions(
    TrainingTimeCorrected,
    TrainingFactTakenBack,
    timed=_PUT_RIGHT,
    undone=frozenset(_PUT_RIGHT),
    refuses=("held_before_start",),
    example={"happened_at": "2011-03-11T09:00:00Z", "reason": "wrong_date"},
)
TRANSFERS = Transfers(
    TrainingTransferAsked, TrainingTransferWithdrawn, TrainingTransferDeclined, TrainingTransferred, ANNOUNCED | HELD
)
FACTS: tuple[Move, ...] = (
    opens(
        "create",
        TrainingAnnounced,
        Announcement,
        BY_OFFICER,
        rule=announced,
        refuses=DATES_REFUSED,
        reasons=BEYOND,
        example=EXAMPLE,
    ),
    Move(
        "reschedule",
        ANNOUNCED,
        TrainingRescheduled,
        body=Dated,
        by=BY_OFFICER,
        rule=on_its_days,
        needs=DEFINITION,
        refuses=DATES_REFUSED,
        reasons=BEYOND,
        example=DAYS,
        aside=True,
        anew=("starts_on", "ends_on"),
    ),
    Move(
        "hold",
        ANNOUNCED,
        TrainingHeld,
        body=Held,
        by=BY_OFFICER,
        rule=held_when_it_began,
        refuses=("held_before_start", "group_repeated", "institution_unknown"),
        example={"sessions": 5, **GROUPS},
    ),
    Move(
        "correct-participants",
        HELD,
        TrainingParticipantsCorrected,
        body=Recount,
        by=BY_OFFICER,
        rule=counted_anew,
        refuses=("group_repeated", "institution_unknown", "participants_unchanged"),
        reasons=("attendance_list", "counted_twice", "left_out", "wrong_group"),
        example={"reason": "attendance_list", **COUNTED_ANEW},
        aside=True,
    ),
    Move(
        "cancel",
        ANNOUNCED,
        TrainingCancelled,
        body=Reason,
        by=BY_OFFICER,
        reasons=("trainer_ill", "few_participants", "host_withdrew", "no_funds", "security", "mistake"),
        example={"reason": "trainer_ill"},
        aside=True,
    ),
)

TRAINING = Case(
    "trainings",
    Training,
    (*FACTS, *REVISIONS.moves(FACTS), *TRANSFERS.moves()),
    fold,
    revisable=REVISIONS.revisable,
    readers={**BY_OFFICER, "host": "institution"},
    filters=("programme", "institution"),
)
