"""All that is published together tells nothing that is withheld: statements of quarters and their year, attacked by a
reader who keeps every one and knows nothing of how it was chosen."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest

from services.monitoring.counting import ToCount, counted_period, digest_of, facts_digest, facts_of
from services.monitoring.domain.counted import CountedPeriod, Span, inner, stretches
from services.monitoring.domain.stating import Shown, stated_tables
from services.monitoring.domain.suppression.attacker import intervals, recovered
from services.monitoring.domain.suppression.problem import Cell, Relation
from services.monitoring.domain.suppression.protecting import protect
from services.monitoring.domain.told import Earlier, told_with
from services.monitoring.recounting import recounted
from services.monitoring.store import ReadModel
from services.monitoring.work.issuing import shares_of
from services.monitoring.work.kept import digest_of as kept_under
from shared.contracts.monitoring.statements import StatedTable, Statement
from shared.programmes.model import Definition
from tests.unit.monitoring.stating import signed_with
from tests.unit.monitoring.story import DEFINITION, Story, model_of

QUARTERS = [("q1", 1, 4), ("q2", 4, 7), ("q3", 7, 10)]
AS_OF = datetime(2026, 12, 1, tzinfo=UTC)
THRESHOLD, PROTECTION = 5, 5
SEXES, SECTORS = ("female", "male"), ("care", "other")


def _period(code: str, series: str, starts: str, ends: str) -> dict[str, Any]:
    return {"code": code, "name": {"en": code}, "series": series, "starts": starts, "ends": ends}


PERIODS = [
    *(_period(code, "q", f"2026-{first:02}-01", f"2026-{last:02}-01") for code, first, last in QUARTERS),
    _period("nine-months", "n", "2026-01-01", "2026-10-01"),
]
COUNTED = ("returns", "women", "women_share")
TABLES = [
    {"indicators": list(COUNTED)},
    {"indicators": ["returns"], "by": ["sex"]},
    {"indicators": ["returns"], "by": ["sector"]},
    {"indicators": ["women", "women_share"], "by": ["sector"]},
    {"indicators": ["returns"], "by": ["sex", "sector"]},
]


def programme() -> Definition:
    rules = {"threshold": THRESHOLD, "protection": PROTECTION, "tables": TABLES}
    indicators = [one for one in DEFINITION["indicators"] if one["code"] in COUNTED]
    return Definition.model_validate({**DEFINITION, "periods": PERIODS, "indicators": indicators, "disclosure": rules})


def happened(rng: random.Random, people: int) -> ReadModel:
    """Returns of so many people, few of them in some cells."""
    story = Story()
    for number in range(people):
        name, sector = str(number), rng.choice(("health", "health", "education"))
        story.person(name, sex="female" if rng.random() < 0.3 else "male")
        day = datetime(2026, rng.choice((1, 2, 3, 4, 5, 8)), 10, 12, tzinfo=UTC)
        story.returned(name, at=day, sector=sector)
    return model_of(story.records)


def published(definition: Definition, model: ReadModel, periods: Sequence[str]) -> list[Earlier]:
    """The statements of these periods, each after the one before."""
    earlier: list[Earlier] = []
    for code in periods:
        asked = asked_of(definition, code)
        with model.database.reader() as connection:
            now, facts = counted_period(connection, asked), facts_digest(connection, asked)
        told = told_with(now, definition, earlier)
        found = protect(
            list(told.cells.values()),
            told.relations,
            threshold=THRESHOLD,
            protection=PROTECTION,
            seconds=20,
            clock=lambda: 0.0,
        )
        assert found.certified, found.why
        tables = stated_tables(definition, now, Shown(len(earlier) + 1, told, found.withheld, THRESHOLD))
        said = {"number": len(earlier) + 1, "tables": tables, "facts": facts, "as_of": AS_OF}
        statement = signed_with(code, {}, **said).statement
        earlier.append(Earlier(now, statement, shares_of(definition)))
    return earlier


def asked_of(definition: Definition, code: str) -> ToCount:
    period = definition.period(code)
    assert period is not None
    return ToCount(definition, 1, period, AS_OF)


Atom = tuple[str, str, str]


def atoms(model: ReadModel, definition: Definition) -> dict[Atom, int]:
    """How many returns there were of each quarter, sex and sector: what no table shows all of."""
    found: dict[Atom, int] = {}
    for code, _, _ in QUARTERS:
        with model.database.reader() as connection:
            counted = counted_period(connection, asked_of(definition, code))
        (table,) = (one for one in counted.tables if one.by == ("sex", "sector"))
        found |= {(code, *SEXES_AND_SECTORS): 0 for SEXES_AND_SECTORS in product(SEXES, SECTORS)}
        found |= {(code, *cell.classes): cell.value for cell in table.cells[1:]}
    return found


def known(table: StatedTable, period: str) -> Iterator[tuple[tuple[str, ...], list[Atom]]]:
    """Of each cell of the table, the atoms that it is the sum of, as a reader of the programme knows."""
    quarters = [code for code, _, _ in QUARTERS] if period == "nine-months" else [period]
    for cell in table.cells:
        named = dict(zip(table.by, cell.classes, strict=False))
        sexes = ("female",) if table.indicator.startswith("women") else SEXES
        yield (
            cell.classes,
            [
                (quarter, sex, sector)
                for quarter, sex, sector in product(quarters, sexes, SECTORS)
                if named.get("sex", sex) == sex and named.get("sector", sector) == sector
            ],
        )


def attacked(statements: Sequence[Statement], held: dict[Atom, int]) -> tuple[list[Cell], list[Relation], set[Any]]:
    """Atoms and cells of every statement, and how they hang together; what a statement shows is known. A share that is
    shown tells both its sides."""
    cells = {atom: Cell(atom, value, value) for atom, value in held.items()}
    relations, shown = [], set()
    for statement in statements:
        for table in statement.tables:
            told = {cell.classes: cell.withheld is None for cell in table.cells}
            for classes, members in known(table, statement.period):
                sides = [("", members)]
                if table.indicator == "women_share":
                    others = [(q, sex, s) for q, _, s in members for sex in SEXES]
                    sides.append(("whole", others))
                for side, parts in sides:
                    key = (statement.number, table.indicator, table.by, classes, side)
                    value = sum(held[one] for one in parts)
                    cells[key] = Cell(key, value, value)
                    relations.append(Relation(((key, 1), *((one, -1) for one in dict.fromkeys(parts)))))
                    if told[classes]:
                        shown.add(key)
    return list(cells.values()), relations, shown


@pytest.mark.parametrize("seed", range(4))
def test_no_cell_that_is_withheld_follows_from_all_that_was_published(seed: int) -> None:
    rng = random.Random(seed)
    definition, model = programme(), happened(rng, rng.choice((40, 70, 120)))
    periods = [code for code, _, _ in QUARTERS] + ["nine-months"]
    rng.shuffle(periods)
    earlier = published(definition, model, periods)
    held = atoms(model, definition)
    cells, relations, shown = attacked([one.statement for one in earlier], held)
    assert any(key not in shown for key in (cell.key for cell in cells if len(cell.key) == 5)), "nothing was withheld"
    assert shown, "everything was withheld"
    small = [cell.key for cell in cells if cell.size < THRESHOLD and len(cell.key) == 5 and cell.key not in shown]
    told = recovered(cells, relations, shown)
    assert [key for key in small if key in told] == []
    spans = intervals(cells, relations, shown, small)
    assert {key: span for key, span in spans.items() if span[1] - span[0] < PROTECTION} == {}
    assert all(cell.size >= THRESHOLD for cell in cells if cell.key in shown)


def test_a_reader_finds_what_is_withheld_where_small_cells_alone_are() -> None:
    """The attack is one: without complementary cells it comes through."""
    definition, model = programme(), happened(random.Random(2), 60)
    held = atoms(model, definition)
    statements = []
    for number, code in enumerate([code for code, _, _ in QUARTERS] + ["nine-months"], 1):
        with model.database.reader() as connection:
            now = counted_period(connection, asked_of(definition, code))
        told = told_with(now, definition, [])
        small = {key for key, cell in told.cells.items() if cell.small(THRESHOLD)}
        tables = stated_tables(definition, now, Shown(1, told, small, THRESHOLD))
        statements.append(signed_with(code, {}, number=number, tables=tables).statement)
    cells, relations, shown = attacked(statements, held)
    withheld = [cell.key for cell in cells if len(cell.key) == 5 and cell.key not in shown]
    assert any(key in recovered(cells, relations, shown) for key in withheld)


def test_a_statement_counts_anew_to_the_same_figures_from_its_facts_and_from_no_others() -> None:
    definition, model = programme(), happened(random.Random(1), 80)
    (earlier,) = published(definition, model, ["q1"])
    with model.database.reader() as connection:
        facts = [fact for some in facts_of(connection, asked_of(definition, "q1")) for fact in some]
    assert digest_of(facts) == earlier.statement.facts
    assert recounted(earlier.statement, definition, facts) == []
    counted = next(place for place, fact in enumerate(facts) if "return_started" in fact)
    fewer = [*facts[:counted], *facts[counted + 1 :]]
    found = recounted(earlier.statement, definition, fewer)
    assert found
    assert digest_of(fewer) != earlier.statement.facts
    assert all(one.stated != one.recounted for one in found)


def test_stretches_are_the_smallest_that_all_periods_together_make() -> None:
    def span(first: int, last: int) -> Span:
        return Span(date(2026, first, 1), date(2026, last, 1))

    year, spring, early = span(1, 12), span(3, 6), span(1, 4)
    assert stretches(year, [spring, early, year]) == [span(1, 3), span(3, 4), span(4, 6), span(6, 12)]
    assert stretches(spring, [year]) == []
    assert inner(year, [spring, early, year, span(11, 12)]) == [early, spring, span(11, 12)]


def test_what_was_counted_is_known_by_its_digest() -> None:
    definition, model = programme(), happened(random.Random(1), 30)
    with model.database.reader() as connection:
        counted = counted_period(connection, asked_of(definition, "q1"))
        again = counted_period(connection, asked_of(definition, "q1"))
    read = CountedPeriod.model_validate(counted.model_dump(mode="json"))
    assert kept_under(counted) == kept_under(again) == kept_under(read)
    assert kept_under(counted.model_copy(update={"period": "q2"})) != kept_under(counted)
