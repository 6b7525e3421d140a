"""What the address of a page of figures asks for, and the address that asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlencode

from fastapi import Request

from services.monitoring.answers import Asked, Wanted, indicator_of, period_of, shows
from services.monitoring.domain.disclosure import Viewer
from shared.clock import text_of
from shared.programmes.indicators import Period
from shared.programmes.model import Definition
from shared.web.lists import query
from shared.web.pages.cases import narrowing
from shared.web.pages.typed_dates import in_parts, said_in_parts

# So many figures on one page; who has more chooses a programme or a period.
FIGURES_AT_MOST = 200
PERIODS_AT_MOST = 60
# Of the periods that an indicator has targets for, the newest are on the dashboard.
GOALS_AT_MOST = 3
BREAKDOWNS_AT_MOST = 12
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


@dataclass(frozen=True)
class Filters:
    """As they stand in the address. `as_of`: a calendar day, whose end is meant in UTC, or an RFC 3339 instant."""

    programme: str | None = None
    office: str | None = None
    period: str | None = None
    as_of: str | None = None

    @property
    def asked(self) -> Asked:
        return Asked(period=self.period, as_of=_instant(self.as_of), office=self.office)

    @property
    def given(self) -> Mapping[str, str]:
        """Those that narrow something."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def address(self, path: str, *without: str, **more: str) -> str:
        kept = {name: value for name, value in self.given.items() if name not in without} | more
        return f"{path}?{urlencode(kept)}" if kept else path


def filters_of(request: Request, *names: str) -> tuple[Filters, Mapping[str, str]]:
    """The filters, and what else stands under these names. Refusal 422 for a parameter that there is not."""
    filters = [name for name in Filters.__dataclass_fields__ if name not in request.path_params]
    given = query(narrowing(request), *filters, *names)
    return Filters(**{name: given[name] for name in filters if name in given}), given


def _instant(text: str | None) -> str | None:
    """The instant that is meant; what is no day stays, for the edge to refuse."""
    if text is None:
        return None
    day = said_in_parts(in_parts(text, "as_of"), "as_of") or text
    if not _DAY.fullmatch(day):
        return text
    try:
        return text_of(datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC))
    except (ValueError, OverflowError):
        return text


def of_dashboard(definition: Definition, filters: Filters, viewer: Viewer) -> list[Wanted]:
    """Every indicator over all time and over the newest periods that it has targets for; or over the period alone.
    Of what is published, which is never over all time, over the newest periods.

    Without a figure where the programme does not have the period.
    """
    if filters.period is not None:
        period = definition.period(filters.period)
        return [] if period is None else [Wanted(one, period) for one in definition.indicators]
    if not viewer.live:
        newest = _newest(definition.periods, GOALS_AT_MOST)
        return [Wanted(one, period) for one in definition.indicators for period in newest]
    return [
        Wanted(one, period)
        for one in definition.indicators
        for period in (None, *_newest([p for p in definition.periods if p.code in one.targets], GOALS_AT_MOST))
    ]


def of_indicator(definition: Definition, code: str, filters: Filters, viewer: Viewer) -> list[Wanted]:
    """The indicator over all time and over each period, then broken down by each dimension that it has, which the
    viewer may see. Raises Refusal: 404, 422 for a period that there is not."""
    indicator = indicator_of(definition, code)
    periods = _newest(definition.periods, PERIODS_AT_MOST)
    chosen = period_of(definition, filters.period)
    if chosen is None and not viewer.live and periods:
        chosen = periods[-1]
    cells = [
        Wanted(indicator, chosen, (one,))
        for one in definition.dimensions
        if shows(definition, viewer, indicator, chosen, (one,))
    ]
    return [
        *([Wanted(indicator)] if viewer.live else ()),
        *(Wanted(indicator, period) for period in periods),
        *cells[:BREAKDOWNS_AT_MOST],
    ]


def _newest(periods: Sequence[Period], at_most: int) -> list[Period]:
    return sorted(sorted(periods, key=lambda one: one.ends, reverse=True)[:at_most], key=_place)


def _place(period: Period) -> tuple[str, date, date]:
    return (period.series, period.starts, period.ends)
