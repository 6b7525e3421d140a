"""A subscription: to which address of another system messages go, and whether they do.

What is sent, how far it has come and what became of it stand beside it (`services/monitoring/feed/deliveries.py`); its
address and its secrets in its private part. Nothing of it is told on the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.cases.bodies import Change
from shared.cases.case import NEW, Case, Move, Told, Turn, states
from shared.contracts import patterns
from shared.contracts.base import Code, Event, Instant
from shared.errors import Refusal
from shared.identity.roles import By

Status = Literal["active", "paused", "stopped", "ended"]
# All that the reader's token would be told, or statements alone.
Content = Literal["everything", "statements"]
# A subscription is its office's; an evaluator's is the account's that made it.
KEEPERS: By = {"officer": "office", "administrator": "all", "evaluator": "assigned"}
Address = Annotated[
    str,
    StringConstraints(
        pattern=patterns.written(
            r"^https?://[!-~]{1,500}$",
            "an address that begins with https:// and has no blanks, as https://example.org/x",
        )
    ),
]


class Subscription(BaseModel):
    """`audience`, `office`: what may be told, by whoever made it. `tests`, `resends`, `rotations` count what was asked
    for; `since`: from when on what was sent goes out once more. `reason`: why it was stopped."""

    model_config = ConfigDict(frozen=True)

    status: Status
    audience: Literal["published", "office", "all"]
    office: Code | None = None
    content: Content
    opened_at: Instant
    tests: int = 0
    resends: int = 0
    rotations: int = 0
    since: Instant | None = None
    reason: Code | None = None


class Subscribing(Change):
    """`url`: where messages are posted to. `content`: which of those that the token may read."""

    url: Address
    content: Content


class Resending(Change):
    """From which instant on what was recorded goes out once more, under the same ids."""

    since: Instant


class _Untold(Event):
    topic: ClassVar[str] = ""


class SubscriptionMade(_Untold):
    """Another system's address gets messages from now on."""

    leads_to: ClassVar[str | None] = "active"
    audience: Literal["published", "office", "all"]
    office: Code | None = None
    content: Content


class SubscriptionPaused(_Untold):
    """Nothing is sent until it goes on; nothing is lost."""

    leads_to: ClassVar[str | None] = "paused"


class SubscriptionResumed(_Untold):
    """It goes on where it was."""

    leads_to: ClassVar[str | None] = "active"


class SubscriptionStopped(_Untold):
    """The address took nothing for days, or said that it is gone."""

    leads_to: ClassVar[str | None] = "stopped"
    reason: Code


class SubscriptionTested(_Untold):
    """A message that says nothing is sent, to see whether it arrives."""


class SecretRotated(_Untold):
    """Messages are signed with a new secret too, and after a day with that one alone."""


class ResendAsked(_Untold):
    """What was recorded since that instant is sent once more."""

    since: Instant


class SubscriptionEnded(_Untold):
    """Nothing is sent to the address any more."""

    leads_to: ClassVar[str | None] = "ended"


def whose_it_is(turn: Turn[Subscription, Subscribing]) -> Told:
    """It may be told what whoever makes it may read."""
    audience, office = turn.given
    return {"audience": audience, "office": office}


def not_ahead(turn: Turn[Subscription, Resending]) -> Told:
    """What is still to come comes anyway."""
    if turn.body.since > turn.now:
        raise Refusal("happened_in_the_future", at="/since", status=422)
    return {}


def why(turn: Turn[Subscription, Change]) -> Told:
    return {"reason": turn.given}


def fold(state: Subscription | None, event: Event) -> Mapping[str, Any]:
    match event:
        case SubscriptionTested() if state:
            return {"tests": state.tests + 1}
        case SecretRotated() if state:
            return {"rotations": state.rotations + 1}
        case ResendAsked() if state:
            return {"resends": state.resends + 1}
        case SubscriptionResumed():
            return {"reason": None}
    return {}


STOP = "stop"
SUBSCRIBE, RESUME, TEST, ROTATE, RESEND = "subscribe", "resume", "test", "rotate", "resend"
GOING = states("active", "paused", "stopped")
SUBSCRIPTION = Case(
    "subscriptions",
    Subscription,
    (
        Move(
            SUBSCRIBE,
            states(NEW),
            SubscriptionMade,
            body=Subscribing,
            by=KEEPERS,
            rule=whose_it_is,
            needs=states("audience"),
            refuses=("address_not_https", "address_not_public", "address_with_password", "subscriptions_too_many"),
            example={"url": "https://partner.example.org/sankofa", "content": "everything"},
        ),
        Move(TEST, GOING, SubscriptionTested, by=KEEPERS, aside=True),
        Move("pause", states("active"), SubscriptionPaused, by=KEEPERS, aside=True),
        Move(RESUME, states("paused"), SubscriptionResumed, by=KEEPERS, aside=True),
        # What stopped by itself waits for somebody.
        Move(RESUME, states("stopped"), SubscriptionResumed, by=KEEPERS),
        Move(ROTATE, GOING, SecretRotated, by=KEEPERS, aside=True),
        Move(
            RESEND,
            GOING,
            ResendAsked,
            body=Resending,
            by=KEEPERS,
            rule=not_ahead,
            refuses=("happened_in_the_future",),
            example={"since": "2026-01-01T00:00:00Z"},
            aside=True,
        ),
        Move("end", GOING, SubscriptionEnded, by=KEEPERS, aside=True),
        Move(STOP, states("active"), SubscriptionStopped, rule=why, overtaken="nothing"),
    ),
    fold,
    readers=KEEPERS,
)
