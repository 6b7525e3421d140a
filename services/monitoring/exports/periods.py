"""The ids by which DHIS2 names periods, from a period's days.

Periods that begin in November have ids that DHIS2 clients write in several ways, so there are none here.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

_MONTHS_OF = {1: "P1M", 2: "P2M", 3: "P3M", 6: "P6M", 12: "P1Y"}
_FINANCIAL = {1: "", 4: "April", 7: "July", 10: "Oct"}


class Dhis2Period(NamedTuple):
    """`type`: DHIS2's name of the period type; `id`: as in dataValueSets; `interval`: as in ADX."""

    type: str
    id: str
    interval: str


def dhis2_period(starts: date, ends: date) -> Dhis2Period | None:
    """Of `[starts, ends)`; None where those days are no period of DHIS2."""
    if ends - starts == timedelta(days=1):
        return Dhis2Period("Daily", f"{starts:%Y%m%d}", f"{starts}/P1D")
    if ends - starts == timedelta(days=7) and starts.isoweekday() == 1:
        year, week, _ = starts.isocalendar()
        return Dhis2Period("Weekly", f"{year}W{week}", f"{starts}/P7D")
    if starts.day != 1 or ends.day != 1:
        return None
    months = (ends.year - starts.year) * 12 + ends.month - starts.month
    named = _named(starts.year, starts.month, months)
    return None if named is None else Dhis2Period(*named, f"{starts}/{_MONTHS_OF[months]}")


def _named(year: int, month: int, months: int) -> tuple[str, str] | None:
    """Type and id of so many months; None where no such period begins in that month."""
    nth, rest = divmod(month - 1, months if months in _MONTHS_OF else 12)
    if months == 12 and month in _FINANCIAL:
        name = _FINANCIAL[month]
        kind = {"Oct": "FinancialOct", "": "Yearly"}.get(name, f"Financial{name}")
        return kind, f"{year}{name}"
    # Half-years from April: the second one begins in October and bears the year of the first.
    if months == 6 and month in (4, 10):
        return "SixMonthlyApril", f"{year}AprilS{1 if month == 4 else 2}"
    if rest or months not in (1, 2, 3, 6):
        return None
    return {
        1: ("Monthly", f"{year}{month:02d}"),
        2: ("BiMonthly", f"{year}{nth + 1:02d}B"),
        3: ("Quarterly", f"{year}Q{nth + 1}"),
        6: ("SixMonthly", f"{year}S{nth + 1}"),
    }[months]
