"""Events of trainings: what was announced, what was held, and how many took part, by groups, nobody by name."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import Code, Contract, Date, Event, Id
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.frame import FRAME_FIELDS, Frame, Known, Listed
from shared.contracts.registration.persons import Sex
from shared.contracts.transfers import CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn

TRAINING_FACTS = Family(
    "trainings",
    "placement.trainings",
    fields=(
        FactField("training", "id", Subject()),
        said("institution", "id", "item.institution", "frame.institution"),
        *FRAME_FIELDS,
        said("training_kind", "code"),
        said("training_topic", "code"),
        said("sessions", "number"),
        said("sex", "code", "item.sex"),
        said("participant_category", "code", "item.category"),
        said("participants", "number", "item.persons"),
        said("reason", "code"),
    ),
    frame=("frame", "training_kind", "training_topic"),
    opened="frame",
    framed="frame",
    unit="thing",
    section="trainings",
)


class Group(Contract):
    """So many persons of one sex, one category of the programme and one registered institution took part."""

    sex: Sex
    category: Annotated[Code | None, Listed("participant_category")] = None
    institution: Annotated[Id | None, Known("institution")] = None
    persons: Annotated[int, Field(ge=1, le=100_000)]


Groups = Annotated[tuple[Group, ...], Field(min_length=1, max_length=200)]
Sessions = Annotated[int, Field(ge=1, le=1_000)]
_COUNTED_ANEW = frozenset({"TrainingParticipantsCorrected"})


class TrainingAnnounced(Event):
    """A training will be held. Dates are half-open: `ends_on` is the first day after. `override_reason`: why they lie
    outside those of the programme."""

    topic: ClassVar[str] = "placement.trainings"
    leads_to: ClassVar[str | None] = "announced"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("training_announced", once=True),)
    frame: Frame
    training_kind: Code
    training_topic: Code | None = None
    starts_on: Date
    ends_on: Date
    override_reason: Code | None = None


class TrainingRescheduled(Event):
    """The training will be held on other days; `override_reason` as for those that were announced."""

    topic: ClassVar[str] = "placement.trainings"
    starts_on: Date
    ends_on: Date
    override_reason: Code | None = None


class TrainingHeld(Event):
    """The training was held, in so many sessions; `participants` by groups."""

    topic: ClassVar[str] = "placement.trainings"
    leads_to: ClassVar[str | None] = "held"
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("training_held", once=True, follows="training_announced"),
        Tells("training_participants", each="participants", ended_by=_COUNTED_ANEW),
    )
    sessions: Sessions
    participants: Groups


class TrainingParticipantsCorrected(Event):
    """The participants were counted anew. `happened_at` is when the training was held, so they count there.

    `correction` counts from 1; it replaces the correction before it, the first one what `TrainingHeld` said.
    """

    topic: ClassVar[str] = "placement.trainings"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("training_participants", each="participants", ended_by=_COUNTED_ANEW),)
    correction: int
    participants: Groups
    reason: Code


class TrainingCancelled(Event):
    """The training will not be held."""

    topic: ClassVar[str] = "placement.trainings"
    leads_to: ClassVar[str | None] = "cancelled"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("training_cancelled", once=True, follows="training_announced"),)
    reason: Code


class TrainingTimeCorrected(TimeCorrected):
    """The last fact of the training happened at another time than was recorded."""

    topic: ClassVar[str] = "placement.trainings"


class TrainingFactTakenBack(FactTakenBack):
    """The last fact of the training was recorded by mistake."""

    topic: ClassVar[str] = "placement.trainings"


class TrainingTransferAsked(TransferAsked):
    """Another office was asked to take over the training."""

    topic: ClassVar[str] = "placement.trainings"


class TrainingTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the training."""

    topic: ClassVar[str] = "placement.trainings"


class TrainingTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the training."""

    topic: ClassVar[str] = "placement.trainings"


class TrainingTransferred(CaseTransferred):
    """The training belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "placement.trainings"
