"""Figures for a DHIS2 system: which data element, unit and period each one is, and the file of dataValueSets (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from services.monitoring.exports.periods import Dhis2Period, dhis2_period
from services.monitoring.exports.stated import Export, Row, why_withheld
from services.monitoring.work.kept import Signed
from shared.contracts.monitoring.statements import StatedTable
from shared.errors import Problem, Refusal
from shared.programmes.reporting_checks import categories_of
from shared.programmes.sections.reporting import Dhis2, Element, ReportingSection
from shared.web.pages.languages import DEFAULT

ROWS_AT_MOST = 200_000
NOT_DECLARED, NOT_MAPPED, NO_PERIOD = "export_not_declared", "not_mapped", "no_dhis2_period"
AT = "/reporting/dhis2"


@dataclass(frozen=True)
class Placed:
    """A figure with its names there. `classes`: of the categories alone, dimension -> class."""

    row: Row
    element: str
    unit: str
    period: Dhis2Period
    classes: Mapping[str, str]


class Placing:
    """What of an export goes to DHIS2: figures that the definition maps, of each period's newest statement.

    Names there are those of the definition by which others are told: the receiver knows those of today alone.

    Refusal `not_in_programme` or `export_not_declared` (409) where the definition does not say how.
    """

    def __init__(self, export: Export) -> None:
        export.refuse_above(ROWS_AT_MOST)
        said = export.definition.section(ReportingSection).dhis2
        if said is None:
            raise Refusal(NOT_DECLARED, "the definition does not say what DHIS2 calls its figures", at=AT)
        self._export = export
        self.said: Dhis2 = said

    def placed(self) -> Iterator[Placed]:
        """Withheld figures too: what is not shown has no value. Refusals `no_dhis2_period` and `not_mapped` (409)."""
        for one in self._export.standing():
            chosen = list(self._chosen(one.statement.tables))
            period = self._period(one) if chosen else None
            for table, element in chosen:
                for cell in table.cells:
                    row = Row(one, table, cell)
                    if period is not None and bool(element.by) == bool(row.classes):
                        yield self._placed(element, row, period)

    def _chosen(self, tables: Sequence[StatedTable]) -> Iterator[tuple[StatedTable, Element]]:
        """Each element with the table that holds its cells: of its breakdown; of a total that which has it alone, else
        the first one."""
        totals = {table.indicator: table for table in sorted(reversed(tables), key=lambda one: not one.by)}
        for table in tables:
            if found := self._by_table.get((table.indicator, frozenset(table.by))):
                yield table, found
            total = self._by_table.get((table.indicator, frozenset()))
            if table.by and total and totals[table.indicator] is table:
                yield table, total

    @cached_property
    def _by_table(self) -> Mapping[tuple[str, frozenset[str]], Element]:
        return {(one.indicator, frozenset(one.by)): one for one in self.said.elements}

    def _period(self, signed: Signed) -> Dhis2Period:
        code, words = signed.statement.period, self._export.words(signed)
        days = words.days(code)
        found = days and dhis2_period(*days)
        if found is None:
            place = next((n for n, one in enumerate(words.definition.periods) if one.code == code), None)
            at = "/periods" if place is None else f"/periods/{place}"
            detail = f"the days of the period {code} are no period that DHIS2 knows"
            raise Refusal(NO_PERIOD, detail, problems=(Problem(NO_PERIOD, at, detail),))
        return found

    def _placed(self, element: Element, row: Row, period: Dhis2Period) -> Placed:
        units, apart = self.said.org_units, categories_of(self.said, element)
        classes = row.classes
        unit = self.said.org_unit
        if units is not None and units.dimension in classes:
            code = classes[units.dimension]
            found = next((one.dhis2 for one in units.units if one.code == code), None)
            unit = found or self.refuse(f"{AT}/org_units/units", units.dimension, code)
        kept = {dimension: code for dimension, code in classes.items() if dimension in apart}
        return Placed(row, element.dhis2, unit, period, kept)

    def refuse(self, at: str, named: str, code: str) -> str:
        """Raises Refusal `not_mapped` (409): a figure that is left out would be missing in a sum."""
        detail = f"the definition does not say what DHIS2 calls {code} of {named}"
        raise Refusal(NOT_MAPPED, detail, problems=(Problem(NOT_MAPPED, at, detail),))


def write(export: Export, out: BinaryIO) -> None:
    """dataValueSets as JSON. What is withheld and a share of nothing are left out: nothing there means 0. A figure
    that stands as an earlier statement told it says so in its comment."""
    placing = Placing(export)
    scheme = placing.said.scheme.upper()
    combos = {frozenset(zip(one.by, one.classes, strict=True)): one.dhis2 for one in placing.said.combos}
    values = []
    for one in placing.placed():
        if one.row.cell.value is None:
            continue
        value = {
            "dataElement": one.element,
            "period": one.period.id,
            "orgUnit": one.unit,
            "value": str(one.row.cell.value),
        }
        if one.row.cell.withheld:
            value["comment"] = why_withheld(DEFAULT, one.row.cell.withheld)
        if one.classes:
            combo = combos.get(frozenset(one.classes.items()))
            value["categoryOptionCombo"] = combo or placing.refuse(
                f"{AT}/combos", " ".join(one.classes), " ".join(one.classes.values())
            )
        values.append(value)
    said = {
        "dataElementIdScheme": scheme,
        "orgUnitIdScheme": scheme,
        "categoryOptionComboIdScheme": scheme,
        "dataValues": values,
    }
    out.write((json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode())
