"""People's pages of a case from its table of moves: the list, the case, and a form for each verb.

They do what the JSON edge does, by the same functions and under the same ids: what was done on a page and is asked
again through the edge under the same key is one command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.cases.case import NEW, Move
from shared.cases.named import places_of
from shared.errors import PreconditionFailed, Problem, Refusal
from shared.programmes.definitions import Definitions
from shared.programmes.model import Definition
from shared.store.port import Document
from shared.store.relations import PROGRAMME, STATUS
from shared.web import bodies
from shared.web.acting import NOTHING_YET, Behind, Served, act, id_of, open_to, seen
from shared.web.bodies import Body
from shared.web.calling import Asking, call_of
from shared.web.codes import described
from shared.web.commands import is_key
from shared.web.doors import entered
from shared.web.filters import asked_of, paged_of
from shared.web.lists import page_of, query
from shared.web.pages.choices import Choices
from shared.web.pages.conflict import conflict_of
from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted, fields_of, json_of
from shared.web.pages.kept import KEPT, KEY, VERSION, KeptForm
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import carry_headers, rule_said
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.problems import ANSWERS, answer_to

DONE = "done"
CONFLICT = 412
HAPPENED_AT = "happened_at"
OPENING = "new"


def pages_of(served: Served, behind: Behind) -> APIRouter:
    """`GET /<name>`, `GET /<name>/{id}`; `GET` and `POST /<name>/new/<verb>` and `/<name>/{id}/<verb>`."""
    router, pages = APIRouter(include_in_schema=False), CasePages(served, behind)
    name, case = served.name, served.case
    for verb in case.verbs:
        path = f"/{name}/{OPENING if case.rows[verb][0].opens else '{id}'}/{verb}"
        router.add_api_route(path, pages.asking(verb), methods=["GET"])
        router.add_api_route(path, pages.acting(verb), methods=["POST"])
    router.add_api_route(f"/{name}", pages.listing(), methods=["GET"])
    router.add_api_route(f"/{name}/{{id}}", pages.showing(), methods=["GET"])
    return router


class CasePages:
    """The pages of one kind of case."""

    def __init__(self, served: Served, behind: Behind) -> None:
        self._served = served
        self._behind = behind
        self._fields: dict[str, tuple[Field, ...]] = {}

    def listing(self) -> Callable[..., Any]:
        served, case = self._served, self._served.case

        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, "list"))) -> Response:
            narrowed = narrowing(request)
            asked = asked_of(narrowed, case, self._behind.definitions)
            equalities = await admitted.equalities()
            paged = paged_of(case, equalities[0], asked, self._behind.definitions) if equalities else None
            documents, following = await page_of(narrowed, served.aggregate.name, paged)
            shown = [served.represent(document, admitted.principal) for document in documents]
            lists = self._choices(NOTHING_YET, admitted.reader.language).to_show()
            return render(
                request,
                "list.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=case,
                rows=shown,
                cells=Shown(admitted.reader.language, lists),
                asked=asked,
                filters=(STATUS, PROGRAMME) if PROGRAMME in case.filters else (STATUS,),
                programmes=lists.get("programme", ()),
                opening=[verb for verb in case.verbs if self._opens(verb) and _may(admitted, served, verb)],
                following=following,
            )

        return endpoint

    def showing(self) -> Callable[..., Any]:
        served, case = self._served, self._served.case

        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as(served.name, "read"))
        ) -> Response:
            done = query(request, DONE, PARAMETER).get(DONE, "")
            document, found = await seen(served, self._behind, id, admitted)
            language = admitted.reader.language
            cells = Shown(language, self._choices(document, language).to_show())
            role = admitted.principal.role
            others = {
                verb: sorted({one for row in case.rows[verb] for one in row.before} - {NEW})
                for verb in case.verbs
                if role in case.rows[verb][0].by and verb not in found.open and not self._opens(verb)
            }
            return render(
                request,
                "case.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                case=case,
                found=found,
                rows=cells.rows(found),
                cells=cells,
                others=others,
                papers=[
                    (one.name, one.address(found.id))
                    for one in served.papers
                    if found.state in one.states and role in one.by
                ],
                done=done if done in case.verbs else "",
                beside=[
                    (one.verb, one.address(document))
                    for one in served.beside
                    if admitted.edge.policy.allowed(admitted.principal, one.resource, one.verb)
                ],
            )

        return endpoint

    def asking(self, verb: str) -> Callable[..., Any]:
        served = self._served

        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, verb))) -> Response:
            query(request, PARAMETER)
            document = await self._document(request, admitted, verb)
            posted = Posted({KEY: (admitted.edge.runtime.new_id(),), VERSION: (str(document.get("version", "")),)})
            return await self._form(request, admitted, verb, document, posted)

        return endpoint

    def acting(self, verb: str) -> Callable[..., Any]:
        served, case = self._served, self._served.case

        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as(served.name, verb))) -> Response:
            sent = await sent_form(request)
            check_forgery(request, dict(sent), admitted.reader)
            document = await self._document(request, admitted, verb)
            posted = Posted.of(sent)
            if (edited := posted.edited()) is not None:
                return await self._form(request, admitted, verb, document, edited)
            try:
                return await self._act(request, admitted, case.rows[verb][0], document, posted)
            except tuple(ANSWERS) as error:
                if isinstance(error, PreconditionFailed):
                    document = await self._document(request, admitted, verb)
                return await self._refused(request, admitted, verb, document, posted, error)

        vars(endpoint)[KEPT] = self._kept(verb)
        return endpoint

    def _kept(self, verb: str) -> KeptForm:
        """The form for whoever sent it without a pass: nothing of any case is in it, but what was typed."""

        def form(language: str, posted: Posted) -> Form:
            fields = tuple(one for one in self._fields_of(verb) if one.name != HAPPENED_AT or posted.text(one.pointer))
            lists = Choices(newest_of(self._behind.definitions), language, self._served.section)
            return Form(language, fields, posted, lists=lists.to_choose(self._served.case.rows[verb][0]))

        return form

    async def _act(
        self, request: Request, admitted: Admitted, move: Move, document: Document, posted: Posted
    ) -> Response:
        """Does it, and sends on to the case or the receipt: a page that is loaded again does nothing again."""
        served, service, verb = self._served, admitted.edge.service, move.verb
        sent: Body[Any] = bodies.body_of(move.body, json_of(self._shown_fields(admitted, verb), posted))
        id = request.path_params.get("id")
        asking = Asking(key_of(posted), id, None if id is None else version_of(posted), document)
        call = await call_of(request, admitted, served, move, sent, asking)
        if verb in served.taken:
            with entered(admitted):
                receipt = await served.taken[verb](call)
            return RedirectResponse(f"/{service}/receipts/{receipt['id']}", 303)
        saved = await act(served, self._behind, call)
        return RedirectResponse(f"/{service}/{served.name}/{saved.document['_id']}?{DONE}={verb}", 303)

    async def _document(self, request: Request, admitted: Admitted, verb: str) -> Document:
        """The case that the verb is about, as the reader may see it. Raises Refusal 404."""
        if self._opens(verb):
            return NOTHING_YET
        return await admitted.load(self._served.aggregate.name, id_of(request.path_params["id"]))

    async def _form(
        self,
        request: Request,
        admitted: Admitted,
        verb: str,
        document: Document,
        posted: Posted,
        problems: tuple[Problem, ...] = (),
        status: int = 200,
    ) -> Response:
        served, language, office = self._served, admitted.reader.language, admitted.principal.office
        choices = self._choices(document, language)
        lists = choices.to_choose(served.case.rows[verb][0], office)
        form = Form(language, self._shown_fields(admitted, verb), posted, problems, lists)
        is_open = not document or verb in await open_to(served, document, admitted)
        conflict = None
        if status == CONFLICT and document:
            seen = served.represent(document, admitted.principal)
            conflict = conflict_of(document, seen, form, Shown(language, choices.to_show()))
        return render(
            request,
            "act.html",
            status,
            reader=admitted.reader,
            service=admitted.edge.service,
            case=served.case,
            verb=verb,
            form=form,
            failed=bool(problems),
            is_open=is_open,
            key=posted.text(KEY) or admitted.edge.runtime.new_id(),
            version=str(document.get("version", "")),
            id=document.get("_id", ""),
            conflict=conflict,
        )

    async def _refused(
        self, request: Request, admitted: Admitted, verb: str, document: Document, posted: Posted, error: Exception
    ) -> Response:
        """The form as it was sent, with what the JSON edge answers; under the same key it stays the same command."""
        said = answer_to(error)
        problems = error.problems if isinstance(error, Refusal) else (Problem(rule_said(said)),)
        answer = await self._form(request, admitted, verb, document, posted, problems, said.status_code)
        carry_headers(said, answer)
        return answer

    def _opens(self, verb: str) -> bool:
        return any(row.opens for row in self._served.case.rows[verb])

    def _shown_fields(self, admitted: Admitted, verb: str) -> tuple[Field, ...]:
        """Without when it happened, for whoever may not record late."""
        late = admitted.edge.policy.may_record_late(admitted.principal)
        return tuple(one for one in self._fields_of(verb) if late or one.name != HAPPENED_AT)

    def _fields_of(self, verb: str) -> tuple[Field, ...]:
        if verb not in self._fields:
            self._fields[verb] = fields_for(self._served, self._served.case.rows[verb][0])
        return self._fields[verb]

    def _choices(self, document: Document, language: str) -> Choices:
        return Choices(self._known(document), language, self._served.section)

    def _known(self, document: Document) -> list[Definition]:
        """The case's programme; where it has none, and before there is a case, every programme."""
        definitions = self._behind.definitions
        state = self._served.aggregate.read(document) if document else None
        scope = self._served.case.scope(state) if state is not None else None
        if scope is not None and scope.programme is not None:
            version = scope.programme_version or definitions.newest_version(scope.programme)
            return [definitions.version(scope.programme, version)]
        return newest_of(definitions)


def fields_for(served: Served, move: Move) -> tuple[Field, ...]:
    """As the contract describes the body, with the codes that the verb lists."""
    extra, words = described(served.case, move, served.section), places_of(move.body)
    found = fields_of(extra["requestBody"]["content"]["application/json"]["schema"])
    return tuple(one.with_words(words) for one in found)


def narrowing(request: Request) -> Request:
    """Without what a form sends that was left empty, and without the language."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if value and name != PARAMETER]
    return Request({**request.scope, "query_string": urlencode(kept).encode()})


def newest_of(definitions: Definitions) -> list[Definition]:
    """Every programme as it was published last; none while this replica starts."""
    return [definitions.newest(code) for code in definitions.codes()] if definitions.ready else []


def _may(admitted: Admitted, served: Served, verb: str) -> bool:
    return bool(admitted.edge.policy.allowed(admitted.principal, served.name, verb))


def key_of(posted: Posted) -> str:
    """The key that the form holds. Raises Refusal 422."""
    key = posted.text(KEY)
    if not is_key(key):
        raise Refusal("idempotency_key_malformed", status=422)
    return key


def version_of(posted: Posted) -> int:
    """The version that the form was made from. Raises Refusal 422."""
    version = posted.text(VERSION)
    if not version.isascii() or not version.isdecimal() or len(version) > 15:
        raise Refusal("if_match_malformed", status=422)
    return int(version)
