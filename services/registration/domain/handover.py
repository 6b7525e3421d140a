"""Another account comes to stand for a person or an institution: an officer says so, or the two people whose it is and
will be agree on it (docs/decisions/0061-with-the-consent-of-both.md).

Whoever had the account before has none of the case's rights any more, in any service; the case itself goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from services.registration.domain.contact import TOO_OFTEN
from services.registration.domain.fields import Email
from shared.cases.bodies import Input, Reason
from shared.cases.case import Asked, Move, Timer, Told, Turn
from shared.contracts.base import Envelope, Event, Instant
from shared.contracts.patterns import written
from shared.contracts.registration.handovers import (
    HandoverDeclined,
    HandoverLapsed,
    HandoverProposed,
    HandoverWithdrawn,
)
from shared.errors import Refusal
from shared.identity.roles import BY_OFFICER, By
from shared.texts import exact

HELD = "account_held_elsewhere"
CALLERS = "account_is_the_callers"
UNCHANGED = "account_unchanged"
PROPOSE, WITHDRAW, ACCEPT, DECLINE, LAPSE = (
    "propose-handover",
    "withdraw-handover",
    "accept-handover",
    "decline-handover",
    "lapse-handover",
)
PROPOSED, NOT_PROPOSED = "handover_proposed", "handover_not_proposed"
# So long the other person may answer.
STANDS = timedelta(days=14)
DeclinedFor = Literal["not_meant", "not_wanted", "mistaken_entry"]

_SUBJECT = written(r"^\S(.*\S)?$", "the subject as the sign-in service gives it, without spaces at its ends")
# The subject under which somebody signs in. With a space at an end, as copied, it would be nobody's, and the person
# would be locked out.
SignsInAs = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_SUBJECT), AfterValidator(exact)]


# Why an office assigns another account to the one who was reached before too; else somebody else is.
OF_THE_SAME = frozenset({"first_sign_in", "sign_in_lost"})


class AccountAssignment(Reason):
    """`account`: the subject under which the person, or the institution's new contact, signs in.

    `email`: where that one is written to. Without it the address stays, and where somebody else has the account from
    now on, nobody is written to.
    """

    account: SignsInAs
    email: Email | None = None

    @property
    def of_another(self) -> bool:
        """Whether somebody else is reached from now on than before."""
        return self.reason not in OF_THE_SAME


def to_somebody_else(event: Any, envelope: Envelope) -> bool:
    """Whether another account that was told is somebody else's: by both people, or as the office said why."""
    return envelope.by_role != "officer" or event.reason not in OF_THE_SAME


class Proposal(BaseModel):
    """The account is offered to whoever was given the code, from `proposed_at` until `ends_at`."""

    model_config = ConfigDict(frozen=True)

    reason: str
    proposed_at: Instant
    ends_at: Instant


class AccountBorne(BaseModel):
    """A state of a case that an account stands for. `handover`: while its account is offered to another person."""

    model_config = ConfigDict(frozen=True)

    account: str | None = None
    handover: Proposal | None = None


class Acceptance(Input):
    """`email`: where whoever takes the account over is written to; the address before is not, any more."""

    email: Email | None = None


def to_another(turn: Turn[Any, AccountAssignment]) -> Told:
    """The account that the subject has; not the one that stands for it already."""
    if turn.given == turn.state.account:
        raise Refusal(UNCHANGED, "another account than the one that stands for it", at="/account")
    return {"account": turn.given}


def none_stands(state: AccountBorne) -> None:
    """One person at a time is asked."""
    if state.handover is not None:
        raise Refusal(PROPOSED, "the account was offered and nobody has answered; withdraw that first")


def one_stands(state: AccountBorne) -> None:
    """Only while the account is offered."""
    if state.handover is None:
        raise Refusal(NOT_PROPOSED, "the account is offered to nobody")


def for_a_time(turn: Turn[Any, Reason]) -> Told:
    """Who is offered the account answers within fourteen days."""
    return {"ends_at": turn.now + STANDS}


def in_time(turn: Turn[Any, Any]) -> Told:
    """What has expired is answered no more, however late its end is recorded."""
    _refuse_over(turn.state, turn.now)
    return {}


def by_both(turn: Turn[AccountBorne, Acceptance]) -> Told:
    """The account of whoever accepts, for the reason for which it was proposed; not the one that stands for it."""
    proposal = _refuse_over(turn.state, turn.now)
    if turn.given == turn.state.account:
        raise Refusal(UNCHANGED, "the account stands for it already")
    return {"account": turn.given, "reason": proposal.reason}


def _refuse_over(state: AccountBorne, now: datetime) -> Proposal:
    if state.handover is None or state.handover.ends_at <= now:
        raise Refusal(NOT_PROPOSED, "the account is offered to nobody any more")
    return state.handover


def lapses(state: AccountBorne) -> Timer | None:
    """A proposal ends by itself."""
    return Timer(state.handover.ends_at, Asked(LAPSE), on_the_clock=True) if state.handover else None


@dataclass(frozen=True)
class Handovers:
    """The events of a kind of case that an account stands for, and the states in which it is handed over. `holder`:
    whoever signs in for it. `assigned`: what tells that another account stands for it, whoever said so."""

    proposed: type[HandoverProposed]
    withdrawn: type[HandoverWithdrawn]
    declined: type[HandoverDeclined]
    lapsed: type[HandoverLapsed]
    assigned: type[Event]
    before: frozenset[str]
    holder: By
    reasons: tuple[str, ...]

    def moves(self) -> tuple[Move, ...]:
        """The rows; the case stays in its state."""
        return (*self._of_the_holder(), *self._of_the_other())

    def _of_the_holder(self) -> tuple[Move, ...]:
        proposes = Move(
            PROPOSE,
            self.before,
            self.proposed,
            body=Reason,
            by=self.holder,
            rule=for_a_time,
            when=none_stands,
            needs=frozenset({"code"}),
            refuses=(PROPOSED, TOO_OFTEN),
            reasons=self.reasons,
            example={"reason": self.reasons[0]},
            aside=True,
            of_one=True,
        )
        # A session that was stolen is reported to the office.
        withdraws = Move(
            WITHDRAW,
            self.before,
            self.withdrawn,
            by={**self.holder, **BY_OFFICER},
            when=one_stands,
            refuses=(NOT_PROPOSED,),
            aside=True,
            of_one=True,
        )
        return proposes, withdraws

    def _of_the_other(self) -> tuple[Move, ...]:
        """Whoever answers has no relation to the case but the code, so no role of the table does it
        (`services/registration/work/consenting.py`), and the case goes on without an answer."""
        declined_for = get_args(DeclinedFor)
        return (
            Move(ACCEPT, self.before, self.assigned, body=Acceptance, rule=by_both, when=one_stands, aside=True),
            Move(
                DECLINE,
                self.before,
                self.declined,
                body=Reason,
                rule=in_time,
                when=one_stands,
                reasons=declined_for,
                aside=True,
            ),
            Move(LAPSE, self.before, self.lapsed, when=one_stands, overtaken="nothing", aside=True),
        )


def handed(event: Any) -> Mapping[str, Any]:
    """What the event changes of a proposal: it opens one, or ends the one that stands."""
    if isinstance(event, HandoverProposed):
        said = {"reason": event.reason, "proposed_at": event.happened_at, "ends_at": event.ends_at}
        return {"handover": Proposal(**said)}
    return {"handover": None}
