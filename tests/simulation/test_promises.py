"""The witness and the checkers of promises are silent on what is right and go red on a planted example."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.clock import derived_id, short_hash, text_of
from shared.contracts.base import Envelope
from shared.contracts.matching.matches import OfferDeclined
from shared.identity.digests import derived_key
from shared.identity.keys import Keys
from shared.identity.sealing import seal
from shared.intake.receipts import signed_receipt
from shared.messaging.port import Record
from shared.testing.loop import SeededLoop
from shared.testing.runtime import SeededRuntime
from tests.simulation import promise_checks
from tests.simulation.cast import PURPOSE
from tests.simulation.evidence import Evidence
from tests.simulation.journal import Journal
from tests.simulation.recount import check_recounts
from tests.simulation.witness import Witness

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ONE, TWO = derived_id("match", "one"), derived_id("match", "two")
PLACED = derived_id(ONE, "placement")
Documents = dict[str, dict[str, list[dict[str, Any]]]]


def match(id: str, status: str) -> dict[str, Any]:
    return {"_id": id, "state": {"status": status, "parties": {"assignment": "a", "person": "p"}}}


def guard(id: str, **holds: str) -> dict[str, Any]:
    return {"_id": id, "state": None, "holds": {target: {"status": status} for target, status in holds.items()}}


def settled() -> Documents:
    """One accepted and placed, one reserve on the same assignment."""
    assignment = guard("a", **{ONE: "confirmed"}) | {"state": {"status": "filled", "terms": {"seats": 1}}}
    placement = {
        "_id": PLACED,
        "state": {"status": "completed", "match": ONE, "parties": {"assignment": "a", "person": "p"}},
    }
    return {
        "registration": {
            "persons": [{"_id": "p", "state": {"consents": {PURPOSE: "given"}}}],
            "documents": [guard("d", p="confirmed")],
        },
        "matching": {
            "assignments": [assignment],
            "matches": [match(ONE, "accepted"), match(TWO, "reserve")],
            "pools": [guard("p", **{ONE: "confirmed", TWO: "confirmed"})],
        },
        "placement": {"placements": [placement], "calendars": [guard("p", **{PLACED: "confirmed"})]},
    }


CHECKS = (
    promise_checks.check_holds,
    promise_checks.check_held,
    promise_checks.check_succession,
    promise_checks.check_both_sides,
    promise_checks.check_withdrawn,
)


def red(documents: Documents) -> set[str]:
    return {violation.invariant for check in CHECKS for violation in check(Evidence(documents))}


def test_what_is_settled_is_silent() -> None:
    assert red(settled()) == set()


def _state(documents: Documents, service: str, collection: str, number: int = 0) -> dict[str, Any]:
    state: dict[str, Any] = documents[service][collection][number]["state"]
    return state


def _hold(documents: Documents, service: str, collection: str, target: str) -> dict[str, Any]:
    hold: dict[str, Any] = documents[service][collection][0]["holds"][target]
    return hold


PLANTED: dict[str, tuple[Callable[[Documents], Any], str]] = {
    "hold undecided": (lambda d: _hold(d, "matching", "pools", ONE).update(status="held"), "I12"),
    "hold for nothing": (lambda d: _state(d, "matching", "matches", 1).update(status="declined"), "I12"),
    "released and used": (lambda d: _hold(d, "placement", "calendars", PLACED).update(status="released"), "I5"),
    "seat beside the guard": (lambda d: d["matching"]["assignments"][0]["holds"].clear(), "I5"),
    "reserve left waiting": (
        lambda d: (
            _state(d, "matching", "assignments").update(status="matching"),
            _state(d, "matching", "matches").update(status="declined"),
        ),
        "I12",
    ),
    "filled with nobody": (lambda d: _state(d, "matching", "matches").update(status="declined"), "I6"),
    "never filled": (lambda d: _state(d, "matching", "assignments").update(status="matching"), "I12"),
    "acceptance lost": (lambda d: d["placement"]["placements"].clear(), "I1"),
    "refusal that did not flow back": (lambda d: _state(d, "placement", "placements").update(status="refused"), "I12"),
    "placement on a declined match": (lambda d: _state(d, "matching", "matches").update(status="declined"), "I2"),
    "open after the withdrawal": (
        lambda d: _state(d, "registration", "persons").update(consents={PURPOSE: "withdrawn"}),
        "I12",
    ),
    "broken off by a message": (
        lambda d: (
            _state(d, "registration", "persons").update(consents={PURPOSE: "withdrawn"}),
            _state(d, "placement", "placements").update(status="ended_early", reason="consent_withdrawn"),
        ),
        "I6",
    ),
}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_broken_promise_is_red(name: str) -> None:
    plant, invariant = PLANTED[name]
    documents = copy.deepcopy(settled())
    plant(documents)
    assert invariant in red(documents)


RECEIPT = ("matching", "s", "application", ONE, "2026-01-05T09:00:00.000000Z", "digest", "salt")


def submission(keys: Keys, receipt: dict[str, Any], **changes: Any) -> dict[str, Any]:
    key = derived_key(keys.command_key("matching"), "receipts")
    proof = seal(key, json.dumps(receipt), person="s", field="proof", rng=random.Random(1))
    document = {"_id": "s", "kind": "application", "subject": ONE, "status": "accepted", "person": None, "proof": proof}
    return {**document, **changes}


def test_submissions() -> None:
    keys = Keys.in_memory(SeededRuntime(SeededLoop(1), "keys").rng)
    opened = {"_id": ONE, "applied": {short_hash(derived_id("s", "match")): ["", 1]}}
    receipt = signed_receipt(keys, *RECEIPT)
    right = submission(keys, receipt)
    journal = Journal(receipts={"s": [receipt]})

    def rules(submitted: dict[str, Any], matches: list[dict[str, Any]], journal: Journal) -> set[str]:
        documents: Documents = {
            "registration": {"submissions": []},
            "matching": {"submissions": [submitted], "matches": matches},
        }
        return {one.invariant for one in promise_checks.check_submissions(Evidence(documents), journal, keys)}

    assert rules(right, [opened], journal) == set()
    assert rules(submission(keys, receipt, status="pending"), [opened], journal) == {"I12"}
    assert rules(right, [], journal) == {"I1"}
    forged = {**receipt, "digest": "another"}
    assert rules(submission(keys, forged), [opened], Journal()) == {"I1"}
    assert rules({**right, "proof": None}, [opened], Journal()) == {"I1"}
    assert rules(right, [opened], Journal(receipts={"s": [forged]})) == {"I1"}


def test_what_is_parked_for_a_person_is_red() -> None:
    entry = {"topic": "matching.matches", "partition": 0, "offset": 0, "reason": "refused:rule"}
    evidence = Evidence({"placement": {"shadows": [{"_id": ONE, "parked": [entry]}]}})
    assert [one.invariant for one in promise_checks.check_parked(evidence)] == ["I12"]


def witness() -> tuple[Witness, list[str]]:
    taken: list[str] = []
    return Witness(lambda: NOW, taken.append), taken


def test_a_seat_too_many_is_seen_at_its_moment() -> None:
    seen, _ = witness()
    seen.landed("matching", "assignments", {"_id": "a", "state": {"status": "matching", "terms": {"seats": 1}}})
    for status in ("allocated", "declined"):
        seen.landed("matching", "matches", match(ONE, status))
    seen.landed("matching", "matches", match(TWO, "allocated"))
    assert seen.violations == []
    seen.landed("matching", "matches", match(ONE, "allocated"))
    seen.landed("matching", "matches", match(ONE, "declined"))
    assert [violation.invariant for violation in seen.violations] == ["I5"]
    assert seen.counts["offers_declined"] == 2


def placement(id: str, starts_on: str, ends_on: str, status: str = "active") -> dict[str, Any]:
    parties = {"assignment": "a", "person": "p"}
    dates = {"starts_on": starts_on, "ends_on": ends_on}
    return {"_id": id, "state": {"status": status, "parties": parties, "terms": {"modality": "temporary"}, **dates}}


def test_an_overlap_is_seen_at_its_moment() -> None:
    seen, _ = witness()
    seen.landed("placement", "placements", placement("one", "2026-01-01", "2026-02-01"))
    seen.landed("placement", "placements", placement("two", "2026-02-01", "2026-03-01"))
    assert seen.violations == []
    seen.landed("placement", "placements", placement("two", "2026-01-31", "2026-03-01"))
    seen.landed("placement", "placements", placement("two", "2026-01-31", "2026-03-01", "cancelled"))
    assert [violation.invariant for violation in seen.violations] == ["I5"]


def test_what_came_about_by_itself_is_counted() -> None:
    seen, taken = witness()
    entry = {"topic": "t", "partition": 0, "offset": 0, "reason": "too_early:programme_version"}
    for parked in ([], [entry], []):
        seen.landed("matching", "shadows", {"_id": ONE, "parked": parked, "heads": {}})
    pending = {"_id": "s", "status": "pending", "next_at": "2026-01-05T08:59:00.000000Z"}
    for document in (pending, pending | {"status": "accepted"}):
        seen.landed("matching", "submissions", document)
    held = guard("p", **{ONE: "held"})
    for document in (held, held):
        seen.landed("placement", "calendars", document)
    lapsed = match(ONE, "retracted")
    lapsed["state"]["reason"] = "hold_lapsed"
    seen.landed("matching", "matches", lapsed)
    assert +seen.counts == {"parked_too_early": 1, "healed": 1, "submissions_by_timer": 1, "holds_voided": 1}
    assert taken == ["placement"]


def test_recounts() -> None:
    assert list(check_recounts({"facts": {"placed": 5}, "replay": {"placed": 5}})) == []
    for other in ({"placed": 4}, {}):
        found = list(check_recounts({"facts": {"placed": 5}, "replay": other}))
        assert [violation.invariant for violation in found] == ["I7"]


def test_a_hold_that_outlives_the_marked_end_of_its_match_is_red() -> None:
    declined = OfferDeclined(happened_at=NOW, reason="family")
    envelope = Envelope("e", declined.type_name(), 1, "/matching", ONE, text_of(NOW), 1, 1)
    headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
    records = {declined.topic: [Record(declined.topic, 0, 0, ONE.encode(), declined.body().encode(), headers, 0)]}

    def rules(mark: int, status: str) -> list[str]:
        shadow = {"_id": ONE, "marks": {"matching/matches": [1, mark]}, "parked": []}
        matching = {"shadows": [shadow], "pools": [guard("p", **{ONE: status})]}
        found = promise_checks.check_given_back(Evidence({"matching": matching}, records))
        return [one.invariant for one in found]

    assert rules(1, "confirmed") == ["I10"]
    assert rules(0, "confirmed") == rules(1, "released") == []
