"""Events of placement: from the accepted offer to the completed return."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.contracts.base import Code, Date, Event, Id, TimeZone
from shared.contracts.corrections import FactTakenBack, Revises, Revising, TimeCorrected
from shared.contracts.facts import DaysSince, FactField, Family, Length, Ordinal, Subject, Tells, said
from shared.contracts.matching.assignments import TERMS_FIELDS, Terms
from shared.contracts.matching.matches import PARTIES_FIELDS, MatchParties
from shared.contracts.transfers import CaseFollowed

PreparationStep = Literal["training", "insurance", "visa", "security", "ticket"]


# Of `days` a contract has as many as it is long (an extension: as it adds), worked or not; `days_worked` are those from
# the arrival to the end, both counted, and none after the contract's last day.
PLACEMENT_FACTS = Family(
    "placements",
    "placement.placements",
    fields=(
        FactField("placement", "id", Subject()),
        *PARTIES_FIELDS,
        said("institution", "id", "terms.institution"),
        said("match", "id"),
        *TERMS_FIELDS,
        FactField("days", "number", Length("starts_on", "ends_on")),
        FactField("contract_number", "number", Ordinal()),
        FactField("days_worked", "number", DaysSince("return_started", until="ends_on")),
        said("reason", "code"),
        said("party", "code"),
    ),
    # One that was refused, or cancelled before it was opened, has no terms and tells nothing.
    frame=("parties", "terms", "match"),
    opened="terms",
    framed="terms",
    section="placement",
)
_CANCELLED = frozenset({"PlacementCancelled"})


class PlacementOpened(Event):
    """The host confirmed by accepting the match; the expert's calendar holds the dates.

    `time_zone`: the office's (IANA name), in which the placement's days are reckoned; UTC where it is missing.
    """

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "host_confirmed"
    version: ClassVar[int] = 2
    match: Id
    parties: MatchParties
    terms: Terms
    time_zone: TimeZone | None = None


class PlacementRefused(Event):
    """The calendar (or another guard) said no: the match goes back, the next reserve follows."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "refused"
    match: Id
    parties: MatchParties
    reason: Code


class PlacementContracted(Event):
    """The first contract; an extension is a contract of its own. `override_reason`: why its days lie outside those of
    the terms or of the programme."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "contracted"
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("placement_contracted", once=True, ended_by=_CANCELLED),
        Tells("contract", ended_by=_CANCELLED),
    )
    starts_on: Date
    ends_on: Date
    override_reason: Code | None = None


class PreparationStepCompleted(Event):
    """One step of the preparation before departure is done. `settled`: said where it does not apply to this case."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "pre_departure"
    step: PreparationStep
    settled: Literal["not_needed"] | None = None


class TravelStarted(Event):
    """The expert has departed."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "travelling"


class ReturnStarted(Event):
    """The host confirmed the arrival (or, for a virtual assignment, the first day of work)."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "active"
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("return_started", once=True, ended_by=_CANCELLED, follows="placement_contracted"),
    )


class PlacementExtended(Event):
    """A new contract to a later end; `override_reason`: why it lasts beyond the programme."""

    topic: ClassVar[str] = "placement.placements"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("contract", ended_by=_CANCELLED),)
    ends_on: Date
    override_reason: Code | None = None


class ReportsDue(Event):
    """The work is done; the expert's report and the host's certificate are awaited."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "reports_due"


class ReportSubmitted(Event):
    """The expert has reported; `report` counts the reports of the placement from 1. Its text stays in the service."""

    topic: ClassVar[str] = "placement.placements"
    report: int


class ReportAccepted(Event):
    """The office accepted that report, which another account had submitted."""

    topic: ClassVar[str] = "placement.placements"
    report: int


class HostCertified(Event):
    """The host institution certified what was delivered."""

    topic: ClassVar[str] = "placement.placements"


class ReturnCompleted(Event):
    """The host confirmed the completion."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "completed"
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("return_completed", once=True, ended_by=_CANCELLED, follows="return_started"),
    )


class PlacementEndedEarly(Event):
    """The placement ended before its contract did, by whom and why."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "ended_early"
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("placement_ended_early", once=True, ended_by=_CANCELLED, follows="return_started"),
    )
    party: Literal["expert", "host", "programme"]
    reason: Code


class NoShowReported(Event):
    """A contracted expert did not come."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "no_show"
    tells: ClassVar[tuple[Tells, ...]] = (
        Tells("no_show", once=True, ended_by=_CANCELLED, follows="placement_contracted"),
    )


class PlacementContractCorrected(Revising):
    """The contract has other days than was recorded, as was found before the arrival. It counts when it was signed."""

    topic: ClassVar[str] = "placement.placements"
    revises: ClassVar[Revises] = "content"
    starts_on: Date
    ends_on: Date
    override_reason: Code | None = None


class PlacementTimeCorrected(TimeCorrected):
    """The last fact of the placement happened at another time than was recorded."""

    topic: ClassVar[str] = "placement.placements"


class PlacementFactTakenBack(FactTakenBack):
    """The last fact of the placement was recorded by mistake. The days are those that it has without it."""

    topic: ClassVar[str] = "placement.placements"
    starts_on: Date | None = None
    ends_on: Date | None = None


class PlacementCancelled(Event):
    """The placement was called off before it began; where it had never been opened, the event says whose it is."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "cancelled"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("placement_cancelled", once=True),)
    match: Id
    reason: Code
    parties: MatchParties | None = None


class PlacementTransferred(CaseFollowed):
    """The placement follows its match to another office."""

    topic: ClassVar[str] = "placement.placements"
