"""What offices say to each other of passing a case on (docs/decisions/0053-a-case-moves-to-another-office.md).

A case whose kind is passed on declares events of its own of these forms on its topic. What follows a case that was
passed on declares the last form alone.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from shared.contracts.base import Aside, Code, TimeZone


class Transferring(Aside):
    """Something about whose case it is."""


class TransferAsked(Transferring):
    """The case's office asks another one, `to_office`, to take the case over."""

    to_office: Code
    reason: Code


class TransferWithdrawn(Transferring):
    """The case's office asks no longer."""


class TransferDeclined(Transferring):
    """The office that was asked does not take the case."""

    reason: Code


class CaseTransferred(Transferring):
    """The case is `office`'s from now on, and was the office's that it `left`.

    `time_zone`: the new office's (IANA name), in which the days of the case are reckoned from now on.
    """

    office: Code
    left: Code
    time_zone: TimeZone | None = None


class CaseFollowed(CaseTransferred):
    """What hangs on another case follows it. `after_epoch`, `after_sequence`: the place, among the events of that case,
    up to which it has been followed."""

    after_epoch: Annotated[int, Field(ge=0)]
    after_sequence: Annotated[int, Field(ge=1)]
