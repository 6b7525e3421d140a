"""Events of institutions that host, from registration to closing."""

from __future__ import annotations

from typing import ClassVar

from shared.contracts.base import Code, Country, Event, Id
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.registration.handovers import (
    HandoverDeclined,
    HandoverLapsed,
    HandoverProposed,
    HandoverWithdrawn,
)
from shared.contracts.transfers import CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn

# An institution may belong to no programme; then it counts in each programme of its office.
INSTITUTION_FACTS = Family(
    "institutions",
    "registration.institutions",
    fields=(
        FactField("institution", "id", Subject()),
        said("country", "code"),
        said("area", "code"),
        said("sector", "code"),
        said("host_type", "code"),
    ),
    frame=("country", "area", "sector", "host_type"),
    opened="country",
    framed="country",
    of_programme=False,
)


class InstitutionRegistered(Event):
    """`account` as for a person; `host_type`: public, private, non_profit, ..., as the programme lists them."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "proposed"
    account: Id | None = None
    office: Code
    country: Country
    sector: Code
    host_type: Code
    area: Code | None = None


class InstitutionAccountAssigned(Event):
    """Another account stands for the institution from now on, as when its contact person leaves."""

    topic: ClassVar[str] = "registration.institutions"
    account: Id
    reason: Code


class InstitutionHandoverProposed(HandoverProposed):
    """The institution's contact proposes to hand its account over, to the one person who is given the code."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionHandoverWithdrawn(HandoverWithdrawn):
    """The institution's account is no longer offered to anybody."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionHandoverDeclined(HandoverDeclined):
    """Whoever was given the code does not take the institution's account over."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionHandoverLapsed(HandoverLapsed):
    """Nobody took the institution's account over by the end of the proposal."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionContactChanged(Event):
    """How the institution wants to be written to has changed; `elsewhere`: to another address."""

    topic: ClassVar[str] = "registration.institutions"
    elsewhere: bool


class InstitutionAssessed(Event):
    """An officer has assessed the institution as a possible host."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "assessed"


class InstitutionBecamePartner(Event):
    """The institution was accepted as a partner of the programme."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "partner"


class InstitutionActivated(Event):
    """The institution may host: terms of reference can name it."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "active"
    # One that comes back from a pause is still one active institution.
    tells: ClassVar[tuple[Tells, ...]] = (Tells("institution_activated", once=True),)


class InstitutionPutOnHold(Event):
    """The institution may host no further experts for now."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "on_hold"
    reason: Code


class InstitutionClosed(Event):
    """The institution has left the programme."""

    topic: ClassVar[str] = "registration.institutions"
    leads_to: ClassVar[str | None] = "closed"
    reason: Code


class InstitutionTimeCorrected(TimeCorrected):
    """The last fact of the institution happened at another time than was recorded."""

    topic: ClassVar[str] = "registration.institutions"


class InstitutionFactTakenBack(FactTakenBack):
    """The last fact of the institution was recorded by mistake."""

    topic: ClassVar[str] = "registration.institutions"


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
