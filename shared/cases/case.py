"""A case as a table of moves: what leads from which state where, who may do it, and what it says.

From the table follow the dispatch of commands, the states, the routes, the policy's rows, what is open to a reader
now, and the shortest way to a state. Rules that decide something are functions named in the table (docs/cases.md).
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from shared.cases.bodies import Change
from shared.cases.movable import moved
from shared.cases.named import OWN_WORDS, listed_words
from shared.cases.trail import Past, Trailed, amended, corrected, noted, restored, taken_back, told_anew
from shared.contracts.base import Aside, Event, Scope, declares, ends, said_of, tells_anew
from shared.contracts.corrections import FactTakenBack, Revising, TimeCorrected
from shared.contracts.transfers import Transferring
from shared.errors import Refusal
from shared.identity.roles import By, Relation, Role

# The state of a case that is not there yet.
NEW = "-"
# The state alone refuses the verb.
ILLEGAL = "illegal_transition"
NONE: frozenset[str] = frozenset()


def states(*names: str) -> frozenset[str]:
    """States that a move may begin in, or whatever else a row names several of."""
    return frozenset(names)


# A field of every event that nobody says: the kernel knows when and how something was recorded.
_OF_EVERY_EVENT = frozenset(Event.model_fields)


S = TypeVar("S", bound=BaseModel)
B = TypeVar("B")


@dataclass(frozen=True)
class Turn(Generic[S, B]):
    """What a rule decides on. `given`: what the move needs and whoever acts has fetched (`Move.needs`)."""

    found: S | None
    body: B
    now: datetime
    given: Any = None

    @property
    def state(self) -> S:
        """ValueError in a rule of a move that opens the case: nothing stands there yet."""
        if self.found is None:
            raise ValueError("a case that is about to be opened has no state")
        return self.found


# What a rule tells: fields of the event beside those that body and state say, or the events themselves.
Told = Mapping[str, Any] | Sequence[Event]
Rule = Callable[[Turn[Any, Any]], Told]
Overtaken = Literal["refused", "nothing"]
Eyes = Literal["writes", "checks", ""]
# What a move does with who of the office works on the case (shared.cases.taking), and the verbs of it.
Desk = Literal["takes", "passes_on", "gives_back", "leaves", ""]
TAKE, PASS_ON, GIVE_BACK = "take", "pass-on", "give-back"


def as_said(_turn: Turn[Any, Any]) -> Told:
    """The body says it all."""
    return {}


@dataclass(frozen=True)
class Move:
    """One arrow of a case's state machine.

    `event` tells what happened and by its `leads_to` where the case then stands; a tuple: one of these, as the rule
    decides, and an empty one where nothing is told. `then`: what may follow in the same save. `to`: where the arrow
    leads, if the events do not say.
    The event's fields come from what the rule tells, then from the body, then (required ones) from the state.

    `by`: who may do it through an edge and to which cases; nobody: a message, a timer or a guard does.
    `needs`: what whoever acts has to fetch or hold first; such a move has a work of its own at the edge.
    `when` refuses the cases of these states to which it does not apply; `already`: states in which asking again
    changes nothing.
    `named`: a refusal's own name in a state; `overtaken`: whether any other state refuses or nothing happens, for what
    follows from another document may come twice and late.
    `writes`, `checked_by_another`: whoever wrote what is approved is not the one who approves it (four eyes).
    `refuses`: rules that it may be refused by, beside the state. `example`: a body that is accepted.
    `reasons`, `items`: the codes that a body may name for them (`Listed` on its field); a programme may add some.
    `note_to`: who reads the note beside officers and whoever wrote it.
    `aside`: a way that stands open and that nobody waits for: to suspend, to cancel, to begin again.
    `desk`: what it does with who of the office works on the case.
    `anew`: the fields of the body that say again what the case says already, so a form of it begins with that; by the
    part of the case that has them, where it is not the case itself (`contact.often`).
    `settles`: the flag of the case that it takes away; only where the case has it, it is open.
    `answers`: the verb with which somebody asked for it, or wrote what it agrees to; its form shows that.
    `of_one`: what the body says is true of one case alone (a contact, a consent), so it is never asked of many at once.
    """

    verb: str
    before: frozenset[str]
    event: type[Event] | tuple[type[Event], ...]
    then: tuple[type[Event], ...] = ()
    to: frozenset[str] = NONE
    body: type[BaseModel] = Change
    by: By = field(default_factory=dict)
    rule: Rule = as_said
    needs: frozenset[str] = NONE
    when: Callable[[Any], None] | None = None
    already: frozenset[str] = NONE
    named: Mapping[str, str] = field(default_factory=dict)
    overtaken: Overtaken = "refused"
    writes: bool = False
    checked_by_another: bool = False
    refuses: tuple[str, ...] = ()
    example: Mapping[str, Any] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    note_to: tuple[Role, ...] = ()
    aside: bool = False
    desk: Desk = ""
    anew: tuple[str, ...] = ()
    settles: str = ""
    answers: str = ""
    of_one: bool = False

    @property
    def opens(self) -> bool:
        return NEW in self.before

    @property
    def first(self) -> tuple[type[Event], ...]:
        """The events of which one happens."""
        return self.event if isinstance(self.event, tuple) else (self.event,)

    def leads_to(self, status: str) -> frozenset[str]:
        """The states in which the case may stand after this move from `status`."""
        if self.to:
            return self.to
        later = frozenset(event.leads_to for event in self.then if event.leads_to)
        return later or frozenset(event.leads_to or status for event in self.first) or frozenset({status})

    def is_open(self, state: Any) -> bool:
        """Whether the state allows it; what a rule asks of the body, nobody can say before there is one."""
        if status_of(state) not in self.before:
            return False
        try:
            self.check(state)
        except Refusal:
            return False
        return True

    def check(self, state: Any) -> None:
        """Raises the Refusal of `when` on a case to which the move does not apply."""
        if self.when is not None and state is not None:
            self.when(state)

    def events(self, turn: Turn[Any, Any]) -> Sequence[Event]:
        """What happens. Raises the rule's Refusal."""
        told = self.rule(turn)
        if not isinstance(told, Mapping):
            return told
        (event,) = self.first
        return [event(happened_at=turn.now, **said(event, turn, told))]


def without_codes(move: Move) -> str:
    """The word of a list that the body names and the row leaves empty; empty where there is none."""
    words = listed_words(move.body).values()
    return next((word for word in words if word in OWN_WORDS and not getattr(move, f"{word}s")), "")


def said(event: type[Event], turn: Turn[Any, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The event's own fields: what the rule tells, else what the body says, else what it must have from the state."""
    fields = dict(told)
    for name, declared in event.model_fields.items():
        if name in fields or name in _OF_EVERY_EVENT:
            continue
        if declares(type(turn.body), name):
            fields[name] = getattr(turn.body, name)
        elif declared.is_required() and declares(type(turn.found), name):
            fields[name] = getattr(turn.found, name)
    return fields


@dataclass(frozen=True)
class Asked:
    """A command: a verb of the case with its body, and what whoever acts has fetched for it.

    `role`: of whoever asks for it; None where that is not known, and a refusal then says no more than anybody may read.
    """

    verb: str
    body: Any = field(default_factory=Change)
    given: Any = None
    role: str | None = None


@dataclass(frozen=True)
class Timer:
    """The one thing that a case waits for: firing executes `command` at `at`.

    `waits`: how long a case whose instant was over when it was recorded is left for what else is still to be recorded
    of that time; then the command runs as of `at`. None: such a case waits for nothing.
    `on_the_clock`: it is about people who wait now, so what was recorded late of the case changes nothing of it.
    """

    at: datetime
    command: Any
    waits: timedelta | None = None
    on_the_clock: bool = False


Fold = Callable[[Any, Any], Mapping[str, Any]]


def nothing_more(_state: Any, _event: Event) -> Mapping[str, Any]:
    return {}


def no_timer(_state: Any) -> Timer | None:
    return None


def scope_of(state: Any) -> Scope:
    """Office, programme and its version, as the state, its parties or its frame name them."""
    named = said_of(state, "parties") or said_of(state, "frame") or state
    return Scope(said_of(named, "office"), said_of(named, "programme"), said_of(named, "programme_version"))


def person_of(state: Any) -> str | None:
    """The person whom the case is about, as the state or its parties name one; None for what concerns no person."""
    named = said_of(state, "parties") or state
    person: str | None = said_of(named, "person")
    return person


@dataclass(frozen=True)
class Case(Generic[S]):
    """A kind of case. `name`: plural, as in its path, its collection and its topic; `state`: a frozen model with a
    `status`, the fold of the case's events.

    `fold` gives what an event changes beside the status, the fields that it shares with the state by name, and
    `opened_at`, the instant of the first one.
    `readers` may read a case, `lists` (None: the same) a list of them.
    `veiled`: a state that whoever the case is about reads as another one, in filters and refusals too.
    `filters`: what a list is narrowed by beside `status`: `programme`, and what the case refers to, by the names under
    which its state, its parties or its frame say it. Indexes, query and contract follow (shared.store.relations).
    `flags`: marks of its private part that say what an officer has to look at beside the status; officers see them in
    lists, and narrow by them.
    `revisable`: the events whose facts may be put right while they are the last one; the state is then a `Trailed`.
    """

    name: str
    state: type[S]
    moves: tuple[Move, ...]
    fold: Fold = nothing_more
    readers: By = field(default_factory=dict)
    lists: By | None = None
    filters: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    timer: Callable[[S], Timer | None] = no_timer
    scope: Callable[[S], Scope] = scope_of
    second: str = "already_exists"
    revisable: frozenset[type[Event]] = frozenset()
    veiled: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for verb, rows in self.rows.items():
            if len({(row.body, tuple(row.by.items()), row.needs, row.reasons, row.items) for row in rows}) > 1:
                raise ValueError(f"{self.name}: the rows of {verb} differ in body, roles, needs or codes")
            begins = [status for row in rows for status in row.before]
            if len(set(begins)) < len(begins):
                raise ValueError(f"{self.name}: two rows of {verb} begin in one state")
            if rows[0].by and (lacking := without_codes(rows[0])):
                raise ValueError(f"{self.name}: {verb} takes a {lacking} and its row lists none (`{lacking}s=`)")
            if strange := {row.settles for row in rows} - {"", *self.flags}:
                raise ValueError(f"{self.name}: {verb} settles {', '.join(sorted(strange))}, which is no flag")

    @cached_property
    def rows(self) -> Mapping[str, tuple[Move, ...]]:
        """The moves by verb, in the order of the table."""
        found: dict[str, tuple[Move, ...]] = {}
        for move in self.moves:
            found[move.verb] = (*found.get(move.verb, ()), move)
        return found

    @cached_property
    def verbs(self) -> tuple[str, ...]:
        """What people may do, in the order of the table."""
        return tuple(verb for verb, rows in self.rows.items() if rows[0].by)

    @cached_property
    def events(self) -> tuple[type[Event], ...]:
        return tuple(dict.fromkeys(event for move in self.moves for event in (*move.first, *move.then)))

    @cached_property
    def statuses(self) -> tuple[str, ...]:
        """Every state that a move leads to, in the order of the table."""
        arrows = ((move, before) for move in self.moves for before in sorted(move.before))
        return tuple(dict.fromkeys(to for move, before in arrows for to in sorted(move.leads_to(before) - {NEW})))

    def ask(self, verb: str, given: Any = None, **said: Any) -> Asked:
        """The command; ValueError for a body that is none of the verb's."""
        return Asked(verb, self.rows[verb][0].body(**said), given)

    def decide(self, state: S | None, command: Asked, now: datetime) -> Sequence[Event]:
        """The events of one command. Raises Refusal: by the state, or by the move's rule."""
        move = self.move(state, command.verb, command.role)
        return () if move is None else move.events(Turn(state, command.body, now, command.given))

    def veil_of(self, role: str | None) -> Mapping[str, str]:
        """The states that the role reads as other ones; for one that is not known, all that anybody does."""
        own = {one for one, relation in self.readers.items() if relation == "own"}
        return self.veiled if role is None or role in own else {}

    def move(self, state: S | None, verb: str, role: str | None = None) -> Move | None:
        """The row that leads on from this state; None where nothing is left to be done. `role`: as in `Asked`.

        Raises Refusal `not_found` (404), `illegal_transition` or what the table names in its place (409).
        """
        rows, status = self.rows[verb], status_of(state)
        for row in rows:
            if status in row.before:
                row.check(state)
                return row
        named = {known: rule for row in rows for known, rule in row.named.items()}
        if any(status in row.already for row in rows):
            return None
        if status == NEW:
            raise Refusal("not_found", status=404)
        if any(row.overtaken == "nothing" for row in rows):
            return None
        before = sorted({one for row in rows for one in row.before} - {NEW})
        if not before:
            raise Refusal(self.second)
        rule = named.get(status, ILLEGAL)
        raise Refusal(rule, f"possible from {', '.join(before)}; the case is {self.veil_of(role).get(status, status)}")

    def evolve(self, state: S | None, event: Event) -> S:
        """The state after the event. TypeError for an event that is none of the case's, or cannot open it."""
        if type(event) not in self._kept:
            raise TypeError(f"{type(event).__name__} is no event of {self.name}")
        if isinstance(event, TimeCorrected | FactTakenBack):
            return self._revised(state, event)
        if isinstance(event, Transferring):
            return self._moved(state, event)
        changes = self._changes(state, event)
        if issubclass(self.state, Trailed):
            changes |= self._noted(state, event, changes)
        if state is not None:
            return state.model_copy(update=changes)
        if type(event) not in self._opening:
            raise TypeError(f"{type(event).__name__} opens no case of {self.name}")
        return self.state(**changes)

    def _noted(self, state: Any, event: Event, changes: Mapping[str, Any]) -> dict[str, Any]:
        """What the event adds to the trail of facts; what is no fact is counted alone."""
        if isinstance(event, Aside) and state is not None:
            return {"told": state.told + 1}
        if state is not None and isinstance(event, Revising):
            return amended(state, lambda past: past.sequence == event.fact, changes, stands=True)
        if state is not None and tells_anew(type(event)):
            return amended(state, partial(self._is_ended, type(event)), changes, stands=False)
        return noted(state, event, changes, revisable=type(event) in self.revisable)

    def _is_ended(self, event: type[Event], past: Past) -> bool:
        """Whether the event tells anew what that fact told."""
        return any(one.__name__ == past.name and ends(event, one) for one in self.events)

    def _changes(self, state: S | None, event: Event) -> dict[str, Any]:
        changes = {name: value for name in self._kept[type(event)] if (value := getattr(event, name)) is not None}
        if event.leads_to:
            changes["status"] = event.leads_to
        if state is None and "opened_at" in self.state.model_fields:
            changes["opened_at"] = event.happened_at
        return {**changes, **self.fold(state, event)}

    def _moved(self, state: Any, event: Transferring) -> S:
        """The state under another office, or about to be. TypeError for a case that is not there yet."""
        if state is None:
            raise TypeError(f"{type(event).__name__} opens no case of {self.name}")
        counted = {"told": state.told + 1} if isinstance(state, Trailed) else {}
        changed: S = state.model_copy(update={**moved(state, event), **counted})
        return changed

    def _revised(self, state: Any, event: TimeCorrected | FactTakenBack) -> S:
        """The state with its last fact at its right time, or without it. TypeError for any other fact."""
        past = state.last if state is not None else None
        if past is None or past.sequence != event.fact:
            raise TypeError(f"{type(event).__name__} revises what is not the last fact")
        earlier, number = restored(state, past), state.told + 1
        if isinstance(event, FactTakenBack):
            changes: dict[str, Any] = {"trail": state.trail[:-1]}
            if event.status != status_of(earlier):
                # Nothing before it can be put right any more: the case does not stand there.
                changes = {"trail": (*state.trail[:-1], taken_back(event, number)), "status": event.status}
        else:
            right = corrected(past, event, number)
            (told,) = (one for one in self.revisable if one.__name__ == past.name)
            changes = self._changes(earlier, told.model_validate_json(json.dumps(right.said)))
            changes["trail"] = (*state.trail[:-1], right)
        revised: S = earlier.model_copy(update={**changes, "told": number})
        return told_anew(revised, past) if isinstance(event, TimeCorrected) else revised

    def since(self, state: S | None, command: Asked) -> datetime | None:
        """The instant that a fact put right may not lie before: that of the fact before it. None for any other
        command, which may not lie before the last fact."""
        revising = any(issubclass(one, TimeCorrected) for one in self.rows[command.verb][0].first)
        trail = state.trail if revising and isinstance(state, Trailed) else ()
        return trail[-2].happened_at if len(trail) > 1 else None

    def eyes(self, command: Asked) -> Eyes:
        """Whether the command writes what another one approves, or approves what others wrote."""
        row = self.rows[command.verb][0]
        return "checks" if row.checked_by_another else "writes" if row.writes else ""

    def desk(self, command: Asked) -> tuple[Desk, str | None]:
        """What the command does with who works on the case, and to whom it names."""
        return self.rows[command.verb][0].desk, said_of(command.body, "colleague")

    @cached_property
    def received_in(self) -> frozenset[str]:
        """The states in which another office may take the case over; none for a kind that is not passed on."""
        receiving = (row for row in self.moves if "receiving" in row.by.values())
        return NONE.union(*(row.before for row in receiving))

    def is_received_by(self, role: Role) -> bool:
        """Whether the role takes such cases over for its office."""
        return role in self._receivers

    @cached_property
    def _receivers(self) -> frozenset[Role]:
        return frozenset(role for row in self.moves for role, relation in row.by.items() if relation == "receiving")

    @cached_property
    def taken_in(self) -> frozenset[str]:
        """The states in which officers take the case; none for a kind that they do not share out."""
        return NONE.union(*(row.before for row in self.rows.get(TAKE, ())))

    def is_taken_by(self, role: Role) -> bool:
        """Whether the role takes such cases, and so is told who has one."""
        return TAKE in self.rows and role in self.rows[TAKE][0].by

    def open_to(self, state: S | None, role: Role) -> Mapping[str, Relation]:
        """The verbs that the case's state leaves open to the role now, each with the relation that it takes."""
        of = status_of(state), role
        if of not in self._leaving:
            self._leaving[of] = tuple(
                (verb, leaving, rows[0].by[role])
                for verb, rows in self.rows.items()
                if role in rows[0].by and (leaving := [row for row in rows if of[0] in row.before])
            )
        return {verb: by for verb, rows, by in self._leaving[of] if any(row.is_open(state) for row in rows)}

    @cached_property
    def _leaving(self) -> dict[tuple[str, Role], tuple[tuple[str, list[Move], Relation], ...]]:
        """By state and role, what leads on from there, filled as it is asked for: a day's list asks of hundreds."""
        return {}

    def way_to(self, status: str) -> tuple[Move, ...]:
        """The fewest moves from nothing to the state; of ways of one length the first in the table. ValueError where
        none leads there."""
        ways: dict[str, tuple[Move, ...]] = {NEW: ()}
        waiting = deque([NEW])
        while waiting:
            here = waiting.popleft()
            for move in self.moves:
                for there in sorted(move.leads_to(here)) if here in move.before else ():
                    if there not in ways:
                        ways[there] = (*ways[here], move)
                        waiting.append(there)
        if status not in ways:
            raise ValueError(f"no way leads to {status}")
        return ways[status]

    @cached_property
    def _kept(self) -> Mapping[type[Event], tuple[str, ...]]:
        shared = set(self.state.model_fields) - _OF_EVERY_EVENT - {"status"}
        return {event: tuple(name for name in event.model_fields if name in shared) for event in self.events}

    @cached_property
    def _opening(self) -> frozenset[type[Event]]:
        return frozenset(event for move in self.moves if move.opens for event in move.first)


def status_of(state: Any) -> str:
    """Where a case stands; NEW for one that is not there yet."""
    return NEW if state is None else str(state.status)
