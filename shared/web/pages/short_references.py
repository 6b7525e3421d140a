"""References as people call cases by, in the filters of a list: the first characters of one alone are taken for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import urlencode

from fastapi import Request

from shared.errors import rule_of
from shared.programmes.definitions import Definitions
from shared.replica import SHADOWS
from shared.store.narrowing import read
from shared.store.port import begins_uuid
from shared.store.relations import references_of
from shared.texts import latin
from shared.web.acting import Served
from shared.web.filters import paged_of
from shared.web.pages.linked import kind_of
from shared.web.pages.readers import Admitted
from shared.web.strict_json import refuse

REFERENCE_UNCLEAR = rule_of("reference_unclear")
# Of a UUID as these services write it.
WHOLE_CHARACTERS = 36
# Two cases seldom begin with the same eight characters.
CALLED_AT_MOST = 20
# The ids that begin with a text, of what may be meant under the name of a parameter.
Beginning = Callable[[str, str], Awaitable[list[str]]]


def as_called(reference: str) -> str:
    """The reference as it is compared."""
    return latin(reference).lower().replace(" ", "")


def is_short(text: str) -> bool:
    """Whether it is the beginning of a reference, and not all of it."""
    return len(text) < WHOLE_CHARACTERS and begins_uuid(text)


def asking_for(request: Request, name: str, value: str) -> Request:
    """The request with that in its query alone under the name; without it where the value is empty."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != name]
    query = urlencode([*kept, *([(name, value)] if value else [])])
    return Request({**request.scope, "query_string": query.encode()})


async def in_whole(request: Request, names: Iterable[str], beginning: Beginning) -> Request:
    """The request with the whole reference in the place of its beginning, under each name where one alone begins so.
    Raises Refusal 422 `reference_unclear`; what is no reference stays as it was typed."""
    for name in names:
        text = as_called(request.query_params.get(name, ""))
        if is_short(text):
            request = asking_for(request, name, _only(await beginning(name, text), name))
    return request


async def in_whole_for_list(request: Request, served: Served, admitted: Admitted, definitions: Definitions) -> Request:
    """`in_whole` for the filters of a list, of what the cases of the reader's own refer to."""

    async def beginning(name: str, text: str) -> list[str]:
        begin_so = await _beginning(name, text, admitted)
        return [one for one in begin_so if await _refers(name, one, served, admitted, definitions)]

    return await in_whole(request, references_of(served.case), beginning)


def _only(found: list[str], name: str) -> str:
    """Raises Refusal 422 `reference_unclear` for none and for several, which nobody is to tell apart."""
    if len(found) != 1:
        refuse(REFERENCE_UNCLEAR, f"query/{name}", "the whole reference")
    return found[0]


async def _beginning(name: str, text: str, admitted: Admitted) -> list[str]:
    """The ids that begin so, of this service's own cases of that name, or of what it knows of another one's."""
    service, kind = kind_of(name)
    collection = kind if service == admitted.edge.service else SHADOWS
    found = await admitted.edge.store.beginning(collection, text, limit=CALLED_AT_MOST)
    return [str(one["_id"]) for one in found]


async def _refers(name: str, id: str, served: Served, admitted: Admitted, definitions: Definitions) -> bool:
    """Whether a case of the reader's list refers to it: of what is not there nobody learns whether it is anywhere."""
    store, collection, account = admitted.edge.store, served.aggregate.name, admitted.principal.account
    for equality in await admitted.equalities():
        listed = paged_of(served.case, equality, {name: id}, definitions, account).listed
        if (await read(store, collection, listed, None, 1))[0]:
            return True
    return False
