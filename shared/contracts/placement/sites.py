"""Events of sites: where something is built or repaired, the works at them, and how many these reach, as numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.contracts.base import Code, Event
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.contracts.facts import FactField, Family, Subject, Tells, said
from shared.contracts.frame import FRAME_FIELDS, Frame
from shared.contracts.transfers import CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn

SITE_FACTS = Family(
    "sites",
    "placement.sites",
    fields=(
        FactField("site", "id", Subject()),
        said("institution", "id", "frame.institution"),
        *FRAME_FIELDS,
        said("site_kind", "code"),
        said("work_kind", "code"),
        said("families", "number"),
        said("persons", "number"),
        said("reason", "code"),
        said("condition", "code"),
    ),
    frame=("frame", "site_kind"),
    opened="frame",
    framed="frame",
    unit="thing",
    section="results",
)
Condition = Literal["working", "in_repair", "out_of_use"]
# Numbers the works of a site from 1.
WorkNumber = Annotated[int, Field(ge=1, le=100)]
Reached = Annotated[int, Field(ge=0, le=10_000_000)]


class SiteProposed(Event):
    """A community or a municipality proposed a site. `override_reason`: why before the programme had begun."""

    topic: ClassVar[str] = "placement.sites"
    leads_to: ClassVar[str | None] = "proposed"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("site_proposed", once=True),)
    frame: Frame
    site_kind: Code
    override_reason: Code | None = None


class SiteAssessed(Event):
    """The site was looked at, and works there make sense."""

    topic: ClassVar[str] = "placement.sites"
    leads_to: ClassVar[str | None] = "assessed"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("site_assessed", once=True, follows="site_proposed"),)


class WorksBegun(Event):
    """Works of one kind began at the site; `work` numbers them from 1. `override_reason`: why outside the days of the
    programme."""

    topic: ClassVar[str] = "placement.sites"
    leads_to: ClassVar[str | None] = "under_works"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("works_begun"),)
    work: WorkNumber
    work_kind: Code
    override_reason: Code | None = None


class WorksCompleted(Event):
    """Those works are done; so many families and persons use what was built, in the units that the programme states."""

    topic: ClassVar[str] = "placement.sites"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("works_completed"),)
    work: WorkNumber
    work_kind: Code
    families: Reached | None = None
    persons: Reached | None = None


class SiteHandedOver(Event):
    """The site was handed over to those who run it from then on."""

    topic: ClassVar[str] = "placement.sites"
    leads_to: ClassVar[str | None] = "handed_over"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("site_handed_over", once=True, follows="site_assessed"),)


class SiteInspected(Event):
    """Somebody looked at what was handed over, and said in which condition it is."""

    topic: ClassVar[str] = "placement.sites"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("site_inspected", follows="site_handed_over"),)
    condition: Condition


class SiteDropped(Event):
    """Nothing further will be done at the site."""

    topic: ClassVar[str] = "placement.sites"
    leads_to: ClassVar[str | None] = "dropped"
    tells: ClassVar[tuple[Tells, ...]] = (Tells("site_dropped", once=True, follows="site_proposed"),)
    reason: Code


class SiteTimeCorrected(TimeCorrected):
    """The last fact of the site happened at another time than was recorded."""

    topic: ClassVar[str] = "placement.sites"


class SiteFactTakenBack(FactTakenBack):
    """The last fact of the site was recorded by mistake."""

    topic: ClassVar[str] = "placement.sites"


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
