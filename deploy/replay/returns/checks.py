"""What a chapter of returns must hold: marginals that sum, windows that can be met, enough people and hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from deploy.replay.returns.codes import codes_of_programme, known_everywhere
from deploy.replay.returns.eligibility import check_eligibility
from deploy.replay.returns.model import NoShows, Placed, Returns
from deploy.replay.returns.people import SEXES
from deploy.replay.returns.requests import APPLIED_DAYS, KNOWN_DAYS, LEAD_DAYS
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection

BANDS = ("birth_years", "education", "experience_years")
MARGINALS = (*BANDS, "professions")
# Of these a file may leave out any.
OPTIONAL = ("residence_statuses", "residences", "nationalities")
# Office, group (None: any of the office), sex.
Kind = tuple[str, str | None, str]


def check_returns(chapter: Returns, definition: Definition | None) -> Iterator[Broken]:
    """Broken rules, by pointer within the chapter."""
    checks = (_windows, _marginals, _totals, _stated_once, _people, _spare, _hosts, _received, _apart, known_everywhere)
    for check in checks:
        yield from check(chapter)
    if definition is not None:
        yield from _lists(chapter, definition)
        yield from codes_of_programme(chapter, definition)
    if definition is not None and "selection" in definition.sections():
        yield from check_eligibility(chapter, definition)


def _windows(chapter: Returns) -> Iterator[Broken]:
    registered, starts = chapter.population.registered, chapter.deliveries.starts
    windows = [("/population/registered", registered)]
    windows += [(f"/deliveries/starts/{n}", one) for n, one in enumerate(starts)]
    for pointer, window in windows:
        if window.ends <= window.starts:
            yield Broken(f"{pointer}/ends", "window_backwards", "a window ends after it starts")
    latest = min(one.starts for one in starts) - timedelta(days=APPLIED_DAYS + KNOWN_DAYS)
    if registered.starts > latest:
        detail = f"who returns first registers {APPLIED_DAYS + KNOWN_DAYS} days before: the window begins by {latest}"
        yield Broken("/population/registered/starts", "window_too_late", detail)
    duration = chapter.deliveries.duration_days
    if duration.most < duration.least:
        yield Broken("/deliveries/duration_days/most", "band_backwards", "most is not below least")
    for name in BANDS:
        for number, band in enumerate(getattr(chapter.population, name)):
            if band.most < band.least:
                yield Broken(f"/population/{name}/{number}/most", "band_backwards", "most is not below least")


def _marginals(chapter: Returns) -> Iterator[Broken]:
    """What is stated of the eligible sums to them."""
    population = chapter.population
    stated = [(name, getattr(population, name)) for name in (*MARGINALS, *OPTIONAL)]
    stated = [(name, lines) for name, lines in stated if lines or name in MARGINALS]
    stated += [(f"languages/{language}", levels) for language, levels in population.languages.items()]
    for name, lines in stated:
        total = sum(one.persons for one in lines)
        if total != population.eligible:
            detail = f"sums to {total}; {population.eligible} persons are eligible"
            yield Broken(f"/population/{name}", "marginal_sum", detail)


def _totals(chapter: Returns) -> Iterator[Broken]:
    """What is stated of the returns sums to them, and no return is in two lines that exclude each other."""
    deliveries, returns = chapter.deliveries, chapter.deliveries.returns
    sums = {"starts": sum(one.returns for one in deliveries.starts)}
    if deliveries.modalities:
        sums["modalities"] = sum(deliveries.modalities.values())
    for name, total in sums.items():
        if total != returns:
            yield Broken(f"/deliveries/{name}", "marginal_sum", f"sums to {total}; {returns} returns are placed")
    marked = sum(one.returns for one in deliveries.extended) + sum(one.returns for one in deliveries.ended_early)
    if max(marked, deliveries.declined) > returns:
        yield Broken("/deliveries", "too_many", "more returns are extended, ended or declined than there are")
    if not returns:
        yield Broken("/deliveries/placed", "nobody_placed", "a chapter of returns has at least one return")
    if "placement" not in chapter.population.consents:
        yield Broken("/population/consents", "consent_missing", "nobody is placed without the consent to placement")


def _stated_once(chapter: Returns) -> Iterator[Broken]:
    """Residence and nationality stand with each group or as numbers; a language with a group or as levels."""
    population = chapter.population
    for number, group in enumerate(population.groups):
        pointer = f"/population/groups/{number}"
        if (group.residence is None) == (not population.residences):
            rule = "residence_missing" if group.residence is None else "stated_twice"
            yield Broken(f"{pointer}/residence", rule, "a residence stands with each group or under residences")
        if group.nationality is not None and population.nationalities:
            detail = "a nationality stands with the group or under nationalities"
            yield Broken(f"{pointer}/nationality", "stated_twice", detail)
        for language in sorted(group.languages.keys() & population.languages.keys()):
            yield Broken(f"{pointer}/languages/{language}", "stated_twice", "levels of this language stand elsewhere")


def _people(chapter: Returns) -> Iterator[Broken]:
    """Whoever is placed or expected is registered in that office and group."""
    population, deliveries = chapter.population, chapter.deliveries
    groups = {one.code: one for one in population.groups if one.code}
    held: Counter[Kind] = Counter()
    for group in population.groups:
        for code in {None, group.code}:
            held.update({(group.office, code, sex): group.number(sex) for sex in SEXES})
    busy: Counter[Kind] = Counter()
    for name in ("placed", "no_shows", "cancelled"):
        for number, line in enumerate(getattr(deliveries, name)):
            pointer = f"/deliveries/{name}/{number}"
            if line.group is not None and (line.group not in groups or groups[line.group].office != line.office):
                yield Broken(f"{pointer}/group", "unknown_group", "the office has no group of this code")
            own: Kind = (line.office, line.group, line.sex)
            for key in {(line.office, None, line.sex), own}:
                busy[key] += line.persons
                if busy[key] > held[key]:
                    yield Broken(pointer, "too_many", "more persons are placed or expected than registered there")
                    break


def _spare(chapter: Returns) -> Iterator[Broken]:
    """There are others for the rest of every shortlist, and for what is put right or taken back."""
    population, deliveries = chapter.population, chapter.deliveries
    lines: list[Placed | NoShows] = [*deliveries.placed, *deliveries.absent]
    by_office: Counter[str] = Counter()
    for line in lines:
        by_office[line.office] += line.persons
    ineligible = population.persons - population.eligible
    needed = deliveries.shortlist.names - 1
    if ineligible + sum(by_office.values()) + needed > population.persons:
        yield Broken("/population/ineligible", "too_many", "too few eligible persons are left for the shortlists")
    corrected = sum(one.persons for one in population.corrections)
    if corrected > population.eligible:
        yield Broken("/population/corrections", "too_many", "more persons are put right than are eligible")
    for number, one in enumerate(population.withdrawn):
        registered = sum(group.persons for group in population.groups if group.office == one.office)
        if one.persons > registered - by_office[one.office]:
            yield Broken(f"/population/withdrawn/{number}", "too_many", "more persons than are in no return there")


def _hosts(chapter: Returns) -> Iterator[Broken]:
    """Who is placed, and what is requested, is in a place with both experts and hosts, in every sector."""
    experts = {group.office for group in chapter.population.groups}
    places = [(one.office, one.area) for one in chapter.hosts]
    for pointer, line in chapter.lines():
        if line.place not in places or line.office not in experts:
            here = line.office in {office for office, _ in places} & experts
            name = "area" if here else "office"
            yield Broken(f"{pointer}/{name}", f"unknown_{name}", f"this {name} has no experts or no hosts in the file")
    sectors = {one.sector for one in chapter.population.professions if one.persons}
    for number, host in enumerate(chapter.hosts):
        if places.index((host.office, host.area)) != number:
            yield Broken(f"/hosts/{number}/area", "hosts_repeated", "the hosts of a place stand in one line")
        for sector in sorted(sectors - set(host.number_by_sector)):
            pointer = f"/hosts/{number}/number_by_sector/{sector}"
            yield Broken(pointer, "host_missing", "the office has no host in this sector")


def _received(chapter: Returns) -> Iterator[Broken]:
    for number, host in enumerate(chapter.hosts):
        place = (host.office, host.area)
        returns = sum(one.returns for one in chapter.deliveries.placed if one.place == place)
        if host.received is not None and host.received > min(host.number, returns):
            detail = f"{host.number} hosts and {returns} returns are there"
            yield Broken(f"/hosts/{number}/received", "too_many", detail)


def _apart(chapter: Returns) -> Iterator[Broken]:
    """Two returns of one person never overlap, however long they were."""
    deliveries = chapter.deliveries
    longest = deliveries.duration_days.most + deliveries.extension_days
    if any(len(one.persons_by_returns) > 1 for one in deliveries.placed) and deliveries.apart_days <= longest:
        detail = f"a return may take {longest} days with its extensions"
        yield Broken("/deliveries/apart_days", "too_close", detail)


def _lists(chapter: Returns, definition: Definition) -> Iterator[Broken]:
    """The shortlists are as long as the programme says, and the returns lie within it."""
    if {"selection", "placement"} - definition.sections().keys():
        yield Broken("/kind", "not_in_programme", "returns need the sections selection and placement")
        return
    names, bounds = chapter.deliveries.shortlist, definition.section(SelectionSection).shortlist
    if not bounds.least <= names.names <= bounds.most:
        detail = f"the programme's shortlists have {bounds.least} to {bounds.most} names"
        yield Broken("/deliveries/shortlist/names", "shortlist_bounds", detail)
    if names.applying > names.names:
        yield Broken("/deliveries/shortlist/applying", "shortlist_bounds", "more apply than stand on the list")
    if chapter.deliveries.declined and not definition.section(SelectionSection).seats.reserve:
        yield Broken("/deliveries/declined", "no_reserves", "in this programme no reserve follows")
    if chapter.population.registered.starts < definition.dates.starts:
        yield Broken("/population/registered/starts", "outside_programme", "the programme had not begun")
    for n, starts in enumerate(chapter.deliveries.starts):
        if (starts.starts - definition.dates.starts).days < LEAD_DAYS + 10 or starts.ends > definition.dates.ends:
            detail = f"a first return needs {LEAD_DAYS + 10} days from the programme's beginning; the last, its end"
            yield Broken(f"/deliveries/starts/{n}/starts", "outside_programme", detail)
