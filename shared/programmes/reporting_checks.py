"""What the section `reporting` must hold: figures that exist, shares that sum to 100, one name for one figure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.sections.base import repeated
from shared.programmes.sections.reporting import Dhis2, Element, Iati, Mapped

_TWICE = "this stands twice in the list"
# What a data value of ADX says by attributes of its own.
_TAKEN = frozenset({"dataElement", "value", "comment"})


def reporting_checks(definition: Definition) -> Iterator[Broken]:
    """Broken rules of the section; none where the programme lacks it."""
    section = definition.reporting
    if section is not None and section.iati is not None:
        yield from _iati(definition, section.iati, "/reporting/iati")
    if section is not None and section.dhis2 is not None:
        yield from _dhis2(definition, section.dhis2, "/reporting/dhis2")


def _iati(definition: Definition, iati: Iati, pointer: str) -> Iterator[Broken]:
    if not iati.activity.startswith(f"{iati.organisation.ref}-"):
        sentence = "an activity's identifier is the organisation's, a hyphen and what tells it apart"
        yield Broken(f"{pointer}/activity", "identifier_of_another", sentence)
    origins = set(definition.countries_of_origin)
    for number, one in enumerate(iati.countries):
        if one.code not in origins:
            yield Broken(f"{pointer}/countries/{number}/code", "unknown_code", "no country of origin has this code")
    if len(origins) > 1 and not iati.countries:
        yield Broken(f"{pointer}/countries", "percentages_missing", "say which share each country has")
    for name, shares in (("sectors", iati.sectors), ("countries", iati.countries)):
        total = sum(share.percent for share in shares)
        if shares and total != 100:
            yield Broken(f"{pointer}/{name}", "percentages_sum", f"the shares sum to {total}, not to 100")
        yield from _twice([share.code for share in shares], f"{pointer}/{name}", "code")
    yield from _twice([one.code for one in iati.results], f"{pointer}/results", "code")
    yield from _results(definition, iati, f"{pointer}/results")


def _results(definition: Definition, iati: Iati, pointer: str) -> Iterator[Broken]:
    seen: set[str] = set()
    for number, result in enumerate(iati.results):
        for place, code in enumerate(result.indicators):
            at = f"{pointer}/{number}/indicators/{place}"
            if definition.indicator(code) is None:
                yield Broken(at, "unknown_indicator", "no indicator of the file has this code")
            elif code in seen:
                yield Broken(at, "repeated_code", "the indicator stands in a result already")
            seen.add(code)
        for place, code in enumerate(result.falling):
            if code not in result.indicators:
                at = f"{pointer}/{number}/falling/{place}"
                yield Broken(at, "unknown_indicator", "the result does not list this indicator")


def _dhis2(definition: Definition, dhis2: Dhis2, pointer: str) -> Iterator[Broken]:
    if dhis2.org_units is not None:
        at = f"{pointer}/org_units"
        yield from _dimensions(definition, [dhis2.org_units.dimension], [f"{at}/dimension"])
        yield from _mapped(dhis2.org_units.units, f"{at}/units")
    for number, category in enumerate(dhis2.categories):
        at = f"{pointer}/categories/{number}"
        yield from _dimensions(definition, [category.dimension], [f"{at}/dimension"])
        yield from _mapped(category.options, f"{at}/options")
        if category.dhis2 in _TAKEN or category.dhis2.lower().startswith("xml"):
            yield Broken(f"{at}/dhis2", "name_taken", "in ADX this name says something else")
    yield from _twice([one.dimension for one in dhis2.categories], f"{pointer}/categories", "dimension")
    yield from _twice([one.dhis2 for one in dhis2.categories], f"{pointer}/categories", "dhis2")
    yield from _combos(definition, dhis2, f"{pointer}/combos")
    yield from _elements(definition, dhis2, f"{pointer}/elements")


def _combos(definition: Definition, dhis2: Dhis2, pointer: str) -> Iterator[Broken]:
    for number, combo in enumerate(dhis2.combos):
        yield from _dimensions(definition, combo.by, [f"{pointer}/{number}/by/{n}" for n, _ in enumerate(combo.by)])
        yield from _twice(combo.by, f"{pointer}/{number}/by")
        if len(combo.classes) != len(combo.by):
            yield Broken(f"{pointer}/{number}/classes", "classes_do_not_cover", "name a class of each breakdown")
    named = [frozenset(zip(one.by, one.classes, strict=False)) for one in dhis2.combos]
    yield from _twice(named, pointer, "classes")
    yield from _twice([(frozenset(one.by), one.dhis2) for one in dhis2.combos], pointer, "dhis2")


def _elements(definition: Definition, dhis2: Dhis2, pointer: str) -> Iterator[Broken]:
    yield from _twice([(one.indicator, frozenset(one.by)) for one in dhis2.elements], pointer, "indicator")
    known = {one.dimension for one in dhis2.categories}
    combined = {frozenset(one.by) for one in dhis2.combos}
    meant: dict[str, tuple[str, frozenset[str]]] = {}
    for number, one in enumerate(dhis2.elements):
        at = f"{pointer}/{number}"
        if definition.indicator(one.indicator) is None:
            yield Broken(f"{at}/indicator", "unknown_indicator", "no indicator of the file has this code")
        yield from _dimensions(definition, one.by, [f"{at}/by/{place}" for place, _ in enumerate(one.by)])
        yield from _twice(one.by, f"{at}/by")
        apart = categories_of(dhis2, one)
        if apart and not apart <= known and apart not in combined:
            yield Broken(f"{at}/by", "not_mapped", "neither categories nor combos say what its classes are called")
        if meant.setdefault(one.dhis2, (one.indicator, apart)) != (one.indicator, apart):
            yield Broken(f"{at}/dhis2", "element_of_two", "this element stands for another figure already")


def categories_of(dhis2: Dhis2, element: Element) -> frozenset[str]:
    """The breakdowns of the element that are categories: all but that of the organisation units."""
    return frozenset(element.by) - {dhis2.org_units.dimension if dhis2.org_units is not None else ""}


def _dimensions(definition: Definition, codes: Sequence[str], pointers: Sequence[str]) -> Iterator[Broken]:
    for code, pointer in zip(codes, pointers, strict=True):
        if definition.dimension(code) is None:
            yield Broken(pointer, "unknown_dimension", "no dimension of the file has this code")


def _mapped(listed: Sequence[Mapped], pointer: str) -> Iterator[Broken]:
    """Two classes of one name would be two values of one cell."""
    yield from _twice([one.code for one in listed], pointer, "code")
    yield from _twice([one.dhis2 for one in listed], pointer, "dhis2")


def _twice(values: Iterable[Hashable], pointer: str, field: str = "") -> Iterator[Broken]:
    for number in repeated(values):
        yield Broken(f"{pointer}/{number}" + (f"/{field}" if field else ""), "repeated_code", _TWICE)
