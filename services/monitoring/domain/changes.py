"""What a batch changes in the facts that stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from services.monitoring.domain.derivation import Groups, Known, Rows, fact_rows
from services.monitoring.domain.rows import EventRow
from shared.contracts.catalogue import CATALOGUE


class Change(NamedTuple):
    """`stale`: by topic, the subjects whose facts go; `rows`: what comes then, by table."""

    stale: dict[str, list[str]]
    rows: Rows


def change_of(held: Groups, groups: Groups, known: Known, restated: Collection[str] | None) -> Change:
    """From the facts of the events `held` to those of `groups`, the same subjects' and others': both `by_subject`.

    `restated`: the persons of whom something else is known than when the facts were written; None where their days
    may differ too. Where later events only add facts to a case, as they mostly do, those that stand there stay.
    """
    stood = {group[0][:2]: group for group in held if any((row.topic, row.type) in CATALOGUE.tells for row in group)}
    change = Change({}, fact_rows([group for group in groups if group[0][:2] not in stood], known))
    for group in groups:
        topic, subject = place = group[0][:2]
        if place not in stood:
            continue
        before = None if restated is None or _names(group, restated) else _rows_of(stood[place], known)
        rows = _rows_of(group, known)
        if before is None or rows[: len(before)] != before:
            change.stale.setdefault(topic, []).append(subject)
        else:
            rows = rows[len(before) :]
        change.rows.setdefault(CATALOGUE.families[topic].table, []).extend(rows)
    return change


def _names(group: Sequence[EventRow], persons: Collection[str]) -> bool:
    return any(row.person in persons for row in group)


def _rows_of(group: Sequence[EventRow], known: Known) -> list[tuple[Any, ...]]:
    (rows,) = fact_rows([group], known).values()
    return rows
