"""Events of the audit trail: how far each of its segments has come. They name no person (decision 0045)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts import patterns
from shared.contracts.base import Event

# HMAC-SHA256 as hexadecimal digits.
Link = Annotated[str, StringConstraints(pattern=patterns.DIGEST)]


class AuditSegmentOpened(Event):
    """A process writes into this segment who reads what of whom."""

    topic: ClassVar[str] = "registration.audit"
    leads_to: ClassVar[str | None] = "open"


class AuditHeadAnchored(Event):
    """So many entries stand in the segment, and the last one's link is this."""

    topic: ClassVar[str] = "registration.audit"
    count: Annotated[int, Field(ge=1)]
    link: Link


class AuditSegmentClosed(Event):
    """Nobody has written into the segment for long, so nobody looks whether its head has moved."""

    topic: ClassVar[str] = "registration.audit"
    leads_to: ClassVar[str | None] = "closed"
