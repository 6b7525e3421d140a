"""Events of programmes: every published definition."""

from __future__ import annotations

from typing import Any, ClassVar

from shared.contracts.base import Code, Event


class ProgrammePublished(Event):
    """A version of a programme's definition; the subject is its code, the sequence its version."""

    topic: ClassVar[str] = "registration.programmes"
    leads_to: ClassVar[str | None] = "published"
    code: Code
    definition_version: int
    definition: dict[str, Any]
