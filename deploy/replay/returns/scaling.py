"""A chapter of returns in small: what happened first, then as many people and hosts as that needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from deploy.replay.apportion import apportioned, shrunk, shrunk_parts
from deploy.replay.returns.model import Deliveries, Group, NoShows, Placed, Population, Returns
from deploy.replay.returns.people import SEXES
from shared.contracts.registration.persons import Sex
from shared.programmes.indicators import Declared

L = TypeVar("L", bound=Declared)


def shrunk_returns(chapter: Returns, scale: Decimal) -> Returns:
    """The chapter at that scale. Lines that are left without anybody stay, with 0."""
    deliveries = _deliveries(chapter.deliveries, scale)
    population = _population(chapter.population, deliveries, scale)
    hosts = []
    for one in chapter.hosts:
        sectors = {sector: shrunk(number, scale) for sector, number in one.number_by_sector.items()}
        returns = sum(line.returns for line in deliveries.placed if line.place == one.place)
        received = None
        if one.received is not None and returns:
            # In proportion to the hosts, of which every sector keeps one.
            received = min(shrunk(one.received, Decimal(sum(sectors.values())) / one.number), returns)
        hosts.append(one.model_copy(update={"number_by_sector": sectors, "received": received}))
    return chapter.model_copy(update={"deliveries": deliveries, "population": population, "hosts": tuple(hosts)})


def _deliveries(whole: Deliveries, scale: Decimal) -> Deliveries:
    told: dict[str, tuple[Any, ...]] = {
        name: _shrunk(getattr(whole, name), "returns", scale) for name in ("extended", "ended_early")
    }
    cells = [persons for line in whole.placed for persons in line.persons_by_returns]
    # No return is two of these, so there are at least as many.
    marked = sum(one.returns for lines in told.values() for one in lines)
    parts = iter(apportioned(max(marked, shrunk(sum(cells), scale)), cells))
    placed = tuple(
        line.model_copy(update={"persons_by_returns": tuple(next(parts) for _ in line.persons_by_returns)})
        for line in whole.placed
    )
    small = whole.model_copy(update={"placed": placed})
    returns = small.returns
    forms = whole.modalities
    return small.model_copy(
        update={
            "starts": _lines(whole.starts, "returns", returns),
            "modalities": dict(zip(forms, apportioned(returns if forms else 0, list(forms.values())), strict=True)),
            "declined": shrunk(whole.declined, scale),
            **told,
            **{name: _shrunk(getattr(whole, name), "persons", scale) for name in ("no_shows", "cancelled")},
            "unfilled": _shrunk(whole.unfilled, "requests", scale),
        }
    )


def _population(whole: Population, deliveries: Deliveries, scale: Decimal) -> Population:
    withdrawn = _shrunk(whole.withdrawn, "persons", scale)
    ineligible = _shrunk(whole.ineligible, "persons", scale)
    aside = {one.office: one.persons for one in withdrawn}
    groups = _groups(whole, deliveries, scale, aside, sum(one.persons for one in ineligible))
    small = whole.model_copy(update={"groups": groups, "withdrawn": withdrawn, "ineligible": ineligible})
    marginals = {
        name: _lines(getattr(whole, name), "persons", small.eligible)
        for name in (
            "birth_years",
            "education",
            "experience_years",
            "residences",
            "nationalities",
            "residence_statuses",
            "professions",
        )
    }
    languages = {one: _lines(levels, "persons", small.eligible) for one, levels in whole.languages.items()}
    corrections = _shrunk(whole.corrections, "persons", scale)
    return small.model_copy(update={**marginals, "languages": languages, "corrections": corrections})


def _groups(
    whole: Population, deliveries: Deliveries, scale: Decimal, withdrawn: Mapping[str, int], ineligible: int
) -> tuple[Group, ...]:
    """Shrunk by largest remainder, and nowhere below what the returns of the office and its shortlists need."""
    cells = [(group, sex) for group in whole.groups for sex in SEXES]
    parts = shrunk_parts([one.number(sex) for one, sex in cells], scale)

    def raise_to(wanted: int, here: list[int]) -> None:
        held = sum(cells[n][0].number(cells[n][1]) for n in here)
        largest = max(here, key=lambda n: cells[n][0].number(cells[n][1]))
        parts[largest] += max(0, min(wanted, held) - sum(parts[n] for n in here))

    for (office, code, sex), persons in _needed(deliveries).items():
        of_sex = [n for n, (one, of) in enumerate(cells) if one.office == office and of == sex]
        raise_to(persons, [n for n in of_sex if code in (None, cells[n][0].code)])
    busy = _busy(deliveries)
    for office in dict.fromkeys(one.office for one in whole.groups):
        going = sum(number for (of, _, _), number in busy.items() if of == office)
        asked = going + sum(one.requests for one in deliveries.unfilled if one.office == office)
        # Whoever is ineligible may all be of one office, and its shortlists need a choice all the same.
        spare = ineligible + deliveries.shortlist.names * 2 if asked else 0
        aside = ineligible + withdrawn.get(office, 0)
        raise_to(going + max(spare, aside), [n for n, (one, _) in enumerate(cells) if one.office == office])
    numbers = iter(parts)
    return tuple(one.model_copy(update={sex: next(numbers) for sex in SEXES}) for one in whole.groups)


def _busy(deliveries: Deliveries) -> Counter[tuple[str, str | None, Sex]]:
    lines: list[Placed | NoShows] = [*deliveries.placed, *deliveries.absent]
    busy: Counter[tuple[str, str | None, Sex]] = Counter()
    for line in lines:
        busy[(line.office, line.group, line.sex)] += line.persons
    return busy


def _needed(deliveries: Deliveries) -> dict[tuple[str, str | None, Sex], int]:
    """By group, then by office and sex: whoever is placed from any group comes on top of those from a named one."""
    busy = _busy(deliveries)
    offices: Counter[tuple[str, str | None, Sex]] = Counter()
    for (office, _, sex), number in busy.items():
        offices[(office, None, sex)] += number
    return {**{key: number for key, number in busy.items() if key[1] is not None}, **offices}


def _lines(lines: Sequence[L], field: str, total: int) -> tuple[L, ...]:
    """The lines with numbers that sum to the total, in the proportions that they had."""
    return _with(lines, field, apportioned(total if lines else 0, [getattr(one, field) for one in lines]))


def _shrunk(lines: Sequence[L], field: str, scale: Decimal) -> tuple[L, ...]:
    return _with(lines, field, shrunk_parts([getattr(one, field) for one in lines], scale))


def _with(lines: Sequence[L], field: str, numbers: Iterable[int]) -> tuple[L, ...]:
    return tuple(one.model_copy(update={field: number}) for one, number in zip(lines, numbers, strict=True))
