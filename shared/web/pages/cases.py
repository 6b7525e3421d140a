"""People's forms of a case from its table of moves: one for each verb (its list: `listing.py`; its page: `reading.py`).

They do what the JSON edge does, by the same functions and under the same ids: what was done on a page and is asked
again through the edge under the same key is one command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from markupsafe import escape
from starlette.responses import RedirectResponse, Response

from shared.cases.case import ILLEGAL, Move
from shared.cases.named import places_of
from shared.cases.revisions import CORRECT_TIME
from shared.errors import PreconditionFailed, Problem, Refusal
from shared.programmes.definitions import Definitions
from shared.programmes.model import Definition
from shared.store.collection import belongs
from shared.store.port import Document
from shared.web import bodies
from shared.web.acting import NOTHING_YET, Behind, Served, act, id_of, notes_of, open_to
from shared.web.bodies import Body
from shared.web.calling import Asking, call_of
from shared.web.codes import described
from shared.web.conditions import is_key
from shared.web.doors import entered
from shared.web.lists import query
from shared.web.pages.asked_for import AskedFor, asked_for
from shared.web.pages.choices import Choices
from shared.web.pages.conflict import Conflict, conflict_of
from shared.web.pages.days import on_their_days
from shared.web.pages.filled import Form, Option
from shared.web.pages.forms import Field, Posted, fields_of, in_order, json_of
from shared.web.pages.grounds import ground_of
from shared.web.pages.kept import BACK, KEPT, KEY, VERSION, KeptForm
from shared.web.pages.languages import PARAMETER
from shared.web.pages.own_paths import is_own
from shared.web.pages.prefilled import prefilled
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown
from shared.web.pages.standard_names import Names
from shared.web.pages.standing import closed_to, zone_of, zone_of_office
from shared.web.pages.words import translations
from shared.web.problems import ANSWERS
from shared.web.routing import Routes
from shared.web.suggesting import Suggested

DONE = "done"
CONFLICT = 412
HAPPENED_AT = "happened_at"
BESIDES = {"note": 1, HAPPENED_AT: 2}
OPENING = "new"


def pages_of(served: Served, behind: Behind) -> APIRouter:
    """`GET` and `POST /<name>/new/<verb>` and `/<name>/{id}/<verb>`."""
    router, pages = Routes(include_in_schema=False), CasePages(served, behind)
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
            back = query(request, PARAMETER, BACK).get(BACK, "")
            document = await self._document(request, admitted, verb)
            version = str(document.get("version", ""))
            posted = Posted({KEY: (admitted.edge.runtime.new_id(),), VERSION: (version,), BACK: (back,)})
            begun = await (self._stands(admitted, verb, document) if document else self._own(admitted, verb))
            posted = Posted({**posted.values, **begun})
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

    async def _own(self, admitted: Admitted, verb: str) -> Mapping[str, tuple[str, ...]]:
        """What whoever opens a case would have to look up: their own office, or their institution's reference."""
        own = dict(await admitted.equalities())
        return {one.pointer: (own[one.name],) for one in in_order(self._fields_of(verb)) if one.name in own}

    async def _stands(self, admitted: Admitted, verb: str, document: Document) -> Mapping[str, tuple[str, ...]]:
        """What stands already of what the verb says anew."""
        names, begins = self._served.case.rows[verb][0].anew, self._served.begins.get(verb)
        if begins is not None:
            stands = await begins(document)
            return prefilled(self._fields_of(verb), tuple(stands), stands)
        if not names:
            return {}
        return prefilled(self._fields_of(verb), names, self._served.represent(document, admitted.principal))

    def _kept(self, verb: str) -> KeptForm:
        """The form for whoever sent it without a pass: nothing of any case is in it, but what was typed."""

        def form(language: str, posted: Posted) -> Form:
            fields = tuple(one for one in self._fields_of(verb) if one.name != HAPPENED_AT or posted.text(one.pointer))
            lists = Choices(newest_of(self._behind.definitions), language, self._served.section)
            chosen = lists.to_choose(self._served.case.rows[verb][0])
            return Form(language, fields, posted, lists=chosen, about=(verb, self._served.name))

        return form

    async def _act(
        self, request: Request, admitted: Admitted, move: Move, document: Document, posted: Posted
    ) -> Response:
        """Does it, and sends on to the case or the receipt: a page that is loaded again does nothing again."""
        served, service, verb = self._served, admitted.edge.service, move.verb
        fields, zone = self._shown_fields(admitted, verb), self._zone(admitted, document)
        said = on_their_days(fields, posted, zone, admitted.edge.runtime.now())
        sent: Body[Any] = bodies.body_of(move.body, json_of(fields, said))
        id = request.path_params.get("id")
        asking = Asking(key_of(posted), id, None if id is None else version_of(posted), document)
        call = await call_of(request, admitted, served, move, sent, asking)
        if verb in served.taken:
            with entered(admitted):
                receipt = await served.taken[verb](call)
            return RedirectResponse(f"/{service}/receipts/{receipt['id']}", 303)
        saved = await act(served, self._behind, call)
        case = f"/{service}/{served.name}"
        if is_own(back := posted.text(BACK)):
            return RedirectResponse(back, 303)
        if not await _reads(admitted, served, saved.document):
            return RedirectResponse(case, 303)
        return RedirectResponse(f"{case}/{saved.document['_id']}?{DONE}={verb}", 303)

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
        served, zone = self._served, self._zone(admitted, document)
        choices = Choices(self._known(admitted, document), admitted.reader.language, served.section)
        cells = Shown.to(admitted, choices.to_show(), zone)
        lists = choices.to_choose(served.case.rows[verb][0], admitted.principal.office)
        fields, about = self._shown_fields(admitted, verb), (verb, served.name)
        lists = {**lists, **self._offered(admitted.reader.language, verb, document)}
        further = self._further(problems, cells)
        empty = Form(admitted.reader.language, fields, posted, problems, lists, about, zone, further=further)
        form = await self._with_suggested(empty, admitted, verb, document, cells)
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
            nowhere=not document and not choices.are_somewhere,
            **await self._not_now(document, admitted, verb, problems),
            **_held(admitted, document, posted),
            conflict=self._conflict(admitted, document, form, cells) if status == CONFLICT and document else None,
            weighed=await served.weighs(verb, document, admitted) if document else None,
            hindrance=await served.hindrance(verb, admitted),
            cells=cells,
            note_to=served.case.rows[verb][0].note_to,
            asked_for=await self._asked_for(document, admitted, cells, verb),
            ground=await ground_of(served, document, admitted, cells, verb),
        )

    async def _not_now(
        self, document: Document, admitted: Admitted, verb: str, problems: Sequence[Problem]
    ) -> dict[str, Any]:
        """Why the verb would be refused: by the case's state, and by what is not met or has its day."""
        held = (await self._served.shuts(document, admitted)).get(verb) if document else None
        return {"shut": await self._shut(document, admitted, verb, problems), "held": held}

    async def _shut(self, document: Document, admitted: Admitted, verb: str, problems: Sequence[Problem]) -> str:
        """The rule by which the verb is not open to the reader; empty where it is, or where the form says it."""
        if not document or verb in await open_to(self._served, document, admitted):
            return ""
        closed = closed_to(self._served, document, admitted.principal)
        rule = next((one.rule for one in closed if one.verb == verb and one.rule), ILLEGAL)
        return "" if rule in {problem.rule for problem in problems} else rule

    def _further(self, problems: tuple[Problem, ...], cells: Shown) -> Mapping[str, str]:
        """Of a day before the last entry: when that was, and who may put it right."""
        words, corrected = translations(cells.language), CORRECT_TIME in self._served.case.rows
        helps = words.gettext("If that is not right, the office can correct it.") if corrected else ""
        entry = words.gettext("That entry is of %(at)s.")
        last = {one.rule: escape(cells.value("at", one.last)).striptags() for one in problems if one.last is not None}
        return {rule: f"{entry % {'at': at}} {helps}".rstrip() for rule, at in last.items()}

    async def _asked_for(self, document: Document, admitted: Admitted, cells: Shown, verb: str) -> AskedFor | None:
        """What was asked for, on the form of what answers it."""
        served, principal = self._served, admitted.principal
        if not document or not served.case.rows[verb][0].answers:
            return None
        notes, seen = await notes_of(served, self._behind, document, principal), served.represent(document, principal)
        return await asked_for(served, document, seen, notes, admitted, cells, verb)

    def _conflict(self, admitted: Admitted, document: Document, form: Form, cells: Shown) -> Conflict:
        seen = self._served.represent(document, admitted.principal)
        return conflict_of(document, seen, form, cells, admitted.principal.role)

    async def _refused(
        self, request: Request, admitted: Admitted, verb: str, document: Document, posted: Posted, error: Exception
    ) -> Response:
        """The form as it was sent, with what the JSON edge answers; under the same key it stays the same command."""
        refused = Refused.by(error)
        page = await self._form(request, admitted, verb, document, posted, refused.problems, refused.status)
        return refused.over(page)

    def _zone(self, admitted: Admitted, document: Document) -> tzinfo:
        """In which the days of the case are reckoned; of one that is about to be opened, the reader's office's."""
        known = known_to(self._served, self._behind.definitions, document)
        if not document:
            return zone_of_office(admitted.principal.office, known)
        return zone_of(self._served.case, self._served.aggregate.read(document), known)

    async def _with_suggested(
        self, form: Form, admitted: Admitted, verb: str, document: Document, cells: Shown
    ) -> Form:
        """The form with the cases that it offers to choose from, by the fields that name them."""
        asked = {name: suggests for (of, name), suggests in self._served.suggests.items() if of == verb}
        found = {name: await suggests(document, admitted) for name, suggests in asked.items()}
        lists = {**form.lists, **{name: _options(of.cases, cells) for name, of in found.items() if of.cases}}
        standing = frozenset(one.id for of in found.values() for one in of.cases if one.stands)
        of_first = {name: of.of_first for name, of in found.items() if of.of_first is not None}
        return replace(form, lists=lists, suggested=frozenset(found), standing=standing, of_first=of_first)

    def _offered(self, language: str, verb: str, document: Document) -> dict[str, tuple[Option, ...]]:
        """By the field's list, what is still possible in this case, with what is not asked for in every one marked."""
        names, words = Names(language), translations(language)
        asked = {name: chooses for (of, name), chooses in self._served.chooses.items() if of == verb and document}
        found: dict[str, tuple[Option, ...]] = {}
        for name, chooses in asked.items():
            codes = [(one, names.code(name, one.code)) for one in chooses(document)]
            marked = words.gettext("%(what)s (only if this case needs it)")
            found[name] = tuple((one.code, text if one.usual else marked % {"what": text}) for one, text in codes)
        return {name: options for name, options in found.items() if options}

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

    def _known(self, admitted: Admitted, document: Document) -> list[Definition]:
        """The case's programme; for one that is about to be opened all in which the reader may still open it."""
        known = known_to(self._served, self._behind.definitions, document)
        if document or admitted.edge.policy.may_record_late(admitted.principal):
            return known
        now = admitted.edge.runtime.now()
        return [one for one in known if not one.is_over(None, now)]


def _held(admitted: Admitted, document: Document, posted: Posted) -> dict[str, Any]:
    """What the form holds beside its fields: under which key it is one command, and of which version of which case."""
    return {
        "key": posted.text(KEY) or admitted.edge.runtime.new_id(),
        "version": str(document.get("version", "")),
        "back": back if is_own(back := posted.text(BACK)) else "",
        "id": document.get("_id", ""),
    }


def _options(suggested: Iterable[Suggested], cells: Shown) -> tuple[Option, ...]:
    return tuple((one.id, cells.summed_up(one.id, one.said)) for one in suggested)


async def _reads(admitted: Admitted, served: Served, document: Document) -> bool:
    """Whether the case is still the reader's to see: an office that does not take one over sees it no more."""
    grants = admitted.edge.policy.allowed(admitted.principal, served.name, "read")
    found = await admitted.equalities_of(grants)
    return any(belongs(document, index, equals) for index, equals in found)


def known_to(served: Served, definitions: Definitions, document: Document) -> list[Definition]:
    """The case's programme; where it has none, and before there is a case, every programme."""
    state = served.aggregate.read(document) if document else None
    scope = served.case.scope(state) if state is not None else None
    if scope is not None and scope.programme is not None:
        version = scope.programme_version or definitions.newest_version(scope.programme)
        # What was published a moment ago is shown in the words of the version before.
        known = definitions.newest_version(scope.programme)
        return [definitions.version(scope.programme, min(version, known))]
    return newest_of(definitions)


def fields_for(served: Served, move: Move) -> tuple[Field, ...]:
    """As the contract describes the body, with the codes that the verb lists."""
    extra, words = described(served.case, move, served.section), places_of(move.body)
    found = fields_of(extra["requestBody"]["content"]["application/json"]["schema"])
    offered = {name for verb, name in served.suggests if verb == move.verb}
    found = tuple(one.as_references if one.name in offered else one for one in found)
    # What the form is about stands first; a note and when it happened may be said besides.
    found = tuple(sorted(found, key=lambda one: not one.required and BESIDES.get(one.name, 0)))
    return tuple(one.with_words(words) for one in found)


def narrowing(request: Request) -> Request:
    """Without what a form sends that was left empty, and without the language."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if value and name != PARAMETER]
    return Request({**request.scope, "query_string": urlencode(kept).encode()})


def newest_of(definitions: Definitions) -> list[Definition]:
    """Every programme as it was published last; none while this replica starts."""
    return [definitions.newest(code) for code in definitions.codes()] if definitions.ready else []


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
