"""People's forms of a case from its table of moves: one for each verb (its list and its page: `reading.py`).

They do what the JSON edge does, by the same functions and under the same ids: what was done on a page and is asked
again through the edge under the same key is one command.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from shared.cases.case import Move
from shared.errors import PreconditionFailed, Problem, Refusal
from shared.programmes.model import Definition
from shared.store.port import Document
from shared.web import bodies
from shared.web.acting import NOTHING_YET, Behind, Call, Served, act, id_of, open_to
from shared.web.codes import described
from shared.web.commands import cause
from shared.web.doors import entered
from shared.web.lists import query
from shared.web.pages.filled import Form, Option
from shared.web.pages.forms import MORE, Field, Posted, fields_of, json_of
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import carry_headers, rule_said
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.problems import ANSWERS, answer_to

KEY, VERSION, DONE = "idempotency-key", "version", "done"
HAPPENED_AT = "happened_at"
OPENING = "new"


def pages_of(served: Served, behind: Behind) -> APIRouter:
    """`GET` and `POST /<name>/new/<verb>` and `/<name>/{id}/<verb>`."""
    router, pages = APIRouter(include_in_schema=False), CasePages(served, behind)
    name, case = served.name, served.case
    for verb in case.verbs:
        path = f"/{name}/{OPENING if case.rows[verb][0].opens else '{id}'}/{verb}"
        router.add_api_route(path, pages.asking(verb), methods=["GET"])
        router.add_api_route(path, pages.acting(verb), methods=["POST"])
    return router


class CasePages:
    """The forms of one kind of case."""

    def __init__(self, served: Served, behind: Behind) -> None:
        self._served = served
        self._behind = behind
        self._fields: dict[str, tuple[Field, ...]] = {}

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
            if MORE in posted.values:
                return await self._form(request, admitted, verb, document, posted)
            try:
                return await self._act(request, admitted, case.rows[verb][0], document, posted)
            except tuple(ANSWERS) as error:
                if isinstance(error, PreconditionFailed):
                    document = await self._document(request, admitted, verb)
                return await self._refused(request, admitted, verb, document, posted, error)

        return endpoint

    async def _act(
        self, request: Request, admitted: Admitted, move: Move, document: Document, posted: Posted
    ) -> Response:
        """Does it, and sends on to the case or the receipt: a page that is loaded again does nothing again."""
        served, service, verb = self._served, admitted.edge.service, move.verb
        sent = bodies.body_of(move.body, json_of(self._shown_fields(admitted, verb), posted))
        body: Any = sent.model
        id = request.path_params.get("id")
        taken = verb in served.taken
        digest = sent.digest if taken else await admitted.edge.digests.of(sent.digest, served.person_of(document, verb))
        path = f"/{service}/v1/{served.name}" + (f"/{id}/{verb}" if id else "")
        said = cause(request, admitted, f"POST {path}", _key_of(posted), digest, body.happened_at)
        version = None if id is None else _version_of(posted)
        call = Call(id or said.command_id, verb, body, said, version, document, admitted)
        if taken:
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
        served, language, known = self._served, admitted.reader.language, known_to(self._served, self._behind, document)
        lists = lists_of(known, language, admitted.principal.office)
        form = Form(language, self._shown_fields(admitted, verb), posted, problems, lists)
        cells = Shown(language, lists_of(known, language))
        is_open = not document or verb in await open_to(served, document, admitted)
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
            stands=cells.rows(served.represent(document, admitted.principal)) if status == 412 else (),
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
        if verb not in self._fields:
            self._fields[verb] = fields_for(self._served, self._served.case.rows[verb][0])
        return tuple(one for one in self._fields[verb] if late or one.name != HAPPENED_AT)


def known_to(served: Served, behind: Behind, document: Document) -> list[Definition]:
    """The case's programme; where it has none, and before there is a case, every programme."""
    state = served.aggregate.read(document) if document else None
    scope = served.case.scope(state) if state is not None else None
    if scope is not None and scope.programme is not None:
        version = scope.programme_version or behind.definitions.newest_version(scope.programme)
        return [behind.definitions.version(scope.programme, version)]
    return newest_of(behind)


def lists_of(known: list[Definition], language: str, office: str | None = None) -> dict[str, list[Option]]:
    """Codes and texts of the definitions' lists, by the names of the fields that choose from them."""

    def text(texts: Mapping[str, str]) -> str:
        return texts.get(language) or texts.get("en") or next(iter(texts.values()))

    found: dict[str, dict[str, str]] = {}
    for one in known:
        found.setdefault("programme", {})[one.code] = text(one.title)
        offices = {row.code: text(row.name) for row in one.offices if office in (None, row.code)}
        found.setdefault("office", {}).update(offices)
        for name, rows in (
            ("sector", one.sectors),
            ("category", one.categories),
            ("residence_status", one.residence_statuses),
            ("area", one.areas),
            ("host_type", one.placement.host_types if one.placement else ()),
        ):
            if rows:
                found.setdefault(name, {}).update({row.code: text(row.name) for row in rows})
    return {name: sorted(codes.items(), key=lambda row: row[1]) for name, codes in found.items() if codes}


def fields_for(served: Served, move: Move) -> tuple[Field, ...]:
    """As the contract describes the body, with the codes that the verb lists."""
    extra = described(served.case, move, served.section)
    return fields_of(extra["requestBody"]["content"]["application/json"]["schema"])


def newest_of(behind: Behind) -> list[Definition]:
    """The newest version of every programme; none while they are still being read."""
    definitions = behind.definitions
    return [definitions.newest(code) for code in definitions.codes()] if definitions.ready else []


def _key_of(posted: Posted) -> str:
    key = posted.text(KEY)
    if not key.isascii() or not key.isprintable() or not 0 < len(key) <= 255:
        raise Refusal("idempotency_key_malformed", status=422)
    return key


def _version_of(posted: Posted) -> int:
    version = posted.text(VERSION)
    if not version.isascii() or not version.isdecimal() or len(version) > 15:
        raise Refusal("if_match_malformed", status=422)
    return int(version)
