"""Figures for DHIS2: the ids of periods, the names that a definition declares, both files."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from services.monitoring.exports.periods import dhis2_period
from shared.errors import Refusal
from tests.unit.exports.samples import BIG, DHIS2, IATI, cell, sample, signed, statement, table, written

ADX = "{urn:ihe:qrph:adx:2015}"


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("starts", "last", "type", "id", "interval"),
    [
        ("2026-02-09", "2026-02-09", "Daily", "20260209", "2026-02-09/P1D"),
        ("2025-12-29", "2026-01-04", "Weekly", "2026W1", "2025-12-29/P7D"),
        ("2026-12-28", "2027-01-03", "Weekly", "2026W53", "2026-12-28/P7D"),
        ("2026-02-01", "2026-02-28", "Monthly", "202602", "2026-02-01/P1M"),
        ("2026-12-01", "2026-12-31", "Monthly", "202612", "2026-12-01/P1M"),
        ("2026-01-01", "2026-02-28", "BiMonthly", "202601B", "2026-01-01/P2M"),
        ("2026-11-01", "2026-12-31", "BiMonthly", "202606B", "2026-11-01/P2M"),
        ("2026-10-01", "2026-12-31", "Quarterly", "2026Q4", "2026-10-01/P3M"),
        ("2026-01-01", "2026-06-30", "SixMonthly", "2026S1", "2026-01-01/P6M"),
        ("2026-07-01", "2026-12-31", "SixMonthly", "2026S2", "2026-07-01/P6M"),
        ("2025-04-01", "2025-09-30", "SixMonthlyApril", "2025AprilS1", "2025-04-01/P6M"),
        ("2025-10-01", "2026-03-31", "SixMonthlyApril", "2025AprilS2", "2025-10-01/P6M"),
        ("2026-01-01", "2026-12-31", "Yearly", "2026", "2026-01-01/P1Y"),
        ("2026-04-01", "2027-03-31", "FinancialApril", "2026April", "2026-04-01/P1Y"),
        ("2026-07-01", "2027-06-30", "FinancialJuly", "2026July", "2026-07-01/P1Y"),
        ("2025-10-01", "2026-09-30", "FinancialOct", "2025Oct", "2025-10-01/P1Y"),
        ("2026-10-01", "2027-09-30", "FinancialOct", "2026Oct", "2026-10-01/P1Y"),
    ],
)
def test_a_period_has_the_id_that_dhis2_gives_it(starts: str, last: str, type: str, id: str, interval: str) -> None:
    """Values tried with the npm package @dhis2/multi-calendar-dates 2.1.2 and with DHIS2's own period types."""
    assert dhis2_period(day(starts), day(last) + timedelta(days=1)) == (type, id, interval)


@pytest.mark.parametrize(
    ("starts", "last"),
    [
        ("2026-11-01", "2027-04-30"),
        ("2025-11-01", "2026-10-31"),
        ("2026-01-04", "2026-01-10"),
        ("2025-12-29", "2026-01-11"),
        ("2026-02-01", "2026-03-31"),
        ("2026-02-01", "2026-04-30"),
        ("2026-02-01", "2026-07-31"),
        ("2026-02-01", "2027-01-31"),
        ("2026-01-01", "2026-04-30"),
        ("2026-01-01", "2027-12-31"),
        ("2026-01-02", "2026-02-01"),
        ("2026-01-01", "2026-03-14"),
    ],
)
def test_what_is_no_period_there_has_no_id(starts: str, last: str) -> None:
    assert dhis2_period(day(starts), day(last) + timedelta(days=1)) is None


def test_periods_of_a_type_have_ids_of_their_own() -> None:
    for months in (1, 2, 3, 6, 12):
        starts = [date(year, month, 1) for year in range(2024, 2030) for month in range(1, 13)]
        found = [dhis2_period(one, _later(one, months)) for one in starts]
        ids = [one.id for one in found if one is not None]
        assert len(set(ids)) == len(ids) >= 6 * 12 // months
    weeks = [
        dhis2_period(day("2020-01-06") + timedelta(weeks=n), day("2020-01-13") + timedelta(weeks=n)) for n in range(600)
    ]
    assert len({one.id for one in weeks if one is not None}) == 600


def _later(one: date, months: int) -> date:
    count = one.year * 12 + one.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def values(content: bytes) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(content)["dataValues"]
    assert {one["period"] for one in found} == {"2026Q1"}
    return [{name: value for name, value in one.items() if name != "period"} for one in found]


def test_data_value_sets_name_what_the_definition_declares() -> None:
    content = written("dhis2")
    said = json.loads(content)
    # DHIS2 reads the file as it comes in: what says how names are meant stands before the values.
    assert list(said) == ["dataElementIdScheme", "orgUnitIdScheme", "categoryOptionComboIdScheme", "dataValues"]
    assert said["orgUnitIdScheme"] == "CODE"
    assert values(content) == [
        {"dataElement": "ASSIGN", "orgUnit": "SO", "value": "57"},
        {"dataElement": "ASSIGN_SEX", "orgUnit": "SO", "value": "25", "categoryOptionCombo": "COC_F"},
        {"dataElement": "ASSIGN_SEX", "orgUnit": "SO", "value": "32", "categoryOptionCombo": "COC_M"},
        {"dataElement": "SHARE_F", "orgUnit": "SO", "value": "45.0"},
        {"dataElement": "PERSONS", "orgUnit": "SO-HGA", "value": "21", "categoryOptionCombo": "COC_F"},
        {
            "dataElement": "PERSONS",
            "orgUnit": "DJ-01",
            "value": "12",
            "categoryOptionCombo": "COC_F",
            "comment": "As published before; a change, if there is one, is withheld",
        },
        {"dataElement": "PERSONS", "orgUnit": "DJ-01", "value": "0", "categoryOptionCombo": "COC_M"},
    ]


def test_a_total_that_stands_in_a_breakdown_alone_is_taken_from_there() -> None:
    elements = [{"indicator": "persons", "dhis2": "ALL"}]
    content = written("dhis2", sample(reporting={"dhis2": {**DHIS2, "elements": elements}}))
    assert values(content) == [{"dataElement": "ALL", "orgUnit": "SO", "value": str(BIG)}]


def test_adx_has_a_group_for_each_unit_and_period_and_breakdowns_as_attributes() -> None:
    tree = etree.fromstring(written("adx"))
    assert tree.tag == f"{ADX}adx"
    datetime.fromisoformat(tree.get("exported").replace("Z", "+00:00"))
    assert {one.tag for one in tree.iter(etree.Element)} == {f"{ADX}adx", f"{ADX}group", f"{ADX}dataValue"}
    groups = {one.get("orgUnit"): one for one in tree.iter(f"{ADX}group")}
    assert set(groups) == {"SO", "SO-HGA", "DJ-01"}
    for group in groups.values():
        assert dict(group.attrib) == {
            "orgUnit": group.get("orgUnit"),
            "period": "2026-01-01/P3M",
            "dataSet": "MIDA (Q)",
        }
        assert all(re.fullmatch(r"-?\d+(\.\d+)?", one.get("value")) for one in group)
        keys = [tuple(sorted((name, said) for name, said in one.attrib.items() if name != "value")) for one in group]
        assert len(set(keys)) == len(keys)
    assert [dict(one.attrib) for one in groups["DJ-01"]] == [
        {"dataElement": "PERSONS", "GENDER": "FMLE", "value": "12"},
        {"dataElement": "PERSONS", "GENDER": "MLE", "value": "0"},
    ]
    comments = [one.text.strip() for one in tree.iter(etree.Comment)]
    assert comments == [
        "withheld: 1 figures of SO, 2026-01-01/P3M",
        "withheld: 1 figures of SO-HGA, 2026-01-01/P3M",
        "as published before, a change is withheld: 1 figures of DJ-01, 2026-01-01/P3M",
    ]


@pytest.mark.parametrize("format", ["dhis2", "adx"])
def test_a_period_that_dhis2_lacks_is_refused_by_its_name(format: str) -> None:
    odd = statement(period="odd", tables=(table("assignments", "assignments", "", cell(value=12)),))
    with pytest.raises(Refusal) as refused:
        written(format, sample(statements=(signed(odd),)))
    (problem,) = refused.value.problems
    assert (problem.rule, problem.pointer) == ("no_dhis2_period", "/periods/1")
    assert "odd" in problem.detail


@pytest.mark.parametrize("format", ["dhis2", "adx"])
def test_a_class_without_a_name_there_is_refused_and_not_left_out(format: str) -> None:
    cells = (cell(value=40), cell("other", 40))
    unknown = statement(tables=(table("assignments", "assignments", "sex", *cells),))
    with pytest.raises(Refusal) as refused:
        written(format, sample(statements=(signed(unknown),)))
    assert refused.value.rule == "not_mapped"
    assert "other" in refused.value.detail


def test_a_unit_without_a_name_there_is_refused_too() -> None:
    cells = (cell(value=40), cell("berbera female", 40))
    unknown = statement(tables=(table("persons", "persons", "office sex", *cells),))
    with pytest.raises(Refusal, match="not_mapped") as refused:
        written("dhis2", sample(statements=(signed(unknown),)))
    assert refused.value.problems[0].pointer == "/reporting/dhis2/org_units/units"


@pytest.mark.parametrize("format", ["dhis2", "adx"])
def test_a_programme_that_says_nothing_of_it_has_none(format: str) -> None:
    with pytest.raises(Refusal, match="export_not_declared"):
        written(format, sample(reporting={"iati": IATI}))


def test_a_share_of_nothing_has_no_value() -> None:
    nothing: Any = statement(tables=(table("women_share", "percent", "", cell()),))
    assert json.loads(written("dhis2", sample(statements=(signed(nothing),))))["dataValues"] == []
