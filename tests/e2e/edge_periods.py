"""Periods of programmes, frozen, verified and published by requests alone, and a file of what was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.e2e.edge_world import People, running_programme

# A programme of which something was published.
STATED = "trqn-1-stated"
PERIOD = "first-report"
TOLD: Mapping[str, Any] = {"threshold": 10, "protection": 10, "tables": [{"indicators": ["requests"]}]}
ADMINISTRATOR: Mapping[str, Any] = {"role": "administrator", "office": None, "subject": "maker"}
CHECKER: Mapping[str, Any] = {**ADMINISTRATOR, "subject": "checker"}
STATEMENTS = "/monitoring/v1/statements"


@dataclass(frozen=True)
class Frozen:
    """A period's case, and the digest of what was counted."""

    programme: str
    id: str
    counted: str


def frozen(people: People, *codes: str) -> list[Frozen]:
    """The first period of programmes of these codes, all of them frozen at once: that waits for clocks to agree.

    What they publish is of no person: of few, all would be withheld, and then nothing can be published.
    """
    ids = []
    for code in codes:
        people.publish({**running_programme(), "code": code, "disclosure": TOLD})
    for code in codes:
        periods = f"/monitoring/v1/programmes/{code}/periods"
        people.eventually(lambda periods=periods: people.get(periods, **ADMINISTRATOR).is_success, code)
        ids.append(people.done(STATEMENTS, {"programme": code, "period": PERIOD}, **ADMINISTRATOR)["id"])
    return [Frozen(code, id, _in(people, id, "frozen")["counted"]) for code, id in zip(codes, ids, strict=True)]


def verified(people: People, one: Frozen) -> None:
    people.done(f"{STATEMENTS}/{one.id}/verify", {"counted": one.counted}, **CHECKER)


def published(people: People, one: Frozen) -> None:
    verified(people, one)
    people.done(f"{STATEMENTS}/{one.id}/publish", **ADMINISTRATOR)
    _in(people, one.id, "published")


def exported(people: People, programme: str) -> tuple[str, str]:
    """An officer's job that has made a file of what was published, and the file's name."""
    id = people.done(f"/monitoring/v1/programmes/{programme}/exports", {"format": "csv", "language": "en"})["id"]
    place = f"/monitoring/v1/jobs/{id}"
    people.eventually(lambda: people.get(place).json()["state"] == "done", "a file")
    return id, str(people.get(place).json()["result"]["files"][0]["name"])


def _in(people: People, id: str, state: str) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        case: dict[str, Any] = people.get(f"{STATEMENTS}/{id}", **ADMINISTRATOR).json()
        return case if case["state"] == state else None

    case: dict[str, Any] = people.eventually(found, f"a period that is {state}")
    return case


class Periods:
    """A programme for each verb, its period in a state from which the verb is allowed."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._done: set[str] = set()

    @cached_property
    def _frozen(self) -> Mapping[str, Frozen]:
        verbs = ("freeze_again", "verify", "reopen", "publish", "restate")
        codes = {verb: f"trqn-1-{verb.replace('_', '-')}" for verb in verbs}
        return dict(zip(verbs, frozen(self._people, *codes.values()), strict=True))

    def ready_for(self, verb: str) -> Frozen:
        """KeyError for another verb."""
        one = self._frozen[verb]
        if verb == "freeze_again":
            self._people.done(f"{STATEMENTS}/{one.id}/reopen", {"reason": "facts_missing"}, **ADMINISTRATOR)
        elif verb == "publish":
            verified(self._people, one)
        elif verb == "restate" and verb not in self._done:
            published(self._people, one)
            self._done.add(verb)
        return one
