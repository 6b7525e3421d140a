"""Every topic there will be, in one table. Names are `<owner>.<aggregate plural>`; the key is the subject's id.

A partition count never changes, so it is decided before a topic has its first event. A topic is created, checked and
read from the moment at which the contracts declare an event for it; `sankofa doctor` compares it with what the log has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from shared.contracts.registry import EVENTS
from shared.messaging.port import Topic

# Cases of persons and posts come by the hundred thousand, and as many replicas as this share them.
MANY = 6
# What an office or a programme has some of: one order over all of them is worth more than a second reader.
ONE = 1

PROGRAMMES = Topic("registration.programmes", ONE)
PERSONS = Topic("registration.persons", MANY)
PROFILES = Topic("registration.profiles", MANY, compacted=True)
EXPERTS = Topic("registration.experts", MANY)
INSTITUTIONS = Topic("registration.institutions", MANY)
ASSIGNMENTS = Topic("matching.assignments", MANY)
MATCHES = Topic("matching.matches", MANY)
PLACEMENTS = Topic("placement.placements", MANY)


class Decided(NamedTuple):
    """A topic and the aggregates whose events it carries: a case's parts share its topic, and so its order."""

    topic: Topic
    aggregates: tuple[str, ...]


TABLE: tuple[Decided, ...] = (
    Decided(PROGRAMMES, ("programmes",)),
    Decided(PERSONS, ("persons",)),
    Decided(PROFILES, ("profiles",)),
    Decided(EXPERTS, ("experts",)),
    Decided(INSTITUTIONS, ("institutions",)),
    Decided(Topic("registration.sessions", ONE), ("sessions", "campaigns")),
    Decided(Topic("registration.waves", ONE), ("surveys", "waves")),
    Decided(Topic("registration.responses", MANY), ("responses",)),
    Decided(Topic("registration.calls", ONE), ("calls", "questions")),
    Decided(Topic("registration.proposals", MANY), ("proposals",)),
    Decided(Topic("registration.audit", ONE), ("audit heads",)),
    Decided(ASSIGNMENTS, ("assignments",)),
    Decided(MATCHES, ("matches",)),
    Decided(Topic("matching.panels", ONE), ("panels",)),
    Decided(Topic("matching.reviews", MANY), ("reviews",)),
    Decided(Topic("matching.rounds", ONE), ("rounds", "rankings")),
    Decided(PLACEMENTS, ("placements",)),
    Decided(Topic("placement.plans", MANY), ("plans", "reintegration")),
    Decided(Topic("placement.instalments", MANY), ("instalments",)),
    Decided(Topic("placement.funds", ONE), ("funds", "ledger")),
    Decided(Topic("placement.projects", ONE), ("projects", "milestones")),
    Decided(Topic("placement.trainings", ONE), ("trainings",)),
    Decided(Topic("placement.sites", ONE), ("sites", "works")),
    Decided(Topic("monitoring.statements", ONE), ("statements", "evaluations")),
    Decided(Topic("monitoring.library", ONE), ("publications", "stories")),
)

DECIDED: Mapping[str, Topic] = {one.topic.name: one.topic for one in TABLE}
_IN_USE = frozenset(event.topic for event in EVENTS.newest.values())
# The topics of the table that have events.
TOPICS: dict[str, Topic] = {name: topic for name, topic in DECIDED.items() if name in _IN_USE}
