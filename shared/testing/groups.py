"""Group membership as Kafka has it: generations, sessions, refused commits of a stale generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.messaging.port import Position
from shared.testing.faults import FaultPlan

SESSION_SECONDS = 6.0
HEARTBEAT_SECONDS = 2.0


@dataclass
class Group:
    """One group: its generation, its members' last heartbeats, who owns what, what was committed."""

    generation: int = 0
    heartbeats: dict[str, float] = field(default_factory=dict)
    topics: dict[str, frozenset[str]] = field(default_factory=dict)
    owners: dict[Position, str] = field(default_factory=dict)
    committed: dict[Position, int] = field(default_factory=dict)
    delivered: dict[Position, int] = field(default_factory=dict)


class Groups:
    """The coordinator. A new owner starts at the committed position while the old one may still be handling.

    A member that is silent for longer than the session is evicted at another's heartbeat; when it comes back
    it joins again. So a frozen replica becomes a zombie: its batch has effects, its commit is refused.
    """

    def __init__(self, plan: FaultPlan, partitions: Mapping[str, int]) -> None:
        self._plan = plan
        self._partitions = partitions
        self._groups: dict[str, Group] = {}

    def of(self, group: str) -> Group:
        return self._groups.setdefault(group, Group())

    def heartbeat(self, group: str, member: str, topics: Sequence[str]) -> int:
        """The current generation, after joining where the member is unknown and evicting the silent."""
        known, now = self.of(group), self._plan.runtime.monotonic()
        joined = member not in known.heartbeats
        known.heartbeats[member] = now
        known.topics[member] = frozenset(topics)
        # Looked at only when some member beats: with nobody left, nobody is waiting for the partitions.
        silent = [id for id, last in known.heartbeats.items() if now - last > SESSION_SECONDS]
        for id in silent:
            del known.heartbeats[id], known.topics[id]
        if joined or silent or (len(known.heartbeats) > 1 and self._plan.happens("rebalance")):
            self._rebalance(known)
        return known.generation

    def leave(self, group: str, member: str) -> None:
        known = self.of(group)
        if known.heartbeats.pop(member, None) is not None:
            del known.topics[member]
            self._rebalance(known)

    def _rebalance(self, known: Group) -> None:
        """Deals every partition anew among the members that read its topic, at random."""
        self._plan.counts["rebalances"] += 1
        known.generation += 1
        known.owners = {}
        rng = self._plan.runtime.rng
        # Sorted, because the order of a set of texts differs between processes.
        for topic in sorted({topic for topics in known.topics.values() for topic in topics}):
            readers = [member for member, topics in known.topics.items() if topic in topics]
            for partition in range(self._partitions[topic]):
                known.owners[topic, partition] = rng.choice(readers)

    def owned(self, group: str, member: str) -> list[Position]:
        return [position for position, owner in self.of(group).owners.items() if owner == member]

    def commit(self, group: str, member: str, generation: int, positions: Mapping[Position, int]) -> bool:
        """Moves the group's positions; False, and nothing moves, for a generation that is over."""
        known = self.of(group)
        if generation != known.generation or member not in known.heartbeats:
            self._plan.counts["stale_commits"] += 1
            return False
        known.committed.update(positions)
        return True

    def deliver(self, group: str, position: Position, offset: int) -> None:
        """Notes that a record reaches a handler; one that some member had before counts as a duplicate."""
        delivered = self.of(group).delivered
        if offset <= delivered.get(position, -1):
            self._plan.counts["duplicates"] += 1
        else:
            delivered[position] = offset
