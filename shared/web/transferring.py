"""A case passed on to another office behind an edge: which offices there are is asked of the programme's definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.cases.case import Asked
from shared.cases.transfers import ACCEPT, ASK, Offices
from shared.contracts.base import Scope
from shared.errors import Refusal
from shared.programmes.definitions import Definitions
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Saved
from shared.web.acting import Call, Work


def transferring(aggregate: Aggregate[Any], replica: Replica) -> Mapping[str, Work]:
    """The works of the verbs that look at the offices. They raise Refusal `not_found` (404) and those of the table,
    TooEarly while programmes are still being read."""

    async def with_offices(call: Call[Any]) -> Saved[Any]:
        _, state = await replica.kernel.load(aggregate, call.id)
        if state is None:
            raise Refusal("not_found", status=404)
        offices = offices_for(replica.definitions, aggregate.scope(state))
        command = Asked(call.verb, call.body, offices)
        return await replica.kernel.execute(
            aggregate, call.id, command, call.cause, expected_version=call.expected_version
        )

    return dict.fromkeys((ASK, ACCEPT), with_offices)


def offices_for(definitions: Definitions, scope: Scope) -> Offices:
    """Those of the newest version of the case's programme, or of every programme for a case without one. Each with the
    zone in which its facts of such a case are counted: by the version that the case was opened under."""
    codes = definitions.codes() if scope.programme is None else [scope.programme]
    found: dict[str, str] = {}
    for code in codes:
        version = scope.programme_version if scope.programme else None
        for one in definitions.newest(code).offices:
            known = definitions.office(code, version, one.code)
            found.setdefault(one.code, (known or one).time_zone)
    return found
