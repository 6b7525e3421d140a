"""What two people say to each other of handing an account over (docs/decisions/0061-with-the-consent-of-both.md).

A case that an account stands for declares events of its own of these forms on its topic. That another account stands
for it is told by the event that an officer's assignment tells too.
"""

from __future__ import annotations

from shared.contracts.base import Aside, Code, Instant


class HandingOver(Aside):
    """Something about an account that is offered to another person."""


class HandoverProposed(HandingOver):
    """Whoever signs in for it proposes to hand the account over, to the one person who is given the code."""

    reason: Code
    ends_at: Instant


class HandoverWithdrawn(HandingOver):
    """The account is no longer offered to anybody."""


class HandoverDeclined(HandingOver):
    """Whoever was given the code does not take the account over."""

    reason: Code


class HandoverLapsed(HandingOver):
    """Nobody answered by the end of the proposal."""
