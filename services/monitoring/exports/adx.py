"""Figures for a national system as ADX (IHE QRPH, 2015): a group for each unit and period, breakdowns as attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO
from xml.etree.ElementTree import Element

from services.monitoring.exports.dhis2 import AT, Placed, Placing
from services.monitoring.exports.stated import Export
from services.monitoring.exports.xml import child, remark, write_tree
from shared.clock import text_of

NAMESPACE = "urn:ihe:qrph:adx:2015"


def write(export: Export, out: BinaryIO) -> None:
    """What is withheld is left out and counted in a comment; so are, without being left out, figures that stand as an
    earlier statement told them. The time of export is that at which the newest
    statement was issued. Raises as `Placing` does."""
    placing = Placing(export)
    root = Element("adx", {"xmlns": NAMESPACE, "exported": text_of(export.newest.statement.issued_at)})
    groups: dict[tuple[str, str], Element] = {}
    withheld: dict[tuple[str, str], int] = {}
    earlier: dict[tuple[str, str], int] = {}
    options = {
        (one.dimension, option.code): (one.dhis2, option.dhis2)
        for one in placing.said.categories
        for option in one.options
    }
    for one in placing.placed():
        key = (one.unit, one.period.interval)
        if one.row.cell.value is None:
            withheld[key] = withheld.get(key, 0) + (one.row.cell.withheld == "withheld")
            continue
        if one.row.cell.withheld:
            earlier[key] = earlier.get(key, 0) + 1
        if key not in groups:
            groups[key] = child(
                root, "group", orgUnit=one.unit, period=one.period.interval, dataSet=placing.said.data_set
            )
        named = _categories(placing, options, one)
        groups[key].append(
            Element("dataValue", {"dataElement": one.element, **named, "value": str(one.row.cell.value)})
        )
    for (unit, interval), count in withheld.items():
        if count:
            remark(root, f"withheld: {count} figures of {unit}, {interval}")
    for (unit, interval), count in earlier.items():
        remark(root, f"as published before, a change is withheld: {count} figures of {unit}, {interval}")
    write_tree(root, out)


def _categories(placing: Placing, options: Mapping[tuple[str, str], tuple[str, str]], one: Placed) -> dict[str, str]:
    found = {}
    for dimension, code in one.classes.items():
        named = options.get((dimension, code))
        if named is None:
            placing.refuse(f"{AT}/categories", dimension, code)
        else:
            found[named[0]] = named[1]
    return found
