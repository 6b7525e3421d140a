"""The last fact of a case put right: its time corrected, or taken back (docs/kernel.md, section 1).

A case says of which facts it allows that; the two verbs, the states that they lead between and their rules follow from
its table. What another document stands on already is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.cases.bodies import Reason
from shared.cases.case import NEW, NONE, Move, Rule, Told, Turn, as_said
from shared.cases.trail import Past, Trailed, restored
from shared.contracts.base import Event, Instant
from shared.contracts.corrections import FactTakenBack, TimeCorrected
from shared.errors import Refusal
from shared.identity.roles import BY_OFFICER

CORRECT_TIME, TAKE_BACK = "correct-time", "take-back"
REVISING = frozenset({CORRECT_TIME, TAKE_BACK})
MISTAKES = ("typing_error", "wrong_case", "wrong_date", "reported_wrongly", "mistake")
ACTED_ON = "acted_on"
# Facts, each with the rule that says when it may happen.
Facts = Mapping[type[Event], Rule]
# What whoever acts fetches: under which ids the facts of the trail stand on the topic.
TRAIL = frozenset({"trail"})

_OF_EVERY_TAKING_BACK = frozenset(FactTakenBack.model_fields)


class Correction(Reason):
    """`happened_at`: when the last fact happened, rightly."""

    happened_at: Instant


class TakingBack(Reason):
    """The last fact was recorded by mistake; `happened_at` is not said, for nothing happened."""

    happened_at: None = None


@dataclass(frozen=True)
class Revision:
    """`replaces`: the ids of the events that stand for the facts of the trail, by their sequence; `given`: what a
    fact's own rule is given."""

    replaces: Mapping[int, str]
    given: Any = None


def _of_no_state(_state: Any) -> None:
    return None


def _never(_turn: Turn[Any, Any], _past: Past) -> None:
    return None


@dataclass(frozen=True)
class Revisions:
    """What of a case may be put right, and by which events of its own.

    `timed`: the facts whose time may be corrected, each with the rule that it obeys at its right instant too. The rule
    finds the state before the fact, and the fact's event as the body; fields that it tells are told anew.
    `undone`: those that may be taken back. `stands`, `refuse`: raise the Refusal for one on which something stands, as
    the state says, or as whoever acts has found. `final`: states whose fact others have acted on, whatever it was (409
    `acted_on`). `refuses`: further rules that these, the facts' own and the works name.
    `elsewhere`: facts whose taking back leaves the case in another state than before them, since others have taken what
    it had there.
    """

    corrected: type[TimeCorrected]
    taken_back: type[FactTakenBack]
    timed: Facts
    undone: frozenset[type[Event]]
    stands: Callable[[Any], None] = _of_no_state
    refuse: Callable[[Turn[Any, Any], Past], None] = _never
    final: frozenset[str] = NONE
    elsewhere: Mapping[type[Event], str] = field(default_factory=dict)
    refuses: tuple[str, ...] = ()
    needs: frozenset[str] = TRAIL
    example: Mapping[str, Any] = field(
        default_factory=lambda: {"happened_at": "2027-01-12T09:00:00Z", "reason": "wrong_date"}
    )

    @property
    def revisable(self) -> frozenset[type[Event]]:
        return frozenset(self.timed)

    def moves(self, table: Sequence[Move]) -> tuple[Move, ...]:
        """The rows of the two verbs beside those of the table."""
        return (self._correcting(table), *self._taking_back(table))

    def _correcting(self, table: Sequence[Move]) -> Move:
        before = frozenset(_left_by(table, frozenset(self.timed)))
        return Move(
            CORRECT_TIME,
            before,
            self.corrected,
            body=Correction,
            by=BY_OFFICER,
            rule=self.at_its_right_time,
            reasons=MISTAKES,
            needs=self.needs,
            when=self.may_be_corrected,
            named=dict.fromkeys(sorted(self.final - before), ACTED_ON),
            refuses=("fact_not_revisable", "another_fact_since", "happened_before_last", *self.refuses),
            example=self.example,
        )

    def _taking_back(self, table: Sequence[Move]) -> tuple[Move, ...]:
        led = {status: to for told, to in self.elsewhere.items() for status in _left_by(table, frozenset({told}))}
        return tuple(
            Move(
                TAKE_BACK,
                frozenset({status}),
                self.taken_back,
                to=frozenset({led[status]}) if status in led else before,
                body=TakingBack,
                by=BY_OFFICER,
                rule=self.without_it,
                reasons=MISTAKES,
                needs=self.needs,
                when=self.may_be_taken_back,
                named=dict.fromkeys(sorted(self.final), ACTED_ON),
                refuses=("fact_not_revisable", "another_fact_since", ACTED_ON, *self.refuses),
                example={"reason": "wrong_case"},
                aside=True,
            )
            for status, before in _left_by(table, self.undone).items()
        )

    def may_be_corrected(self, state: Trailed) -> None:
        """Only the time of the last fact, and of those that happened in the case itself."""
        self._last(state, frozenset(self.timed))

    def may_be_taken_back(self, state: Trailed) -> None:
        """Only the last fact, and of those that may have been recorded by mistake and of which nobody has acted."""
        self._last(state, self.undone)
        self.stands(state)

    def at_its_right_time(self, turn: Turn[Any, Correction]) -> Told:
        """The fact's own rule is asked again, of the state before it."""
        past, told = self._last(turn.state, frozenset(self.timed))
        body = told.model_validate_json(json.dumps(past.said))
        found = self.timed[told](Turn(restored(turn.state, past), body, turn.now, turn.given.given))
        anew = found.items() if isinstance(found, Mapping) else ()
        said = {name: value for name, value in anew if name in self.corrected.model_fields}
        return {**said, **named(past, turn.given)}

    def without_it(self, turn: Turn[Any, TakingBack]) -> Told:
        """The case stands again where it stood before, at the time of the fact before."""
        past, told = self._last(turn.state, self.undone)
        self.refuse(turn, past)
        before = restored(turn.state, past)
        own = set(self.taken_back.model_fields) - _OF_EVERY_TAKING_BACK
        return [
            self.taken_back(
                happened_at=turn.state.trail[-2].happened_at,
                recorded_late=True,
                status=self.elsewhere.get(told, before.status),
                reason=turn.body.reason,
                **{name: getattr(before, name) for name in own},
                **named(past, turn.given),
            )
        ]

    def _last(self, state: Trailed, allowed: frozenset[type[Event]]) -> tuple[Past, type[Event]]:
        """The last fact with its event. Raises Refusal `fact_not_revisable` for another one, and for the opening."""
        past = state.last
        told = next((one for one in allowed if past is not None and one.__name__ == past.name), None)
        # What was told before its case allowed it was not remembered in full.
        if past is None or told is None or len(state.trail) < 2 or not past.said:
            raise Refusal("fact_not_revisable", "the last fact of the case is none that can be put right like this")
        return past, told


def named(past: Past, revision: Revision) -> dict[str, Any]:
    """How a revising event names the fact. Raises Refusal `another_fact_since`."""
    replaces = revision.replaces.get(past.standing)
    if replaces is None:
        raise Refusal("another_fact_since", "another fact was recorded meanwhile")
    return {"fact": past.sequence, "of": past.name, "replaces": replaces}


def at_any_time(turn: Turn[Any, Any]) -> Told:
    """The fact has no rule about when it happens, beside that nothing happens before the fact before it."""
    return as_said(turn)


def _left_by(table: Sequence[Move], facts: frozenset[type[Event]]) -> Mapping[str, frozenset[str]]:
    """By state to which one of the facts leads, where the case may have stood before."""
    found: dict[str, frozenset[str]] = {}
    for move in table:
        if facts.isdisjoint(move.first):
            continue
        for before in sorted(move.before - {NEW}):
            for after in sorted(move.leads_to(before)):
                found[after] = found.get(after, NONE) | {before}
    return found
