"""The pages of an application without an account, under `/registration/apply`, `/drafts` and `/application`.

The code stands in no address but the one that somebody kept, whose page has a button: what only fetches addresses
opens nothing. From there it is in a cookie of this service's path (docs/decisions/0042-drafts.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.applying.browsing import APPLICATION, Browsing
from services.registration.applying.checking import Checking
from services.registration.applying.files import ApplicationFiles
from services.registration.applying.files import status_of as status_of_files
from services.registration.applying.forming import Forming
from services.registration.applying.opening import Opening
from services.registration.applying.parts import MISSING, Part, differing, status_of
from services.registration.applying.receipts import Receipts
from services.registration.domain.drafts import read_code
from services.registration.files.chosen import Limits
from services.registration.work.draft_files import DraftFiles
from services.registration.work.drafting import CHANGED, SUBMITTED
from services.registration.work.drafts import Opened, Sent
from shared.errors import Problem, Refusal
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.web.acting import Served
from shared.web.callers import everybody
from shared.web.pages.cases import CONFLICT
from shared.web.pages.choices import Choices
from shared.web.pages.formatting import REFERENCE_CHARACTERS
from shared.web.pages.forms import Posted
from shared.web.pages.languages import language_of
from shared.web.pages.readers import check_same_site
from shared.web.pages.sent import sent_form
from shared.web.routing import Routes

DONE = "done"
# Of a part's form: which one it is, and which one had changed the part last when it was shown.
FORM, AFTER = "form", "after"
FORM_CHARACTERS = 64
# The box under the address of mail, in the part that asks for it: it is no part of the application.
REMINDS, ASKS_REMINDERS = "reminds", "contact"


class Applying:
    """The routes. `served`: the case of experts, whose opening verb is what is applied with."""

    def __init__(self, opening: Opening, served: Served, files: DraftFiles) -> None:
        self._opening = opening
        self._browsing = Browsing(opening)
        self._forming = Forming(opening, served)
        self._receipts = Receipts(opening, self._browsing, self._forming)
        self._files = ApplicationFiles(opening, self._browsing, files, self._receipts)
        self._checking = Checking(opening, self._browsing, self._forming, self._files)
        self.router = Routes(include_in_schema=False, dependencies=[Depends(everybody)])
        for path, get, post in (
            ("/apply/{programme}", self.about, self.begin),
            ("/drafts", self.ask_code, self.open),
            ("/application", self.tasks, None),
            ("/application/check", self._checking.check, self._checking.submit),
            ("/application/receipt", self._receipts.receipt, self._receipts.reopen),
            ("/application/receipt/signed", self._receipts.signed, None),
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

    async def about(self, programme: str, request: Request) -> Response:
        definition = self._definition(programme)
        return self._browsing.page(
            request,
            "apply.html",
            definition=definition,
            criteria=_criteria(definition),
            closed=self._forming.is_closed(definition, None),
            **_closing(definition, None),
            apart=len({office.time_zone for office in definition.offices}) > 1,
            documents=definition.section(SelectionSection).documents,
            limits=Limits(),
        )

    async def begin(self, programme: str, request: Request) -> Response:
        check_same_site(request)
        definition = self._definition(programme)
        if self._forming.is_closed(definition, None):
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
        opened = await self._browsing.editable(request)
        if isinstance(opened, Response):
            return opened
        problems = self._forming.problems(opened)
        statuses = {one.name: status_of(one, opened.draft, opened.typed, problems) for one in self._forming.parts}
        definition, language = self._forming.definition(opened), language_of(request, None)
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
            closed=self._forming.is_closed(definition, opened.office),
            files=files,
            files_status=status_of_files(files),
            unsaid={one.part for one in self._checking.left(request, opened)},
        )

    async def ask(self, part: str, request: Request) -> Response:
        opened = await self._browsing.editable(request)
        if isinstance(opened, Response):
            return opened
        return self._part(request, opened, self._forming.part(part), Posted.of(opened.typed))

    async def keep(self, part: str, request: Request) -> Response:
        """Keeps what was typed, whatever it is; what is wrong with it is said afterwards.

        What another form has changed meanwhile is shown beside it first (412); what was sent leads to its receipt.
        """
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        page, form = self._forming.part(part), await sent_form(request)
        posted, edited = Posted.of(form), Posted.of(form).edited()
        kept = self._sent(request, opened, page, edited or posted)
        finished = bool(posted.text(DONE))
        try:
            opened = await self._opening.drafting.keep(opened.code, page.name, kept, done=finished)
        except Refusal as refusal:
            now = await self._opening.of(request)
            if now is None or refusal.rule not in (CHANGED, SUBMITTED):
                raise
            if refusal.rule == SUBMITTED:
                return await self._receipts.since(request, now, page, posted)
            return self._part(request, now, page, edited or posted, overtaken=True, done=finished)
        problems = [one for one in self._forming.problems(opened) if page.has(one.pointer)]
        wrong = tuple(one for one in problems if finished or one.rule != MISSING)
        if edited is not None or wrong:
            return self._part(request, opened, page, edited or Posted.of(opened.typed), () if edited else wrong)
        answer = RedirectResponse(APPLICATION, 303)
        self._opening.put(answer, opened)
        return answer

    def _sent(self, request: Request, opened: Opened, page: Part, posted: Posted) -> Sent:
        fields = tuple((name, value) for name, value in posted.pairs if page.has(name))
        kept = Sent(fields, page.names(fields, opened.typed), language_of(request, None))
        if page.name == ASKS_REMINDERS and self._opening.sends:
            kept = replace(kept, reminds=bool(posted.text(REMINDS)))
        return replace(kept, form=posted.text(FORM)[:FORM_CHARACTERS] or None, after=posted.text(AFTER))

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
        return await self._opening.enter(request, self._forming.granted(opened).principal)

    def _definition(self, programme: str) -> Definition:
        definitions = self._opening.definitions
        if programme not in definitions.codes():
            raise Refusal("not_found", status=404)
        definition = definitions.newest(programme)
        definition.section(SelectionSection)
        return definition

    def _part(
        self,
        request: Request,
        opened: Opened,
        part: Part,
        posted: Posted,
        problems: Sequence[Problem] = (),
        *,
        overtaken: bool = False,
        done: bool = False,
    ) -> Response:
        """`overtaken`: another form has changed the part since this one was shown; `done`: as it says itself."""
        form = self._forming.form(request, opened, part.fields, posted, problems)
        stands = self._forming.form(request, opened, part.fields, Posted.of(opened.typed))
        return self._browsing.page(
            request,
            "application_part.html",
            CONFLICT if overtaken else 422 if problems else 200,
            opened=opened,
            part=part.name,
            form=form,
            failed=bool(problems),
            done=done if overtaken else part.name in opened.draft.finished,
            reminds=REMINDS if part.name == ASKS_REMINDERS and self._opening.sends else "",
            is_reminded=bool(posted.text(REMINDS)) if overtaken else opened.draft.reminds,
            differences=differing(stands.answers, form.answers) if overtaken else None,
            held={FORM: self._opening.edge.runtime.new_id(), AFTER: opened.draft.kept_by.get(part.name, "")},
        )


def _criteria(definition: Definition) -> list[Any]:
    return [one.name for one in definition.section(SelectionSection).eligibility]


def _closing(definition: Definition, office: str | None) -> dict[str, Any]:
    """The last day on which an application is taken, and the name of the zone in which it ends."""
    return {"closes": definition.dates.ends - timedelta(days=1), "closes_in": str(definition.zone_of(office))}
