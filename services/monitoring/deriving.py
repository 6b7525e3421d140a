"""What `domain/facts.py` reads from the declarations, as statements: DuckDB derives the facts of a whole topic at once.

Tests hold the two to the same rows, and so does each rebuild: it is compared with what was derived event by event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.monitoring.domain.dates import DAY_US
from services.monitoring.domain.derivation import HEAD
from shared.contracts.catalogue import Catalogue
from shared.contracts.facts import ITEM, DaysSince, FactField, Family, FieldType, Length, Ordinal, Said, Subject, Tells

_SCOPE = "office, programme, programme_version"
# Every day of a calendar as a positive number, since a division of a negative one is rounded up.
SHIFT = 100_000
_SHAPES: dict[FieldType, Any] = {
    "id": "UUID",
    "code": "VARCHAR",
    "number": "BIGINT",
    "date": "DATE",
    "money": {"amount": "BIGINT", "currency": "VARCHAR"},
}


def facts_query(family: Family, catalogue: Catalogue, events: str) -> str:
    """The facts of all events of the family's topic in the table or query `events`, each event once, without the cases
    of which something was put right: the columns of `HEAD`, then the family's fields.

    `local_days` holds the offsets of their offices (`calendar`): programme, version, office, day, from_us,
    until_us, offset_us. What events say is joined last, by the `place` of the event that said it: to sort it with the
    events would take half of the time. `events` has a place for each, since to number them here is one core's work.
    """
    kinds = [kind for kind in catalogue.kinds.values() if kind.family is family]
    ends = {tuple(sorted(kind.ended_by)): number for number, kind in enumerate(kinds) if kind.ended_by}
    return f"""
WITH read AS MATERIALIZED ({_read(family, catalogue, events)}
), cases AS MATERIALIZED (
    SELECT {_SCOPE}, subject, epoch, sequence, type, place AS said, happened_us, max(known_ms) OVER sofar AS known
        {_frame(family)}{_before(family)}
    FROM read
    WINDOW sofar AS (PARTITION BY subject ORDER BY epoch, sequence ROWS UNBOUNDED PRECEDING),
        earlier AS (PARTITION BY subject ORDER BY epoch, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), told AS MATERIALIZED ({" UNION ALL ".join(_told(family, catalogue, ends))}
), taken_back AS ({_taken_back(ends)}
), dated AS (
    SELECT numbered.*, (shifted_us + offset_us) // {DAY_US} - {SHIFT} AS local_day
    FROM (
        SELECT *, happened_us + {SHIFT * DAY_US} AS shifted_us
        FROM told LEFT JOIN taken_back USING (subject, epoch, sequence, kind)
    ) numbered
    JOIN local_days days ON days.programme = coalesce(numbered.programme, '')
        AND days.version = coalesce(numbered.programme_version, 0)
        AND days.office = coalesce(numbered.office, '') AND days.day = shifted_us // {DAY_US} - {SHIFT}
        AND happened_us >= from_us AND happened_us < until_us
)
SELECT {", ".join(_columns(family))}
FROM (SELECT *{_since(family)} FROM dated) facts{_joined(family)}
WHERE ended IS NULL OR ended > known
"""  # noqa: S608


def _reckoned(family: Family) -> list[str]:
    """The dates that a later event's are reckoned from."""
    ends = {one.source.ends for one in family.fields if isinstance(one.source, Length)}
    return sorted(ends | {one.source.until for one in family.fields if isinstance(one.source, DaysSince)})


def _read(family: Family, catalogue: Catalogue, events: str) -> str:
    """The events, with a column for each part of what they say."""
    shape = _shape(family, catalogue)
    said = "".join(f", s.{_name(name)} AS s_{name}" for name in shape)
    return f"""
    SELECT {_SCOPE}, subject, epoch, sequence, type, known_ms, happened_us, place{said}
    FROM (SELECT * REPLACE (subject::UUID AS subject), json_transform(told, '{json.dumps(shape)}') AS s FROM {events})
"""  # noqa: S608


def _shape(family: Family, catalogue: Catalogue) -> dict[str, Any]:
    """What `json_transform` makes of an event's `told`: every path that a field is read from, with its type."""
    shape: dict[str, Any] = {}
    items: dict[str, Any] = {}
    for one in family.fields:
        if isinstance(one.source, Length):
            shape |= {one.source.starts: "DATE", one.source.ends: "DATE"}
        if isinstance(one.source, DaysSince):
            shape[one.source.until] = "DATE"
        for path in one.source.paths if isinstance(one.source, Said) else ():
            step, _, rest = path.partition(".")
            place = items if step == ITEM else shape.setdefault(step, {}) if rest else shape
            place[rest or step] = _SHAPES[one.type]
    for name in family.frame:
        # No field may be read from it, and yet it says that the case was opened.
        shape.setdefault(name, "VARCHAR")
    for (topic, _), tells in catalogue.tells.items():
        lists = [one.each for one in tells if topic == family.topic and one.each is not None]
        shape |= {name: [items] for name in lists}
    # A part of the frame that no field is read from is there or not.
    return {name: "JSON" for name in family.frame} | shape


def _frame(family: Family) -> str:
    """The places of the events that said the parts of the case's frame by then."""
    return "".join(
        f", last_value(CASE WHEN s_{name} IS NOT NULL THEN place END IGNORE NULLS) OVER sofar AS f_{name}"
        for name in family.frame
    )


def _before(family: Family) -> str:
    return "".join(f", last_value(s_{name} IGNORE NULLS) OVER earlier AS before_{name}" for name in _reckoned(family))


def _joined(family: Family) -> str:
    """What the fields are read from: of the event itself, and of those that said the parts of the frame."""
    own: set[str] = set()
    for one in family.fields:
        if isinstance(one.source, Said):
            own |= {path.partition(".")[0] for path in one.source.paths}
        elif isinstance(one.source, Length):
            own |= {one.source.starts, one.source.ends}
    parts = [("said", [f"s_{name}" for name in sorted(own - {ITEM, *family.frame})])]
    parts += [(f"f_{name}", [f"s_{name} AS frame_{name}"]) for name in family.frame]
    return "".join(
        f"\n    LEFT JOIN (SELECT place AS {by}, {', '.join(names)} FROM read WHERE {_some(names)}) USING ({by})"  # noqa: S608
        for by, names in parts
        if names
    )


def _some(names: Sequence[str]) -> str:
    """Where one of the columns says something: most events say little, and what is joined has to be held."""
    return " OR ".join(f"{name.partition(' ')[0]} IS NOT NULL" for name in names)


def _taken_back(ends: Mapping[tuple[str, ...], int]) -> str:
    """Of each fact that was taken back, since when that is known."""
    nothing = "SELECT subject, epoch, sequence, kind, NULL::BIGINT AS ended FROM told WHERE false"
    return (
        " UNION ALL ".join(
            f"""SELECT told.subject, told.epoch, told.sequence, told.kind, min(later.known) AS ended
            FROM told JOIN cases AS later ON told.subject = later.subject AND later.type IN ({_texts(ended_by)})
                AND (later.epoch > told.epoch OR later.epoch = told.epoch AND later.sequence > told.sequence)
            WHERE told.ends = {number} GROUP BY ALL"""  # noqa: S608
            for ended_by, number in ends.items()
        )
        or nothing
    )


def _told(family: Family, catalogue: Catalogue, ends: Mapping[tuple[str, ...], int]) -> Iterator[str]:
    """A query for each kind of fact, with the facts that events tell; numbered only where that decides something."""
    has_ordinal = any(isinstance(one.source, Ordinal) for one in family.fields)
    for told in _tells(family, catalogue):
        events = " UNION ALL ".join(_told_by(family, type, tells, ends) for type, tells in told)
        once = any(tells.once for _, tells in told)
        if not once and not has_ordinal:
            yield f"SELECT *, NULL::BIGINT AS ordinal FROM ({events})"  # noqa: S608
            continue
        ordinal = "dense_rank() OVER (PARTITION BY subject ORDER BY epoch, sequence)"
        counted = "QUALIFY NOT once OR ordinal = 1" if once else ""
        yield f"SELECT *, {ordinal} AS ordinal FROM ({events}) {counted}"  # noqa: S608


def _tells(family: Family, catalogue: Catalogue) -> Iterable[list[tuple[str, Tells]]]:
    """For each kind of fact, what tells it and how."""
    found: dict[str, list[tuple[str, Tells]]] = {}
    for (topic, type), told in catalogue.tells.items():
        for tells in told if topic == family.topic else ():
            found.setdefault(tells.kind, []).append((type, tells))
    return found.values()


def _told_by(family: Family, type: str, tells: Tells, ends: Mapping[tuple[str, ...], int]) -> str:
    items = f"s_{tells.each}" if tells.each else ""
    item = f"unnest({items}) AS i, generate_subscripts({items}, 1) - 1" if items else "NULL AS i, 0"
    listed = f"JOIN (SELECT place, {items} FROM read) ON place = said" if items else ""  # noqa: S608
    ended_by = ends.get(tuple(sorted(tells.ended_by)), "NULL")
    named = f"'{tells.kind}'::fact_kind AS kind, {str(tells.once).lower()} AS once, {ended_by} AS ends"
    columns = f"cases.* EXCLUDE (type), {named}, {_text(tells.follows)} AS follows, {item} AS item"
    return f"SELECT {columns} FROM cases {listed} WHERE type = '{type}' AND f_{family.opened} IS NOT NULL"  # noqa: S608


def _since(family: Family) -> str:
    """The day of the case's fact of each kind that days are counted from, as it stands by then."""
    kinds = sorted({one.source.kind for one in family.fields if isinstance(one.source, DaysSince)})
    sofar = "PARTITION BY subject ORDER BY epoch, sequence, item ROWS UNBOUNDED PRECEDING"
    return "".join(
        f", last_value(CASE WHEN kind = '{kind}' THEN local_day END IGNORE NULLS) OVER ({sofar}) AS since_{kind}"
        for kind in kinds
    )


def _columns(family: Family) -> Iterator[str]:
    head = {
        "local_year": "year(DATE '1970-01-01' + local_day::INTEGER)",
        "framed": f"f_{family.framed} IS NOT NULL",
        "known_from": "known",
        "known_to": "ended",
    }
    for name in HEAD:
        yield f"{head.get(name, name)} AS {name}"
    for one in family.fields:
        yield from _values(one, family)


def _values(one: FactField, family: Family) -> Iterator[str]:
    """The field's columns as `_Told.values` has them."""
    value = _value(one, family)
    if one.type == "money":
        yield f"{value}.amount AS {_name(one.name)}"
        yield f"{value}.currency AS {_name(one.name + '_currency')}"
    else:
        yield f"{f'({value} - DATE {_EPOCH})::INTEGER' if one.type == 'date' else value} AS {_name(one.name)}"


def _value(one: FactField, family: Family) -> str:
    source = one.source
    if isinstance(source, Subject):
        return "subject"
    if isinstance(source, Ordinal):
        return "CASE WHEN NOT once THEN ordinal END"
    if isinstance(source, DaysSince):
        # `least` and `greatest` pass over what is not there.
        since, last = f"since_{source.kind}", f"least(local_day, before_{source.until} - DATE {_EPOCH} - 1)"
        told = f"follows = '{source.kind}' AND {since} IS NOT NULL"
        return f"CASE WHEN {told} THEN greatest({last} - {since} + 1, 0) END"
    if isinstance(source, Length):
        return f"s_{source.ends} - coalesce(s_{source.starts}, before_{source.ends})"
    found = [_said(path, family) for path in source.paths]
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _said(path: str, family: Family) -> str:
    step, *rest = path.split(".")
    root = f"frame_{step}" if step in family.frame else "i" if step == ITEM else f"s_{step}"
    return ".".join([root, *map(_name, rest)])


_EPOCH = "'1970-01-01'"


def _name(name: str) -> str:
    return f'"{name}"'


def _text(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(map(_text, values))
