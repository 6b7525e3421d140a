"""Events of placement: from the accepted offer to the completed return."""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Literal

from shared.contracts.base import Code, Event, Id, TimeZone
from shared.contracts.matching import MatchParties, Terms

PreparationStep = Literal["training", "insurance", "visa", "security", "ticket"]


class PlacementOpened(Event):
    """The host confirmed by accepting the match; the expert's calendar holds the dates.

    `time_zone`: the office's (IANA name), in which the placement's days are reckoned; UTC where it is missing.
    """

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "host_confirmed"
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
    """The first contract; an extension is a contract of its own."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "contracted"
    starts_on: date
    ends_on: date


class PreparationStepCompleted(Event):
    """One step of the preparation before departure is done."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "pre_departure"
    step: PreparationStep


class TravelStarted(Event):
    """The expert has departed."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "travelling"


class ReturnStarted(Event):
    """The host confirmed the arrival (or, for a virtual assignment, the first day of work)."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "active"


class PlacementExtended(Event):
    """A new contract to a later end."""

    topic: ClassVar[str] = "placement.placements"
    ends_on: date


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


class PlacementEndedEarly(Event):
    """The placement ended before its contract did, by whom and why."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "ended_early"
    party: Literal["expert", "host", "programme"]
    reason: Code


class NoShowReported(Event):
    """A contracted expert did not come."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "no_show"


class PlacementCancelled(Event):
    """The placement was called off before it began; where it had never been opened, the event says whose it is."""

    topic: ClassVar[str] = "placement.placements"
    leads_to: ClassVar[str | None] = "cancelled"
    match: Id
    reason: Code
    parties: MatchParties | None = None
