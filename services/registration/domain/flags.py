"""What officers have to look at in a case beside its status, and how that is settled."""

from __future__ import annotations

from typing import Any

from shared.cases.bodies import Change, Reason
from shared.cases.case import Move, Told, Turn
from shared.contracts.registration.experts import ExpertKeptApart

# Somebody else has the same name, year of birth and origin; the account registered under another name or year of birth
# before; a change of the person's identity waits for a decision.
POSSIBLE_DUPLICATE, IDENTITY_DIFFERS, IDENTITY_PENDING = FLAGS = (
    "possible_duplicate",
    "identity_differs",
    "identity_change_pending",
)


def only_noted(_turn: Turn[Any, Change]) -> Told:
    """What stands beside the case alone, and is no fact of it."""
    return ()


def settling(standing: frozenset[str], clash: str) -> tuple[Move, ...]:
    """The rows that set a flag, and that settle one. `standing`: the states in which a case goes on.

    Merging two records is another matter, and not built; whose number it is, is decided before.
    """
    return (
        Move("note-flag", standing | {clash}, (), rule=only_noted, overtaken="nothing"),
        Move(
            "keep-apart",
            standing,
            ExpertKeptApart,
            body=Reason,
            by={"officer": "office", "protection": "all"},
            refuses=("not_flagged",),
            reasons=("documents_compared", "person_confirmed", "relatives", "common_name"),
            example={"reason": "documents_compared"},
            aside=True,
            settles=POSSIBLE_DUPLICATE,
            of_one=True,
        ),
    )
