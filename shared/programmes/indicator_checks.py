"""What dimensions and indicators must hold: classes that cover, facts that can answer, named denominators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.programmes.fact_words import FIELDS_OF
from shared.programmes.indicators import (
    Dimension,
    Distinct,
    Facts,
    Indicator,
    Source,
    Sum,
    carries,
)
from shared.programmes.marked_yaml import Broken
from shared.programmes.model import Definition
from shared.programmes.shares import is_part

Known = Mapping[str, frozenset[str]]


def indicator_checks(definition: Definition, known: Known) -> Iterator[Broken]:
    """Broken rules of `dimensions` and `indicators`. `known`: attribute or field -> its possible codes."""
    for number, dimension in enumerate(definition.dimensions):
        yield from _dimension(dimension, f"/dimensions/{number}", known)
    for number, indicator in enumerate(definition.indicators):
        pointer = f"/indicators/{number}"
        yield from _references(definition, indicator, pointer)
        yield from _share(definition, indicator, pointer)
        if indicator.facts is not None:
            yield from _facts(definition, indicator, indicator.facts, pointer, known)


def _dimension(dimension: Dimension, pointer: str, known: Known) -> Iterator[Broken]:
    if dimension.field is not None and (dimension.at == "now" or dimension.statistical):
        yield Broken(pointer, "attribute_only", "a fact's own field never changes and names no person")
    codes = [one.code for one in dimension.classes]
    for number, code in enumerate(codes):
        if code in codes[:number]:
            yield Broken(f"{pointer}/classes/{number}/code", "repeated_code", "this code stands twice in the list")
    if dimension.classes:
        yield from _bands(dimension, pointer) if dimension.numeric else _lists(dimension, pointer, known)


def _bands(dimension: Dimension, pointer: str) -> Iterator[Broken]:
    """Bands are listed upwards, each beginning where the one before ends; the outer two are open."""
    edge: int | None = None
    last = len(dimension.classes) - 1
    for number, one in enumerate(dimension.classes):
        place = f"{pointer}/classes/{number}"
        if one.values or one.rest:
            yield Broken(place, "class_of_other_type", "a class of numbers is a band: at_least, below")
            return
        if one.at_least != edge:
            yield Broken(place, "classes_do_not_cover", "a band begins where the one before it ends")
        if (one.below is None) != (number == last):
            yield Broken(place, "classes_do_not_cover", "the last band, and no other, is open upwards")
        if one.below is not None and one.at_least is not None and one.below <= one.at_least:
            yield Broken(f"{place}/below", "band_backwards", "a band ends above its beginning")
        edge = one.below


def _lists(dimension: Dimension, pointer: str, known: Known) -> Iterator[Broken]:
    possible = known.get(str(dimension.field or dimension.attribute))
    seen: set[str] = set()
    for number, one in enumerate(dimension.classes):
        place = f"{pointer}/classes/{number}"
        if one.at_least is not None or one.below is not None or bool(one.values) == one.rest:
            yield Broken(place, "class_of_other_type", "a class of codes has either values or rest")
        for position, value in enumerate(one.values):
            if value in seen:
                yield Broken(f"{place}/values/{position}", "repeated_code", "this value is in a class already")
            if possible is not None and value not in possible:
                yield Broken(f"{place}/values/{position}", "unknown_code", "the programme does not list this code")
            seen.add(value)
    rests = sum(one.rest for one in dimension.classes)
    if rests > 1 or (rests == 0 and (possible is None or possible - seen)):
        yield Broken(f"{pointer}/classes", "classes_do_not_cover", "every value needs a class; one of them may be rest")


def _references(definition: Definition, indicator: Indicator, pointer: str) -> Iterator[Broken]:
    for code in indicator.targets:
        if definition.period(code) is None:
            yield Broken(f"{pointer}/targets/{code}", "unknown_period", "no period of the file has this code")
    for number, code in enumerate(indicator.by):
        if definition.dimension(code) is None:
            yield Broken(f"{pointer}/by/{number}", "unknown_dimension", "no dimension of the file has this code")


def _share(definition: Definition, indicator: Indicator, pointer: str) -> Iterator[Broken]:
    if indicator.share is None:
        return
    parts = {"of": definition.indicator(indicator.share.of), "in": definition.indicator(indicator.share.in_)}
    for name, part in parts.items():
        place = f"{pointer}/measure/share/{name}"
        if part is None:
            yield Broken(place, "unknown_indicator", "no indicator of the file has this code")
        elif part.share is not None:
            yield Broken(place, "share_of_share", "a share is taken of counts or sums")
    of, whole = parts["of"], parts["in"]
    if of is not None and whole is not None and (of.measure, of.unit) != (whole.measure, whole.unit):
        yield Broken(f"{pointer}/measure/share", "share_of_different_units", "both are counted in one way and one unit")
    elif of is not None and whole is not None and indicator.share.part == "checked" and not is_part(of, whole):
        sentence = "not everything that it counts is counted below the line; say part: unchecked where that is meant"
        yield Broken(f"{pointer}/measure/share/of", "share_of_no_part", sentence)


def _facts(definition: Definition, indicator: Indicator, facts: Facts, pointer: str, known: Known) -> Iterator[Broken]:
    needed = (
        indicator.measure.distinct
        if isinstance(indicator.measure, Distinct)
        else indicator.measure.sum
        if isinstance(indicator.measure, Sum)
        else None
    )
    if needed is not None and any(needed not in FIELDS_OF[kind] for kind in facts.kinds):
        yield Broken(f"{pointer}/measure", "field_not_carried", "not every kind of these facts carries the field")
    for number, kind in enumerate(facts.kinds):
        if kind in facts.kinds[:number]:
            yield Broken(f"{pointer}/facts/kinds/{number}", "repeated_code", "this kind stands twice in the list")
    for number, condition in enumerate(facts.where):
        place = f"{pointer}/facts/where/{number}"
        yield from _carried(facts, condition, place)
        possible = known.get(str(condition.field or condition.attribute))
        for position, code in enumerate(condition.one_of or ()):
            if possible is not None and code not in possible:
                yield Broken(f"{place}/one_of/{position}", "unknown_code", "the programme does not list this code")
    for number, code in enumerate(indicator.by):
        dimension = definition.dimension(code)
        if dimension is not None:
            yield from _carried(facts, dimension, f"{pointer}/by/{number}")


def _carried(facts: Facts, source: Source, pointer: str) -> Iterator[Broken]:
    if any(not carries(kind, source) for kind in facts.kinds):
        yield Broken(pointer, "field_not_carried", "not every kind of these facts carries the field")
