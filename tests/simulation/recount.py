"""I7: the same indicators counted in ways that share as little as possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from services.monitoring.follower import apply_records
from services.monitoring.queries import cells
from services.monitoring.question import Question
from services.monitoring.schema import FACT_TABLES, TYPES
from services.monitoring.store import DIGESTED, ReadModel
from shared.clock import derived_id, short_hash
from shared.messaging.port import Position, Record
from shared.programmes.indicators import Distinct, Indicator, Sum
from shared.programmes.model import Definition
from tests.simulation.cast import DEFINITION
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.services import planned_simply

Figures = Mapping[str, Any]
# Ids as texts: making an object of each would cost more than all else of a comparison.
ROWS = {
    table: ", ".join(f'"{name}"::VARCHAR' if type == "UUID" else f'"{name}"' for name, type in columns.items())
    for table, columns in TYPES.items()
}
BEGUN = frozenset({"active", "completed", "ended_early"})


def figures_of(
    model: ReadModel, as_of_ms: int, codes: Collection[str] | None = None, definition: Definition = DEFINITION
) -> Figures:
    """Each indicator (of `codes`) by the compiled query: a number, or a share's two numbers."""
    found: dict[str, Any] = {}
    with model.database.reader() as connection:
        for indicator in definition.indicators:
            if codes is not None and indicator.code not in codes:
                continue
            total, _ = cells(connection, Question(definition, indicator, as_of_ms))
            found[indicator.code] = total.part if total.whole is None else (total.part, total.whole)
    return found


def counted_from_facts(model: ReadModel, as_of_ms: int) -> Figures:
    """Each indicator by a loop over the rows of the facts."""
    with model.database.reader() as connection:
        rows = [
            dict(zip(TYPES[table], row, strict=True))
            for table in FACT_TABLES
            for row in connection.execute(f"SELECT {ROWS[table]} FROM {table}").fetchall()
        ]
    rows = [row for row in rows if row["known_from"] < as_of_ms <= row["known_to"]]
    rows = [row for row in rows if row.get("programme") in (None, DEFINITION.code)]
    return {one.code: _counted(one, rows) for one in DEFINITION.indicators}


def _counted(indicator: Indicator, rows: Sequence[Mapping[str, Any]]) -> Any:
    if indicator.facts is None:
        share = indicator.share
        parts = [] if share is None else [DEFINITION.indicator(share.of), DEFINITION.indicator(share.in_)]
        return tuple(_counted(part, rows) for part in parts if part is not None)
    kept = [row for row in rows if row["kind"] in indicator.facts.kinds]
    for condition in indicator.facts.where:
        column = condition.field or f"{condition.attribute}_at_{condition.at}"
        kept = [row for row in kept if row.get(column) in (condition.one_of or ())]
    if isinstance(indicator.measure, Distinct):
        return len({row[indicator.measure.distinct] for row in kept})
    if isinstance(indicator.measure, Sum):
        return sum(row[indicator.measure.sum] or 0 for row in kept)
    return len(kept)


@dataclass(frozen=True)
class Held:
    """The documents of these programmes, and of what belongs to none."""

    evidence: Evidence
    programmes: Collection[str]

    def states(self, service: str, collection: str) -> list[Mapping[str, Any]]:
        states = (document.get("state") for document in self.evidence.documents[service][collection])
        return [state for state in states if state and _programme(state) in (None, *self.programmes)]


def counted_from_documents(evidence: Evidence, programmes: Collection[str] = (DEFINITION.code,)) -> Figures:
    """Each indicator from the documents of those who own the facts, of these programmes together."""
    held = Held(evidence, programmes)
    experts, institutions = (held.states("registration", name) for name in ("experts", "institutions"))
    assignments, matches = (held.states("matching", name) for name in ("assignments", "matches"))
    placements = held.states("placement", "placements")
    begun = [state for state in placements if state["status"] in BEGUN]
    women = _women(evidence)
    by_women = sum(state["parties"]["person"] in women for state in begun)

    decided = [{"status": _decided(state)} for state in experts]

    def count(states: Sequence[Mapping[str, Any]], *statuses: str) -> int:
        return sum(state["status"] in statuses for state in states)

    return {
        "registrations": len(experts) - count(decided, "identity_clash", "duplicate"),
        "eligible": count(decided, "eligible"),
        "ineligible": count(decided, "ineligible"),
        "appeals": sum(state.get("appeal") is not None for state in experts),
        "hosts": sum(_told(state, "InstitutionActivated") for state in institutions),
        "requests": sum(_told(state, "AssignmentSubmitted") for state in assignments),
        "filled": count(assignments, "filled"),
        "applications": _applications(evidence),
        "declined": count(matches, "declined"),
        "accepted": count(matches, "accepted", "retracting"),
        "contracts": sum(state["contracts"] for state in placements if state["status"] != "cancelled"),
        "returns": len(begun),
        "returns_of_women": by_women,
        "women_share": (by_women, len(begun)),
        "persons": len({state["parties"]["person"] for state in begun}),
        "completed": count(placements, "completed"),
        "ended_early": count(placements, "ended_early"),
        "no_shows": count(placements, "no_show"),
        **_plain(held),
    }


def _decided(state: Mapping[str, Any]) -> str:
    """What an expert's case had come to is counted on while it is suspended, under appeal, and after it has ended."""
    status: str = state["resumes"] if state["status"] == "withdrawn" else state["status"]
    if status in ("appealed", "dismissed"):
        status = state["against"]
    return str(state["resumes"]) if status == "suspended" else status


def _told(state: Mapping[str, Any], fact: str) -> bool:
    """Whether the fact was told of the case, and not taken back."""
    return any(past["name"] == fact for past in state["trail"])


def _plain(held: Held) -> Figures:
    """Of trainings and sites: what their documents say last."""
    trainings, sites = (held.states("placement", name) for name in ("trainings", "sites"))
    groups = [group for state in trainings for group in state["participants"]]
    works = [work for state in sites for work in state["works"]]
    return {
        "trainings": sum(state["status"] == "held" for state in trainings),
        "participants": sum(group["persons"] for group in groups),
        "women_trained": sum(group["persons"] for group in groups if group["sex"] == "female"),
        "works_begun": len(works),
        "families": sum(work.get("families", 0) for work in works),
        "handed_over": sum(state["status"] == "handed_over" for state in sites),
    }


def _programme(state: Mapping[str, Any]) -> str | None:
    found: str | None = (state.get("parties") or state.get("frame") or state).get("programme")
    return found


def _women(evidence: Evidence) -> set[str]:
    """Persons whose newest entry says so."""
    return {
        document["_id"]
        for document in evidence.documents["registration"]["persons"]
        if (entries := document["state"]["entries"])
        and max(entries, key=lambda one: (one["valid_from"], one["recorded_at"]))["attributes"]["sex"] == "female"
    }


def _applications(evidence: Evidence) -> int:
    """Accepted applications that opened a match."""
    applied = {document["_id"]: document["applied"] for document in evidence.documents["matching"]["matches"]}
    return sum(
        short_hash(derived_id(one["_id"], "match")) in applied.get(one["subject"], ())
        for one in evidence.documents["matching"]["submissions"]
        if one["status"] == "accepted"
    )


def replayed(evidence: Evidence) -> ReadModel:
    """A fresh read model, filled with every topic from offset 0."""
    model = ReadModel(None)
    planned_simply(model)
    parts: dict[Position, list[Record]] = {}
    for record in (record for records in evidence.records.values() for record in records):
        parts.setdefault((record.topic, record.partition), []).append(record)
    apply_records(model, parts, {position: records[-1].offset + 1 for position, records in parts.items()})
    return model


def rows_of(model: ReadModel) -> dict[str, Set[tuple[Any, ...]]]:
    """Each table that a rebuild compares: its rows, each with how often it stands there."""
    found: dict[str, Set[tuple[Any, ...]]] = {}
    with model.database.reader() as connection:
        for table in DIGESTED:
            rows = connection.execute(f"SELECT {ROWS[table]} FROM {table}").fetchall()
            found[table] = {(*row, count) for row, count in Counter(rows).items()}
    return found


def check_read_models(
    evidence: Evidence, models: Mapping[str, ReadModel], answers: Sequence[tuple[int, Figures]], as_of_ms: int
) -> Iterator[Violation]:
    """I7: all models hold the same facts, and every way of counting gives the same figures, now and as of then."""
    fresh = replayed(evidence)
    try:
        expected = rows_of(fresh)
        for name, model in models.items():
            for table, rows in rows_of(model).items():
                if differing := rows ^ expected[table]:
                    yield Violation("I7", f"{name}/{table}", f"{len(differing)} rows differ from a replay")
        model = next(iter(models.values()))
        ways = {
            "query": figures_of(model, as_of_ms),
            "facts": counted_from_facts(fresh, as_of_ms),
            "documents": counted_from_documents(evidence),
        }
        yield from check_recounts(ways)
        for then, answer in answers:
            again = figures_of(model, then, answer.keys())
            yield from check_recounts({f"as of {then}, answered then": answer, "now": again})
    finally:
        fresh.close()


def check_recounts(figures: Mapping[str, Figures]) -> Iterator[Violation]:
    """I7: every way of counting gives the same value for each indicator."""
    ways = list(figures)
    for indicator in sorted({name for figure in figures.values() for name in figure}):
        values = {way: figures[way].get(indicator) for way in ways}
        if any(value != values[ways[0]] for value in values.values()):
            yield Violation("I7", indicator, ", ".join(f"{way}: {value}" for way, value in values.items()))
