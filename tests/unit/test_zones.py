"""Time zones come from the pinned list alone: right values where lists and machines differ."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files as resources
from pathlib import Path

import pytest

import shared.zones
from services.monitoring.schema import fingerprint
from shared.errors import SettingsError
from shared.programmes.indicators import Period
from shared.zones import ZONE_DATA, check_zones, newest_day, zone, zone_names

ROOT = Path(__file__).parents[2]


def test_the_pin_is_the_locks_and_nothing_else_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for lock in ("runtime", "dev"):
        assert re.search(rf"^tzdata=={re.escape(ZONE_DATA)} ", (ROOT / f"requirements/{lock}.txt").read_text(), re.M)
    check_zones()
    monkeypatch.setattr(zoneinfo, "TZPATH", ("/usr/share/zoneinfo",))
    with pytest.raises(SettingsError, match="the machine's own files"):
        check_zones()
    monkeypatch.setattr(shared.zones, "version", lambda _: "2020.1")
    with pytest.raises(SettingsError, match=r"tzdata is 2020\.1"):
        check_zones()


def test_a_machines_own_files_change_no_period(tmp_path: Path) -> None:
    """A machine on which Casablanca is Tokyo."""
    files = tmp_path / "Africa"
    files.mkdir()
    tokyo = zoneinfo.ZoneInfo("Asia/Tokyo")
    assert tokyo.utcoffset(datetime(2027, 1, 1)) == timedelta(hours=9)
    (files / "Casablanca").write_bytes((resources("tzdata.zoneinfo.Asia") / "Tokyo").read_bytes())
    program = "from shared.zones import zone; from datetime import datetime as d;"
    program += "print(d(2027, 1, 1, tzinfo=zone('Africa/Casablanca')).utcoffset())"
    words = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path)}
    ran = subprocess.run(words, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    assert ran.stdout.strip() == "0:00:00"


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("Africa/Casablanca", datetime(2027, 1, 1, 0, tzinfo=UTC)),
        ("Africa/El_Aaiun", datetime(2027, 1, 1, 0, tzinfo=UTC)),
        ("America/Vancouver", datetime(2027, 1, 1, 7, tzinfo=UTC)),
        ("America/Edmonton", datetime(2027, 1, 1, 6, tzinfo=UTC)),
        ("Asia/Kabul", datetime(2026, 12, 31, 19, 30, tzinfo=UTC)),
    ],
)
def test_january_2027_begins_where_the_pin_says(name: str, begins: datetime) -> None:
    january = Period(code="j", name={"en": "J"}, series="m", starts=date(2027, 1, 1), ends=date(2027, 2, 1))
    assert january.bounds(zone(name))[0].astimezone(UTC) == begins


@pytest.mark.parametrize(
    ("name", "instant", "before", "after"),
    [
        ("Africa/Khartoum", datetime(2017, 10, 31, 21, tzinfo=UTC), 3, 2),
        ("Africa/Juba", datetime(2021, 1, 31, 21, tzinfo=UTC), 3, 2),
        ("Asia/Gaza", datetime(2026, 3, 28, 0, tzinfo=UTC), 2, 3),
        ("Asia/Gaza", datetime(2026, 10, 23, 23, tzinfo=UTC), 3, 2),
    ],
)
def test_clocks_change_when_they_do(name: str, instant: datetime, before: int, after: int) -> None:
    offsets = [(instant + step).astimezone(zone(name)).utcoffset() for step in (-timedelta(seconds=1), timedelta())]
    assert offsets == [timedelta(hours=before), timedelta(hours=after)]


def test_another_version_of_the_data_builds_the_read_model_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    stands = fingerprint()
    monkeypatch.setattr("services.monitoring.schema.ZONE_DATA", "2027.1")
    assert fingerprint() != stands


def test_a_name_that_is_none_is_refused() -> None:
    assert "Africa/Casablanca" in zone_names()
    for name in ("Africa", "Africa/Nowhere", "../etc/passwd"):
        with pytest.raises((KeyError, ValueError)):
            zone(name)


def test_a_day_has_begun_where_it_begins_first() -> None:
    assert newest_day(datetime(2026, 11, 30, 3, 39, tzinfo=UTC)) == date(2026, 11, 30)
    assert newest_day(datetime(2026, 11, 30, 10, 0, tzinfo=UTC)) == date(2026, 12, 1)
