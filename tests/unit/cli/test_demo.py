"""The open programme that the demo publishes beside its history, so that anybody can try to apply."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from deploy.cli.demo import CODE, OPEN_CODE, OPEN_TITLE, open_programme
from deploy.cli.files import definition_path, read_definition
from shared.programmes.checks import check
from shared.programmes.sections.selection import SelectionSection
from shared.web.pages.languages import LANGUAGES

TODAY = date(2031, 12, 31)


def test_it_is_open_says_what_it_is_and_can_be_published() -> None:
    found = open_programme(TODAY)
    assert not found.is_over(None, datetime(2031, 12, 31, tzinfo=UTC) + timedelta(days=365))
    assert found.dates.starts <= TODAY
    assert set(OPEN_TITLE) == set(LANGUAGES)
    assert [one for one in check(found) if not one.warning] == []
    history = read_definition(definition_path(CODE))
    assert found.code == OPEN_CODE != history.code
    assert found.section(SelectionSection) == history.section(SelectionSection)


def test_a_second_start_in_the_same_year_publishes_nothing_new() -> None:
    assert open_programme(TODAY) == open_programme(date(2031, 1, 1))
