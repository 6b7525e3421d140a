"""Sees every save at the moment at which it lands: what must never be, not even for a moment, and what happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

from shared.clock import text_of
from shared.store.port import Appended, Document, Store
from tests.simulation.evidence import Violation

SEATED = frozenset({"allocated", "offered", "accepted", "retracting"})
NEVER_BEGUN = frozenset({"refused", "cancelled", "no_show"})
VOIDED = frozenset({"hold_lapsed", "hold_expired"})
COUNTED = {
    ("matches", "expired"): "offers_expired",
    ("matches", "declined"): "offers_declined",
    ("experts", "appealed"): "appeals",
    ("experts", "suspended"): "suspensions",
    ("experts", "identity_clash"): "numbers_claimed",
    ("placements", "completed"): "returns_completed",
    ("placements", "refused"): "placements_refused",
    ("placements", "cancelled"): "placements_cancelled",
}
Span = tuple[str, str]


class Witness:
    """`violations`: I5 in the order in which documents really changed. `counts`: what came about by itself.

    `on_hold` is told of the service in which a hold was just taken: the one moment for which guards are there.
    """

    def __init__(self, now: Callable[[], datetime], on_hold: Callable[[str], None]) -> None:
        self._on_hold = on_hold
        self.violations: list[Violation] = []
        self.counts: Counter[str] = Counter()
        self._now = now
        self._before: dict[tuple[str, str, str], Document] = {}
        self._seats: dict[str, int] = {}
        self._seated: defaultdict[str, set[str]] = defaultdict(set)
        self._stays: defaultdict[str, dict[str, Span]] = defaultdict(dict)

    def landed(self, service: str, collection: str, document: Document) -> None:
        key = (service, collection, document["_id"])
        before = self._before.get(key, {})
        self._before[key] = document
        state, earlier = document.get("state") or {}, before.get("state") or {}
        if state.get("status") != earlier.get("status"):
            self._turned(collection, state, earlier.get("status"))
        if collection == "experts":
            self.counts["decisions_flagged"] += bool(state.get("failing")) and not earlier.get("failing")
            flagged = [bool(one.get("private", {}).get("possible_duplicate")) for one in (before, document)]
            self.counts["kept_apart"] += flagged == [True, False]
        if earlier.get("handover") and not state.get("handover"):
            self.counts["handovers_accepted"] += state.get("account") != earlier.get("account")
            self.counts["handovers_ended"] += state.get("account") == earlier.get("account")
        if collection == "persons" and state.get("identity_change") != earlier.get("identity_change"):
            self.counts["identities_changed"] += state["identity_change"] == "confirmed"
        if _held(document) - _held(before):
            self._on_hold(service)
        match collection:
            case "assignments" if state:
                self._seats[document["_id"]] = state["terms"]["seats"]
            case "matches" if state:
                self._seat(document["_id"], state)
            case "placements":
                self._stay(document["_id"], state)
            case "shadows":
                self._park(before.get("parked", ()), document["parked"])
                self.counts["parked_dropped"] += len(document.get("dropped", ())) - len(before.get("dropped", ()))
                self._watch_heads(before.get("heads", {}), document["heads"])
            case "submissions" if before.get("status") == "pending" and document["status"] != "pending":
                # Whoever decides at once is through long before.
                self.counts["submissions_by_timer"] += before["next_at"] <= text_of(self._now())

    def _turned(self, collection: str, state: Mapping[str, Any], before: str | None) -> None:
        self.counts["holds_voided"] += state.get("reason") in VOIDED
        if name := COUNTED.get((collection, state.get("status", ""))):
            self.counts[name] += 1
        if collection == "matches":
            self.counts["rounds_anew"] += before is None and "previous" in state
            self.counts["answers_taken_back"] += before in ("declined", "expired")
        if (collection, before, state.get("status")) == ("matches", "retracting", "accepted"):
            self.counts["matches_kept"] += 1
        if collection == "experts" and (state.get("status"), state.get("reason")) == ("screening", "profile_changed"):
            self.counts["screened_anew"] += 1

    def _seat(self, match: str, state: Mapping[str, Any]) -> None:
        assignment = state["parties"]["assignment"]
        seated = self._seated[assignment]
        if state["status"] not in SEATED:
            seated.discard(match)
        elif match not in seated:
            seated.add(match)
            if len(seated) > self._seats.get(assignment, 0):
                detail = f"{len(seated)} matches at one moment on {self._seats.get(assignment, 0)} seats"
                self.violations.append(Violation("I5", f"assignment/{assignment}", detail))

    def _stay(self, placement: str, state: Mapping[str, Any]) -> None:
        person = state["parties"]["person"]
        stays = self._stays[person]
        stays.pop(placement, None)
        if state["status"] in NEVER_BEGUN or "terms" not in state or state["terms"]["modality"] == "virtual":
            return
        stays[placement] = (state["starts_on"], state["ends_on"])
        for (one, a), (other, b) in combinations(stays.items(), 2):
            if placement in (one, other) and max(a[0], b[0]) < min(a[1], b[1]):
                detail = f"placements {one} and {other} overlap at one moment"
                self.violations.append(Violation("I5", f"person/{person}", detail))

    def _park(self, before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> None:
        waited = {_place(entry) for entry in before if entry["reason"].startswith("too_early")}
        waits = {_place(entry) for entry in now if entry["reason"].startswith("too_early")}
        self.counts["parked_too_early"] += len(waits - waited)
        self.counts["healed"] += len(waited - {_place(entry) for entry in now})

    def _watch_heads(self, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
        stood, stands = _stale(before), _stale(now)
        self.counts["stale_heads"] += len(stands - stood)
        self.counts["heads_mended"] += len(stood - stands)


def _stale(heads: Mapping[str, Any]) -> set[str]:
    return {topic for topic, head in heads.items() if head["ask_at"]}


def _held(document: Mapping[str, Any]) -> set[str]:
    return {target for target, hold in document.get("holds", {}).items() if hold["status"] == "held"}


def _place(entry: Mapping[str, Any]) -> tuple[str, int, int]:
    return entry["topic"], entry["partition"], entry["offset"]


class WitnessedStore:
    """A store that tells the witness of each write that it has carried out."""

    def __init__(self, service: str, store: Store, witness: Witness) -> None:
        self._service = service
        self._store = store
        self._witness = witness

        # Everything else goes straight through; `__getattr__` would cost as much as a read in memory.
        self.start, self.load, self.find, self.count = store.start, store.load, store.find, store.count
        self.sent, self.scan, self.clock, self.settings = store.sent, store.scan, store.clock, store.settings
        self.stop, self.truncate, self.holding = store.stop, store.truncate, store.holding

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        await self._store.save(collection, document, expected_version)
        self._witness.landed(self._service, collection, document)

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        outcomes = await self._store.append(collection, documents)
        for document, outcome in zip(documents, outcomes, strict=True):
            if outcome == "written":
                self._witness.landed(self._service, collection, document)
        return outcomes
