"""Time zones of offices: each case's follows from the version of the programme that it was opened under.

So no later version moves what is counted already, and no programme's office takes the zone of another one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

UTC_ZONE = "UTC"


class OfficeRow(NamedTuple):
    """An office of one published version. `known_ms`: the append time of its publication."""

    programme: str
    programme_version: int
    epoch: int
    sequence: int
    known_ms: int
    office: str
    time_zone: str


@dataclass(frozen=True)
class Zones:
    """`versions`: by programme, version and office. `first`: of the programme's first version that has the office;
    under None, for what belongs to no programme, of the first publication that has an office of that code."""

    versions: Mapping[tuple[str, int, str], str] = field(default_factory=dict)
    first: Mapping[tuple[str | None, str], str] = field(default_factory=dict)

    def of(self, programme: str | None, version: int | None, office: str | None) -> str:
        """The office's zone in that version; UTC for an office that nobody published.

        Where the version is not said, has not arrived yet or lacks the office, the programme's first one that has it:
        what comes later does not move it.
        """
        if office is None:
            return UTC_ZONE
        if programme is not None and version is not None and (found := self.versions.get((programme, version, office))):
            return found
        return self.first.get((programme, office), UTC_ZONE)

    def moved_by(self, later: Zones) -> set[str]:
        """The offices of which some case's zone is another one by the later publications."""
        versions = (key for key in later.versions if self.of(*key) != later.of(*key))
        first = (key for key in later.first if self.first.get(key, UTC_ZONE) != later.first[key])
        return {key[-1] for keys in (versions, first) for key in keys}


def zones_of(rows: Iterable[OfficeRow]) -> Zones:
    """The zones that follow from every version that was published; a function of the set of rows alone."""
    ordered = sorted(set(rows))
    versions = {(row.programme, row.programme_version, row.office): row.time_zone for row in ordered}
    first: dict[tuple[str | None, str], str] = {}
    for row in ordered:
        first.setdefault((row.programme, row.office), row.time_zone)
    for row in sorted(ordered, key=lambda row: (row.known_ms, row)):
        first.setdefault((None, row.office), row.time_zone)
    return Zones(versions, first)
