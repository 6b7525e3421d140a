"""A made-up programme with its names for others, and two statements, the second of which restates the first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from services.monitoring.exports.formats import FORMATS
from services.monitoring.exports.stated import Export
from services.monitoring.work.kept import Signed
from shared.contracts.monitoring.statements import StatedCell, StatedTable, Statement
from shared.programmes.loader import definition_of
from shared.programmes.model import Definition

FACTS, FIRST_DIGEST, SECOND_DIGEST = "f" * 64, "a" * 64, "b" * 64
BIG = 9_007_199_254_740_993
VERSION = 3


def texts(en: str, fr: str = "", ar: str = "") -> dict[str, str]:
    return {"en": en, "fr": fr or en, "ar": ar or "نص"}


IATI: dict[str, Any] = {
    "activity": "XM-DAC-47066-SO-01",
    "organisation": {
        "ref": "XM-DAC-47066",
        "type": "40",
        "name": texts("IOM", "OIM", "المنظمة الدولية للهجرة"),
    },
    "description": texts("Experts of the diaspora return for a time & teach", "Retours <temporaires>"),
    "sectors": [{"code": "15190", "percent": 60}, {"code": "11430", "percent": 40}],
    "countries": [{"code": "SO", "percent": 70}, {"code": "DJ", "percent": 30}],
    "results": [
        {
            "code": "returns",
            "name": texts("Returns"),
            "type": "output",
            "indicators": ["assignments", "women_share", "no_shows"],
            "falling": ["no_shows"],
        },
        {"code": "people", "name": texts("People"), "type": "outcome", "indicators": ["persons"]},
    ],
}
DHIS2: dict[str, Any] = {
    "data_set": "MIDA (Q)",
    "org_unit": "SO",
    "org_units": {
        "dimension": "office",
        "units": [{"code": "hargeisa", "dhis2": "SO-HGA"}, {"code": "djibouti", "dhis2": "DJ-01"}],
    },
    "categories": [
        {
            "dimension": "sex",
            "dhis2": "GENDER",
            "options": [
                {"code": "female", "dhis2": "FMLE"},
                {"code": "male", "dhis2": "MLE"},
                {"code": "not_stated", "dhis2": "UNK"},
            ],
        }
    ],
    "combos": [
        {"by": ["sex"], "classes": ["female"], "dhis2": "COC_F"},
        {"by": ["sex"], "classes": ["male"], "dhis2": "COC_M"},
        {"by": ["sex"], "classes": ["not_stated"], "dhis2": "COC_U"},
    ],
    "elements": [
        {"indicator": "assignments", "dhis2": "ASSIGN"},
        {"indicator": "assignments", "by": ["sex"], "dhis2": "ASSIGN_SEX"},
        {"indicator": "persons", "by": ["office", "sex"], "dhis2": "PERSONS"},
        {"indicator": "women_share", "dhis2": "SHARE_F"},
    ],
}


def data(**changes: Any) -> dict[str, Any]:
    """The definition as JSON."""
    women = {"where": [{"attribute": "sex", "at": "now", "one_of": ["female"]}]}
    return {
        "code": "example-1",
        "title": texts("An example", "Un exemple", "برنامج مثال"),
        "phase": "1",
        "dates": {"starts": "2026-01-01", "ends": "2028-01-01"},
        "offices": [
            {"code": "hargeisa", "name": texts("Hargeisa"), "country": "SO", "time_zone": "Africa/Mogadishu"},
            {"code": "djibouti", "name": texts("Djibouti"), "country": "DJ", "time_zone": "Africa/Djibouti"},
        ],
        "countries_of_origin": ["SO", "DJ"],
        "sectors": [{"code": "health", "name": texts("Health", "Santé", "الصحة")}],
        "selection": {},
        "placement": {
            "modalities": ["virtual"],
            "host_types": [{"code": "public", "name": texts("Public")}],
            "preparation": {"virtual": []},
        },
        "periods": [
            {
                "code": "2026-q1",
                "name": texts("First quarter of 2026", "Premier trimestre 2026", "الربع الأول"),
                "series": "quarters",
                "starts": "2026-01-01",
                "ends": "2026-04-01",
            },
            {
                "code": "odd",
                "name": texts("Odd"),
                "series": "odd",
                "starts": "2026-01-01",
                "ends": "2026-03-15",
            },
        ],
        "dimensions": [
            {
                "code": "sex",
                "name": texts("Sex", "Sexe", "الجنس"),
                "attribute": "sex",
                "classes": [
                    {"code": "female", "name": texts("Women", "Femmes", "النساء"), "values": ["female"]},
                    {"code": "male", "name": texts("Men", "Hommes", "الرجال"), "values": ["male"]},
                    {"code": "rest", "name": texts("Others"), "rest": True},
                ],
            },
            {"code": "office", "name": texts("Office", "Bureau", "المكتب"), "field": "office"},
            # Called as a column of the table is.
            {"code": "value", "name": texts("Country", "Pays", "البلد"), "field": "country"},
        ],
        "indicators": [
            {
                "code": "assignments",
                "name": texts("=Assignments", "Missions effectuées", "المهام المنفذة"),
                "unit": "assignments",
                "measure": "count",
                "facts": {"kinds": ["return_started"]},
                "by": ["sex", "value"],
                "targets": {"2026-q1": 60},
                "baseline": 4,
            },
            {
                "code": "by_women",
                "name": texts("By women"),
                "unit": "assignments",
                "measure": "count",
                "facts": {"kinds": ["return_started"], **women},
            },
            {
                "code": "women_share",
                "name": texts("Share of women", "Part des femmes", "نسبة النساء"),
                "unit": "percent",
                "measure": {"share": {"of": "by_women", "in": "assignments"}},
                "decimals": 1,
            },
            {
                "code": "persons",
                "name": texts("Persons", "Personnes", "الأشخاص"),
                "unit": "persons",
                "measure": {"distinct": "person"},
                "facts": {"kinds": ["return_started"]},
                "by": ["sex", "office"],
            },
            {
                "code": "no_shows",
                "name": texts("No shows"),
                "unit": "placements",
                "measure": "count",
                "facts": {"kinds": ["no_show"]},
            },
        ],
        "reporting": {"iati": IATI, "dhis2": DHIS2},
        **changes,
    }


def definition(**changes: Any) -> Definition:
    return definition_of(data(**changes))


def cell(classes: str = "", value: int | str | None = None, **more: Any) -> StatedCell:
    """`classes`: by blanks."""
    return StatedCell(classes=tuple(classes.split()), value=value, **more)


def table(indicator: str, unit: str, by: str, *cells: StatedCell) -> StatedTable:
    return StatedTable(indicator=indicator, unit=unit, by=tuple(by.split()), cells=cells)


WITHHELD: Mapping[str, Any] = {"withheld": "withheld"}


def tables(men: int = 30) -> tuple[StatedTable, ...]:
    women = 25
    return (
        table("assignments", "assignments", "", cell(value=men + women)),
        table(
            "assignments",
            "assignments",
            "sex",
            cell(value=men + women),
            cell("female", women),
            cell("male", men),
            cell("not_stated", None, **WITHHELD),
        ),
        table("women_share", "percent", "", cell(value="45.0", numerator=women, denominator=men + women)),
        table(
            "persons",
            "persons",
            "office sex",
            cell(value=BIG),
            cell("hargeisa female", 21),
            cell("hargeisa male", None, **WITHHELD),
            cell("djibouti female", 12, withheld="change_withheld"),
            cell("djibouti male", 0),
        ),
        table("no_shows", "placements", "", cell()),
    )


def statement(**changes: Any) -> Statement:
    said: dict[str, Any] = {
        "programme": "example-1",
        "period": "2026-q1",
        "number": 1,
        "as_of": datetime(2026, 4, 2, 6, 30, tzinfo=UTC),
        "issued_at": datetime(2026, 4, 3, 8, tzinfo=UTC),
        "definition_version": VERSION,
        "threshold": 10,
        "protection": 10,
        "withheld": 2,
        "least": 2,
        "zone_data": "2026.6",
        "positions": ({"topic": "placement.events", "offsets": (17, 4)},),
        "facts": FACTS,
        "tables": tables(),
        **changes,
    }
    return Statement.model_validate(said)


def signed(said: Statement, digest: str = "c" * 64) -> Signed:
    return Signed(statement=said, digest=digest, key_id="k" * 43, signature="s" * 86, frozen=FACTS)


def stated() -> tuple[Signed, ...]:
    again = statement(
        number=2,
        previous=FIRST_DIGEST,
        restates=1,
        reason="late_facts",
        as_of=datetime(2026, 7, 2, 6, 30, tzinfo=UTC),
        issued_at=datetime(2026, 7, 3, 8, tzinfo=UTC),
        tables=tables(men=32),
    )
    return signed(statement(), FIRST_DIGEST), signed(again, SECOND_DIGEST)


def sample(language: str = "en", statements: tuple[Signed, ...] | None = None, **changes: Any) -> Export:
    return Export(statements or stated(), {VERSION: definition(**changes)}, VERSION, language)


def written(format: str, export: Export | None = None) -> bytes:
    out = BytesIO()
    FORMATS[format].write(export or sample(), out)
    return out.getvalue()
