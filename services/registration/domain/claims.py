"""A claim to a document number that somebody else holds: what the data-protection role decides, and what follows.

The claimant's case stands in `identity_clash` until then, and reads `screening` for whoever it is about: otherwise a
registration would tell whether a number is known here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.cases.bodies import Change, Reason
from shared.cases.case import Move, Told, Turn, states
from shared.contracts.base import Code, Event, Instant
from shared.contracts.registration.experts import (
    ExpertIdentityClashed,
    ExpertIdentitySettled,
    ExpertRegistered,
    ExpertScreeningReopened,
)
from shared.errors import Refusal

CLASH, DUPLICATE = "identity_clash", "duplicate"
Outcome = Literal["holds", "moves", "same_person"]
OUTCOMES: dict[Outcome, str] = {
    "holds": "The number stays the holder's; the claimant goes on without it.",
    "moves": "The number is the claimant's from now on, and no longer the holder's.",
    "same_person": "Both are one human being, whom the holder's record stands for; the claimant's case ends.",
}
REASONS = ("documents_compared", "authority_confirmed", "typing_error", "false_statement", "person_confirmed")
UNCHANGED = "outcome_unchanged"
IDENTITY_CHANGED = "identity_changed"


class Settled(BaseModel):
    """What was decided of a claim, why, and when."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: str
    decided_at: Instant


class IdentitySettlement(Reason):
    """Whose the number is, and how that was found."""

    outcome: Annotated[Outcome, Field(description=" ".join(f"`{code}`: {text}" for code, text in OUTCOMES.items()))]


class Heard(Change):
    """What the holder is told of the decision."""

    outcome: Outcome
    reason: Code


def registered_as(turn: Turn[Any, Any], said: dict[str, Any], *, clashes: bool) -> Event:
    """What a registration tells: an expert, or that somebody else holds the number that came with it."""
    event = ExpertIdentityClashed if clashes else ExpertRegistered
    return event(happened_at=turn.now, **said)


def as_decided(turn: Turn[Any, IdentitySettlement]) -> Told:
    """Who is a person of its own is registered now, in the programme's version of the day of the claim."""
    state, outcome, holder = turn.state, turn.body.outcome, turn.given
    if state.status == DUPLICATE and outcome == "same_person":
        raise Refusal(UNCHANGED, "that was decided before")
    said = {"outcome": outcome, "reason": turn.body.reason, "holder": holder}
    settled = ExpertIdentitySettled(happened_at=turn.now, person=state.person, **said)
    if outcome == "same_person":
        return [settled]
    kept = {name: getattr(state, name) for name in ("person", "programme", "programme_version", "office", "channel")}
    return [settled, registered_as(turn, kept, clashes=False)]


def settled(event: Any) -> Settled:
    return Settled(outcome=event.outcome, reason=event.reason, decided_at=event.happened_at)


def under_another_document(turn: Turn[Any, Change]) -> Told:
    """Who has another document is screened anew, whoever holds its number: nobody is told whether somebody does.

    Where another person holds it, the case stands as one that registers with it would.
    """
    state, held = turn.state, turn.given
    if held:
        names = ("person", "programme", "programme_version", "office", "channel")
        said = {name: getattr(state, name) for name in names}
        return [ExpertIdentityClashed(happened_at=turn.now, **said, reason=IDENTITY_CHANGED)]
    if state.status in ("suspended", "appealed"):
        # Screening would lift what was decided there.
        return []
    return [ExpertScreeningReopened(happened_at=turn.now, person=state.person, reason=IDENTITY_CHANGED)]


def identified_anew(standing: frozenset[str]) -> Move:
    """The row by which a case follows another document of its person."""
    return Move(
        "identify-anew",
        standing,
        (ExpertScreeningReopened, ExpertIdentityClashed),
        rule=under_another_document,
        overtaken="nothing",
    )


SETTLES = Move(
    "settle-identity",
    states(CLASH, DUPLICATE),
    ExpertIdentitySettled,
    then=(ExpertRegistered,),
    to=states("screening", DUPLICATE),
    body=IdentitySettlement,
    by={"protection": "all"},
    rule=as_decided,
    needs=frozenset({"guard:document"}),
    refuses=(UNCHANGED,),
    reasons=REASONS,
    example={"outcome": "holds", "reason": "documents_compared"},
)
