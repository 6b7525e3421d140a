"""The calendar of a person: no two on-site placements overlap, whichever offices run them.

A calendar is a guard (docs/kernel.md, section 3): a placement takes its dates before it exists. Dates are half-open, so
that one placement may begin on the day on which another has ended. Virtual work takes nobody anywhere and
conflicts with nothing.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import date
from typing import Any

from shared.errors import Problem, Refusal

VIRTUAL = "virtual"
DAYS_AT_MOST = 3_660
Claim = Mapping[str, Any]


def in_order(starts_on: date, ends_on: date) -> None:
    """Refuses `dates_reversed` (422): dates are half-open, so `ends_on` is the day after the last one; and
    `dates_too_far_apart` (422) beyond ten years, which nobody is placed or taught at a stretch."""
    if ends_on <= starts_on:
        raise _wrong_end("dates_reversed", "the day after the last one, so later than the first")
    if (ends_on - starts_on).days > DAYS_AT_MOST:
        raise _wrong_end("dates_too_far_apart", f"{DAYS_AT_MOST} days after the first one at most")


def _wrong_end(rule: str, wanted: str) -> Refusal:
    return Refusal(rule, wanted, problems=(Problem(rule, "/ends_on", wanted),), status=422)


def admit(claim: Claim, standing: Mapping[str, Claim]) -> None:
    """Refuses `placement_overlaps` where an on-site claim meets another one's dates."""
    if claim["modality"] == VIRTUAL:
        return
    for hold in standing.values():
        other = hold["claim"]
        if other["modality"] != VIRTUAL and overlap(claim, other):
            raise Refusal("placement_overlaps", "the expert is placed elsewhere within these dates; others may be free")


def overlap(one: Claim, other: Claim) -> bool:
    """Whether two half-open ranges of days have a day in common; an empty range has none."""
    starts = max(one["starts_on"], other["starts_on"])
    return bool(starts < min(one["ends_on"], other["ends_on"]))


def widened(claim: Claim, starts_on: date, ends_on: date, asked: str) -> Claim:
    """The claim that holds its own days and those of the dates; `asked`: the command that is about to promise them."""
    return {
        **claim,
        "asked": asked,
        "starts_on": min(claim["starts_on"], starts_on.isoformat()),
        "ends_on": max(claim["ends_on"], ends_on.isoformat()),
    }


def promised(claim: Claim, starts_on: date, ends_on: date, settled: Container[str]) -> Claim:
    """The claim without the days that the saved contract does not have, given back to whoever can use them.

    A claim that was widened by a command that is not among the settled ones stays as it is: the days that it added
    belong to a contract which is about to be saved.
    """
    if claim.get("asked") not in settled:
        return claim
    return {
        **claim,
        "starts_on": max(claim["starts_on"], starts_on.isoformat()),
        "ends_on": min(claim["ends_on"], ends_on.isoformat()),
    }


def cut(claim: Claim, ends_on: date) -> Claim:
    """The claim without the days from `ends_on` on; what was worked stays."""
    return {**claim, "ends_on": min(claim["ends_on"], max(claim["starts_on"], ends_on.isoformat()))}
