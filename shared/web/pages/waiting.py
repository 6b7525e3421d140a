"""What waits for a reader in one service: cases by kind and state, with the oldest of each.

It follows from the table of moves at each look and is stored nowhere: a state waits for a reader to whom it leaves a
verb that leads on. Whatever stands in the store is counted up to a bound, and the oldest are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from shared.cases.case import Case
from shared.cases.revisions import REVISING
from shared.cases.taking import taken_by
from shared.identity.policy import Equality
from shared.identity.roles import Relation, Role
from shared.programmes.definitions import Definitions
from shared.store.narrowing import ME, TAKEN_BY, TO_US, TRANSFER, Listed, narrowed, read
from shared.store.port import Document
from shared.store.relations import PASSING, PROGRAMME, RECEIVING, STATUS
from shared.web.acting import Behind, Served, open_to
from shared.web.callers import Granted
from shared.web.filters import TAKERS, WAYS, asked_by
from shared.web.jobs import to_confirm
from shared.web.pages.cases import newest_of
from shared.web.pages.opening import opens_to
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.standing import answers
from shared.web.pages.words import translations
from shared.web.pages.yours import Yours, yours_in
from shared.web.routing import Routes

# Whose cases are the reader's own: each is shown, instead of how many wait.
OWN: Relation = "own"
# So many of one state are counted; of more it is said that there are more.
COUNTED_AT_MOST = 200
OLDEST = 3
# A case, and what is open in it to the reader.
Looked = tuple[Document, tuple[str, ...]]


@dataclass(frozen=True)
class Further:
    """A page of the service that is no case's. `words`: what it is called in a language; `right`: what it needs."""

    name: str
    words: Callable[[str], str]
    right: tuple[str, str]

    @staticmethod
    def of(resource: str) -> Further:
        """The list of a resource, by its own words."""
        return Further(
            resource, lambda language: translations(language).gettext(f"case:{resource}"), (resource, "list")
        )


@dataclass(frozen=True)
class Task:
    verb: str
    number: int
    oldest: tuple[str, ...]


@dataclass(frozen=True)
class Waiting:
    """Cases of one kind in one state, or (`transfer`) between two offices, by the value of the filter that shows them.
    `more`: there are more than `number`. `tasks`: of those in which somebody has done what waits for an answer now, by
    the verb that gives it: how many, and the oldest. `taken`: of those that officers take, the
    same of what the reader has and of what nobody has, by the value of the filter that shows them."""

    kind: str
    status: str
    number: int
    more: bool
    oldest: tuple[str, ...]
    taken: tuple[tuple[str, int, bool], ...] = ()
    transfer: str = ""
    tasks: tuple[Task, ...] = ()


def today_router(cases: Sequence[Served], behind: Behind, further: Sequence[Further] = ()) -> APIRouter:
    """`GET /today`, a part of the page that tells what waits in every service."""
    router = Routes(include_in_schema=False)

    async def today(request: Request, admitted: Admitted = Depends(reading_as("today", "read"))) -> Response:
        edge, reader = admitted.edge, admitted.reader
        found, yours, lists, begins = list[Waiting](), list[Yours](), list[str](), list[tuple[str, str]]()
        for served, equality in await _listed(cases, admitted):
            if equality[0] == OWN:
                own = narrowed(served.case, *equality, {}, _offices(served.case, behind.definitions))
                yours.append(await yours_in(served, behind, admitted, own))
                continue
            found += await waiting_in(served, behind, admitted, equality)
        if reader.principal.role == "host":
            begins = _begun(cases, behind, admitted)
        if not yours:
            lists = [one.name for one in cases if edge.policy.allowed(reader.principal, one.name, "list")]
        links = [
            (f"/{edge.service}/{one.name}", one.words(reader.language))
            for one in further
            if edge.policy.allowed(reader.principal, *one.right)
        ]
        shown: dict[str, Any] = {
            "waiting": found,
            "to_confirm": await to_confirm(admitted),
            "yours": yours,
            "lists": lists,
            "links": links,
            "begins": begins,
            "now": edge.runtime.now(),
        }
        return render(request, "waiting.html", reader=reader, service=edge.service, **shown)

    router.add_api_route("/today", today, methods=["GET"])
    return router


def _begun(cases: Sequence[Served], behind: Behind, admitted: Admitted) -> list[tuple[str, str]]:
    """What the reader may begin, by kind and verb: nothing of it waits for anybody before. Officers have lists for it,
    and whoever applies has the programmes."""
    known = newest_of(behind.definitions)
    return [(served.name, verb) for served in cases for verb in opens_to(served, known, admitted)]


def waits_in(case: Case[Any], role: Role) -> tuple[str, ...]:
    """The states out of which a verb of the role leads on, or in which it answers what waits, in the order of the
    table."""
    rows = [row for verb in case.verbs for row in case.rows[verb] if role in row.by and not row.aside]
    begun = {status for row in rows for status in row.before if row.leads_to(status) != {status} or answers(row)}
    return tuple(status for status in case.statuses if status in begun)


async def _listed(cases: Sequence[Served], granted: Granted) -> list[tuple[Served, Equality]]:
    """The cases that the reader may list, each with the widest relation under which; the own ones for an expert, to
    whom a list of what is everybody's says nothing."""
    found = []
    for served in cases:
        equalities = await granted.equalities_of(granted.edge.policy.allowed(granted.principal, served.name, "list"))
        found += [(served, one) for one in equalities[:1]]
    own = [one for one in found if one[1][0] == OWN]
    return own or found


async def waiting_in(served: Served, behind: Behind, granted: Granted, equality: Equality) -> list[Waiting]:
    """What waits for the reader among the cases of that relation. Raises Unavailable, TooEarly."""
    statuses = waits_in(served.case, granted.principal.role)
    found = [await _counted(served, behind, granted, equality, status) for status in statuses]
    if served.case.is_received_by(granted.principal.role):
        found += [await _between(served, granted, equality[1], way) for way in WAYS]
    return [one for one in found if one.number]


async def _between(served: Served, granted: Granted, office: str, way: str) -> Waiting:
    """What one office has asked another one for and waits for the answer."""
    index = RECEIVING if way == TO_US else PASSING
    listed = Listed(index, (office,))
    documents, last = await read(granted.edge.store, served.aggregate.name, listed, None, COUNTED_AT_MOST)
    oldest = sorted(documents, key=lambda one: str(one["state"][TRANSFER]["asked_at"]))[:OLDEST]
    ids = tuple(str(one["_id"]) for one in oldest)
    return Waiting(served.name, "", len(documents), last is not None, ids, transfer=way)


async def _counted(served: Served, behind: Behind, granted: Granted, equality: Equality, status: str) -> Waiting:
    looked, more = await _waiting(served, behind, granted, equality, {STATUS: status})
    waiting = [one for one, _ in looked]
    taken = []
    for whose in TAKERS if served.case.is_taken_by(granted.principal.role) and status in served.case.taken_in else ():
        account = granted.principal.account if whose == ME else None
        found, further = [one for one in waiting if taken_by(one) == account], False
        if more:
            again, further = await _waiting(served, behind, granted, equality, {STATUS: status, TAKEN_BY: whose})
            found = [one for one, _ in again]
        taken.append((whose, len(found), further))
    return Waiting(
        served.name, status, len(waiting), more, _oldest(waiting), tuple(taken), tasks=_tasks(served.case, looked)
    )


def _tasks(case: Case[Any], looked: Sequence[Looked]) -> tuple[Task, ...]:
    """By each verb that answers what waits within a state, such as a report: it is not open in all that stand there."""
    found = []
    for verb in case.verbs:
        if not any(answers(row) for row in case.rows[verb]):
            continue
        waiting = [one for one, verbs in looked if verb in verbs]
        found += [Task(verb, len(waiting), _oldest(waiting))] if waiting else []
    return tuple(found)


def _oldest(waiting: Sequence[Document]) -> tuple[str, ...]:
    return tuple(str(one["_id"]) for one in sorted(waiting, key=_since)[:OLDEST])


async def _waiting(
    served: Served, behind: Behind, granted: Granted, equality: Equality, asked: Mapping[str, str]
) -> tuple[list[Looked], bool]:
    """Those of the list in which a step is open to the reader, and whether there are more to be looked at."""
    offices, by = _offices(served.case, behind.definitions), asked_by(granted.principal.account, asked)
    listed = narrowed(served.case, *equality, by, offices)
    documents, last = await read(granted.edge.store, served.aggregate.name, listed, None, COUNTED_AT_MOST)
    found = [(one, await _possible(served, one, granted)) for one in documents]
    return [one for one in found if any(_is_waited_for(served.case, verb, one[0]) for verb in one[1])], last is not None


async def _possible(served: Served, document: Document, granted: Granted) -> tuple[str, ...]:
    """The verbs that are open to the reader and would not be refused for now."""
    shuts = await served.shuts(document, granted)
    return tuple(verb for verb in await open_to(served, document, granted) if verb not in shuts)


def _is_waited_for(case: Case[Any], verb: str, document: Document) -> bool:
    """Whether the verb is no way by which the case might go from where it stands and that nobody waits for."""
    status = document["state"][STATUS]
    if verb in REVISING:
        return False
    return any(status in row.before and not row.aside for row in case.rows[verb])


def _offices(case: Case[Any], definitions: Definitions) -> dict[str, Iterable[str]]:
    return dict(definitions.offices()) if PROGRAMME in case.filters else {}


def _since(document: Document) -> str:
    """Since when the case stands as it does: what happened last in it."""
    return str(document.get("last_happened_at") or "")
