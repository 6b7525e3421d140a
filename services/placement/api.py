"""Placement's HTTP edge."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter

from services.placement.domain.placements import (
    CancelPlacement,
    CompletePlacement,
    CompleteStep,
    ConfirmArrival,
    ContractPlacement,
    Depart,
    EndEarly,
    ExtendPlacement,
    Placement,
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


def _state(call: Call[Any]) -> Placement:
    return existing(PLACEMENTS.read(call.document))


def router(placing: Placing) -> APIRouter:
    """`/placements`, its items and its transitions."""
    routes = APIRouter()
    listing(routes, path="/placements", resource=RESOURCE)
    reading(routes, path="/placements/{id}", resource=RESOURCE)
    post = partial(_post, routes)

    async def contract(call: Call[Contract]) -> Saved[Placement]:
        command = ContractPlacement(call.body.starts_on, call.body.ends_on)
        return await placing.contract(call.id, command, call.cause, call.expected_version)

    async def extend(call: Call[Extension]) -> Saved[Placement]:
        command = ExtendPlacement(call.body.ends_on)
        return await placing.extend(call.id, command, call.cause, call.expected_version)

    async def complete_step(call: Call[Step]) -> Saved[Placement]:
        command = CompleteStep(call.body.step, await placing.obligatory(_state(call)))
        return await _carry_out(placing, call, command)

    async def depart(call: Call[Change]) -> Saved[Placement]:
        return await _carry_out(placing, call, Depart(await placing.obligatory(_state(call))))

    async def confirm_arrival(call: Call[Change]) -> Saved[Placement]:
        return await _carry_out(placing, call, ConfirmArrival(await placing.obligatory(_state(call))))

    async def complete(call: Call[Change]) -> Saved[Placement]:
        return await _carry_out(placing, call, CompletePlacement())

    async def end_early(call: Call[EarlyEnd]) -> Saved[Placement]:
        return await _carry_out(placing, call, EndEarly(call.body.party, call.body.reason))

    async def report_no_show(call: Call[Change]) -> Saved[Placement]:
        return await _carry_out(placing, call, ReportNoShow())

    async def cancel(call: Call[Reason]) -> Saved[Placement]:
        return await _carry_out(placing, call, CancelPlacement(call.body.reason))

    post("contract", Contract, contract, {"starts_on": "2027-03-01", "ends_on": "2027-05-01"})
    post("complete-step", Step, complete_step, {"step": "training"})
    post("depart", Change, depart, {})
    post("confirm-arrival", Change, confirm_arrival, {})
    post("extend", Extension, extend, {"ends_on": "2027-06-01"})
    post("complete", Change, complete, {})
    post("end-early", EarlyEnd, end_early, {"party": "expert", "reason": "family"})
    post("report-no-show", Change, report_no_show, {})
    post("cancel", Reason, cancel, {"reason": "host_closed"})
    return routes


def _post(routes: APIRouter, verb: str, body: type[Any], run: Any, example: Mapping[str, Any]) -> None:
    path = f"/placements/{{id}}/{verb}"
    transition(routes, path=path, resource=RESOURCE, verb=verb, body=body, run=run, example=example)


async def _carry_out(placing: Placing, call: Call[Any], command: Any) -> Saved[Placement]:
    return await placing.carry_out(call.id, command, call.cause, call.expected_version)
