"""Periods of a running system, each brought to the state from which one of their verbs leads on."""

from __future__ import annotations

from typing import Any

from services.monitoring.domain.statements import statement_id
from tests.e2e.edge_story import PLAIN
from tests.e2e.edge_world import People

CODE, STATEMENTS = "figures", "/monitoring/v1/statements"
MAKER, CHECKER = "maker", "checker"
# A period for each verb that begins in a state of its own.
NEEDED = {
    "statements_freeze": (),
    "statements_freeze_again": ("reopen",),
    "statements_verify": (),
    "statements_reopen": (),
    "statements_publish": ("verify",),
    "statements_restate": ("verify", "publish"),
}
PERIODS = {name: f"month-{number}" for number, name in enumerate(NEEDED, 1)}


def definition() -> dict[str, Any]:
    """A programme of trainings with months that are over."""
    periods = [
        {
            "code": code,
            "name": {"en": code},
            "series": "months",
            "starts": f"2020-{number:02}-01",
            "ends": f"2020-{number + 1:02}-01",
        }
        for number, code in enumerate(PERIODS.values(), 1)
    ]
    held = {"code": "held", "name": {"en": "Held"}, "unit": "trainings", "measure": "count"}
    indicators = [{**held, "facts": {"kinds": ["training_held"]}}]
    return {**PLAIN, "code": CODE, "periods": periods, "indicators": indicators}


def publish(people: People) -> None:
    """The programme, with every period frozen but the one that is still to be."""
    people.publish(definition())
    for name in NEEDED:
        if name != "statements_freeze":
            _ask(people, STATEMENTS, {"programme": CODE, "period": PERIODS[name]})


def brought(people: People, operation: str) -> tuple[str, dict[str, Any]]:
    """The id of a period of which the operation's verb is open (empty for the one that opens it), and what its example
    names there."""
    if operation == "statements_freeze":
        return "", {"/programme": CODE, "/period": PERIODS[operation]}
    id = statement_id(CODE, PERIODS[operation])
    counted = _standing(people, id, "frozen")["counted"]
    for verb in NEEDED[operation]:
        said = {"verify": {"counted": counted}, "reopen": {"reason": "mistake"}}.get(verb, {})
        _ask(people, f"{STATEMENTS}/{id}/{verb}", said, CHECKER if verb == "verify" else MAKER)
    if "publish" in NEEDED[operation]:
        _standing(people, id, "published")
    return id, {"/counted": counted} if operation == "statements_verify" else {}


def _ask(people: People, path: str, body: dict[str, Any], subject: str = MAKER) -> None:
    people.done(path, body, role="administrator", office=None, subject=subject)


def _standing(people: People, id: str, state: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def stands() -> bool:
        found.update(people.get(f"{STATEMENTS}/{id}", "administrator", None).json())
        return bool(found.get("state") == state)

    people.eventually(stands, f"a period that is {state}")
    return found
