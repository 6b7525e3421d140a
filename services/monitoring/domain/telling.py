"""Whom the feed tells which events: by type and office alone, both of which stand in an event's headers.

What an office is told of is what it reads of its own cases anyway. Left out is what says more than that
(`WITHHELD_FROM_OFFICES`), and all that is told of a person: a person belongs to several programmes, and the office
reads of one what it has a purpose for. `Profile` goes to nobody: what was sent out could not be erased.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from shared.contracts.base import Event, declares
from shared.contracts.monitoring.statements import StatementIssued
from shared.contracts.registration.persons import Profile
from shared.contracts.registry import declared_events

PUBLISHED: tuple[type[Event], ...] = (StatementIssued,)
# Topics whose subjects are cases of one office.
TOPICS_OF_OFFICES = frozenset(
    {
        "registration.experts",
        "registration.institutions",
        "matching.assignments",
        "matching.matches",
        "placement.placements",
        "placement.trainings",
        "placement.sites",
    }
)
# An account, which stands for somebody's sign-in, and another person than the case's, of any office.
_SAYS_MORE = ("account", "holder")
WITHHELD_FROM_OFFICES: frozenset[type[Event]] = frozenset(
    one
    for one in declared_events()
    if one.topic in TOPICS_OF_OFFICES and any(declares(one, name) for name in _SAYS_MORE)
)
TOLD_TO_OFFICES: tuple[type[Event], ...] = tuple(
    one for one in declared_events() if one.topic in TOPICS_OF_OFFICES and one not in WITHHELD_FROM_OFFICES
)
# Under this name an event says of which office the case was before.
LEFT = "left"
_TYPE, _OFFICE = "ce_type", "ce_office"


@dataclass(frozen=True)
class Audience:
    """Who follows: `published` whoever may see published figures, `office` an office beside that, `all` everything."""

    kind: Literal["published", "office", "all"]
    office: str | None = None

    @property
    def name(self) -> str:
        """By which cursors tell one audience from another."""
        return self.kind if self.office is None else f"{self.kind}:{self.office}"

    @cached_property
    def types(self) -> Mapping[str, type[Event]]:
        """What it may be told, by CloudEvents type."""
        return _TYPES[self.kind]

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """The topics that hold any of it."""
        return tuple(sorted({one.topic for one in self.types.values()}))

    def takes(self, headers: Mapping[str, bytes], value: bytes | None) -> bool:
        """Whether the record of these headers and this body is the audience's."""
        event = self.types.get(headers.get(_TYPE, b"").decode(errors="replace"))
        if event is None:
            return False
        if self.kind != "office" or event in PUBLISHED:
            return True
        own = (self.office or "").encode()
        return headers.get(_OFFICE) == own or (declares(event, LEFT) and _left(value) == self.office)


def _left(value: bytes | None) -> str | None:
    """The office that the case was moved from, which is told that it went."""
    try:
        said = json.loads(value or b"").get(LEFT)
    except (ValueError, AttributeError):
        return None
    return said if isinstance(said, str) else None


def _named(events: tuple[type[Event], ...]) -> Mapping[str, type[Event]]:
    return {one.type_name(): one for one in events}


_TYPES: Mapping[str, Mapping[str, type[Event]]] = {
    "published": _named(PUBLISHED),
    "office": _named((*PUBLISHED, *TOLD_TO_OFFICES)),
    "all": _named(tuple(one for one in declared_events() if one.topic and one is not Profile)),
}
EVERYTHING = Audience("all")
