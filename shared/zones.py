"""Time zones from the pinned package `tzdata` alone, whatever the machine has.

Zone files of machines differ from it and from each other, and two nodes would count one event in two periods. Whoever
needs a zone takes it from here, so that the machine's files are set aside before the first one is read.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from zoneinfo import ZoneInfo

from shared.errors import SettingsError

# The version in requirements/runtime.txt. Another one may move days of past and future: the read model is built anew.
ZONE_DATA = "2026.6"
# How far behind and ahead of UTC it is anywhere: where a day ends last, and where it begins first.
WESTERNMOST, EASTERNMOST = timedelta(hours=12), timedelta(hours=14)

zoneinfo.reset_tzpath(to=())
ZoneInfo.clear_cache()


def newest_day(now: datetime) -> date:
    """The last day that has begun somewhere on earth."""
    return (now.astimezone(UTC) + EASTERNMOST).date()


def zone(name: str) -> ZoneInfo:
    """The zone of that IANA name. Raises ZoneInfoNotFoundError (a KeyError) or ValueError for a name that is none."""
    try:
        return ZoneInfo(name)
    except OSError:
        # The name of a folder of the list.
        raise zoneinfo.ZoneInfoNotFoundError(name) from None


def zone_names() -> frozenset[str]:
    """Every name of the pinned list."""
    return frozenset(zoneinfo.available_timezones())


def check_zones() -> None:
    """Raises SettingsError where zones would come from anything but the pin."""
    try:
        found = version("tzdata")
    except PackageNotFoundError:
        found = "missing"
    if found != ZONE_DATA:
        raise SettingsError(f"the package tzdata is {found}, and figures are counted by {ZONE_DATA}: make setup")
    if zoneinfo.TZPATH:
        raise SettingsError("time zones would be read from the machine's own files")
