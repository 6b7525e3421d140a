"""The pages of an application without an account, under `/registration/apply`, `/drafts` and `/application`.

The code stands in no address but the one that somebody kept, whose page has a button: what only fetches addresses
opens nothing. From there it is in a cookie of this service's path (docs/decisions/0042-drafts.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.browsing import APPLICATION, Browsing
from services.registration.applying.files import ApplicationFiles
from services.registration.applying.files import status_of as status_of_files
from services.registration.applying.opening import Opening
from services.registration.applying.parts import MISSING, Part, body_sent, parts_of, status_of
from services.registration.domain.drafts import read_code
from services.registration.files.chosen import Limits
from services.registration.work.draft_files import DraftFiles
from services.registration.work.drafts import Opened, Sent
from shared.clock import instant_of
from shared.errors import Overloaded, Problem, Refusal
from shared.intake.submissions import SUBMISSIONS
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.web import bodies
from shared.web.acting import Served
from shared.web.bodies import Body
from shared.web.callers import Granted, everybody
from shared.web.calling import Asking, call_of
from shared.web.doors import entered
from shared.web.origin import origin
from shared.web.pages.cases import fields_for
from shared.web.pages.choices import Choices
from shared.web.pages.filled import Form
from shared.web.pages.formatting import REFERENCE_CHARACTERS
from shared.web.pages.forms import Field, Posted, json_of
from shared.web.pages.languages import language_of
from shared.web.pages.readers import check_same_site
from shared.web.pages.receipt import receipt_file, text_of_receipt
from shared.web.pages.sent import sent_form
from shared.web.pages.words import translations
from shared.web.routing import Routes

CREATE = "create"
DONE, CONSENTS = "done", "/consents"
# The box under the address of mail, in the part that asks for it: it is no part of the application.
REMINDS, ASKS_REMINDERS = "reminds", "contact"


class Applying:
    """The routes. `served`: the case of experts, whose opening verb is what is applied with."""

    def __init__(self, opening: Opening, served: Served, files: DraftFiles) -> None:
        self._opening = opening
        self._browsing = Browsing(opening)
        self._files = ApplicationFiles(opening, self._browsing, files)
        self._served = served
        self._move = served.case.rows[CREATE][0]
        self.router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])
        for path, get, post in (
            ("/apply/{programme}", self.about, self.begin),
            ("/drafts", self.ask_code, self.open),
            ("/application", self.tasks, None),
            ("/application/check", self.check, self.submit),
            ("/application/receipt", self.receipt, self.reopen),
            ("/application/receipt/signed", self.signed, None),
            ("/application/download", self.download, None),
            ("/application/enter", None, self.enter),
            ("/application/part/{part}", self.ask, self.keep),
            ("/drafts/{code}", self.confirm, None),
        ):
            if get is not None:
                self.router.add_api_route(path, get, methods=["GET"])
            if post is not None:
                self.router.add_api_route(path, post, methods=["POST"])
        self.router.include_router(self._files.router)

    @cached_property
    def _fields(self) -> tuple[Field, ...]:
        return fields_for(self._served, self._move)

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        return parts_of(self._fields)

    async def about(self, programme: str, request: Request) -> Response:
        definition = self._definition(programme)
        return self._browsing.page(
            request,
            "apply.html",
            definition=definition,
            criteria=_criteria(definition),
            closed=self._closed(definition, None),
            **_closing(definition, None),
            apart=len({office.time_zone for office in definition.offices}) > 1,
            documents=definition.section(SelectionSection).documents,
            limits=Limits(),
        )

    async def begin(self, programme: str, request: Request) -> Response:
        check_same_site(request)
        definition = self._definition(programme)
        if self._closed(definition, None):
            return await self.about(programme, request)
        self._opening.count_new(request)
        opened = await self._opening.drafting.begin(definition.code)
        answer = RedirectResponse(APPLICATION, 303)
        self._opening.put(answer, opened)
        return answer

    async def ask_code(self, request: Request) -> Response:
        return await self._code(request, held=self._opening.held(request))

    async def confirm(self, code: str, request: Request) -> Response:
        """Fetching the address opens nothing: link checkers of mail do that too."""
        return await self._code(request, code=code if read_code(code) else "")

    async def open(self, request: Request) -> Response:
        """Exchanges the code, and where something was typed a fact of it, for the cookie."""
        check_same_site(request)
        sent = dict(await sent_form(request))
        code, repeated = sent.get("code", ""), sent.get("fact")
        self._opening.check_tries(request)
        opened = await self._opening.drafting.find(code)
        if opened is None:
            self._opening.failed(request)
            return await self._code(request, 404, code=code, held=code, problem="draft_ended")
        known = self._opening.is_known(request, opened)
        if opened.fact is not None and not known and not opened.is_repeated(repeated or ""):
            if repeated is not None:
                self._opening.failed(request)
            field = opened.fact.pointer.rpartition("/")[2]
            failed = repeated is not None
            return await self._code(request, 422 if failed else 200, code=code, fact=field, failed=failed)
        if opened.renews:
            opened = await self._opening.drafting.renewed(code)
        answer = RedirectResponse(APPLICATION, 303)
        self._opening.put(answer, opened)
        return answer

    async def _code(
        self,
        request: Request,
        status: int = 200,
        *,
        code: str = "",
        held: str | None = None,
        fact: str = "",
        failed: bool = False,
        problem: str = "",
    ) -> Response:
        """The page that asks for a code. `held`: the one with which somebody came, which may be another's place now."""
        why = await self._browsing.overtaken(held)
        if why["overtaken"] is not None:
            code, problem = "", ""
        said = {"code": code, "fact": fact, "failed": failed or bool(problem), "problem": problem}
        return self._browsing.page(request, "draft_code.html", status, **said, **why)

    async def tasks(self, request: Request) -> Response:
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        if opened.draft.status == "submitted":
            return RedirectResponse(f"{APPLICATION}/receipt", 303)
        problems = self._problems(opened)
        statuses = {one.name: status_of(one, opened.draft, opened.typed, problems) for one in self._parts}
        definition, language = self._of(opened), language_of(request, None)
        files = await self._files.rows(opened)
        offices = dict(Choices([definition], language).to_choose().get("office", ()))
        return self._browsing.page(
            request,
            "application.html",
            opened=opened,
            statuses=statuses,
            definition=definition,
            offices=offices,
            reference=self._opening.drafting.cases.id_of(opened)[:REFERENCE_CHARACTERS],
            **_closing(definition, opened.office),
            closed=self._closed(definition, opened.office),
            files=files,
            files_status=status_of_files(files),
        )

    async def ask(self, part: str, request: Request) -> Response:
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        return self._part(request, opened, self._named(part), Posted.of(opened.typed), ())

    async def keep(self, part: str, request: Request) -> Response:
        """Keeps what was typed, whatever it is; what is wrong with it is said afterwards."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        page, form = self._named(part), await sent_form(request)
        edited = Posted.of(form).edited()
        sent = tuple((name, value) for name, value in (edited or Posted.of(form)).pairs if page.has(name))
        kept = Sent(sent, page.names(sent, opened.typed), language_of(request, None))
        if page.name == ASKS_REMINDERS and self._opening.sends:
            kept = replace(kept, reminds=any(name == REMINDS for name, _ in form))
        finished = any(name == DONE for name, _ in form)
        opened = await self._opening.drafting.keep(opened.code, page.name, kept, done=finished)
        problems = [one for one in self._problems(opened) if page.has(one.pointer)]
        wrong = tuple(one for one in problems if finished or one.rule != MISSING)
        if edited is not None or wrong:
            return self._part(request, opened, page, edited or Posted.of(opened.typed), () if edited else wrong)
        answer = RedirectResponse(APPLICATION, 303)
        self._opening.put(answer, opened)
        return answer

    async def check(self, request: Request) -> Response:
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        return await self._check(request, opened, ())

    async def submit(self, request: Request) -> Response:
        """Submits it once: sent again, it is the same submission with the same receipt."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        if opened.draft.status == "submitted":
            return RedirectResponse(f"{APPLICATION}/receipt", 303)
        granted = self._granted(opened)
        try:
            sent = self._body(opened)
            asking = Asking(f"{opened.id}.{opened.draft.sent}")
            call = await call_of(request, granted, self._served, self._move, sent, asking)
            with entered(granted, origin(request)):
                receipt = await self._served.taken[CREATE](call)
        except Refusal as refusal:
            return await self._check(request, opened, refusal.problems, refusal.status)
        except Overloaded as error:
            answer = await self._check(request, opened, (Problem("overloaded"),), error.status)
            answer.headers["Retry-After"] = str(error.retry_after_seconds)
            return answer
        person = await self._opening.person_of(granted.principal.account)
        await self._opening.drafting.submitted(opened.code, str(receipt["id"]), person)
        return RedirectResponse(f"{APPLICATION}/receipt", 303)

    async def receipt(self, request: Request) -> Response:
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        document = await self._opening.edge.store.load(SUBMISSIONS.name, opened.draft.receipt or "")
        if document is None:
            return RedirectResponse(APPLICATION, 303)
        receipt = await self._opening.intake.receipt(document)
        problems = tuple(Problem(one["rule"], one["pointer"]) for one in document["problems"])
        form = self._form(request, opened, self._fields, Posted({}), problems)
        return self._browsing.page(
            request,
            "application_receipt.html",
            opened=opened,
            found={"id": document["_id"], "status": document["status"]},
            reference=str(receipt["subject"])[:REFERENCE_CHARACTERS],
            received=instant_of(str(receipt["received_at"])),
            problems=[words for _, words in form.summary],
            state=await self._stands(opened, str(receipt["subject"])),
            signed=text_of_receipt(receipt),
        )

    async def _stands(self, opened: Opened, id: str) -> str:
        """Where the case stands that the application became, as its page says it to the person; empty where there is
        none, or the account is another person's by now."""
        case = await self._opening.edge.store.load(self._served.aggregate.name, id)
        principal = self._opening.principal_of(opened)
        person = await self._opening.handing_over.person_of(principal.account)
        if case is None or case["state"]["person"] != person:
            return ""
        return self._served.represent(case, principal).state

    async def signed(self, request: Request) -> Response:
        """The signed receipt as a file."""
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        document = await self._opening.edge.store.load(SUBMISSIONS.name, opened.draft.receipt or "")
        if document is None:
            return RedirectResponse(APPLICATION, 303)
        return receipt_file(await self._opening.intake.receipt(document))

    async def reopen(self, request: Request) -> Response:
        """What was refused can be put right and submitted again."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        document = await self._opening.edge.store.load(SUBMISSIONS.name, opened.draft.receipt or "")
        if document is not None and document["status"] == "refused":
            await self._opening.drafting.reopened(opened.code)
        return RedirectResponse(APPLICATION, 303)

    async def download(self, request: Request) -> Response:
        """What was typed, as a file to keep, also where it can no longer be submitted."""
        opened = await self._browsing.opened(request)
        if isinstance(opened, Response):
            return opened
        text = json.dumps({"typed": opened.typed}, indent=2, ensure_ascii=False)
        headers = {"Content-Disposition": 'attachment; filename="application.json"'}
        return Response(text, media_type="application/json", headers=headers)

    async def enter(self, request: Request) -> Response:
        """Whoever holds the code of what was submitted reads its case as the person that it is of."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        if opened.draft.status != "submitted":
            return RedirectResponse(APPLICATION, 303)
        return await self._opening.enter(request, self._granted(opened).principal)

    def _definition(self, programme: str) -> Definition:
        definitions = self._opening.definitions
        if programme not in definitions.codes():
            raise Refusal("not_found", status=404)
        definition = definitions.newest(programme)
        definition.section(SelectionSection)
        return definition

    def _of(self, opened: Opened) -> Definition:
        return self._opening.definition_of(opened)

    def _closed(self, definition: Definition, office: str | None) -> bool:
        return definition.is_over(office, self._opening.edge.runtime.now())

    def _named(self, name: str) -> Part:
        for one in self._parts:
            if one.name == name:
                return one
        raise Refusal("not_found", status=404)

    def _granted(self, opened: Opened) -> Granted:
        principal, edge = self._opening.principal_of(opened), self._opening.edge
        return Granted(edge, principal, edge.policy.allowed(principal, self._served.name, CREATE))

    def _body(self, opened: Opened) -> Body[Any]:
        """What is sent of it, read as at the edge. Raises Refusal."""
        zone = self._of(opened).zone_of(opened.office)
        return bodies.body_of(self._move.body, json_of(self._fields, body_sent(opened.typed, opened.draft, zone)))

    def _problems(self, opened: Opened) -> Sequence[Problem]:
        """What the edge would find wrong with it now."""
        try:
            self._body(opened)
        except Refusal as refusal:
            return refusal.problems
        return ()

    def _form(
        self, request: Request, opened: Opened, fields: Sequence[Any], posted: Posted, problems: Sequence[Problem]
    ) -> Form:
        language = language_of(request, None)
        lists = Choices([self._of(opened)], language, self._served.section).to_choose(self._move)
        return Form(language, tuple(fields), posted, problems, lists)

    def _part(
        self, request: Request, opened: Opened, part: Part, posted: Posted, problems: Sequence[Problem]
    ) -> Response:
        form = self._form(request, opened, part.fields, posted, problems)
        done = part.name in opened.draft.finished
        return self._browsing.page(
            request,
            "application_part.html",
            422 if problems else 200,
            opened=opened,
            part=part.name,
            form=form,
            failed=bool(problems),
            done=done,
            reminds=REMINDS if part.name == ASKS_REMINDERS and self._opening.sends else "",
        )

    async def _check(self, request: Request, opened: Opened, refused: Sequence[Problem], status: int = 200) -> Response:
        posted = Posted.of(opened.typed).packed(self._fields)
        forms = {one.name: self._form(request, opened, one.fields, posted, ()) for one in self._parts}
        finished = opened.draft.finished
        answers = {name: _answers(form, answered=name in finished) for name, form in forms.items()}
        problems = refused or self._problems(opened)
        whole = self._form(request, opened, self._fields, posted, problems)
        led = [(self._leads(problem), words) for problem, (_, words) in zip(problems, whole.summary, strict=True)]
        return self._browsing.page(
            request,
            "application_check.html",
            status,
            opened=opened,
            answers=answers,
            problems=led,
            failed=bool(refused),
            closed=self._closed(self._of(opened), opened.office),
            definition=self._of(opened),
            files=await self._files.rows(opened),
        )

    def _leads(self, problem: Problem) -> str:
        """The part in which it is put right; empty where it is in none, as what is said of the whole is."""
        if not problem.pointer:
            return ""
        return next((one.name for one in self._parts if one.answers(problem.pointer)), "")


def _answers(form: Form, *, answered: bool) -> list[tuple[str, str]]:
    """What the part says: each consent with its answer, for one that is not given is an answer too, once somebody
    ticked any or said that the part is finished."""
    words = translations(form.language)
    left = words.gettext("Not given") if answered else words.gettext("Not answered")
    said = [one for one in form.fields if one.pointer != CONSENTS]
    answers = list(replace(form, fields=tuple(said)).answers)
    for one in form.fields:
        if one.pointer == CONSENTS:
            given = form.values(one)
            left = words.gettext("Not given") if given else left
            answers += [(text, words.gettext("Given") if code in given else left) for code, text in form.options(one)]
    return answers


def _criteria(definition: Definition) -> list[Any]:
    return [one.name for one in definition.section(SelectionSection).eligibility]


def _closing(definition: Definition, office: str | None) -> dict[str, Any]:
    """The last day on which an application is taken, and the name of the zone in which it ends."""
    return {"closes": definition.dates.ends - timedelta(days=1), "closes_in": str(definition.zone_of(office))}
