"""What pages call an office, and in which zone they say an instant: one rule for every page.

Whoever works for an office reads every time in that office's zone. Everybody else reads the times of a case in the zone
of the case's office, and all others in UTC. The zone stands beside the time wherever it is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from shared.identity.tokens import Principal
from shared.programmes.definitions import Definitions
from shared.web.pages.formatting import text_in
from shared.zones import zone


@dataclass(frozen=True)
class Times:
    """`own`: of the reader's office; `case`: of the office of the case that a page is about; `offices`: the names of
    zones by the codes of offices, for cases that name an office and no zone."""

    own: tzinfo | None = None
    case: tzinfo | None = None
    offices: Mapping[str, str] = field(default_factory=dict)

    def zone(self, named: str | None = None) -> tzinfo:
        """`named`: the zone of the case whose instant is said, where it is known."""
        return self.own or (zone(named) if named else self.case) or UTC


def times_for(
    definitions: Definitions,
    reader: Principal | None,
    case: tzinfo | None = None,
    offices: Mapping[str, str] | None = None,
) -> Times:
    """By the newest definition that has the reader's office; while this replica starts, as for somebody without one."""
    office = definitions.every_office().get(reader.office) if reader is not None and reader.office else None
    return Times(None if office is None else office.zone, case, offices or {})


def office_names(definitions: Definitions, language: str) -> Mapping[str, str]:
    """What each office is called, by its code; empty while this replica starts."""
    return {code: text_in(language, office.name) for code, office in definitions.every_office().items()}


def office_of(definitions: Definitions, reader: Principal | None, language: str) -> str:
    """What the reader's office is called, its code where nothing names it; empty for whoever has none."""
    code = None if reader is None else reader.office
    return office_names(definitions, language).get(code, code) if code else ""
