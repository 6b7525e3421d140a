"""The last fact of a case put right behind an edge: by which event it stands, and what of it a reader sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.cases.case import Asked
from shared.cases.revisions import REVISING, Revision
from shared.cases.trail import Trailed
from shared.contracts.base import Instant
from shared.errors import Refusal
from shared.store.aggregates import Aggregate, Kernel, Saved, settled
from shared.store.port import Document
from shared.store.streams import id_at
from shared.web.acting import Call, Work

# What a fact's own rule is given, from the state; what refuses to take the fact back raises.
Given = Callable[[Call[Any], Any], Awaitable[Any]]


class FactSeen(BaseModel):
    """A fact by its name, when it happened, and whether that was put right afterwards."""

    model_config = ConfigDict(frozen=True)

    fact: str
    happened_at: Instant
    corrected: bool


def last_fact(state: Trailed) -> FactSeen | None:
    """What alone can be put right; None before there is a fact."""
    last = state.last
    return FactSeen(fact=last.name, happened_at=last.happened_at, corrected=last.corrected) if last else None


def standing_ids(aggregate: Aggregate[Any], service: str, document: Document) -> Mapping[int, str]:
    """The ids of the events that stand for the facts which the case remembers, by their sequence."""
    state, topic = aggregate.read(document), f"{service}.{aggregate.name}"
    trail = state.trail if isinstance(state, Trailed) else ()
    return {past.standing: id_at(document, topic, past.standing) for past in trail}


async def _nothing(_call: Call[Any], _state: Any) -> None:
    return None


def revising(aggregate: Aggregate[Any], kernel: Kernel, given: Given = _nothing) -> Mapping[str, Work]:
    """The works of the two verbs. They raise Refusal `not_found` (404), those of the table and those of `given`."""

    async def put_right(call: Call[Any]) -> Saved[Any]:
        document, state = await kernel.load(aggregate, call.id)
        if document is None or state is None:
            raise Refusal("not_found", status=404)
        # A repetition is answered, whatever stands on the fact by now.
        found = None if settled(document, call.cause) else await given(call, state)
        revision = Revision(standing_ids(aggregate, kernel.service, document), found)
        return await kernel.execute(
            aggregate,
            call.id,
            Asked(call.verb, call.body, revision),
            call.cause,
            expected_version=call.expected_version,
        )

    return dict.fromkeys(sorted(REVISING), put_right)
