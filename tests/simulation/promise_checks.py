"""What the services promise over several documents, once all is quiet: holds, seats, consents, submissions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from services.registration.store import OFFICE_MARK
from shared.clock import derived_id, instant_of, short_hash
from shared.contracts.registry import read as read_event
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.keys import Keys, verify_receipt
from shared.identity.sealing import SealBroken
from shared.intake.proofs import decided_receipt
from shared.intake.receipts import signed_bytes
from shared.store.port import Document
from tests.simulation.cast import LEAST_YEARS, LEAVING, PURPOSE
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal
from tests.simulation.stream_checks import mark_of
from tests.simulation.witness import NEVER_BEGUN, SEATED

ENDED = frozenset({"not_selected", "declined", "expired", "retracted"})
# The guard's collection, its target's, and in which states a target uses what it holds.
GUARDS: tuple[tuple[str, str, str, frozenset[str]], ...] = (
    ("registration", "documents", "persons", frozenset()),
    ("matching", "assignments", "matches", ENDED),
    ("matching", "pools", "matches", ENDED),
    ("placement", "calendars", "placements", NEVER_BEGUN),
)
MATCHES_TOPIC = "matching.matches"
EXPERTS_TOPIC = "registration.experts"
# After each of them matching settles the match's hold in the person's pool.
ENDINGS = frozenset({"ExpertNotSelected", "OfferDeclined", "OfferExpired", "MatchRetracted"})
DECIDED_AS = {"expert-registration": ("experts", "expert"), "application": ("matches", "match")}


def check_holds(evidence: Evidence) -> Iterator[Violation]:
    """I12: no hold is left undecided; a standing one is used by its target, a released one is not."""
    for service, collection, targets, spent in GUARDS:
        states = {one["_id"]: one.get("state") for one in evidence.documents[service][targets]}
        for guard in evidence.documents[service][collection]:
            for target, hold in guard["holds"].items():
                name = f"{collection}/{guard['_id']}"
                state = states.get(target)
                used = state is not None and state.get("status") not in spent
                if hold["status"] == "held":
                    yield Violation("I12", name, f"the hold of {target} is neither confirmed nor released")
                elif hold["status"] == "confirmed" and not used:
                    yield Violation("I12", name, f"the hold of {target} stands for nothing")
                elif hold["status"] == "released" and used and not _needs_no_seat(collection, state):
                    yield Violation("I5", name, f"{target} uses a hold that was released")


def check_handovers(evidence: Evidence, until: datetime) -> Iterator[Violation]:
    """I12: no account is offered beyond its time."""
    for collection in ("institutions", "persons"):
        for document in evidence.documents["registration"][collection]:
            proposal = (document.get("state") or {}).get("handover")
            if proposal and instant_of(proposal["ends_at"]) < until:
                yield Violation("I12", f"{collection}/{document['_id']}", "its account is offered beyond its time")


def check_given_back(evidence: Evidence) -> Iterator[Violation]:
    """I10: where the end of a match is marked, what follows from it was done: nothing of the person is held for it."""
    matching = evidence.documents["matching"]
    shadows = {one["_id"]: one for one in matching["shadows"]}
    standing = {target: person for person, target in _standing(matching["pools"])}
    for read in evidence.reads(MATCHES_TOPIC):
        match = read.envelope.subject
        marked = match in shadows and mark_of(shadows[match], MATCHES_TOPIC) >= read.place
        if read.name in ENDINGS and marked and match in standing:
            detail = f"{read.name} {read.place} is marked, its effect in pools/{standing[match]} is missing"
            yield Violation("I10", f"{MATCHES_TOPIC}/{match}", detail)


def _needs_no_seat(collection: str, state: Mapping[str, Any] | None) -> bool:
    """A person is one without a document too; whose number it is now, `check_moved` asks."""
    if collection == "documents":
        return True
    return collection == "assignments" and state is not None and state["status"] not in SEATED


LOST = ("refused", "released")


def check_moved(evidence: Evidence) -> Iterator[Violation]:
    """I10: a number that was decided to be another's is that person's, and whoever held it was told, once. One that was
    decided about again, as when its first holder claims it back, stands as it was decided last."""
    persons = {one["_id"]: one for one in evidence.documents["registration"]["persons"]}
    holds = {one["_id"]: one["holds"] for one in evidence.documents["registration"]["documents"]}
    cases = {one["_id"]: one for one in evidence.documents["registration"]["experts"]}
    settled = [read for read in evidence.reads(EXPERTS_TOPIC) if read.name == "ExpertIdentitySettled"]
    settled.sort(key=lambda read: read.envelope.recorded_time or "")
    last = {cases[read.envelope.subject]["private"]["claimed"]: read for read in settled}
    for number, read in last.items():
        event: Any = read_event(read.envelope, read.record.value or b"")
        name = f"{EXPERTS_TOPIC}/{read.envelope.subject}"
        if any(persons[one]["state"]["status"] == "erased" for one in (event.holder, event.person)):
            continue
        standing = holds[number]
        found = tuple(standing[one]["status"] for one in (event.holder, event.person))
        # Whoever held it before another claim moved it away comes back as a claimant.
        right = {"moves": {("released", "confirmed")}}.get(event.outcome, {("confirmed", one) for one in LOST})
        if found not in right:
            yield Violation("I10", name, f"{event.outcome}, and holder and claimant are {', '.join(found)}")
        if persons[event.holder]["state"].get("claim", {}).get("outcome") != event.outcome:
            yield Violation("I10", name, "the holder was not told")


def check_held(evidence: Evidence) -> Iterator[Violation]:
    """I5: whoever uses a seat, a pool or a calendar holds it there."""
    matching, placement = evidence.documents["matching"], evidence.documents["placement"]
    seats, pools = _standing(matching["assignments"]), _standing(matching["pools"])
    calendars = _standing(placement["calendars"])
    for one in _with_state(matching["matches"]):
        parties, status = one["state"]["parties"], one["state"]["status"]
        if status in SEATED and (parties["assignment"], one["_id"]) not in seats:
            yield Violation("I5", f"match/{one['_id']}", "sits on a seat that it does not hold")
        if status not in ENDED and (parties["person"], one["_id"]) not in pools:
            yield Violation("I5", f"match/{one['_id']}", "is open beside the person's pool")
    for one in _with_state(placement["placements"]):
        person = one["state"]["parties"]["person"]
        if one["state"]["status"] not in NEVER_BEGUN and (person, one["_id"]) not in calendars:
            yield Violation("I5", f"placement/{one['_id']}", "has dates that it does not hold")


def _standing(guards: list[Document]) -> set[tuple[str, str]]:
    return {
        (guard["_id"], target)
        for guard in guards
        for target, hold in guard["holds"].items()
        if hold["status"] in ("held", "confirmed")
    }


def _with_state(documents: list[Document]) -> list[Document]:
    return [document for document in documents if document.get("state")]


def check_succession(evidence: Evidence) -> Iterator[Violation]:
    """I12: a free seat has gone to the next reserve; an assignment is filled exactly when its seats are accepted."""
    by_assignment: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for match in _with_state(evidence.documents["matching"]["matches"]):
        by_assignment[match["state"]["parties"]["assignment"]].append(match)
    for assignment in _with_state(evidence.documents["matching"]["assignments"]):
        state, matches = assignment["state"], by_assignment[assignment["_id"]]
        name, seats = f"assignment/{assignment['_id']}", state["terms"]["seats"]
        statuses = [match["state"]["status"] for match in matches]
        reserves = [m for m in matches if m["state"]["status"] == "reserve" and m["_id"] not in assignment["holds"]]
        seated = sum(status in SEATED for status in statuses)
        if state["status"] == "matching" and seated < seats and reserves:
            yield Violation("I12", name, f"{seats - seated} free seats and {len(reserves)} reserves")
        kept = sum(status in ("accepted", "retracting") for status in statuses)
        if state["status"] == "filled" and kept < seats:
            yield Violation("I6", name, f"is filled with {kept} of {seats} accepted")
        if state["status"] == "matching" and statuses.count("accepted") >= seats:
            yield Violation("I12", name, "has all seats accepted and is not filled")


def check_both_sides(evidence: Evidence) -> Iterator[Violation]:
    """I12: matching and placement agree on every accepted match."""
    matches = {one["_id"]: one["state"] for one in _with_state(evidence.documents["matching"]["matches"])}
    placements = {one["_id"]: one["state"] for one in _with_state(evidence.documents["placement"]["placements"])}
    for match, state in matches.items():
        placement = placements.get(derived_id(match, "placement"))
        name, status = f"match/{match}", state["status"]
        if status == "accepted" and placement is None:
            yield Violation("I1", name, "was accepted and never came to a placement")
        elif status == "accepted" and placement is not None and placement["status"] in NEVER_BEGUN:
            yield Violation("I12", name, f"is {status}, its placement {placement['status']}")
        elif status == "retracting":
            yield Violation("I12", name, "is still being retracted")
    for id, placement in placements.items():
        state = matches.get(placement["match"], {})
        if placement["status"] not in NEVER_BEGUN and state.get("status") not in (
            "accepted",
            "retracting",
            "retracted",
        ):
            yield Violation("I2", f"placement/{id}", f"stands on a match that is {state.get('status')}")


def check_offices(evidence: Evidence) -> Iterator[Violation]:
    """I12: what hangs on a case that was passed on is of the same office; an office reads the persons of its cases."""
    matching, registration = evidence.documents["matching"], evidence.documents["registration"]
    assignments = {one["_id"]: one["state"]["office"] for one in _with_state(matching["assignments"])}
    matches = {one["_id"]: one["state"]["parties"] for one in _with_state(matching["matches"])}
    for id, parties in matches.items():
        if parties["office"] != assignments[parties["assignment"]]:
            yield Violation("I12", f"match/{id}", f"is of {parties['office']}, and its assignment is not")
    for one in _with_state(evidence.documents["placement"]["placements"]):
        office = one["state"]["parties"]["office"]
        if office != matches[one["state"]["match"]]["office"]:
            yield Violation("I12", f"placement/{one['_id']}", f"is of {office}, and its match is not")
    cases: defaultdict[str, set[str]] = defaultdict(set)
    for one in _with_state(registration["experts"]):
        cases[one["state"]["person"]].add(one["state"]["office"])
    for one in _with_state(registration["persons"]):
        marks = {name.removeprefix(OFFICE_MARK) for name in one["private"] if name.startswith(OFFICE_MARK)}
        if cases[one["_id"]] and one["state"]["status"] != "erased" and marks != cases[one["_id"]]:
            yield Violation("I12", f"person/{one['_id']}", f"is read by {sorted(marks)}")


def check_withdrawn(evidence: Evidence) -> Iterator[Violation]:
    """A withdrawn consent stops everything that has not begun (docs/kernel.md, section 3); counted as I12."""
    persons = evidence.documents["registration"]["persons"]
    withdrawn = {one["_id"] for one in persons if one["state"]["consents"].get(PURPOSE) == "withdrawn"}
    for match in _with_state(evidence.documents["matching"]["matches"]):
        state = match["state"]
        if state["parties"]["person"] in withdrawn and state["status"] not in (*ENDED, "accepted", "retracting"):
            yield Violation("I12", f"match/{match['_id']}", f"is {state['status']} after the withdrawal")
    for placement in _with_state(evidence.documents["placement"]["placements"]):
        state = placement["state"]
        before = state["status"] in ("host_confirmed", "contracted", "pre_departure", "travelling")
        if state["parties"]["person"] in withdrawn and before:
            yield Violation("I12", f"placement/{placement['_id']}", f"is {state['status']} after the withdrawal")
        if state["status"] == "ended_early" and state.get("reason") == "consent_withdrawn":
            yield Violation("I6", f"placement/{placement['_id']}", "a running return was broken off by a message")


def check_decided(evidence: Evidence) -> Iterator[Violation]:
    """I12: what was decided on an expert is what the simulated programme's one criterion says of the newest profile,
    or the case is flagged.

    Who is flagged stands on an offer; a case on its way back to screening has arrived there.
    """
    registration = evidence.documents["registration"]
    offered = {
        one["state"]["parties"]["expert"]
        for one in _with_state(evidence.documents["matching"]["matches"])
        if one["state"]["status"] in ("offered", "accepted", "retracting")
    }
    standing = [one for one in _with_state(registration["persons"]) if one["state"]["status"] != "erased"]
    years = {one["_id"]: _newest(one)["experience_years"] for one in standing}
    for one in _with_state(registration["experts"]):
        if one["state"]["person"] not in years:
            continue
        state, name = one["state"], f"expert/{one['_id']}"
        meets, flagged = years[state["person"]] >= LEAST_YEARS, bool(state["failing"])
        if state["status"] == "eligible" and meets == flagged:
            yield Violation("I12", name, f"is eligible, {'flagged' if flagged else 'and meets the criteria no longer'}")
        if state["status"] == "ineligible" and meets:
            yield Violation("I12", name, "is ineligible and meets the criteria")
        if flagged and one["_id"] not in offered:
            yield Violation("I12", name, "is flagged, and no offer is out")


def _erased(evidence: Evidence) -> list[Document]:
    persons = evidence.documents["registration"].get("persons", [])
    return [one for one in _with_state(persons) if one["state"]["status"] == "erased"]


def check_erased(evidence: Evidence) -> Iterator[Violation]:
    """I12: of an erased person nothing is left but what is counted, in any service, and nothing is open."""
    owner = evidence.documents["registration"]
    erased = {one["_id"]: one for one in _erased(evidence)}
    if LEAVING.id in {one["_id"] for one in owner["persons"]} - set(erased):
        yield Violation("I12", f"person/{LEAVING.id}", "was to be erased")
    for id, one in erased.items():
        known = [entry["attributes"] for entry in one["state"]["entries"]]
        left = [name for name in one["private"] if not name.startswith(OFFICE_MARK)]
        left += [name for each in known for name, value in each.items() if name != "sex" and value != []]
        if left:
            yield Violation("I12", f"person/{id}", f"keeps {', '.join(left)}")
        for service, guards in (("matching", "pools"), ("placement", "calendars")):
            closed = {guard["_id"]: guard["closed"] for guard in evidence.documents[service][guards]}
            if not closed.get(id):
                yield Violation("I12", f"{guards}/{id}", "is not closed")
    for guard in owner["documents"]:
        if set(guard["holds"]) & set(erased):
            yield Violation("I12", f"document/{guard['_id']}", "names somebody who was erased")
    for one in _with_state(owner["experts"]):
        if one["state"]["person"] in erased and (one["state"]["status"] != "withdrawn" or one["private"]):
            yield Violation("I12", f"expert/{one['_id']}", f"is {one['state']['status']} with {list(one['private'])}")
    for shadow in evidence.documents["matching"]["shadows"]:
        if shadow["_id"] in erased and shadow["knowledge"].get("profile", {}).get("entries"):
            yield Violation("I12", f"shadow/{shadow['_id']}", "knows attributes of somebody who was erased")


def _newest(person: Document) -> Mapping[str, Any]:
    entries = person["state"]["entries"]
    attributes: Mapping[str, Any] = max(entries, key=lambda one: (one["valid_from"], one["recorded_at"]))["attributes"]
    return attributes


def check_submissions(evidence: Evidence, journal: Journal, keys: Keys) -> Iterator[Violation]:
    """I1: each receipt that was handed out is the stored one and verifies; what it stands for is decided.

    That of an erased person is opened by nobody any more (I12).
    """
    erased = {one["_id"] for one in _erased(evidence)}
    for service in ("registration", "matching"):
        public = keys.receipt_public_keys(service)
        applied = {
            collection: {one["_id"]: one["applied"] for one in evidence.documents[service].get(collection, [])}
            for collection, _ in DECIDED_AS.values()
        }
        submissions = evidence.documents[service]["submissions"]
        for one, receipt in zip(submissions, receipts_of(submissions, keys, service), strict=True):
            name = f"submissions/{one['_id']}"
            if one["status"] == "pending":
                yield Violation("I12", name, "was never decided")
                continue
            if one["person"] in erased:
                if receipt is not None:
                    yield Violation("I12", name, "the receipt of somebody who was erased opens")
                continue
            if receipt is None or not verify_receipt(
                public, receipt["key_id"], signed_bytes(receipt), receipt["signature"]
            ):
                yield Violation("I1", name, "the receipt does not verify")
            if any(handed_out != receipt for handed_out in journal.receipts.get(one["_id"], ())):
                yield Violation("I1", name, "another receipt was handed out than the stored one")
            collection, step = DECIDED_AS[one["kind"]]
            command = short_hash(derived_id(one["_id"], step))
            if one["status"] == "accepted" and command not in applied[collection].get(one["subject"], {}):
                yield Violation("I1", name, f"was accepted, and {collection} has nothing of it")


def receipts_of(submissions: Sequence[Document], keys: Keys, service: str) -> list[dict[str, Any] | None]:
    """The receipts of decided submissions, opened; None for one that does not open, or is not decided."""

    async def one(document: Document) -> dict[str, Any] | None:
        try:
            return await decided_receipt(keys, service, document) if document["status"] != "pending" else None
        except (KeyDestroyed, SealBroken):
            return None

    async def each() -> list[dict[str, Any] | None]:
        return [await one(document) for document in submissions]

    # In a thread of its own: a checker may be called within a running loop, and is a plain function.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(each())).result()


def check_parked(evidence: Evidence) -> Iterator[Violation]:
    """I12: what came too early has healed, and nothing waits for a person."""
    for service, collections in evidence.documents.items():
        for shadow in collections["shadows"]:
            for entry in shadow["parked"]:
                yield Violation("I12", f"{service} shadow/{shadow['_id']}", f"{entry['topic']}: {entry['reason']}")
