"""The filters of a case's lists, from its declaration: their parameters in the contract, their values in a query.

Nobody narrows by what is hidden from the role: what a list leaves out would tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter

from shared.cases.case import Case
from shared.contracts.base import Code
from shared.identity.policy import Equality
from shared.identity.roles import Role
from shared.programmes.definitions import PUBLISHED, Definitions
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.store.collection import by_id
from shared.store.narrowing import FROM_US, ME, NOBODY, TAKEN_BY, TO_US, TRANSFER, narrowed, received
from shared.store.relations import FLAG, PROGRAMME, STATUS, lists_of, references_of
from shared.web.acting import Served
from shared.web.hidden import HIDDEN
from shared.web.lists import AN_ID, OF_EVERY_LIST, Paged, check_id, each_once
from shared.web.strict_json import refuse

ORDER, NEWEST, OLDEST = "order", "newest", "oldest"
ORDERS = (OLDEST, NEWEST)
OFFICE = "office"
TAKERS = (ME, NOBODY)
WAYS = (TO_US, FROM_US)
_CODE: TypeAdapter[str] = TypeAdapter(Code)


def filters_for(case: Case[Any], role: Role) -> tuple[str, ...]:
    """By what the role narrows the list, beside `status`."""
    return tuple(name for name in case.filters if name not in HIDDEN.get(role, ()))


def flags_for(case: Case[Any], role: Role) -> tuple[str, ...]:
    """The flags that the role is shown and narrows by: whoever works for an office, in the office's own list."""
    lists = case.readers if case.lists is None else case.lists
    return case.flags if lists.get(role) == OFFICE else ()


def is_in_time(served: Served) -> bool:
    """Whether every list of the case is in an order that means something to people: that of its openings."""
    indexes = served.aggregate.collection.indexes
    return all(indexes[relation].order is not by_id for relation in lists_of(served.case))


def newest_first(request: Request) -> bool:
    return request.query_params.get(ORDER) == NEWEST


def filters_of(served: Served) -> list[dict[str, Any]]:
    """The list's own parameters: `status` by its values, the programme's code, an id of what the case refers to."""
    case = served.case
    found = [_parameter(STATUS, "Those that stand there now.", {"type": "string", "enum": list(case.statuses)})]
    if PROGRAMME in case.filters:
        found.append(_parameter(PROGRAMME, "Those of this programme, by its code.", _CODE.json_schema()))
    said = "Those of this {name}, by its id."
    found += [_parameter(name, said.format(name=name), AN_ID.json_schema()) for name in references_of(case)]
    if case.taken_in:
        words = "For officers: those that the caller works on, or nobody does; the ones that are over are left out."
        found.append(_parameter(TAKEN_BY, words, {"type": "string", "enum": [*TAKERS]}))
    if case.flags:
        words = "For officers: those in which that is to be looked at."
        found.append(_parameter(FLAG, words, {"type": "string", "enum": list(case.flags)}))
    if case.received_in:
        words = "For officers: what the caller's office is asked to take over, or asks another one to."
        found.append(_parameter(TRANSFER, words, {"type": "string", "enum": [*WAYS]}))
    if is_in_time(served):
        found.append(_parameter(ORDER, "By when they were opened.", {"type": "string", "enum": [*ORDERS]}))
    return found


@dataclass(frozen=True)
class Filters:
    """What a role may ask a list for: each parameter with the values that it may have; none where the case does not
    list them, as a programme's code or an id."""

    values: Mapping[str, tuple[str, ...]]

    @staticmethod
    def of(served: Served, role: Role) -> Filters:
        case, flags = served.case, flags_for(served.case, role)
        values: dict[str, tuple[str, ...]] = {name: () for name in OF_EVERY_LIST}
        values |= {STATUS: tuple(case.statuses), **{name: () for name in filters_for(case, role)}}
        values |= {TAKEN_BY: TAKERS} if case.is_taken_by(role) else {}
        values |= {TRANSFER: WAYS} if case.is_received_by(role) else {}
        values |= {FLAG: flags} if flags else {}
        return Filters({**values, **({ORDER: ORDERS} if is_in_time(served) else {})})

    def asked(self, query: Iterable[tuple[str, str]], programmes: Callable[[], Collection[str]]) -> dict[str, str]:
        """The parameters by name. `programmes`: the codes of those that were published, asked for where one is named.
        Raises Refusal 422 with the parameter and, in words, what may stand there."""
        sent = each_once(query, tuple(self.values))
        for name, value in sent.items():
            listed = self.values[name]
            if listed and value not in listed:
                refuse(CODE_NOT_LISTED, f"query/{name}", f"one of {', '.join(listed)}")
            if name == PROGRAMME and value not in programmes():
                refuse("programme_unknown", f"query/{name}", PUBLISHED)
            if not listed and name not in (PROGRAMME, *OF_EVERY_LIST):
                check_id(name, value)
        return sent


def asked_of(request: Request, served: Served, role: Role, definitions: Definitions) -> dict[str, str]:
    """The query's filters by name. Raises Refusal 422 as `Filters.asked`; TooEarly while programmes are still being
    read."""
    sent = Filters.of(served, role).asked(request.query_params.multi_items(), definitions.offices)
    return {name: value for name, value in sent.items() if name not in (*OF_EVERY_LIST, ORDER)}


def paged_of(
    case: Case[Any],
    equality: Equality,
    asked: Mapping[str, str],
    definitions: Definitions,
    account: str,
    *,
    newest: bool = False,
) -> Paged:
    """The part of the list of the caller, whose account that is, that the filters leave. A cursor of it is good for
    these filters and this order alone."""
    asked = asked_by(account, asked)
    offices = definitions.offices() if asked and PROGRAMME in case.filters else {}
    filters = (f"{name}={asked[name]}" for name in sorted(asked))
    order = (NEWEST,) if newest else ()
    to_us = asked.get(TRANSFER) == TO_US
    listed = received(equality[1], asked) if to_us else narrowed(case, *equality, asked, offices)
    return Paged(listed, (*equality, *filters, *order), newest)


def asked_by(account: str, asked: Mapping[str, str]) -> Mapping[str, str]:
    """The filters with the account in the place of whoever asks."""
    return {**asked, TAKEN_BY: account} if asked.get(TAKEN_BY) == ME else asked


def _parameter(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": dict(schema)}
