"""Placement's HTTP edge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, Literal

from fastapi import APIRouter

from services.placement.domain.placement_state import Placement
from services.placement.domain.placements import (
    CancelPlacement,
    CompletePlacement,
    CompleteStep,
    ConfirmArrival,
    ContractPlacement,
    Depart,
    EndEarly,
    ExtendPlacement,
    ReportNoShow,
    existing,
)
from services.placement.handlers import CONSENT_FLAG, Placing
from services.placement.store import PLACEMENTS
from shared.contracts.base import Code
from shared.contracts.placement import PreparationStep
from shared.identity.tokens import Principal
from shared.store.aggregates import Saved
from shared.store.port import Document
from shared.web.bodies import Change
from shared.web.transitions import Call, Resource, listing, reading, transition


class Contract(Change):
    starts_on: date
    ends_on: date


class Step(Change):
    step: PreparationStep


class Extension(Change):
    ends_on: date


class EarlyEnd(Change):
    party: Literal["expert", "host", "programme"]
    reason: Code


class Reason(Change):
    reason: Code


def represent(document: Document, _principal: Principal) -> Mapping[str, Any]:
    """A placement: codes, dates and ids; `state` is its place in the state machine.

    `consent_withdrawn`: the person has taken the consent back, and what runs waits for the officer's decision.
    """
    state = dict(document["state"])
    flag = {CONSENT_FLAG: bool(document["private"].get(CONSENT_FLAG))}
    return {"id": document["_id"], "version": document["version"], "state": state.pop("status"), **state, **flag}


RESOURCE = Resource("placements", PLACEMENTS.name, represent)


Obligatory = tuple[PreparationStep, ...]
CommandOf = Callable[[Any, Obligatory], Any]
# Verb, body, the command of it (given the obligatory steps of the case), an example.
TRANSITIONS: tuple[tuple[str, type[Change], CommandOf, Mapping[str, Any]], ...] = (
    ("complete-step", Step, lambda body, obligatory: CompleteStep(body.step, obligatory), {"step": "training"}),
    ("depart", Change, lambda _, obligatory: Depart(obligatory), {}),
    ("confirm-arrival", Change, lambda _, obligatory: ConfirmArrival(obligatory), {}),
    ("complete", Change, lambda *_: CompletePlacement(), {}),
    (
        "end-early",
        EarlyEnd,
        lambda body, _: EndEarly(body.party, body.reason),
        {"party": "expert", "reason": "family"},
    ),
    ("report-no-show", Change, lambda *_: ReportNoShow(), {}),
    ("cancel", Reason, lambda body, _: CancelPlacement(body.reason), {"reason": "host_closed"}),
)


def router(placing: Placing) -> APIRouter:
    """`/placements`, its items and its transitions."""
    routes = APIRouter()
    listing(routes, path="/placements", resource=RESOURCE)
    reading(routes, path="/placements/{id}", resource=RESOURCE)

    async def contract(call: Call[Contract]) -> Saved[Placement]:
        command = ContractPlacement(call.body.starts_on, call.body.ends_on)
        return await placing.contract(call.id, command, call.cause, call.expected_version)

    async def extend(call: Call[Extension]) -> Saved[Placement]:
        command = ExtendPlacement(call.body.ends_on)
        return await placing.extend(call.id, command, call.cause, call.expected_version)

    _post(routes, "contract", Contract, contract, {"starts_on": "2027-03-01", "ends_on": "2027-05-01"})
    _post(routes, "extend", Extension, extend, {"ends_on": "2027-06-01"})
    for verb, body, command_of, example in TRANSITIONS:
        _post(routes, verb, body, _carry_out(placing, command_of), example)
    return routes


def _carry_out(placing: Placing, command_of: CommandOf) -> Callable[[Call[Any]], Awaitable[Saved[Placement]]]:
    async def run(call: Call[Any]) -> Saved[Placement]:
        obligatory = await placing.obligatory(existing(PLACEMENTS.read(call.document)))
        return await placing.carry_out(call.id, command_of(call.body, obligatory), call.cause, call.expected_version)

    return run


def _post(routes: APIRouter, verb: str, body: type[Any], run: Any, example: Mapping[str, Any]) -> None:
    path = f"/placements/{{id}}/{verb}"
    transition(routes, path=path, resource=RESOURCE, verb=verb, body=body, run=run, example=example)
