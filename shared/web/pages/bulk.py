"""Bulk acts of an office: cases are chosen in a list, looked at together, and then a verb is done to each of them.

They are the acts of the case's own page, with the reader's rights for each case; what became of each is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.errors import Problem, Refusal, rule_of
from shared.programmes.model import Definition
from shared.store.narrowing import read
from shared.store.port import Document
from shared.web import bodies
from shared.web.acting import Behind, Seen, Served, as_read, id_of, open_to
from shared.web.pages.asked_list import AskedList
from shared.web.pages.cases import key_of, known_to, narrowing
from shared.web.pages.choices import Choices
from shared.web.pages.days import on_their_days
from shared.web.pages.filled import Form
from shared.web.pages.for_many import fields_for_many
from shared.web.pages.forms import Field, Posted, json_of
from shared.web.pages.kept import KEY
from shared.web.pages.listing import VERB, Again, Listing
from shared.web.pages.offices import times_for
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown, columns_of, labelled
from shared.web.pages.standing import Closed, closed_to
from shared.web.routing import Routes
from shared.web.together import CASES_AT_MOST, KINDS, Chosen, Outcome, Together, verbs_for_many

BULK = "bulk"
# What the list sends, and what the look at what was chosen sends: each case with the version that was seen.
CASE, ALL, CHOSEN = "case", "all", "chosen"
NOTHING_CHOSEN, VERB_NOT_CHOSEN = rule_of("nothing_chosen"), rule_of("verb_not_chosen")
TOO_MANY_CHOSEN = rule_of("too_many_chosen")
_VERSION_DIGITS = 15
Page = Callable[[Request, Admitted], Awaitable[Response]]


def bulk_pages_of(served: Served, behind: Behind) -> APIRouter:
    """`POST /<name>/bulk` looks at what was chosen, `POST /<name>/bulk/{verb}` does it; `GET` leads to the list."""
    router, pages, path = Routes(include_in_schema=False), BulkPages(served, behind), f"/{served.name}/{BULK}"
    for address, page in ((path, pages.looking), (f"{path}/{{verb}}", pages.acting)):
        router.add_api_route(address, _endpoint(served, page), methods=["POST"])
        router.add_api_route(address, _endpoint(served, pages.back), methods=["GET"])
    return router


def _endpoint(served: Served, page: Page) -> Callable[..., Any]:
    async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, "list"))) -> Response:
        return await page(request, admitted)

    return endpoint


@dataclass(frozen=True)
class Looked:
    """A chosen case. `seen`, `document`: None where it is not there for the reader; `closed`: why the verb would be
    refused now."""

    id: str
    document: Document | None = None
    seen: Seen | None = None
    closed: Closed | None = None

    @property
    def value(self) -> str:
        return f"{self.id}:{self.document['version']}" if self.document else self.id


class BulkPages:
    """The bulk acts of one kind of case."""

    def __init__(self, served: Served, behind: Behind) -> None:
        self._served = served
        self._behind = behind
        self._listing = Listing(served, behind)

    @cached_property
    def _verbs(self) -> dict[str, tuple[Field, ...]]:
        """The verbs that many cases may be asked of in the same words, with the fields of those."""
        return dict(fields_for_many(self._served))

    async def back(self, request: Request, admitted: Admitted) -> Response:
        return RedirectResponse(self._list(request, admitted), 303)

    async def looking(self, request: Request, admitted: Admitted) -> Response:
        """Nothing is done yet: which cases, and which of them would be refused. What cannot be looked at is the list
        again, with what was chosen in it."""
        posted = await _posted(request, admitted)
        if (problem := _not_chosen(posted)) is not None:
            again = Again(problem, frozenset(posted.all(CASE)), bool(posted.text(ALL)), posted.text(VERB))
            return await self._listing.page(request, admitted, again)
        together = self._together(request, admitted, posted.text(VERB))
        if posted.text(ALL):
            documents, more = await self._all(request, admitted)
            looked = [await self._looked(together, one) for one in documents]
        else:
            looked, more = [await self._found(together, id) for id in _once(posted.all(CASE))], False
        return self._look(request, admitted, together, looked, Posted({}), more=more)

    async def acting(self, request: Request, admitted: Admitted) -> Response:
        """Does it, and tells what became of each. Sent again, it does nothing again, and goes on with the rest."""
        posted = await _posted(request, admitted)
        together = self._together(request, admitted, request.path_params["verb"])
        if not posted.all(CHOSEN):
            none = Again(Problem(NOTHING_CHOSEN, CASE), verb=together.move.verb)
            return await self._listing.page(request, admitted, none)
        chosen, key = [_chosen(one) for one in _once(posted.all(CHOSEN))], key_of(posted)
        try:
            fields, now = self._verbs[together.move.verb], admitted.edge.runtime.now()
            said = on_their_days(fields, posted, _zone(admitted), now)
            sent = bodies.body_of(together.move.body, json_of(fields, said))
        except Refusal as refusal:
            looked = [await self._found(together, one.id) for one in chosen]
            return self._look(request, admitted, together, looked, posted, refusal.problems)
        outcomes = await together.done(sent, key, chosen)
        return await self._told(request, admitted, together, posted, outcomes)

    def _together(self, request: Request, admitted: Admitted, verb: str) -> Together:
        """Raises Refusal 403 for a verb that the reader has no right to, 404 for one that is not asked of many."""
        if verb not in self._served.case.verbs:
            raise Refusal("not_found", status=404)
        together = Together.of(request, admitted, self._served, self._behind, verb)
        if verb not in verbs_for_many(self._served, admitted.principal.role) or verb not in self._verbs:
            raise Refusal("not_found", status=404)
        return together

    async def _all(self, request: Request, admitted: Admitted) -> tuple[Sequence[Document], bool]:
        """The first of those that the filters of the address leave, and whether there are more."""
        asked = await AskedList.of(request, self._served, admitted, self._behind.definitions)
        if asked.paged is None:
            return (), False
        store, name, listed = admitted.edge.store, self._served.aggregate.name, asked.paged.listed
        documents, last = await read(store, name, listed, None, CASES_AT_MOST, descending=asked.newest)
        return documents, last is not None

    async def _found(self, together: Together, id: str) -> Looked:
        try:
            document = await together.granted.load(self._served.aggregate.name, id_of(id))
        except Refusal:
            return Looked(id)
        return await self._looked(together, document)

    async def _looked(self, together: Together, document: Document) -> Looked:
        served, granted, verb = self._served, together.granted, together.move.verb
        id, seen = str(document["_id"]), as_read(served, document, granted.principal)
        if verb in await open_to(served, document, granted):
            rule = together.refused_by(document)
            return Looked(id, document, seen, Closed(verb, rule, ()) if rule else None)
        closed = (one for one in closed_to(served, document, granted.principal) if one.verb == verb)
        return Looked(id, document, seen, next(closed, Closed(verb, "", ())))

    def _look(
        self,
        request: Request,
        admitted: Admitted,
        together: Together,
        looked: Sequence[Looked],
        posted: Posted,
        problems: tuple[Problem, ...] = (),
        *,
        more: bool = False,
    ) -> Response:
        language, about = admitted.reader.language, (together.move.verb, self._served.name)
        choices = Choices(self._known(looked), language, self._served.section)
        lists = choices.to_choose(together.move, admitted.principal.office)
        possible = [one for one in looked if one.seen and not one.closed]
        return render(
            request,
            "bulk.html",
            422 if problems else 200,
            **self._context(request, admitted, together),
            form=Form(language, self._verbs[together.move.verb], posted, problems, lists, about, _zone(admitted)),
            failed=bool(problems),
            possible=possible,
            refused=[one for one in looked if one not in possible],
            columns=labelled(columns_of(self._served.columns, [one.seen for one in looked if one.seen]), language),
            cells=Shown.to(admitted, choices.to_show()),
            key=posted.text(KEY) or admitted.edge.runtime.new_id(),
            more=more,
        )

    async def _told(
        self, request: Request, admitted: Admitted, together: Together, posted: Posted, outcomes: Sequence[Outcome]
    ) -> Response:
        looked = [(one, await self._found(together, one.chosen.id)) for one in outcomes]
        kinds = Counter(one.kind for one in outcomes)
        return render(
            request,
            "bulk_done.html",
            **self._context(request, admitted, together),
            outcomes=looked,
            counted=[(kind, kinds[kind]) for kind in KINDS if kinds[kind]],
            cells=Shown.to(admitted),
            key=posted.text(KEY),
            typed=[(name, value) for name, value in posted.pairs if name.startswith("/")],
            left=[f"{one.chosen.id}:{one.chosen.version}" for one in outcomes if one.kind == "left"],
            changed=[one.chosen.id for one in outcomes if one.kind == "changed"],
        )

    def _context(self, request: Request, admitted: Admitted, together: Together) -> dict[str, Any]:
        return {
            "reader": admitted.reader,
            "service": admitted.edge.service,
            "case": self._served.case,
            "verb": together.move.verb,
            "list": self._list(request, admitted),
            "asked": narrowing(request).url.query,
            "at_most": CASES_AT_MOST,
        }

    def _known(self, looked: Iterable[Looked]) -> list[Definition]:
        """The programmes of the cases, each in the versions that they run under."""
        documents = [one.document for one in looked if one.document]
        known = (one for document in documents for one in known_to(self._served, self._behind.definitions, document))
        return list({id(one): one for one in known}.values())

    def _list(self, request: Request, admitted: Admitted) -> str:
        asked = narrowing(request).url.query
        return f"/{admitted.edge.service}/{self._served.name}{'?' if asked else ''}{asked}"


async def _posted(request: Request, admitted: Admitted) -> Posted:
    sent = await sent_form(request)
    check_forgery(request, dict(sent), admitted.reader)
    return Posted.of(sent)


def _not_chosen(posted: Posted) -> Problem | None:
    """Why what the list's form was sent with cannot be looked at; None where it can."""
    if not posted.text(VERB):
        return Problem(VERB_NOT_CHOSEN, VERB)
    if not posted.text(ALL) and not posted.all(CASE):
        return Problem(NOTHING_CHOSEN, CASE)
    if not posted.text(ALL) and len(set(posted.all(CASE))) > CASES_AT_MOST:
        return Problem(TOO_MANY_CHOSEN, CASE)
    return None


def _once(sent: Sequence[str]) -> Sequence[str]:
    """Each once. Raises Refusal 422 for too many."""
    found = list(dict.fromkeys(sent))
    if len(found) > CASES_AT_MOST:
        raise Refusal(TOO_MANY_CHOSEN, f"at most {CASES_AT_MOST} at once", status=422)
    return found


def _chosen(text: str) -> Chosen:
    """What is none of a version is none that the case ever had."""
    id, _, version = text.partition(":")
    known = version.isascii() and version.isdecimal() and len(version) <= _VERSION_DIGITS
    return Chosen(id, int(version) if known else 0)


def _zone(admitted: Admitted) -> tzinfo:
    """In which what is said of many cases at once is reckoned: that of the reader's office."""
    return times_for(admitted.edge.definitions, admitted.principal).zone()
