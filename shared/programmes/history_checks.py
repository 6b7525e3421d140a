"""What a history must hold: marginals that sum, enough people, names that its programme has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.programmes.checks import country_codes, language_codes
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.selection import SelectionSection

if TYPE_CHECKING:
    from shared.programmes.history import History

SHORTLISTED = 3
MARGINALS = ("birth_years", "education", "experience_years", "residence_statuses", "professions", "english")
BANDS = ("birth_years", "education", "experience_years")
# From the draft of the terms to the arrival; nothing may lie before the programme began.
LEAD_DAYS = 56


def check_history(history: History, definition: Definition | None) -> list[Broken]:
    """Every broken rule; an empty list for a history that can be expanded."""
    own = [*_windows(history), *_marginals(history), *_people(history), *_offices(history), *_codes(history)]
    if definition is None:
        return own
    return [*own, *_of_programme(history, definition), *_figures(history, definition)]


def _windows(history: History) -> Iterator[Broken]:
    windows = [("/population/registered", history.population.registered)]
    windows += [(f"/deliveries/starts/{n}", one) for n, one in enumerate(history.deliveries.starts)]
    for pointer, window in windows:
        if window.ends <= window.starts:
            yield Broken(f"{pointer}/ends", "window_backwards", "a window ends after it starts")
    duration = history.deliveries.duration_days
    if duration.most < duration.least:
        yield Broken("/deliveries/duration_days/most", "band_backwards", "most is not below least")
    for name in BANDS:
        for number, band in enumerate(getattr(history.population, name)):
            if band.most < band.least:
                yield Broken(f"/population/{name}/{number}/most", "band_backwards", "most is not below least")


def _marginals(history: History) -> Iterator[Broken]:
    eligible = history.population.eligible
    for name in MARGINALS:
        total = sum(one.persons for one in getattr(history.population, name))
        if total != eligible:
            yield Broken(f"/population/{name}", "marginal_sum", f"sums to {total}; {eligible} persons are eligible")
    deliveries = history.deliveries
    started = sum(one.returns for one in deliveries.starts)
    if started != deliveries.returns:
        detail = f"sums to {started}; {deliveries.returns} returns are placed"
        yield Broken("/deliveries/starts", "marginal_sum", detail)
    if deliveries.extended.returns + deliveries.ended_early + deliveries.declined > deliveries.returns:
        yield Broken("/deliveries", "too_many", "more returns are extended, ended or reserved than there are")


def _people(history: History) -> Iterator[Broken]:
    """Each office needs its placed people, and others for the rest of every shortlist."""
    eligible: Counter[tuple[str, str]] = Counter()
    for group in history.population.groups:
        eligible[(group.office, "female")] += group.female
        eligible[(group.office, "male")] += group.male
    busy: Counter[tuple[str, str]] = Counter()
    for number, placed in enumerate(history.deliveries.placed):
        busy[(placed.office, placed.sex)] += placed.persons
        if busy[(placed.office, placed.sex)] > eligible[(placed.office, placed.sex)]:
            yield Broken(f"/deliveries/placed/{number}", "too_many", "more persons are placed than registered there")
    for number, one in enumerate(history.deliveries.no_shows):
        busy[(one.office, one.sex)] += one.persons
        if busy[(one.office, one.sex)] > eligible[(one.office, one.sex)]:
            yield Broken(f"/deliveries/no_shows/{number}", "too_many", "more persons did not come than are left")
    ineligible = sum(one.persons for one in history.population.ineligible)
    if ineligible + sum(busy.values()) + SHORTLISTED > history.population.persons:
        yield Broken("/population/ineligible", "too_many", "too few eligible persons are left for the shortlists")


def _offices(history: History) -> Iterator[Broken]:
    """Who is placed, and what is requested, is in an office with both experts and hosts."""
    experts = {group.office for group in history.population.groups}
    hosts = {one.office for one in history.hosts}
    for name in ("placed", "no_shows", "unfilled"):
        for number, one in enumerate(getattr(history.deliveries, name)):
            if one.office not in hosts or one.office not in experts:
                pointer = f"/deliveries/{name}/{number}/office"
                yield Broken(pointer, "unknown_office", "this office has no experts or no hosts in the file")
    sectors = {one.sector for one in history.population.professions}
    for number, host in enumerate(history.hosts):
        for sector in sorted(sectors - set(host.number_by_sector)):
            pointer = f"/hosts/{number}/number_by_sector/{sector}"
            yield Broken(pointer, "host_missing", "the office has no host in this sector")


def _codes(history: History) -> Iterator[Broken]:
    countries = [("/population/residence", history.population.residence)]
    countries += [(f"/population/groups/{n}/origin", one.origin) for n, one in enumerate(history.population.groups)]
    countries += [(f"/hosts/{n}/country", one.country) for n, one in enumerate(history.hosts)]
    for pointer, code in countries:
        if code not in country_codes():
            yield Broken(pointer, "unknown_country", "no country of ISO 3166 has this code")
    for number, group in enumerate(history.population.groups):
        for place, language in enumerate(group.languages):
            if language not in language_codes():
                pointer = f"/population/groups/{number}/languages/{place}"
                yield Broken(pointer, "unknown_language", "no language of ISO 639-1 has this code")


def _of_programme(history: History, definition: Definition) -> Iterator[Broken]:
    if history.programme != definition.code:
        yield Broken("/programme", "unknown_programme", "the definition is that of another programme")
    if {"selection", "placement"} - definition.sections().keys():
        yield Broken("/programme", "not_in_programme", "returns need the sections selection and placement")
        return
    offices = {one.code for one in definition.offices}
    sectors = {one.code for one in definition.sectors}
    hosts = set(definition.section(PlacementSection).codes("host_type"))
    criteria = {one.criterion for one in definition.section(SelectionSection).eligibility}
    named = [("/publisher", history.publisher, offices)]
    named += [(f"/population/groups/{n}/office", g.office, offices) for n, g in enumerate(history.population.groups)]
    named += [(f"/hosts/{n}/office", one.office, offices) for n, one in enumerate(history.hosts)]
    named += [(f"/host_types/{n}", code, hosts) for n, code in enumerate(history.host_types)]
    for n, profession in enumerate(history.population.professions):
        named.append((f"/population/professions/{n}/sector", profession.sector, sectors))
    for n, one in enumerate(history.population.ineligible):
        named.append((f"/population/ineligible/{n}/criterion", one.criterion, criteria))
    for pointer, code, known in named:
        if code not in known:
            yield Broken(pointer, "unknown_code", "the programme does not list this code")
    for n, starts in enumerate(history.deliveries.starts):
        if (starts.starts - definition.dates.starts).days < LEAD_DAYS + 10 or starts.ends > definition.dates.ends:
            detail = f"a first return needs {LEAD_DAYS + 10} days from the programme's beginning; the last, its end"
            yield Broken(f"/deliveries/starts/{n}/starts", "outside_programme", detail)


def _figures(history: History, definition: Definition) -> Iterator[Broken]:
    for number, figure in enumerate(history.figures):
        if definition.indicator(figure.indicator) is None:
            yield Broken(f"/figures/{number}/indicator", "unknown_indicator", "the programme has no such indicator")
        if definition.period(figure.period) is None:
            yield Broken(f"/figures/{number}/period", "unknown_period", "the programme has no such period")
