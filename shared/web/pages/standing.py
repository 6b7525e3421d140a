"""Where a case stands for its reader: since when, whom it waits for, until when, and what is not possible now and why.

All of it follows from the table of moves at each look. A veiled state is the one that it is read as, in every word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from shared.cases.case import NEW, Case, Move, status_of
from shared.cases.revisions import REVISING
from shared.cases.taking import rule_against, taken_by
from shared.contracts.base import Scope
from shared.errors import Refusal
from shared.identity.roles import ROLES, By, Role
from shared.identity.tokens import Principal
from shared.programmes.model import Definition
from shared.store.aggregates import WRITTEN_BY
from shared.store.port import Document
from shared.web.acting import Served, stands_in
from shared.web.callers import Granted
from shared.web.timeline import Timeline
from shared.web.weighing import Shut
from shared.zones import zone

# Whoever works for an office does as well what these do, and records it; the case waits for them.
_ASKED_FIRST: tuple[Role, ...] = ("expert", "host")
FOUR_EYES = "four_eyes"


@dataclass(frozen=True)
class Closed:
    """A verb of the reader's role that is not open now. `rule`: which says why; else `states` in which it is open.
    `opens_on`: the day that opens it."""

    verb: str
    rule: str
    states: tuple[str, ...]
    opens_on: date | None = None


@dataclass(frozen=True)
class Act:
    """A verb that is open to the reader. `leads`: it is the one by which the case goes on."""

    verb: str
    leads: bool


@dataclass(frozen=True)
class Standing:
    """`since`: None where the case no longer tells it. `waits_for`: nobody where it is over (`ended`), or where it goes
    on by itself; `waits_from`: from which day on, for whom that is a later one. `until`: when its timer goes off; where
    nobody is waited for, only while that lies ahead; None for what ends by the way. `zone`: the office's. `shut`: what
    is refused for now whatever the state leaves open."""

    state: str
    since: datetime | None
    waits_for: tuple[Role, ...]
    ended: bool
    until: datetime | None
    scope: Scope
    zone: tzinfo
    closed: tuple[Closed, ...]
    waits_from: Mapping[Role, date]
    shut: Collection[str]

    def awaits(self, role: Role) -> bool:
        """Whether it waits for the role today."""
        return role in self.waits_for and role not in self.waits_from

    def possible(self, open_verbs: Iterable[str]) -> list[str]:
        """Of what the state leaves open what would not be refused for now."""
        return [verb for verb in open_verbs if verb not in self.shut]


async def standing_of(
    served: Served, document: Document, granted: Granted, timeline: Timeline, known: Iterable[Definition]
) -> Standing:
    """`timeline`: all of the case's; `known`: its programme, or every one. Raises TooEarly."""
    case, role = served.case, granted.principal.role
    state = _as_read(served.aggregate.read(document), case.veil_of(role))
    status = status_of(state)
    scope, shuts = case.scope(state), await served.shuts(document, granted)
    waits = waits_for(case, state, shuts)
    return Standing(
        status,
        _since(timeline),
        tuple(waits),
        not any(_goes_on(move, status) for move in case.moves),
        _until(case, state, granted.edge.runtime.now(), waited_for=bool(waits)),
        scope,
        zone_of(case, state, known),
        (*closed_to(served, document, granted.principal), *_held_up(served, document, granted.principal, shuts)),
        {one: day for one, day in waits.items() if day is not None},
        shuts.keys(),
    )


def closed_to(served: Served, document: Document, principal: Principal) -> tuple[Closed, ...]:
    """The verbs of the reader's role that the case does not leave open now, each with why."""
    veil = served.case.veil_of(principal.role)
    state = _as_read(served.aggregate.read(document), veil)
    return tuple(_closed(served.case, state, principal, veil, document))


def acts_of(served: Served, document: Document, principal: Principal, open_verbs: Sequence[str]) -> tuple[Act, ...]:
    """What is open to the reader: first what leads the case on, then what is to be done where it is, then ways that
    nobody waits for; each in the order of the table. A verb that opens cases has its form beside the list, not here."""
    rows = served.case.rows
    open_verbs = [verb for verb in open_verbs if not rows[verb][0].opens]
    state = _as_read(served.aggregate.read(document), served.case.veil_of(principal.role))
    ranks = {verb: min(_rank(row, state) for row in rows[verb]) for verb in open_verbs}
    ranked = sorted(open_verbs, key=ranks.__getitem__)
    return tuple(Act(verb, verb == ranked[0] and ranks[verb] != _BY_THE_WAY) for verb in ranked)


def _held_up(served: Served, document: Document, principal: Principal, shuts: Mapping[str, Shut]) -> list[Closed]:
    """What the state leaves open to the reader and is refused for now."""
    state = _as_read(served.aggregate.read(document), served.case.veil_of(principal.role))
    left = served.case.open_to(state, principal.role) if shuts else {}
    held = [verb for verb, by in left.items() if verb in shuts and stands_in(document, principal, by)]
    return [Closed(one, shuts[one].rule, (), shuts[one].opens_on) for one in held]


# By how much a row moves its case: on to another state, within the one it is in, or by the way.
_LEADS, _STAYS, _BY_THE_WAY = range(3)


def _rank(row: Move, state: Any) -> int:
    status = status_of(state)
    if row.aside or row.verb in REVISING or status not in row.before:
        return _BY_THE_WAY
    return _LEADS if row.leads_to(status) != {status} else _STAYS


def _goes_on(move: Move, status: str) -> bool:
    """Whether somebody may still do it from there, or it leads elsewhere by itself; what puts right is no going on."""
    if status not in move.before or move.verb in REVISING:
        return False
    return bool(move.by) or move.leads_to(status) != {status}


def waits_for(case: Case[Any], state: Any, shuts: Mapping[str, Shut]) -> Mapping[Role, date | None]:
    """The roles of whoever takes the next step: what leads on, with what answers something before; where nothing does,
    what is to be done there. With the day from which on each can, where that is a later one; who can do nothing until
    somebody else has is left out."""
    status = status_of(state)
    rows = [
        row
        for verb in case.verbs
        for row in case.rows[verb]
        if not row.aside and verb not in REVISING and row.is_open(state)
    ]
    steps = [row for row in rows if row.leads_to(status) != {status} or answers(row)] or rows
    asked = {role: [shuts.get(row.verb) for row in steps if role in _asked(row.by)] for role in ROLES}
    later = {role: _opens_on(held) for role, held in asked.items() if held}
    return {role: day for role, (can, day) in later.items() if can} or dict.fromkeys(later)


def _opens_on(held: Sequence[Shut | None]) -> tuple[bool, date | None]:
    """Of the steps of one role: whether one is possible at least on a later day, and the first such day."""
    days = [one.opens_on for one in held if one is not None and one.opens_on is not None]
    if None in held:
        return True, None
    return bool(days), min(days, default=None)


def answers(row: Move) -> bool:
    """Whether it answers what waits within a state, such as a report or a candidate: it is not open in all that stand
    there."""
    stays = any(row.leads_to(status) == {status} for status in row.before)
    return row.when is not None and stays and not row.aside and row.verb not in REVISING


def _asked(by: By) -> Iterable[Role]:
    return [role for role in _ASKED_FIRST if role in by] or by


def _as_read(state: Any, veil: Mapping[str, str]) -> Any:
    status = status_of(state)
    return state.model_copy(update={"status": veil[status]}) if status in veil else state


def _until(case: Case[Any], state: Any, now: datetime, *, waited_for: bool) -> datetime | None:
    """When the timer goes off. What ends by the way, as an offer of an account does, is no last day of the case; and
    what goes on by itself is late for nobody: a mail that may be sent waits for the next round, or for the morning."""
    timer = case.timer(state)
    if timer is None or not (waited_for or timer.at > now):
        return None
    rows = case.rows[timer.command.verb] if timer.command else ()
    return None if any(row.aside for row in rows) else timer.at


def _since(timeline: Timeline) -> datetime | None:
    """When it came to stand there: by the last fact that led elsewhere, or as it was opened."""
    led = (fact.at for fact in timeline.facts if fact.before)
    opened = timeline.facts[-1].at if timeline.facts and not timeline.missing else None
    return next(led, opened)


def _closed(
    case: Case[Any], state: Any, principal: Principal, veil: Mapping[str, str], document: Document
) -> Iterable[Closed]:
    role, taken = principal.role, taken_by(document)
    wrote = principal.account in document["private"].get(WRITTEN_BY, ())
    for verb in case.verbs:
        rows = case.rows[verb]
        if role not in rows[0].by or rows[0].opens:
            continue
        if not stands_in(document, principal, rows[0].by[role]):
            continue
        is_open = any(row.is_open(state) for row in rows)
        desk = rule_against(rows[0].desk, taken)
        if rows[0].settles and not document["private"].get(rows[0].settles):
            # Nothing is flagged, so nobody looks for the way to settle it.
            continue
        if is_open and not (wrote and rows[0].checked_by_another) and not desk:
            continue
        rule = (desk or FOUR_EYES) if is_open else _rule_against(rows, state)
        before = {veil.get(one, one) for row in rows for one in row.before - {NEW}}
        yield Closed(verb, rule, tuple(one for one in case.statuses if one in before))


def _rule_against(rows: Iterable[Move], state: Any) -> str:
    """The rule that refuses the verb here; empty where only the state does."""
    status = status_of(state)
    for row in rows:
        if status in row.named:
            return row.named[status]
        if status in row.before:
            try:
                row.check(state)
            except Refusal as refusal:
                return refusal.rule
    return ""


def zone_of(case: Case[Any], state: Any, known: Iterable[Definition]) -> tzinfo:
    """In which the case's days are reckoned: the zone that it names, or else its office's."""
    frame = getattr(state, "frame", None) or state
    named = getattr(frame, "time_zone", None)
    return zone(named) if named else zone_of_office(case.scope(state).office, known)


def zones_of(known: Iterable[Definition]) -> dict[str, str]:
    """The zone of each office by its code, as the first programme says it that has one."""
    return {office.code: office.time_zone for one in reversed(list(known)) for office in one.offices}


def zone_of_office(code: str | None, known: Iterable[Definition]) -> tzinfo:
    """The office's zone, as a programme says it; UTC where none does."""
    offices = (one.office(code) for one in known if code)
    return zone(next((office.time_zone for office in offices if office), "UTC"))
