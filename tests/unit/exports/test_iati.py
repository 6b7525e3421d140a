"""IATI files against the schema of 2.03, and against the rules for what the schema lets through."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from deploy.generate import ROOT
from services.monitoring.exports.formats import export
from services.monitoring.exports.stated import Export
from shared.errors import Refusal
from shared.programmes.loader import definition_of, load_definition
from tests.unit.exports.samples import (
    DHIS2,
    IATI,
    VERSION,
    cell,
    data,
    definition,
    sample,
    signed,
    stated,
    statement,
    table,
    tables,
    texts,
    written,
)

SCHEMA = Path(__file__).with_name("iati") / "iati-activities-schema.xsd"
NUMBER = re.compile(r"-?\d+(\.\d+)?")
WITH_A_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@cache
def schema() -> Any:
    return etree.XMLSchema(etree.parse(str(SCHEMA)))


def root(content: bytes) -> Any:
    return etree.fromstring(content)


def broken_rules(tree: Any) -> list[str]:
    """What the schema does not look at: numbers, years, both days, truth, times, percentages, identifiers, order of
    days (standard ruleset of 2.03, and the form of values)."""
    found = []
    for value in tree.xpath("//indicator[@measure<'5']//*[self::baseline or self::target or self::actual]"):
        if not NUMBER.fullmatch(value.get("value") or ""):
            found.append(f"value of {value.tag}")
    found += ["year" for one in tree.iter("baseline") if not re.fullmatch(r"[1-9]\d{3}", one.get("year") or "")]
    for period in tree.iter("period"):
        first, last = (period.find(name).get("iso-date") for name in ("period-start", "period-end"))
        if not first <= last:
            found.append("period backwards")
    for name in ("aggregation-status", "ascending"):
        found += [name for one in tree.xpath(f"//@{name}") if one not in ("0", "1")]
    times = [*tree.xpath("//@generated-datetime"), *tree.xpath("//@last-updated-datetime")]
    found += ["time" for one in times if not WITH_A_TIME.fullmatch(one)]
    for name in ("recipient-country", "sector"):
        if sum(int(one.get("percentage")) for one in tree.iter(name)) != 100:
            found.append(f"percentages of {name}")
    refs = [*tree.xpath("//@ref"), *(one.text for one in tree.iter("iati-identifier"))]
    found += ["identifier" for one in refs if re.search(r"[/&|?\s]", one)]
    today = tree.get("generated-datetime")[:10]
    for one in tree.iter("activity-date"):
        if one.get("type") in ("2", "4") and one.get("iso-date") > today:
            found.append("actual date in the future")
    found += ["empty narrative" for one in tree.iter("narrative") if not (one.text or "").strip()]
    return found


def test_the_file_is_valid_and_keeps_the_rules_beyond_the_schema() -> None:
    tree = root(written("iati"))
    schema().assertValid(tree)
    assert broken_rules(tree) == []
    assert tree.get("version") == "2.03"


def test_the_checks_find_what_is_broken() -> None:
    content = written("iati")
    assert not schema().validate(root(re.sub(rb"<period-end [^>]*/>", b"", content)))
    for right, wrong in ((b'value="57"', b'value="12%"'), (b'ascending="1"', b'ascending="true"')):
        tree = root(content.replace(right, wrong, 1))
        assert schema().validate(tree)
        assert broken_rules(tree)


def test_every_shown_figure_is_there_and_no_withheld_one() -> None:
    tree = root(written("iati"))
    found = {
        (one.xpath("string(ancestor::indicator/reference/@code)"), tuple(one.xpath("dimension/@value"))): one.get(
            "value"
        )
        for one in tree.iter("actual")
    }
    newest = stated()[1].statement
    wanted = {
        (table.indicator, cell.classes): str(cell.value)
        for table in newest.tables
        for cell in table.cells
        if cell.value is not None
    }
    assert found == wanted
    assert len(list(tree.iter("actual"))) == len(wanted), "a total stands once, however many tables have it"
    assert "30" not in found.values(), "of a period that was restated the newest statement counts"


def test_what_is_withheld_is_said() -> None:
    tree = root(written("iati"))
    (total,) = tree.xpath("//indicator[reference/@code='assignments']//actual[not(dimension)]")
    assert total.xpath("comment/narrative[@xml:lang='en']/text()") == ["Figures of breakdowns that are withheld: 1"]
    hidden = statement(tables=(stated()[0].statement.tables[1].model_copy(update={"cells": _hidden()}),))
    content = written("iati", sample(statements=(signed(hidden),)))
    assert not list(root(content).iter("actual"))
    assert b"<!-- withheld: 2 figures -->" in content


def _hidden() -> Any:
    cells = stated()[0].statement.tables[1].cells
    return (cells[0].model_copy(update={"value": None, "withheld": "withheld"}), cells[3])


def test_targets_come_before_actuals_and_shares_are_percentages() -> None:
    tree = root(written("iati"))
    (period,) = tree.xpath("//indicator[reference/@code='assignments']/period")
    assert [one.tag for one in period][:4] == ["period-start", "period-end", "target", "actual"]
    assert tree.xpath("//indicator/@measure") == ["1", "2", "1", "1"]
    assert tree.xpath("//indicator/@aggregation-status") == ["1", "0", "1", "0"]
    assert tree.xpath("//indicator[@ascending='0']/reference/@code") == ["no_shows"]


@pytest.mark.parametrize(
    ("at", "status", "dates"),
    [
        (datetime(2025, 12, 31, tzinfo=UTC), "1", ["1", "3"]),
        (datetime(2026, 1, 1, tzinfo=UTC), "2", ["2", "3"]),
        (datetime(2027, 12, 31, tzinfo=UTC), "4", ["2", "4"]),
    ],
)
def test_status_and_dates_follow_from_the_day_as_of_which_it_counts(
    at: datetime, status: str, dates: list[str]
) -> None:
    tree = root(written("iati", sample(statements=(signed(statement(as_of=at, issued_at=at)),))))
    assert tree.xpath("//activity-status/@code") == [status]
    assert tree.xpath("//activity-date/@type") == dates
    assert broken_rules(tree) == []


def test_one_country_needs_no_share() -> None:
    iati = {**IATI, "countries": []}
    tree = root(written("iati", sample(countries_of_origin=["SO"], reporting={"iati": iati})))
    assert [dict(one.attrib) for one in tree.iter("recipient-country")] == [{"code": "SO", "percentage": "100"}]
    schema().assertValid(tree)


@pytest.mark.parametrize(("reporting", "rule"), [(None, "not_in_programme"), ({"dhis2": DHIS2}, "export_not_declared")])
def test_a_programme_that_says_nothing_of_it_has_none(reporting: Any, rule: str) -> None:
    changes = {} if reporting is None else {"reporting": reporting}
    export = sample(**(changes or {"reporting": {}}))
    if reporting is None:
        bare = export.definition.model_copy(update={"reporting": None})
        export = replace(export, versions={VERSION: bare})
    with pytest.raises(Refusal) as refused:
        written("iati", export)
    assert (refused.value.rule, refused.value.status) == (rule, 409)


def test_a_period_that_the_definition_has_no_more_is_refused_and_not_left_out() -> None:
    gone = statement(period="gone", tables=(table("assignments", "assignments", "", cell(value=12)),))
    with pytest.raises(Refusal, match="unknown_period"):
        written("iati", sample(statements=(signed(gone),)))
    unreported = statement(tables=(table("by_women", "assignments", "", cell(value=12)),))
    assert not list(root(written("iati", sample(statements=(signed(unreported),)))).iter("actual"))


def test_figures_that_two_versions_count_otherwise_stand_under_an_indicator_each() -> None:
    before, now = data(), definition()
    no_shows = before["indicators"][-1]
    no_shows["facts"] = {"kinds": ["return_started"]}
    before["indicators"][0]["name"] = texts("Missions")
    cells = (
        table("no_shows", "placements", "", cell(value=40)),
        table("assignments", "assignments", "", cell(value=30)),
    )
    old = statement(period="odd", definition_version=2, tables=cells)
    new = statement(number=2, tables=(table("no_shows", "placements", "", cell(value=50)), tables()[0]))
    export = Export((signed(old), signed(new)), {2: definition_of(before), VERSION: now}, VERSION, "en")
    tree = root(written("iati", export))
    schema().assertValid(tree)
    by_code: dict[str, list[list[str]]] = {}
    for one in tree.iter("indicator"):
        by_code.setdefault(one.find("reference").get("code"), []).append(one.xpath("period/actual/@value"))
    assert by_code["no_shows"] == [["40"], ["50"]]
    assert by_code["assignments"] == [["30", "55"]]
    titles = tree.xpath("//indicator[reference/@code='assignments']/title/narrative[@xml:lang='en']/text()")
    assert titles == ["=Assignments"], "a new name alone makes no other indicator"


def test_what_a_shipped_definition_declares_makes_a_valid_file() -> None:
    shipped = load_definition(ROOT / "deploy/programmes/mida-somalia-sida.yaml")
    figures = table("persons_placed", "persons", "", cell(value=124))
    said = statement(programme=shipped.code, period="whole", tables=(figures,))
    tree = root(export("iati", [signed(said)], {VERSION: shipped}, VERSION, "en").content)
    schema().assertValid(tree)
    assert broken_rules(tree) == []
    assert tree.xpath("//actual/@value") == ["124"]
