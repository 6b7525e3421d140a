"""Another account comes to stand for a person or an institution: an officer says so, and why.

Whoever had the account before has none of the case's rights any more, in any service; the case itself goes on.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, StringConstraints

from shared.cases.bodies import Reason
from shared.cases.case import Told, Turn
from shared.errors import Problem, Refusal
from shared.texts import exact

HELD = "account_held_elsewhere"
CALLERS = "account_is_the_callers"
UNCHANGED = "account_unchanged"

# The subject under which somebody signs in.
SignsInAs = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(exact)]


class AccountAssignment(Reason):
    """`account`: the subject under which the person, or the institution's new contact, signs in."""

    account: SignsInAs


def to_another(turn: Turn[Any, AccountAssignment]) -> Told:
    """The account that the subject has; not the one that stands for it already."""
    if turn.given == turn.state.account:
        raise Refusal(UNCHANGED, problems=(Problem(UNCHANGED, "/account"),))
    return {"account": turn.given}
