"""Which moves of the tables of cases a schedule really made: every arrow of every case has a place in the history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any
from unittest import mock

from deploy.generate import GROUPS, cases_of
from shared.audit.segments import SEGMENT
from shared.cases.case import Case, Move
from shared.store.aggregates import Aggregate, Kernel

# Of what the command decided last in this task: the row by which the table led on.
_ROW: ContextVar[tuple[Case[Any], Move] | None] = ContextVar("row", default=None)


@cache
def cases() -> tuple[Case[Any], ...]:
    """Every case of every service, and the segments of the audit trail, which have no edge."""
    return (*(case for service in GROUPS for case in cases_of(service)), SEGMENT)


# A crash between two saves of one command and a minute without its replica, or another one's word in between: fewer
# than one schedule of 200 has it, so each is made on purpose (tests/simulation/test_moves.py).
DIRECTED = frozenset(
    {
        "matches: stop from -",
        "matches: void from -",
        "matches: void from longlisted, reserve, shortlisted",
    }
)
# In fewer than a third of the schedules, so the 50 of the suite might miss one of so many.
SELDOM = frozenset(
    {
        "persons: reissue",
        "persons: refuse-identity-change",
        "persons: decline-handover",
        "experts: declare-eligible",
        "experts: declare-ineligible",
        "experts: provide-info",
        "experts: pass-on",
        "experts: give-back",
        "institutions: accept-handover",
        "institutions: put-on-hold",
        "institutions: take-back from assessed",
        "institutions: take-back from partner",
        "institutions: take-back from active",
        "institutions: take-back from on_hold",
        "institutions: withdraw-transfer",
        "institutions: accept-transfer",
        "institutions: decline-transfer",
        "assignments: revise",
        "assignments: pass-on",
        "assignments: give-back",
        "assignments: take-back from approved",
        "assignments: take-back from edits_requested",
        "assignments: take-back from published",
        "matches: pass-on",
        "matches: give-back",
        "matches: stop from accepted",
        "matches: stop from allocated, offered",
        "matches: take-back from declined",
        "matches: take-back from expired",
        "matches: take-back from not_selected",
        "matches: take-back from reserve",
        "matches: take-back from shortlisted",
        "placements: confirm-arrival from contracted, pre_departure",
        "placements: note-consent",
        "placements: retract from -, contracted, host_confirmed, pre_departure, travelling",
        "placements: take-back from contracted",
        "placements: take-back from pre_departure",
        "placements: take-back from travelling",
        "placements: take-back from active",
        "placements: take-back from reports_due",
        "placements: take-back from completed",
        "placements: take-back from ended_early",
        "sites: take-back from assessed",
        "sites: withdraw-transfer",
        "sites: accept-transfer",
        "sites: decline-transfer",
        "audit_segments: close",
    }
)
SERVICE_OF = {case.name: service for service in GROUPS for case in cases_of(service)}


def named(case: Case[Any], move: Move) -> str:
    """The move's name: its verb, and the states in which it begins where they tell it from the verb's other rows."""
    begins = f" from {', '.join(sorted(move.before))}" if len(case.rows[move.verb]) > 1 else ""
    return f"{case.name}: {move.verb}{begins}"


@cache
def every_move() -> Mapping[str, Move]:
    """By its name, in the order of the tables."""
    return {named(case, move): move for case in cases() for move in case.moves}


@contextmanager
def counted(counts: Counter[str]) -> Iterator[None]:
    """Counts each move that a kernel carried out and knows to be saved. One whose outcome was unknown at first is left
    out, so that nothing is counted that did not happen."""
    move_of, execute, fire = Case.move, Kernel.execute, Kernel.fire

    def moving(self: Case[Any], state: Any, verb: str, role: str | None = None) -> Move | None:
        move = move_of(self, state, verb, role)
        _ROW.set((self, move) if move is not None else None)
        return move

    def made(saved: Any) -> Any:
        if saved is not None and not saved.repeated and (row := _ROW.get()) is not None:
            counts[named(*row)] += 1
        return saved

    async def executed(self: Kernel, aggregate: Aggregate[Any], *said: Any, **more: Any) -> Any:
        _ROW.set(None)
        return made(await execute(self, aggregate, *said, **more))

    async def fired(self: Kernel, aggregate: Aggregate[Any], *said: Any, **more: Any) -> Any:
        _ROW.set(None)
        return made(await fire(self, aggregate, *said, **more))

    with (
        mock.patch.object(Case, "move", moving),
        mock.patch.object(Kernel, "execute", executed),
        mock.patch.object(Kernel, "fire", fired),
    ):
        yield
