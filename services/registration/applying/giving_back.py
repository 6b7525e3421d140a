"""The way back to an application at the office, for whoever lost its code: an officer finds it by what was typed in it
and gives a new code. What was typed is shown to nobody (docs/decisions/0043-a-lost-code.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, StringConstraints
from starlette.responses import Response

from services.registration.domain.drafts import GivenBack, LostFor
from services.registration.identifiers import SERVICE
from services.registration.work.drafting import Drafting
from services.registration.work.drafts import Opened
from services.registration.work.readings import Readings
from shared.cases.bodies import Input
from shared.clock import short_hash
from shared.contracts.base import Code, Instant
from shared.errors import Problem, Refusal
from shared.identity.rights import Rights
from shared.identity.roles import BY_OFFICER
from shared.programmes.definitions import Definitions
from shared.texts import one_line
from shared.web import bodies
from shared.web.acting import id_of
from shared.web.answers import answered
from shared.web.bodies import Body, documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause, key_of
from shared.web.lists import query
from shared.web.pages import cases
from shared.web.pages.choices import Choices
from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted, fields_of, json_of
from shared.web.pages.kept import KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.words import translations
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

RIGHTS: tuple[Rights, ...] = (("drafts", "find give-back", BY_OFFICER),)
PATH = "/lost-codes"
FactName = Literal["family_name", "given_name", "email", "telephone"]


class LostCode(Input):
    """What the person says of the application: for which programme, and one fact that was typed in it."""

    programme: Code
    known_by: FactName
    said: Annotated[str, StringConstraints(min_length=1, max_length=254), BeforeValidator(one_line)]


class NewCode(Input):
    """Why a new code is given."""

    reason: LostFor


class DraftFound(BaseModel):
    """A draft, and nothing of what was typed in it."""

    id: str
    status: str
    began_at: Instant
    edited_at: Instant


class DraftsFound(BaseModel):
    items: tuple[DraftFound, ...]


class CodeGiven(BaseModel):
    """The code with which the person goes on; the one before opens nothing any more."""

    id: str
    code: str


def link(language: str) -> str:
    return translations(language).gettext("Somebody lost the code of an application")


class GivingBack:
    """What both edges do."""

    def __init__(self, drafting: Drafting, definitions: Definitions, readings: Readings) -> None:
        self._drafting = drafting
        self._definitions = definitions
        self._readings = readings

    async def find(self, body: LostCode, granted: Granted) -> list[Opened]:
        """Counted like a search by name, and in the trail before it answers: it tells whether somebody applies.

        The trail names the person who sent the application in, else the application. Raises Refusal
        `programme_unknown` (404), `office_unknown` (422) for another programme's officer, `readings_used_up` (429).
        """
        office = granted.principal.office or ""
        if self._definitions.newest(body.programme).office(office) is None:
            raise Refusal(
                "office_unknown",
                "a programme in which your office runs cases",
                at="/programme",
                status=422,
            )
        await self._readings.count(granted.principal)
        pointer = f"/person/{body.known_by}"
        found = await self._drafting.found_by(body.programme, pointer, body.said, office)
        whom = [one.draft.person or one.id for one in found]
        await self._readings.note(granted.principal, "lost_code", (body.known_by,), whom)
        return found

    async def give(self, request: Request, id: str, body: Body[NewCode], key: str, granted: Granted) -> Opened:
        """As `Drafting.give_back`."""
        said = cause(request, granted, f"POST /{SERVICE}/v1/drafts/{id}/give-back", key, body.digest)
        given = GivenBack(
            at=granted.edge.runtime.now(),
            office=granted.principal.office or "",
            account=granted.principal.account,
            reason=body.model.reason,
            command=short_hash(said.command_id),
        )
        return await self._drafting.give_back(id, given)


def giving_back_routes(giving: GivingBack) -> APIRouter:
    """`POST /drafts/find`, `POST /drafts/{id}/give-back`: no fact of a person stands in an address."""
    router = Routes()
    _finding(router, giving)
    _giving(router, giving)
    return router


def _finding(router: APIRouter, giving: GivingBack) -> None:
    async def find(request: Request, granted: Granted = Depends(may("drafts", "find"))) -> Response:
        query(request)
        sent = await read_body(request, LostCode)
        found = DraftsFound(items=tuple(_found(one) for one in await giving.find(sent.model, granted)))
        return JSONResponse(found.model_dump(mode="json"))

    router.add_api_route(
        "/drafts/find",
        find,
        methods=["POST"],
        summary="Applications without an account in which that was typed",
        description="Of the officer's office, or of none yet; ten at most, and nothing of what was typed.",
        operation_id="drafts_find",
        openapi_extra={
            **documented(LostCode, {"programme": "trqn-1", "known_by": "family_name", "said": "Family"}),
            "responses": answered(DraftsFound, "What was found."),
        },
        tags=["drafts"],
    )


def _giving(router: APIRouter, giving: GivingBack) -> None:
    async def give(id: str, request: Request, granted: Granted = Depends(may("drafts", "give-back"))) -> Response:
        query(request)
        sent = await read_body(request, NewCode)
        opened = await giving.give(request, id_of(id), sent, key_of(request, granted), granted)
        return JSONResponse(CodeGiven(id=opened.id, code=opened.shown_code).model_dump(mode="json"))

    router.add_api_route(
        "/drafts/{id}/give-back",
        give,
        methods=["POST"],
        summary="A new code for an application whose code was lost",
        description="The old code opens nothing any more. Who gave it, when and why stays with the draft.",
        operation_id="drafts_give_back",
        openapi_extra={
            **documented(NewCode, {"reason": "code_lost"}),
            "responses": answered(CodeGiven, "The new code."),
        },
        tags=["drafts"],
    )


def _found(opened: Opened) -> DraftFound:
    draft = opened.draft
    return DraftFound(id=opened.id, status=draft.status, began_at=draft.began_at, edited_at=draft.edited_at)


class GivingBackPages:
    """`/lost-codes`: an officer finds the application, and gives its new code on paper."""

    def __init__(self, giving: GivingBack, definitions: Definitions, base_url: str) -> None:
        self._giving = giving
        self._definitions = definitions
        self._base_url = base_url
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(PATH, self._ask(), methods=["GET"])
        self.router.add_api_route(PATH, self._find(), methods=["POST"])
        self.router.add_api_route(PATH + "/{id}", self._give(), methods=["POST"])

    def _ask(self) -> Any:
        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as("drafts", "find"))) -> Response:
            query(request, PARAMETER)
            return self._page(request, admitted, Posted({}), None)

        return endpoint

    def _find(self) -> Any:
        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as("drafts", "find"))) -> Response:
            sent = await sent_form(request)
            check_forgery(request, dict(sent), admitted.reader)
            posted = Posted.of(sent)
            try:
                body: LostCode = bodies.body_of(LostCode, json_of(_fields(LostCode), posted)).model
                found = await self._giving.find(body, admitted)
            except tuple(ANSWERS) as error:
                return self._refused(request, admitted, posted, error)
            return self._page(request, admitted, posted, found)

        return endpoint

    def _give(self) -> Any:
        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as("drafts", "give-back"))
        ) -> Response:
            sent = await sent_form(request)
            check_forgery(request, dict(sent), admitted.reader)
            posted = Posted.of(sent)
            try:
                body: Body[NewCode] = bodies.body_of(NewCode, json_of(_fields(NewCode), posted))
                opened = await self._giving.give(request, id_of(id), body, cases.key_of(posted), admitted)
            except tuple(ANSWERS) as error:
                return self._refused(request, admitted, posted, error)
            return render(
                request,
                "code_given.html",
                reader=admitted.reader,
                code=opened.shown_code,
                address=f"{self._base_url}/{SERVICE}/drafts/{opened.shown_code}",
                ends_at=opened.draft.ends_at,
            )

        return endpoint

    def _refused(self, request: Request, admitted: Admitted, posted: Posted, error: Exception) -> Response:
        refused = Refused.by(error)
        return refused.over(self._page(request, admitted, posted, None, refused.problems, refused.status))

    def _page(
        self,
        request: Request,
        admitted: Admitted,
        posted: Posted,
        found: Sequence[Opened] | None,
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Response:
        language, office = admitted.reader.language, admitted.principal.office
        known = [one for one in cases.newest_of(self._definitions) if office and one.office(office)]
        form = Form(language, _fields(LostCode), posted, problems, Choices(known, language).to_choose())
        return render(
            request,
            "lost_codes.html",
            status,
            reader=admitted.reader,
            form=form,
            failed=bool(problems),
            found=found,
            reasons=Form(language, _fields(NewCode), Posted({})),
            keys=[admitted.edge.runtime.new_id() for _ in found or ()],
            key_name=KEY,
            base=request.url.path.partition(PATH)[0] + PATH,
        )


def _fields(model: type[BaseModel]) -> tuple[Field, ...]:
    return fields_of(model.model_json_schema())
