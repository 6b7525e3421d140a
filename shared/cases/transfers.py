"""A case is passed on to another office: its own office asks, and an officer of the other one accepts or declines.

An office that closes gives up its open cases like this, one by one or many at once. Nothing of the case changes but
whose it is; who asked for what and who agreed stands in its past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from shared.cases.bodies import Input, Reason
from shared.cases.case import Move, Told, Turn, scope_of
from shared.cases.movable import Movable
from shared.contracts.base import Code, TimeZone
from shared.contracts.frame import Listed
from shared.contracts.transfers import CaseTransferred, TransferAsked, TransferDeclined, TransferWithdrawn
from shared.errors import Refusal
from shared.identity.roles import BY_OFFICER, BY_RECEIVING

ASK, WITHDRAW, ACCEPT, DECLINE = "ask-transfer", "withdraw-transfer", "accept-transfer", "decline-transfer"
TRANSFERS = frozenset({ASK, WITHDRAW, ACCEPT, DECLINE})
REASONS = ("office_closes", "moved_away", "nearer_to_host", "workload", "mistaken_entry")
DECLINED_FOR = ("not_competent", "no_capacity", "incomplete", "another_office")
ASKED, NOT_ASKED, TO_ITSELF, UNKNOWN = "transfer_asked", "transfer_not_asked", "transfer_to_itself", "office_unknown"
# The word of the offices that may be asked: any of the programme but the asking one.
OTHER_OFFICE = "other_office"
# What whoever acts fetches: an `Offices`.
OFFICES = frozenset({"offices"})


class TransferRequest(Reason):
    """`to_office`: which office of the programme is asked to take the case over."""

    to_office: Annotated[Code, Listed(OTHER_OFFICE)]


# `given` of a turn: the offices that there are now, each with its time zone (IANA name).
Offices = Mapping[str, str]


def none_is_asked(state: Movable) -> None:
    """One office at a time is asked."""
    if state.transfer is not None:
        raise Refusal(ASKED, f"{state.transfer.to_office} was asked and has not answered; withdraw that first")


def one_is_asked(state: Movable) -> None:
    """Only while an office is asked."""
    if state.transfer is None:
        raise Refusal(NOT_ASKED, "no other office is asked to take the case over")


def another_office(turn: Turn[Any, TransferRequest]) -> Told:
    """Any other office that the programme has now may be asked; which cases it takes is its own to say."""
    to_office = turn.body.to_office
    if to_office == scope_of(turn.state).office:
        raise Refusal(TO_ITSELF, at="/to_office", status=422)
    if to_office not in turn.given:
        raise Refusal(UNKNOWN, at="/to_office", status=422)
    return {}


def with_both_consents(turn: Turn[Any, Any]) -> Told:
    """The office that was asked takes the case over; it may have been renamed or closed since."""
    to_office = turn.state.transfer.to_office
    if to_office not in turn.given:
        raise Refusal(UNKNOWN, f"the programme has no office {to_office} any more")
    return {"office": to_office, "left": scope_of(turn.state).office, "time_zone": turn.given[to_office]}


@dataclass(frozen=True)
class Transfers:
    """The events of a kind of case that is passed on, and the states in which it is."""

    asked: type[TransferAsked]
    withdrawn: type[TransferWithdrawn]
    declined: type[TransferDeclined]
    transferred: type[CaseTransferred]
    before: frozenset[str]

    def moves(self) -> tuple[Move, ...]:
        """The four rows; the case stays in its state."""
        return (*self._of_the_asking(), *self._of_the_asked())

    def _of_the_asking(self) -> tuple[Move, ...]:
        asks = Move(
            ASK,
            self.before,
            self.asked,
            body=TransferRequest,
            by=BY_OFFICER,
            rule=another_office,
            when=none_is_asked,
            needs=OFFICES,
            refuses=(ASKED, TO_ITSELF, UNKNOWN),
            reasons=REASONS,
            example={"to_office": "tbilisi", "reason": REASONS[0]},
            aside=True,
        )
        refuses = (NOT_ASKED,)
        withdraws = Move(
            WITHDRAW, self.before, self.withdrawn, by=BY_OFFICER, when=one_is_asked, refuses=refuses, aside=True
        )
        return asks, withdraws

    def _of_the_asked(self) -> tuple[Move, ...]:
        accepts = Move(
            ACCEPT,
            self.before,
            self.transferred,
            by=BY_RECEIVING,
            rule=with_both_consents,
            when=one_is_asked,
            needs=OFFICES,
            refuses=(NOT_ASKED, UNKNOWN),
            desk="leaves",
            aside=True,
        )
        declines = Move(
            DECLINE,
            self.before,
            self.declined,
            body=Reason,
            by=BY_RECEIVING,
            when=one_is_asked,
            refuses=(NOT_ASKED,),
            reasons=DECLINED_FOR,
            example={"reason": DECLINED_FOR[0]},
            aside=True,
        )
        return accepts, declines


class Follow(Input):
    """What a case hangs on is of that office now; `time_zone`: the office's; the rest as `CaseFollowed` has it."""

    office: Code
    time_zone: TimeZone | None = None
    after_epoch: int
    after_sequence: int


def where_it_hangs(turn: Turn[Any, Follow]) -> Told:
    """What hangs on a case that was passed on is of the same office; nothing where it is already, or has followed a
    later event of that case: what a replica does late for an earlier one would move it back."""
    followed, body = turn.state, turn.body
    if (body.after_epoch, body.after_sequence) <= (followed.after_epoch, followed.after_sequence):
        return []
    left = scope_of(turn.state).office
    if left in (None, turn.body.office):
        return []
    return {"left": left}
