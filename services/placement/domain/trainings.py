"""A training, from the announcement to the participants, who are counted in groups and never named (docs/domain.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from services.placement.domain.calendars import in_order
from shared.cases.bodies import Change, Reason
from shared.cases.case import Case, Move, Told, Turn, states
from shared.cases.movable import Movable
from shared.cases.opening import Framed, Opening, in_frame, opens
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
    """`correction`: number of the last one. `reason`: of that, or of the cancellation."""

    status: Literal["announced", "held", "cancelled"]
    training_kind: Code
    training_topic: Code | None = None
    starts_on: Date
    ends_on: Date
    sessions: int | None = None
    participants: tuple[Group, ...] = ()
    held_at: Instant | None = None
    correction: int = 0
    reason: Code | None = None


class Days(Change):
    starts_on: Date
    ends_on: Date


class Announcement(Opening, Days):
    training_kind: Annotated[Code, Listed("training_kind")]
    training_topic: Annotated[Code | None, Listed("training_topic")] = None


class Held(Change):
    sessions: Sessions
    participants: Groups


class Recount(Reason):
    participants: Groups


def announced(turn: Turn[Training, Announcement]) -> Told:
    """A training ends after it begins; its last day is the one before `ends_on`."""
    in_order(turn.body.starts_on, turn.body.ends_on)
    return in_frame(turn)


def on_other_days(turn: Turn[Training, Days]) -> Told:
    """A training ends after it begins, on its new days too."""
    in_order(turn.body.starts_on, turn.body.ends_on)
    return {}


def held_when_it_began(turn: Turn[Training, Held]) -> Told:
    """No training is held before its first day; each group of participants stands once."""
    from_its_first_day(turn)
    each_group_once(turn.body.participants)
    return {}


def from_its_first_day(turn: Turn[Training, Any]) -> Told:
    """No training is held before its first day."""
    if turn.state.day_of(turn.now) < turn.state.starts_on:
        raise Refusal("held_before_start", "the training begins on a later day")
    return {}


def counted_anew(turn: Turn[Training, Recount]) -> Told:
    """A correction counts when the training was held, and replaces all that was said of its participants before."""
    each_group_once(turn.body.participants)
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
            problem = Problem("group_repeated", f"/participants/{number}")
            raise Refusal("group_repeated", problems=(problem,), status=422)
        seen.add(named)


def fold(_state: Training | None, event: Event) -> Mapping[str, Any]:
    return {"held_at": event.happened_at} if isinstance(event, TrainingHeld) else {}


ANNOUNCED = states("announced")
HELD = states("held")
DAYS: Mapping[str, Any] = {"starts_on": "2011-03-07", "ends_on": "2011-03-12"}
GROUPS: Mapping[str, Any] = {"participants": [{"sex": "female", "persons": 20}, {"sex": "male", "persons": 40}]}
EXAMPLE: Mapping[str, Any] = {
    "programme": "institution-capacity",
    "office": "kabul",
    "title": "Planning of returns, for staff of ministries",
    "country": "AF",
    "sector": "governance",
    "training_kind": "workshop",
    **DAYS,
}

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
        refuses=(
            "dates_reversed",
            "dates_too_far_apart",
        ),
        example=EXAMPLE,
    ),
    Move(
        "reschedule",
        ANNOUNCED,
        TrainingRescheduled,
        body=Days,
        by=BY_OFFICER,
        rule=on_other_days,
        refuses=(
            "dates_reversed",
            "dates_too_far_apart",
        ),
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
        refuses=("group_repeated", "institution_unknown"),
        reasons=("attendance_list", "counted_twice", "left_out", "wrong_group"),
        example={"reason": "attendance_list", **GROUPS},
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
