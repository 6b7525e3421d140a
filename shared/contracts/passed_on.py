"""Cases of every kind that are passed on to another office, and what follows them (shared.contracts.transfers)."""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.transfers import CaseFollowed, CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn


class ExpertTransferAsked(TransferAsked):
    """Another office was asked to take over the expert's case."""

    topic: ClassVar[str] = "registration.experts"


class ExpertTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the expert's case."""

    topic: ClassVar[str] = "registration.experts"


class ExpertTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the expert's case."""

    topic: ClassVar[str] = "registration.experts"


class ExpertTransferred(CaseTransferred):
    """The expert's case belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "registration.experts"


class InstitutionTransferAsked(TransferAsked):
    """Another office was asked to take over the institution."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the institution."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the institution."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionTransferred(CaseTransferred):
    """The institution belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "registration.institutions"


class AssignmentTransferAsked(TransferAsked):
    """Another office was asked to take over the assignment."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the assignment."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the assignment."""

    topic: ClassVar[str] = "matching.assignments"


class AssignmentTransferred(CaseTransferred):
    """The assignment belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "matching.assignments"


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


class SiteTransferAsked(TransferAsked):
    """Another office was asked to take over the site."""

    topic: ClassVar[str] = "placement.sites"


class SiteTransferWithdrawn(TransferWithdrawn):
    """The other office is no longer asked to take over the site."""

    topic: ClassVar[str] = "placement.sites"


class SiteTransferDeclined(TransferDeclined):
    """The office that was asked does not take over the site."""

    topic: ClassVar[str] = "placement.sites"


class SiteTransferred(CaseTransferred):
    """The site belongs to another office from now on: its own asked, and that one accepted."""

    topic: ClassVar[str] = "placement.sites"


class PersonTransferred(CaseTransferred):
    """The office that answers for the person has passed the case on, so the person goes with it."""

    topic: ClassVar[str] = "registration.persons"


class MatchTransferred(CaseFollowed):
    """The match follows its assignment to another office."""

    topic: ClassVar[str] = "matching.matches"


class PlacementTransferred(CaseFollowed):
    """The placement follows its match to another office."""

    topic: ClassVar[str] = "placement.placements"
