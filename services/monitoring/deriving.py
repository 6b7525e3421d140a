"""What `domain/facts.py` reads from the declarations, as statements: DuckDB derives the facts of a whole topic at once.

Tests hold the two to the same rows, and so does each rebuild: it is compared with what was derived event by event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from services.monitoring.domain.dates import DAY_US
from services.monitoring.domain.derivation import HEAD
from services.monitoring.domain.rows import FACT
from shared.contracts.catalogue import Catalogue
from shared.contracts.facts import ITEM, DaysSince, FactField, Family, FieldType, Length, Ordinal, Said, Subject

# Every day of a calendar as a positive number, since a division of a negative one is rounded up.
SHIFT = 100_000
_SHAPES: dict[FieldType, Any] = {
    "id": "UUID",
    "code": "VARCHAR",
    "number": "BIGINT",
    "date": "DATE",
    "money": {"amount": "BIGINT", "currency": "VARCHAR"},
}
_PLACE = ("subject::UUID AS subject", "epoch", "sequence", "office", "programme", "programme_version", "happened_us")


def facts_query(family: Family, catalogue: Catalogue, events: str) -> str:
    """The facts of all events of the family's topic in the table or query `events`, each event once: the columns of
    `HEAD`, then the family's fields.

    `local_days` holds the offsets of their offices (`calendar`): programme, version, office, day, from_us,
    until_us, offset_us.
    """
    kinds = [kind for kind in catalogue.kinds.values() if kind.family is family]
    ends = {tuple(sorted(kind.ended_by)): number for number, kind in enumerate(kinds) if kind.ended_by}
    return f"""
WITH read AS (
    SELECT {", ".join(_PLACE)}, type, known_ms, json_transform(told, '{_shape(family, catalogue)}') AS s FROM {events}
), cases AS MATERIALIZED (
    SELECT * EXCLUDE (known_ms), max(known_ms) OVER sofar AS known{_frame(family)}{_before(family)}
    FROM read
    WINDOW sofar AS (PARTITION BY subject ORDER BY epoch, sequence ROWS UNBOUNDED PRECEDING),
        earlier AS (PARTITION BY subject ORDER BY epoch, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), {_versions(family, catalogue)}, told AS MATERIALIZED ({" UNION ALL ".join(_told(family, catalogue, ends))}
), taken_back AS ({_taken_back(ends)}
), numbered AS (
    SELECT *, dense_rank() OVER (PARTITION BY subject, kind ORDER BY epoch, sequence) - {_put_right(family, catalogue)}
        AS ordinal
    FROM (SELECT told.*, least(taken_back.ended, put_right) AS ended
        FROM told LEFT JOIN taken_back USING (subject, epoch, sequence, kind)) told
), dated AS (
    SELECT numbered.*, (shifted_us + offset_us) // {DAY_US} - {SHIFT} AS local_day
    FROM (SELECT *, happened_us + {SHIFT * DAY_US} AS shifted_us FROM numbered WHERE NOT once OR ordinal = 1) numbered
    JOIN local_days days ON days.programme = coalesce(numbered.programme, '')
        AND days.version = coalesce(numbered.programme_version, 0)
        AND days.office = coalesce(numbered.office, '') AND days.day = shifted_us // {DAY_US} - {SHIFT}
        AND happened_us >= from_us AND happened_us < until_us
)
SELECT {", ".join(_columns(family))}
FROM (SELECT *{_since(family)} FROM dated)
WHERE ended IS NULL OR ended > known
"""  # noqa: S608


def _revising(family: Family, catalogue: Catalogue) -> dict[str, list[str]]:
    """The events of the topic that put a fact right, by what they do to it."""
    found: dict[str, list[str]] = {}
    for (topic, type), revises in catalogue.revises.items():
        if topic == family.topic:
            found.setdefault(revises, []).append(type)
    return found


def _versions(family: Family, catalogue: Catalogue) -> str:
    """`versions`: the rows of `cases`, and each of those that were put right once more as it then stands: at the place
    of what put it right, with the time and the content that it has by then, after what the case had said before it.

    `put_right`: since when it is known that another version, or none, stands for it; `put_right_at`: by which event.
    The rule is that of `_Case` in `domain/facts.py`.
    """
    revising = _revising(family, catalogue)
    if not revising:
        nothing = "NULL::BIGINT AS put_right, NULL::BIGINT AS put_right_at"
        return f"versions AS (SELECT *, {nothing} FROM cases)"  # noqa: S608
    every = _texts(tuple(type for types in revising.values() for type in types))
    gone = _texts(tuple(revising.get("existence", ()))) or "''"
    return f"""revisions AS MATERIALIZED (
    SELECT *, s.fact AS root FROM cases WHERE type IN ({every})
    QUALIFY count(*) FILTER (type IN ({gone})) OVER (
        PARTITION BY subject, root ORDER BY epoch, sequence ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) = 0
), anew AS ({_anew(family, revising)}
), standing AS (
    SELECT *, sequence AS root FROM cases WHERE type NOT IN ({every})
    UNION ALL BY NAME SELECT * EXCLUDE (later, revision) FROM anew WHERE later AND revision NOT IN ({gone})
), versions AS (
    SELECT * FROM standing LEFT JOIN (
        SELECT one.subject, one.epoch, one.sequence, min(later.known) AS put_right, min(later.sequence) AS put_right_at
        FROM standing one JOIN revisions later ON later.subject = one.subject AND later.root = one.root
            AND later.sequence > one.sequence
        GROUP BY ALL
    ) USING (subject, epoch, sequence)
)"""  # noqa: S608


def _anew(family: Family, revising: Mapping[str, list[str]]) -> str:
    """Each fact that was put right, by its `root`: as it was told first, and after each event that put it right."""
    times, contents = (_texts(tuple(revising.get(one, ()))) or "NULL" for one in ("time", "content"))
    frame = "".join(f", later.f_{name} AS f_{name}" for name in family.frame)
    befores = "".join(f", first.before_{name} AS before_{name}" for name in _reckoned(family))
    scope = "first.office, first.programme, first.programme_version"
    named = f"office, programme, programme_version{_carried(family)}"
    return f"""
    SELECT subject, epoch, sequence, root, type, known, later, revision, {named},
        last_value(CASE WHEN NOT later OR revision IN ({times}) THEN happened_us END IGNORE NULLS)
            OVER upto AS happened_us,
        last_value(CASE WHEN NOT later OR revision IN ({contents}) THEN s END IGNORE NULLS) OVER upto AS s
    FROM (
        SELECT DISTINCT first.subject, first.epoch, first.sequence, first.sequence AS root, first.type, first.known,
            first.happened_us, first.s, false AS later, first.type AS revision, {scope}{_carried(family, "first.")}
        FROM cases first JOIN revisions ON first.subject = revisions.subject AND first.sequence = revisions.root
        UNION ALL
        SELECT later.subject, later.epoch, later.sequence, later.root, first.type, later.known,
            later.happened_us, later.s, true, later.type, {scope}{frame}{befores}
        FROM revisions later JOIN cases first ON first.subject = later.subject AND first.sequence = later.root
    )
    WINDOW upto AS (PARTITION BY subject, root ORDER BY epoch, sequence ROWS UNBOUNDED PRECEDING)"""  # noqa: S608


def _put_right(family: Family, catalogue: Catalogue) -> str:
    """How many of the kind stood before it and had been put right by then, which leaves their number free."""
    if not _revising(family, catalogue):
        return "0"
    return """(SELECT count(DISTINCT other.sequence) FROM told other WHERE other.put_right_at IS NOT NULL
        AND other.subject = told.subject AND other.kind = told.kind AND other.put_right_at <= told.sequence)"""


def _reckoned(family: Family) -> list[str]:
    """The dates that a later event's are reckoned from."""
    ends = {one.source.ends for one in family.fields if isinstance(one.source, Length)}
    return sorted(ends | {one.source.until for one in family.fields if isinstance(one.source, DaysSince)})


def _carried(family: Family, of: str = "") -> str:
    """The columns of `cases` beside the place, the scope and what the event itself says."""
    frames = "".join(f", {of}f_{name}" for name in family.frame)
    return frames + "".join(f", {of}before_{name}" for name in _reckoned(family))


def _shape(family: Family, catalogue: Catalogue) -> str:
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
    if _revising(family, catalogue):
        shape[FACT] = "BIGINT"
    for (topic, _), tells in catalogue.tells.items():
        lists = [one.each for one in tells if topic == family.topic and one.each is not None]
        shape |= {name: [items] for name in lists}
    return json.dumps(shape)


def _frame(family: Family) -> str:
    return "".join(f", last_value(s.{_name(name)} IGNORE NULLS) OVER sofar AS f_{name}" for name in family.frame)


def _before(family: Family) -> str:
    return "".join(
        f", last_value(s.{_name(name)} IGNORE NULLS) OVER earlier AS before_{name}" for name in _reckoned(family)
    )


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
    """A query for each kind that an event tells."""
    for (topic, type), told in catalogue.tells.items():
        for tells in told if topic == family.topic else ():
            items = f"s.{_name(tells.each)}" if tells.each else ""
            item = f"unnest({items}) AS i, generate_subscripts({items}, 1) - 1" if items else "NULL AS i, 0"
            ended_by = ends.get(tuple(sorted(tells.ended_by)), "NULL")
            named = f"'{tells.kind}'::fact_kind AS kind, {str(tells.once).lower()} AS once, {ended_by} AS ends"
            columns = f"* EXCLUDE (type), {named}, {_text(tells.follows)} AS follows, {item} AS item"
            yield f"SELECT {columns} FROM versions WHERE type = '{type}' AND f_{family.opened} IS NOT NULL"  # noqa: S608


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
        return f"s.{_name(source.ends)} - coalesce(s.{_name(source.starts)}, before_{source.ends})"
    found = [_said(path, family) for path in source.paths]
    return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"


def _said(path: str, family: Family) -> str:
    step, *rest = path.split(".")
    root = f"f_{step}" if step in family.frame else "i" if step == ITEM else f"s.{_name(step)}"
    return ".".join([root, *map(_name, rest)])


_EPOCH = "'1970-01-01'"


def _name(name: str) -> str:
    return f'"{name}"'


def _text(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(map(_text, values))
