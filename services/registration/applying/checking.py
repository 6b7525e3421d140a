"""The page of all answers, from which an application is sent: what is wrong with it, what it leaves unsaid, and how it
was understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastapi import Request
from pydantic_core import PydanticCustomError
from starlette.responses import RedirectResponse, Response

from services.registration.applying.browsing import RECEIPT, Browsing
from services.registration.applying.files import ApplicationFiles
from services.registration.applying.forming import CREATE, Forming
from services.registration.applying.opening import Opening
from services.registration.applying.unsaid import CONSENTS, unsaid
from services.registration.domain.drafts import TELEPHONE, region_of
from services.registration.domain.telephones import is_doubtful, read_telephone
from services.registration.work.drafting import SUBMITTED
from services.registration.work.drafts import Opened
from shared.contracts.registration.persons import PLACEMENT
from shared.errors import CommandReused, Overloaded, Problem, Refusal
from shared.programmes.indicators import Texts
from shared.programmes.sections.selection import SelectionSection
from shared.texts import one_line
from shared.web.calling import Asking, call_of
from shared.web.doors import entered
from shared.web.origin import origin
from shared.web.pages.filled import Form, Option
from shared.web.pages.forms import Posted, in_order
from shared.web.pages.languages import language_of
from shared.web.pages.words import translations


@dataclass(frozen=True)
class Left:
    """Something of which the office decides that was not said. `part`, `field`: where it is said; `label`: the field's;
    `consent`: the words of the consent that is not given, empty for a criterion, whose words are `name`."""

    part: str
    field: str
    label: str
    name: Texts | None
    consent: str = ""


class Checking:
    """`GET` and `POST /application/check`."""

    def __init__(self, opening: Opening, browsing: Browsing, forming: Forming, files: ApplicationFiles) -> None:
        self._opening = opening
        self._browsing = browsing
        self._forming = forming
        self._files = files

    async def check(self, request: Request) -> Response:
        opened = await self._browsing.editable(request)
        return opened if isinstance(opened, Response) else await self._page(request, opened, ())

    async def submit(self, request: Request) -> Response:
        """Submits it once: sent again, it is the same submission with the same receipt."""
        opened = await self._browsing.checked(request)
        if isinstance(opened, Response):
            return opened
        if opened.draft.status == "submitted":
            return RedirectResponse(RECEIPT, 303)
        try:
            return await self._submitted(request, opened)
        except CommandReused:
            # Another tab has sent it meanwhile, before more was typed.
            now = await self._opening.of(request)
            if now is None or now.draft.status != "submitted":
                raise
            return RedirectResponse(RECEIPT, 303)
        except Refusal as refusal:
            if refusal.rule == SUBMITTED:
                return RedirectResponse(RECEIPT, 303)
            return await self._page(request, opened, refusal.problems, refusal.status)
        except Overloaded as error:
            answer = await self._page(request, opened, (Problem("overloaded"),), error.status)
            answer.headers["Retry-After"] = str(error.retry_after_seconds)
            return answer

    async def _submitted(self, request: Request, opened: Opened) -> Response:
        forming, granted = self._forming, self._forming.granted(opened)
        asking = Asking(f"{opened.id}.{opened.draft.sent}")
        call = await call_of(request, granted, forming.served, forming.move, forming.body(opened), asking)
        # Mail about the case comes in the language in which it was applied for.
        await self._opening.sessions.reads(granted.principal.account, language_of(request))
        with entered(granted, origin(request)):
            receipt = await forming.served.taken[CREATE](call)
        person = await self._opening.person_of(granted.principal.account)
        await self._opening.drafting.submitted(opened.code, str(receipt["id"]), person)
        return RedirectResponse(RECEIPT, 303)

    def left(self, request: Request, opened: Opened) -> list[Left]:
        """Of what the office decides by, what was not said, each with its place."""
        criteria = self._forming.definition(opened).section(SelectionSection).eligibility
        form = self._forming.form(request, opened, self._forming.fields, Posted.of(opened.typed))
        asked = [one for part in self._forming.parts for one in part.fields]
        shown, found = {one.pointer: one for one in (*asked, *in_order(asked))}, []
        for one in unsaid(criteria, opened.typed):
            field = shown[one.pointer]
            consent = dict(form.options(field))[PLACEMENT] if one.pointer == CONSENTS else ""
            # A part of a day is called as the day is.
            called = next((day for day in asked if day.is_day and field in day.inner), field)
            part = self._forming.answering(one.pointer)
            found.append(Left(part, field.id, form.label(called), one.name, consent))
        return found

    async def _page(self, request: Request, opened: Opened, refused: Sequence[Problem], status: int = 200) -> Response:
        forming, typed = self._forming, Posted.of(opened.typed).packed(self._forming.fields)
        understood, doubtful = _understood(opened, typed)
        forms = {one.name: forming.form(request, opened, one.fields, understood) for one in forming.parts}
        finished = opened.draft.finished
        problems = refused or forming.problems(opened)
        whole = forming.form(request, opened, forming.fields, typed, problems)
        definition = forming.definition(opened)
        return self._browsing.page(
            request,
            "application_check.html",
            status,
            opened=opened,
            answers={name: _answers(form, answered=name in finished) for name, form in forms.items()},
            problems=[
                (forming.answering(problem.pointer), words)
                for problem, (_, words) in zip(problems, whole.summary, strict=True)
            ],
            left=self.left(request, opened),
            doubtful=forming.answering(TELEPHONE) if doubtful else "",
            failed=bool(refused),
            closed=forming.is_closed(definition, opened.office),
            definition=definition,
            files=await self._files.rows(opened),
        )


def _understood(opened: Opened, typed: Posted) -> tuple[Posted, bool]:
    """What was typed, with the telephone as it will be recorded; and whether no such number is known."""
    text, region = typed.text(TELEPHONE), region_of(dict(opened.typed))
    try:
        number = read_telephone(one_line(text), region) if text else ""
    except PydanticCustomError:
        return typed, False
    return Posted({**typed.values, TELEPHONE: (number,)}), bool(number) and is_doubtful(number, region)


def _answers(form: Form, *, answered: bool) -> list[Option]:
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
