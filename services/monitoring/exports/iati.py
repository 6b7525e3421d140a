"""Figures for donors: an IATI 2.03 activity with its results, indicators, periods and dimensions.

The schema looks at the order of elements and at few values. What it lets through is right here by construction: every
target and actual has a number, both days of a period are there, truth is written `1` or `0`, and times have a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import BinaryIO, NamedTuple
from xml.etree.ElementTree import Element

from services.monitoring.exports.stated import Export, Row, why_withheld
from services.monitoring.exports.xml import LANGUAGE, child, remark, write_tree
from services.monitoring.pages.meaning import Meaning
from shared.clock import text_of
from shared.errors import Refusal
from shared.programmes.indicators import Distinct, Indicator, Period
from shared.programmes.model import Definition
from shared.programmes.sections.reporting import Iati, Organisation, ReportingSection, Result
from shared.web.pages.languages import DEFAULT, LANGUAGES
from shared.web.pages.words import translations

ROWS_AT_MOST = 200_000
NOT_DECLARED = "export_not_declared"
VERSION = "2.03"
# Code lists of IATI 2.03: ResultType, OrganisationRole, ActivityStatus, ActivityDateType, IndicatorMeasure,
# IndicatorVocabulary, SectorVocabulary.
_RESULT = {"output": "1", "outcome": "2", "impact": "3", "other": "9"}
_ROLE = {"funding": "1", "accountable": "2", "extending": "3", "implementing": "4"}
_BEFORE, _RUNNING, _OVER = "1", "2", "4"
_PLANNED_START, _START, _PLANNED_END, _END = "1", "2", "3", "4"
_UNIT, _PERCENTAGE = "1", "2"
_OWN, _DAC_FIVE_DIGITS = "99", "1"


def write(export: Export, out: BinaryIO) -> None:
    """Of each period the newest statement. The file's time is that at which the newest of all was issued, so that the
    same statements give the same bytes.

    Refusal `export_too_large` (422); `not_in_programme`, `export_not_declared`, `unknown_period` (409) where the
    definition does not say how.
    """
    export.refuse_above(ROWS_AT_MOST)
    said = export.definition.section(ReportingSection).iati
    if said is None:
        detail = "the definition does not say what IATI is told of the programme"
        raise Refusal(NOT_DECLARED, detail, at="/reporting/iati")
    at = text_of(export.newest.statement.issued_at)
    root = Element("iati-activities", {"version": VERSION, "generated-datetime": at})
    language = _languages(export.definition.title)[0]
    activity = child(root, "iati-activity", last_updated_datetime=at)
    activity.set(LANGUAGE, language)
    _frame(activity, export, said)
    reported = {code for result in said.results for code in result.indicators}
    figures = [one for one in _figures(export) if one.indicator.code in reported]
    for result in said.results:
        _result(activity, export, result, figures)
    write_tree(root, out)


def _frame(activity: Element, export: Export, said: Iati) -> None:
    """What an activity says before its results, in the order of the schema."""
    definition, organisation = export.definition, said.organisation
    child(activity, "iati-identifier", said.activity)
    _narratives(child(activity, "reporting-org", ref=organisation.ref, type=organisation.type), organisation.name)
    _narratives(child(activity, "title"), definition.title)
    _narratives(child(activity, "description", type="1"), said.description)
    roles: Iterable[tuple[Organisation, str]] = [(one, one.role) for one in said.participants]
    for one, role in roles or [(organisation, "implementing")]:
        _narratives(child(activity, "participating-org", ref=one.ref, type=one.type, role=_ROLE[role]), one.name)
    today, ends_on = export.newest.statement.as_of.astimezone(UTC).date(), definition.dates.ends - timedelta(days=1)
    begun, over = definition.dates.starts <= today, ends_on <= today
    child(activity, "activity-status", code=_OVER if over else _RUNNING if begun else _BEFORE)
    _date(activity, _START if begun else _PLANNED_START, definition.dates.starts)
    _date(activity, _END if over else _PLANNED_END, ends_on)
    shares = [(one.code, one.percent) for one in said.countries] or [(definition.countries_of_origin[0], 100)]
    for country, percent in shares:
        child(activity, "recipient-country", code=country, percentage=str(percent))
    for sector in said.sectors:
        child(activity, "sector", vocabulary=_DAC_FIVE_DIGITS, code=sector.code, percentage=str(sector.percent))


def _date(activity: Element, type: str, day: date) -> None:
    child(activity, "activity-date", type=type, iso_date=day.isoformat())


class _Figures(NamedTuple):
    """Of one indicator in one period, by the version that the statement names; the total once, however many tables
    have it."""

    period: Period
    definition: Definition
    indicator: Indicator
    rows: Sequence[Row]


def _figures(export: Export) -> Iterator[_Figures]:
    """Refusal `unknown_period` (409): a figure whose days nobody knows would be missing in the file. ValueError for an
    indicator that the version lacks."""
    for one in export.standing():
        definition, code = export.words(one).definition, one.statement.period
        period = definition.period(code)
        if period is None:
            raise Refusal("unknown_period", f"the definition has no period {code}", at="/periods")
        found: dict[str, list[Row]] = {}
        for row in export.rows([one]):
            rows = found.setdefault(row.table.indicator, [])
            if row.classes or not any(not one.classes for one in rows):
                rows.append(row)
        for named, rows in found.items():
            indicator = definition.indicator(named)
            if indicator is None:
                raise ValueError("a statement's indicators are of the version that it names")
            yield _Figures(period, definition, indicator, rows)


def _result(activity: Element, export: Export, result: Result, figures: Sequence[_Figures]) -> None:
    kinds = [kind for code in result.indicators for kind in _kinds(export, code, figures)]
    adds_up = _truth(all(_adds_up(one.indicator) for one in kinds))
    element = child(activity, "result", type=_RESULT[result.type], aggregation_status=adds_up)
    _narratives(child(element, "title"), result.name)
    for kind in kinds:
        _indicator(element, export, kind, falling=kind.indicator.code in result.falling)


class _Kind(NamedTuple):
    """An indicator as one version counts it, or several do: in words it is as in the newest of them. `periods`: each
    with its target and its cells."""

    definition: Definition
    indicator: Indicator
    periods: Sequence[tuple[Period, int | None, Sequence[Row]]]


def _kinds(export: Export, code: str, figures: Sequence[_Figures]) -> Iterator[_Kind]:
    """One for each way in which versions count it: one meaning over figures that were counted otherwise would be wrong
    of some."""
    of_it = [one for one in figures if one.indicator.code == code]
    by_meaning = {_counted(one.definition, one.indicator): (one.definition, one.indicator) for one in of_it}
    if today := export.definition.indicator(code):
        by_meaning[_counted(export.definition, today)] = (export.definition, today)
    for meaning, (definition, indicator) in by_meaning.items():
        own = [one for one in of_it if _counted(one.definition, one.indicator) == meaning]
        stated = {one.period.code for one in of_it}
        periods = [(one.period, one.indicator.targets.get(one.period.code), one.rows) for one in own]
        if definition is export.definition:
            wanted = [one for one in definition.periods if one.code in indicator.targets and one.code not in stated]
            periods += [(one, indicator.targets[one.code], ()) for one in wanted]
        yield _Kind(definition, indicator, sorted(periods, key=lambda one: (one[0].starts, one[0].ends)))


def _counted(definition: Definition, indicator: Indicator) -> str:
    """What makes two indicators of one code the same: all but names, targets, baseline and breakdowns."""
    share = indicator.share
    sides = [definition.indicator(code) for code in (share.of, share.in_)] if share else []
    apart = {"name", "targets", "baseline", "by"}
    return "\n".join(one.model_dump_json(exclude=apart) for one in (indicator, *sides) if one is not None)


def _adds_up(indicator: Indicator) -> bool:
    """Whether figures of several periods or activities may be summed: not where things are counted once each, nor
    shares."""
    return indicator.share is None and not isinstance(indicator.measure, Distinct)


def _indicator(result: Element, export: Export, kind: _Kind, *, falling: bool) -> None:
    indicator = kind.indicator
    measure = _UNIT if indicator.share is None else _PERCENTAGE
    element = child(
        result,
        "indicator",
        measure=measure,
        ascending=_truth(not falling),
        aggregation_status=_truth(_adds_up(indicator)),
    )
    _narratives(child(element, "title"), indicator.name)
    meanings = {one: Meaning(kind.definition, one).of(indicator).striptags() for one in _of_pages(export)}
    _narratives(child(element, "description"), meanings)
    child(element, "reference", vocabulary=_OWN, code=indicator.code)
    if indicator.baseline is not None:
        starts = kind.definition.dates.starts
        child(element, "baseline", year=str(starts.year), iso_date=starts.isoformat(), value=str(indicator.baseline))
    for period, target, rows in kind.periods:
        _period(element, export, period, rows, target)


def _period(indicator: Element, export: Export, period: Period, rows: Sequence[Row], target: int | None) -> None:
    element = child(indicator, "period")
    child(element, "period-start", iso_date=period.starts.isoformat())
    child(element, "period-end", iso_date=(period.ends - timedelta(days=1)).isoformat())
    if target is not None:
        child(element, "target", value=str(target))
    withheld = sum(row.cell.withheld == "withheld" for row in rows)
    total_shown = any(not row.classes and row.cell.value is not None for row in rows)
    if withheld and not total_shown:
        remark(element, f"withheld: {withheld} figures")
    for row in rows:
        if row.cell.value is None:
            continue
        actual = child(element, "actual", value=str(row.cell.value))
        for dimension, code in row.classes.items():
            child(actual, "dimension", name=dimension, value=code)
        parts = 0 if row.classes else withheld
        if row.cell.withheld or parts:
            _narratives(child(actual, "comment"), _said_of_withheld(export, row.cell.withheld, parts))


def _said_of_withheld(export: Export, own: str | None, parts: int) -> Mapping[str, str]:
    """By language: that a figure stands as it was stated before, and of a total how many of its parts are withheld."""
    found = {}
    for language in _of_pages(export):
        sentence = translations(language).gettext("Figures of breakdowns that are withheld: %(number)s")
        said = [*([why_withheld(language, own)] if own else []), *([sentence % {"number": parts}] if parts else [])]
        found[language] = ". ".join(said)
    return found


def _of_pages(export: Export) -> list[str]:
    """The languages of the definition that pages have words in."""
    return [one for one in _languages(export.definition.title) if one in LANGUAGES] or [DEFAULT]


def _narratives(parent: Element, texts: Mapping[str, str]) -> None:
    """A narrative in each language, that of the activity first."""
    for language in _languages(texts):
        narrative = child(parent, "narrative", texts[language])
        narrative.set(LANGUAGE, language)


def _languages(texts: Mapping[str, str]) -> list[str]:
    return sorted(texts, key=lambda one: (one != DEFAULT, one))


def _truth(said: bool) -> str:
    return "1" if said else "0"
