"""The generated hosts of a chapter, and which of them received whom."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from deploy.replay.returns.model import Hosts, Returns
from deploy.replay.returns.people import Expert, swap_professions
from shared.errors import SankofaError

Place = tuple[str, str | None]


class HistoryImpossible(SankofaError):
    """No expansion meets the file's marginals; the message says which part cannot be met."""


@dataclass(eq=False)
class Host:
    """A generated host institution."""

    name: str
    office: str
    country: str
    area: str | None
    sector: str
    host_type: str
    number: int

    @property
    def place(self) -> Place:
        return self.office, self.area


def generated(chapter: Returns) -> list[Host]:
    """All hosts in the order of the file; the types take turns."""
    hosts: list[Host] = []
    for line in chapter.hosts:
        for sector, number in line.number_by_sector.items():
            for count in range(1, number + 1):
                kind = chapter.host_types[len(hosts) % len(chapter.host_types)]
                name = f"institution-{len(hosts) + 1:03d}"
                hosts.append(Host(name, line.office, line.country, line.area, sector, kind, count))
    return hosts


@dataclass
class Receiving:
    """Chooses a host for every request; where a line says how many received somebody, exactly those do."""

    rng: random.Random
    hosts: list[Host]
    chosen: Mapping[Place, list[Host]]
    taken: Counter[str]

    def for_return(self, place: Place, sector: str | None) -> Host:
        """The one that received the fewest so far; any, where nothing is said of how many received somebody."""
        if place not in self.chosen:
            return self.any(place, sector)
        among = [one for one in self.chosen[place] if one.sector == sector]
        host = min(among, key=lambda one: (self.taken[one.name], one.name))
        self.taken[host.name] += 1
        return host

    def any(self, place: Place, sector: str | None) -> Host:
        return self.rng.choice([one for one in self.hosts if one.place == place and one.sector == sector])


def receiving(
    chapter: Returns,
    rng: random.Random,
    people: Iterable[Expert],
    going: Mapping[Expert, Place],
    returns: Counter[Expert],
) -> Receiving:
    """Decides which hosts received somebody and moves professions between persons until there is one for each.

    Raises HistoryImpossible.
    """
    hosts = generated(chapter)
    held: dict[Place, Counter[str]] = defaultdict(Counter)
    for one, place in going.items():
        held[place][one.attributes.sector or ""] += returns[one]
    chosen = {
        line.place: _spread(line, [one for one in hosts if one.place == line.place], held[line.place])
        for line in chapter.hosts
        if line.received is not None
    }
    spare = [one for one in people if one.eligible and one not in going]
    for place, among in chosen.items():
        here = [one for one in going if going[one] == place]
        _provide(place, Counter(one.sector for one in among), here, returns, spare)
    return Receiving(rng, hosts, chosen, Counter())


def _spread(line: Hosts, hosts: list[Host], held: Counter[str]) -> list[Host]:
    """As many as received somebody: those first for which there is a return of their sector, then one of each sector
    before a second one."""
    return sorted(hosts, key=lambda one: (one.number > held[one.sector], one.number))[: line.received]


def _provide(
    place: Place, wanted: Counter[str], here: list[Expert], returns: Counter[Expert], spare: list[Expert]
) -> None:
    """Swaps professions with people who return nowhere until each sector has as many returns as hosts to receive."""
    held: Counter[str] = Counter()
    for one in here:
        held[one.attributes.sector or ""] += returns[one]
    by_sector: dict[str, list[Expert]] = defaultdict(list)
    for one in spare:
        by_sector[one.attributes.sector or ""].append(one)
    while short := _short(wanted, held):
        # Whoever is of a sector without hosts that receive has to leave it, so they come first.
        leaving = [one for one in here if _can_leave(one, wanted, held, returns)]
        giving = sorted(leaving, key=lambda one: (one.attributes.sector in wanted, one.number))
        other = next((by_sector[sector].pop() for sector in short if by_sector[sector]), None)
        if not giving or other is None:
            raise HistoryImpossible(f"the hosts of {place[0]} cannot all receive somebody of their sector")
        moved = giving[0]
        old, new = moved.attributes.sector or "", other.attributes.sector or ""
        swap_professions(moved, other)
        held[old] -= returns[moved]
        held[new] += returns[moved]
        by_sector[old].append(other)


def _short(wanted: Counter[str], held: Counter[str]) -> list[str]:
    """The sectors that lack returns; where none does and some sector has too many hosts of none, any that is wanted."""
    lacking = [sector for sector in wanted if held[sector] < wanted[sector]]
    if lacking or not any(held[sector] for sector in held if sector not in wanted):
        return lacking
    return list(wanted)


def _can_leave(one: Expert, wanted: Counter[str], held: Counter[str], returns: Counter[Expert]) -> bool:
    sector = one.attributes.sector or ""
    return held[sector] - returns[one] >= wanted[sector]
