"""What officers have to look at in a case beside its status, and how that is settled."""

from __future__ import annotations

from typing import Any

from shared.cases.bodies import Change, Reason
from shared.cases.case import Move, Told, Turn
from shared.contracts.registration.experts import ExpertIdentityKept, ExpertKeptApart
from shared.identity.roles import By

# Somebody else has the same name, year of birth and origin; the account registered under another name or year of birth
# before; a change of the person's identity waits for a decision.
POSSIBLE_DUPLICATE, IDENTITY_DIFFERS, IDENTITY_PENDING = FLAGS = (
    "possible_duplicate",
    "identity_differs",
    "identity_change_pending",
)
DECIDES: By = {"officer": "office", "protection": "all"}


def only_noted(_turn: Turn[Any, Change]) -> Told:
    """What stands beside the case alone, and is no fact of it."""
    return ()


def settling(standing: frozenset[str], clash: str) -> tuple[Move, ...]:
    """The rows that set a flag, and that settle one. `standing`: the states in which a case goes on.

    Merging two records is another matter, and not built; whose number it is, is decided before. Who somebody is
    recorded as changes by a change of identity alone: what a registration said otherwise was written nowhere.
    """
    return (
        Move("note-flag", standing | {clash}, (), rule=only_noted, overtaken="nothing"),
        Move(
            "keep-apart",
            standing,
            ExpertKeptApart,
            body=Reason,
            by=DECIDES,
            refuses=("not_flagged",),
            reasons=("documents_compared", "person_confirmed", "relatives", "common_name"),
            example={"reason": "documents_compared"},
            aside=True,
            settles=POSSIBLE_DUPLICATE,
            of_one=True,
        ),
        Move(
            "keep-identity",
            standing,
            ExpertIdentityKept,
            body=Reason,
            by=DECIDES,
            refuses=("not_flagged",),
            reasons=("typing_error", "documents_compared", "person_confirmed", "recorded_anew"),
            example={"reason": "typing_error"},
            aside=True,
            settles=IDENTITY_DIFFERS,
            of_one=True,
        ),
    )
