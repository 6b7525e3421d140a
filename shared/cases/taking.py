"""Who of an office works on a case: one takes it, passes it on, gives it back.

Nobody but the office is told, so no event says it: it stands in the case's own document, in its private part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.cases.bodies import Change
from shared.cases.case import GIVE_BACK, PASS_ON, TAKE, Desk, Move, Told, Turn
from shared.contracts.base import Id
from shared.identity.roles import BY_OFFICER

# In the private part of a document: the account of whoever has the case, and since when.
TAKEN = "taken"
CASE_TAKEN, CASE_NOT_TAKEN = "case_taken", "case_not_taken"


class PassedOn(Change):
    """`colleague`: the account of whoever works on it from now on."""

    colleague: Id


def taken_on(_turn: Turn[Any, Any]) -> Told:
    """Whoever asks works on the case from now on. Nobody may have it before."""
    return ()


def passed_on(_turn: Turn[Any, Any]) -> Told:
    """A colleague works on the case from now on. Anybody of the office may say so, for whoever has it may be away."""
    return ()


def given_back(_turn: Turn[Any, Any]) -> Told:
    """Nobody has the case any more. Anybody of the office may say so, for whoever has it may be away."""
    return ()


def taking(open_states: frozenset[str]) -> tuple[Move, ...]:
    """The rows by which officers share the cases of these states, which stay as they are."""
    return (
        Move(TAKE, open_states, (), by=BY_OFFICER, rule=taken_on, desk="takes", refuses=(CASE_TAKEN,), aside=True),
        Move(
            PASS_ON,
            open_states,
            (),
            body=PassedOn,
            by=BY_OFFICER,
            rule=passed_on,
            desk="passes_on",
            refuses=(CASE_NOT_TAKEN, CASE_TAKEN),
            example={"colleague": "0f5e2d0a-3f0c-5a51-8f0c-3d1b5b8f8c41"},
            aside=True,
        ),
        Move(
            GIVE_BACK,
            open_states,
            (),
            by=BY_OFFICER,
            rule=given_back,
            desk="gives_back",
            refuses=(CASE_NOT_TAKEN,),
            aside=True,
        ),
    )


def taken_by(document: Mapping[str, Any]) -> str | None:
    """The account of whoever has the case; None where nobody does."""
    account: str | None = document.get("private", {}).get(TAKEN, {}).get("account")
    return account


def rule_against(desk: Desk, account: str | None) -> str:
    """The rule that refuses it while that account has the case, None: nobody; empty where none does."""
    if desk == "leaves":
        return ""
    if desk == "takes":
        return CASE_TAKEN if account else ""
    return CASE_NOT_TAKEN if desk and not account else ""
