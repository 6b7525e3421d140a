"""The filters of a case's lists, from its declaration: their parameters in the contract, their values in a query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from shared.cases.case import Case
from shared.contracts.base import Code, Id
from shared.identity.policy import Equality
from shared.programmes.definitions import Definitions
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.store.narrowing import narrowed
from shared.store.relations import PROGRAMME, STATUS, references_of
from shared.web.lists import OF_EVERY_LIST, Paged, query
from shared.web.strict_json import refuse

_ID: TypeAdapter[str] = TypeAdapter(Id)
_CODE: TypeAdapter[str] = TypeAdapter(Code)


def filters_of(case: Case[Any]) -> list[dict[str, Any]]:
    """The list's own parameters: `status` by its values, the programme's code, an id of what the case refers to."""
    found = [_parameter(STATUS, "Those that stand there now.", {"type": "string", "enum": list(case.statuses)})]
    if PROGRAMME in case.filters:
        found.append(_parameter(PROGRAMME, "Those of this programme, by its code.", _CODE.json_schema()))
    said = "Those of this {name}, by its id."
    return [*found, *(_parameter(name, said.format(name=name), _ID.json_schema()) for name in references_of(case))]


def asked_of(request: Request, case: Case[Any], definitions: Definitions) -> dict[str, str]:
    """The query's filters by name. Raises Refusal 422 with the parameter and, in words, what may stand there;
    TooEarly while programmes are still being read."""
    sent = query(request, *OF_EVERY_LIST, STATUS, *case.filters)
    asked = {name: value for name, value in sent.items() if name not in OF_EVERY_LIST}
    if STATUS in asked and asked[STATUS] not in case.statuses:
        refuse(CODE_NOT_LISTED, f"query/{STATUS}", f"one of {', '.join(case.statuses)}")
    if PROGRAMME in asked and asked[PROGRAMME] not in definitions.offices():
        refuse("programme_unknown", f"query/{PROGRAMME}", "the code of a programme that was published")
    for name in references_of(case):
        if name in asked and not _is_id(asked[name]):
            refuse("string_pattern_mismatch", f"query/{name}", "an id as these services give it, in lower case")
    return asked


def paged_of(case: Case[Any], equality: Equality, asked: Mapping[str, str], definitions: Definitions) -> Paged:
    """The part of the caller's list that the filters leave. A cursor of it is good for these filters alone."""
    offices = definitions.offices() if asked and PROGRAMME in case.filters else {}
    filters = (f"{name}={asked[name]}" for name in sorted(asked))
    return Paged(narrowed(case, *equality, asked, offices), (*equality, *filters))


def _is_id(value: str) -> bool:
    try:
        _ID.validate_python(value)
    except ValidationError:
        return False
    return True


def _parameter(name: str, description: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": dict(schema)}
