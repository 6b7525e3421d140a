"""What a chapter of returns is to tell: one planned fact for each step that tells one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from deploy.replay.planned import Planned, Value
from deploy.replay.returns.assignments import Assignment
from deploy.replay.returns.hosts import Host
from deploy.replay.returns.people import Expert
from deploy.replay.returns.schedule import Schedule
from deploy.replay.steps import Step

# What each step of an assignment tells of it, or of whoever it is about.
OF_ASSIGNMENT = {"submit": "assignment_requested", "approve": "assignment_approved", "publish": "assignment_published"}
OF_MATCH = {
    "apply": "application_received",
    "allocate": "expert_matched",
    "offer": "offer_made",
    "accept": "offer_accepted",
    "decline": "offer_declined",
}
OF_PLACEMENT = {
    "contract": ("placement_contracted", "contract"),
    "extend": ("contract",),
    "confirm-arrival": ("return_started",),
    "complete": ("return_completed",),
    "end-early": ("placement_ended_early",),
    "report-no-show": ("no_show",),
    "cancel": ("placement_cancelled",),
}
# A placement that is called off takes these back; one that nobody came to, those of the match alone.
OF_A_SEAT = ("expert_matched", "offer_accepted")
TAKEN_BACK = {"cancelled": (*OF_A_SEAT, "placement_contracted", "contract"), "no_show": OF_A_SEAT}


def facts_of(schedule: Schedule, steps: Iterable[Step], reserve: bool) -> Iterator[Planned]:
    """The facts that stand in the end. `reserve`: whether the programme gives a free seat to the next of the list."""
    people = {one.name: one for one in schedule.people}
    hosts = {one.name: one for one in schedule.hosts}
    assignments = {one.name: one for one in schedule.assignments}
    for step in steps:
        name, _, verb = step.id.partition("/")
        if name in people:
            yield from _of_person(people[name], step, verb)
        elif name in hosts and verb == "activate":
            yield Planned("institution_activated", step.happened_at, step.office, _of_host(hosts[name]))
        elif name in assignments:
            yield from _of_assignment(assignments[name], step, verb, people, reserve)


def _of_host(host: Host) -> dict[str, Value]:
    return {
        "institution": host.name,
        "country": host.country,
        "area": host.area,
        "sector": host.sector,
        "host_type": host.host_type,
    }


def _of_person(expert: Expert, step: Step, verb: str) -> Iterator[Planned]:
    if verb == "withdraw":
        said: dict[str, Value] = {"recorded_person": expert.name, "purpose": expert.withdraws}
        yield Planned("consent_withdrawn", step.happened_at, step.office, said)
    kinds = {"register": "expert_registered", "screen": "expert_eligible" if expert.eligible else "expert_ineligible"}
    if verb in kinds:
        fields: dict[str, Value] = {"expert": expert.name, "person": expert.name, "channel": "officer"}
        if verb == "screen":
            del fields["channel"]
        yield Planned(kinds[verb], step.happened_at, step.office, fields, expert.attributes)


def _of_assignment(
    one: Assignment, step: Step, verb: str, people: Mapping[str, Expert], reserve: bool
) -> Iterator[Planned]:
    fields = {**_of_host(one.host), "assignment": one.name, "modality": one.modality}
    fields["occupation"] = one.base.occupation
    again = verb.removesuffix("-reserve")
    if verb in OF_ASSIGNMENT:
        yield Planned(OF_ASSIGNMENT[verb], step.happened_at, step.office, {**fields, "seats": 1})
        return
    taken_back = TAKEN_BACK.get(one.outcome, ())
    if again in OF_MATCH or again.startswith("apply-"):
        (name,) = step.about
        kind = OF_MATCH[again.split("-")[0]]
        if kind not in taken_back:
            more = {**_of_match(one, people[name]), "reason": "family" if kind == "offer_declined" else None}
            yield Planned(kind, step.happened_at, step.office, {**fields, **more}, people[name].attributes)
        if kind == "offer_accepted" and not taken_back:
            yield Planned("assignment_filled", step.happened_at, step.office, {**fields, "seats": 1})
    for kind in OF_PLACEMENT.get(verb.rstrip("-0123456789"), ()):
        if kind not in taken_back:
            more = {**_of_match(one, one.goes), **_of_placement(one, step, kind, verb)}
            yield Planned(kind, step.happened_at, step.office, {**fields, **more}, one.goes.attributes)
    if taken_back and verb in ("report-no-show", "cancel") and reserve and len(one.listed) > 1:
        # The seat is free again, and the first reserve is given it without being offered it.
        next_one = one.listed[1]
        more = _of_match(one, next_one)
        yield Planned("expert_matched", step.happened_at, step.office, {**fields, **more}, next_one.attributes)


def _of_match(one: Assignment, expert: Expert) -> dict[str, Value]:
    match = f"{one.name} {expert.name}"
    return {"match": match, "person": expert.name, "expert": expert.name}


def _of_placement(one: Assignment, step: Step, kind: str, verb: str) -> dict[str, Value]:
    told: dict[str, Value] = {"placement": one.name}
    if kind in ("contract", "placement_contracted"):
        number = 0 if verb == "contract" else int(verb.removeprefix("extend-") or 1) if "-" in verb else 1
        days = one.extensions[number - 1] if number else (one.ends_on - one.starts_on).days
        told |= {"days": days}
        if kind == "contract":
            told["contract_number"] = number + 1
    if kind in ("return_completed", "placement_ended_early"):
        last = one.ends_on + timedelta(days=sum(one.extensions) - 1)
        told["days_worked"] = (min(_day(step), last) - one.starts_on).days + 1
    if kind == "placement_ended_early" and one.early:
        told |= {"reason": one.early.reason, "party": one.early.party}
    if kind == "placement_cancelled":
        told["reason"] = one.reason
    return told


def _day(step: Step) -> date:
    return step.happened_at.date()
