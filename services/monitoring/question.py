"""What is asked of one indicator, and which facts have to be looked at for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import Family, Said
from shared.programmes.indicators import Dimension, Distinct, Facts, Indicator, Measure, Period, Sum
from shared.programmes.model import Definition


@dataclass(frozen=True)
class Question:
    """What is asked of one indicator. `as_of_ms`: milliseconds since 1970. `office` None: every office.

    `with_persons`: also count the persons that stand behind the figure, which tells how small it is. `ever`: what was
    known at some time before, whether or not it still is.
    """

    definition: Definition
    indicator: Indicator
    as_of_ms: int
    period: Period | None = None
    by: tuple[Dimension, ...] = ()
    office: str | None = None
    with_persons: bool = False
    ever: bool = False


# The facts and the measure of an indicator; of a share, those of numerator and denominator.
Counting = Sequence[tuple[Facts, Measure]]


def parts_of(question: Question) -> Counting:
    """The facts and the measure; of a share, those of numerator and denominator."""
    share, definition = question.indicator.share, question.definition
    named = [question.indicator] if share is None else [definition.indicator(code) for code in (share.of, share.in_)]
    found = [(one.facts, one.measure) for one in named if one is not None and one.facts is not None]
    if len(found) != len(named):
        raise ValueError("a share names two indicators that count facts")
    return found


def families_of(question: Question) -> list[Family]:
    """The families whose facts the question looks at, each once."""
    kinds = [kind for facts, _ in parts_of(question) for kind in facts.kinds]
    return list({(family := CATALOGUE.kinds[kind].family).name: family for kind in kinds}.values())


def frames_used(question: Question) -> list[Family]:
    """The families of whose frame the question asks something that openings of older versions did not say."""
    parts = parts_of(question)
    names = {source.field for source in (*question.by, *(one for facts, _ in parts for one in facts.where))}
    names |= {measure.distinct for _, measure in parts if isinstance(measure, Distinct)}
    names |= {measure.sum for _, measure in parts if isinstance(measure, Sum)}
    return [family for family in families_of(question) if _unsaid(family) & names]


def _unsaid(family: Family) -> set[str | None]:
    """The fields that a case lacks whose opening did not say the frame."""
    if family.framed == family.opened:
        return set()
    sources = ((one.name, one.source) for one in family.fields)
    return {
        name
        for name, source in sources
        if isinstance(source, Said) and any(path.split(".")[0] == family.framed for path in source.paths)
    }


def counts_people(question: Question) -> bool:
    """Whether a small figure may tell of somebody: it counts what stands for people, or adds up numbers of them."""
    summed = any(isinstance(measure, Sum) for _, measure in parts_of(question))
    return summed or any(family.unit == "person" for family in families_of(question))
