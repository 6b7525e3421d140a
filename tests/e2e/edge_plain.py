"""Plain cases of a running system, each brought to a state by the examples of its own table and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deploy.generate import GROUPS, cases_of
from shared.cases.case import NEW, Case, Move
from shared.cases.opening import Opening
from shared.cases.revisions import REVISING
from shared.cases.transfers import ACCEPT, ASK, DECLINE, TRANSFERS
from tests.e2e.edge_world import ASKED, OFFICE, People, running_programme

# Other offices of the programmes: one has a case of each kind, and one is asked to take cases over.
OTHERS: tuple[dict[str, Any], ...] = (
    {"code": OFFICE, "name": {"en": "Kabul"}, "country": "AF", "time_zone": "Asia/Kabul"},
    {"code": ASKED, "name": {"en": "Tbilisi"}, "country": "GE", "time_zone": "Asia/Tbilisi"},
)


def plain_cases() -> dict[str, tuple[str, Case[Any]]]:
    """Plural -> service and case."""
    found = {case.name: (service, case) for service in GROUPS for case in cases_of(service)}
    return {name: (service, case) for name, (service, case) in found.items() if _opening(case)}


def publish(people: People) -> None:
    """The programmes that the examples are of."""
    for _, case in plain_cases().values():
        definition = running_programme(_example(case)["programme"])
        known = {one["code"] for one in definition["offices"]}
        others = ({**one, "name": dict.fromkeys(definition["title"], one["name"]["en"])} for one in OTHERS)
        definition["offices"] = [*definition["offices"], *(one for one in others if one["code"] not in known)]
        people.publish(definition)


def opened(people: People, name: str, **said: Any) -> str:
    service, case = plain_cases()[name]
    body = {**_example(case), **said}
    return str(people.done(f"/{service}/v1/{name}", body, office=body["office"])["id"])


def brought(people: People, operation: str) -> tuple[str, str]:
    """The id and the office of a case of which the operation's verb is open; no id for the one that opens it.

    KeyError for an operation of no plain case.
    """
    name = operation.split("_")[0]
    service, case = plain_cases()[name]
    verb = next(one for one in case.verbs if f"{name}_{one}".replace("-", "_") == operation)
    office = str(_example(case)["office"])
    before = min(state for row in case.rows[verb] for state in row.before)
    if before == NEW:
        return "", office
    id = opened(people, name)
    for move in _walked(case, before, verb):
        people.done(f"/{service}/v1/{name}/{id}/{move.verb}", dict(move.example), office=office)
    return id, ASKED if verb in (ACCEPT, DECLINE) else office


def _walked(case: Case[Any], before: str, verb: str) -> Iterator[Move]:
    """The way to the state; at each station of it first what the table has before the next move and leaves the case
    where it is, for that may be what the next one waits for."""
    way, here = case.way_to(before), NEW
    done = {verb, *(move.verb for move in way)} | (TRANSFERS - ({ASK} if verb in TRANSFERS - {ASK} else set()))
    for move in (*way, case.rows[verb][0]):
        for stays in case.moves[: case.moves.index(move)]:
            if stays.verb not in done | REVISING and here in stays.before and stays.leads_to(here) == {here}:
                done.add(stays.verb)
                yield stays
        if move.verb != verb:
            (here,) = move.leads_to(here)
            if not move.opens:
                yield move


def _opening(case: Case[Any]) -> bool:
    return any(move.opens and issubclass(move.body, Opening) for move in case.moves)


def _example(case: Case[Any]) -> dict[str, Any]:
    return dict(next(move.example for move in case.moves if move.opens))
