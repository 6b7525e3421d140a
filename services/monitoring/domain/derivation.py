"""From events to the rows that are queried: facts, joined with attributes, with their calendar day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from services.monitoring.domain.facts import facts_of, in_order
from services.monitoring.domain.profiles import NAMES, Entry, versions_of
from services.monitoring.domain.rows import EventRow
from services.monitoring.domain.zones import Zones
from shared.contracts.catalogue import CATALOGUE, Catalogue
from shared.contracts.facts import Family, FieldType
from shared.programmes.fact_words import CURRENCY

# An open end as a number, so that one comparison serves; no append time reaches it.
NEVER_MS = 2**63 - 1
# What a row says whatever its family; then come the family's fields, then a person's attributes.
HEAD = (
    *("kind", "epoch", "sequence", "item", "office", "programme", "programme_version", "happened_us", "local_day"),
    *("local_year", "framed", "known_from", "known_to"),
)
Groups = Sequence[Sequence[EventRow]]
Rows = dict[str, list[tuple[Any, ...]]]


class Known(NamedTuple):
    """What facts need beside their own subject's events: timelines by person, the time zones of offices."""

    timelines: Mapping[str, Sequence[Entry]]
    zones: Zones


def fields_of(family: Family) -> dict[str, FieldType]:
    """The columns that the family's fields take, in their order; an amount of money has its currency beside it."""
    columns: dict[str, FieldType] = {}
    for one in family.fields:
        columns[one.name] = one.type
        if one.type == "money":
            columns[one.name + CURRENCY] = "code"
    return columns


def columns_of(family: Family) -> tuple[str, ...]:
    """The columns of the family's table."""
    joined = [f"{name}_at_{when}" for when in ("event", "now") for name in NAMES] if family.person else []
    return (*HEAD, *fields_of(family), *joined)


def by_subject(rows: Iterable[EventRow]) -> list[list[EventRow]]:
    """The rows of each (topic, subject), in their order and each once."""
    ordered = sorted(rows, key=_topic_and_subject)
    return [in_order(group) for _, group in groupby(ordered, key=_topic_and_subject)]


def _topic_and_subject(row: EventRow) -> tuple[str, str]:
    return row.topic, row.subject


def persons_of(groups: Groups) -> set[str]:
    return {row.person for group in groups for row in group if row.person is not None}


def fact_rows(groups: Groups, known: Known, catalogue: Catalogue = CATALOGUE) -> Rows:
    """Rows of the families' tables; a function of the set of events alone. Each group: `by_subject`."""
    found: Rows = {}
    for group in groups:
        family = catalogue.families.get(group[0].topic)
        if family is None:
            continue
        place = list(fields_of(family)).index("person") if family.person else -1
        rows = found.setdefault(family.table, [])
        for fact in facts_of(group, partial(zone_of, known.zones), catalogue):
            entries = known.timelines.get(fact.values[place] or "", ()) if family.person else ()
            head = (fact.kind, *fact[2:12])
            rows.extend(joined(head, (fact.known_from, fact.known_to, fact.local_day), fact.values, entries, family))
    return found


def joined(
    head: tuple[Any, ...],
    known: tuple[int, int | None, int],
    values: tuple[Any, ...],
    entries: Sequence[Entry],
    family: Family,
) -> Iterator[tuple[Any, ...]]:
    """The rows of one fact: its `HEAD` up to what is known, since when and until when it is known and its local day,
    its family's fields; with its person's attributes where the family joins them."""
    for known_from, known_to, event, now in versions_of(*known, entries):
        until = NEVER_MS if known_to is None else known_to
        yield (*head, known_from, until, *values, *((*event, *now) if family.person else ()))


def zone_of(zones: Zones, row: EventRow) -> str:
    """The time zone of the office that the event belongs to."""
    return zones.of(row.programme, row.programme_version, row.office)
