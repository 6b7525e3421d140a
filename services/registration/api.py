"""HTTP edge of registration: every route with its row of the policy, its body and an example that is accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from shared.web.transitions import Call, Resource, id_of, listing, reading, transition
from starlette.responses import Response

from services.registration import views
from services.registration.bodies import (
    Consent,
    ExpertRegistration,
    InstitutionRegistration,
    ProfileCorrection,
    ProgrammePublication,
    ProvidedInfo,
    Reason,
    RequestedItems,
)
from services.registration.domain import experts, institutions, persons
from services.registration.domain.programmes import PublishProgramme
from services.registration.examples import DEFINITION, EXPERT, INSTITUTION, PROFILE
from services.registration.handlers import EXPERT_REGISTRATION, Registering, person_of
from services.registration.listed import refuse_unlisted
from services.registration.store import EXPERTS, INSTITUTIONS, PERSONS, PROGRAMMES
from shared.clock import derived_id
from shared.errors import Problem, Refusal, UniqueViolated
from shared.identity.tokens import Principal, account_of
from shared.intake.submissions import Intake
from shared.programmes.loader import definition_of
from shared.programmes.sections.selection import SelectionSection
from shared.store.aggregates import Aggregate, Cause, Kernel, Saved
from shared.web.bodies import Change, documented, read_body
from shared.web.callers import Granted, may
from shared.web.commands import cause_of, etag, expected_version
from shared.web.lists import query
from shared.web.receipts import acknowledged

PROGRAMME_VIEW = Resource("programmes", PROGRAMMES.name, views.programme)
PERSON_VIEW = Resource("persons", PERSONS.name, views.person)
CONSENT_VIEW = Resource("consents", PERSONS.name, views.person)
EXPERT_VIEW = Resource("experts", EXPERTS.name, views.expert)
INSTITUTION_VIEW = Resource("institutions", INSTITUTIONS.name, views.institution)

CommandOf = Callable[[Any], Any]


class Api:
    """The routes. `issuer`: whose subjects an institution's `account` names."""

    def __init__(self, kernel: Kernel, work: Registering, intake: Intake, issuer: str) -> None:
        self._kernel = kernel
        self._work = work
        self._intake = intake
        self._issuer = issuer
        self.router = APIRouter()
        self._programmes()
        self._persons()
        self._experts()
        self._institutions()

    def _programmes(self) -> None:
        listing(self.router, path="/programmes", resource=PROGRAMME_VIEW)
        reading(self.router, path="/programmes/{id}", resource=PROGRAMME_VIEW)
        body = documented(ProgrammePublication, {"definition": DEFINITION})
        self._post("/programmes", PROGRAMME_VIEW, "publish", self._publish, body, 201)

    def _persons(self) -> None:
        listing(self.router, path="/persons", resource=PERSON_VIEW)
        self.router.add_api_route(
            "/persons/{id}", self._read_person, methods=["GET"], operation_id="persons_read", tags=["persons"]
        )
        transition(
            self.router,
            path="/persons/{id}/correct-profile",
            resource=PERSON_VIEW,
            verb="correct",
            body=ProfileCorrection,
            run=self._correct_profile,
            example=PROFILE,
        )
        consent = {"purpose": "placement"}
        self._transition(
            PERSONS, CONSENT_VIEW, "give", "give-consent", Consent, lambda b: persons.GiveConsent(b.purpose), consent
        )
        self._transition(
            PERSONS,
            CONSENT_VIEW,
            "withdraw",
            "withdraw-consent",
            Consent,
            lambda b: persons.WithdrawConsent(b.purpose),
            consent,
        )

    def _experts(self) -> None:
        listing(self.router, path="/experts", resource=EXPERT_VIEW)
        reading(self.router, path="/experts/{id}", resource=EXPERT_VIEW)
        body = documented(ExpertRegistration, EXPERT)
        self._post("/experts", EXPERT_VIEW, "create", self._register_expert, body, 202)
        for verb, eligible in (("screen", None), ("declare-eligible", True), ("declare-ineligible", False)):
            transition(
                self.router,
                path=f"/experts/{{id}}/{verb}",
                resource=EXPERT_VIEW,
                verb=verb,
                body=Change,
                run=self._screening(eligible),
                example={},
            )
        transition(
            self.router,
            path="/experts/{id}/provide-info",
            resource=EXPERT_VIEW,
            verb="provide-info",
            body=ProvidedInfo,
            run=self._provide_info,
            example=PROFILE,
        )
        for verb, model, command, example in EXPERT_TRANSITIONS:
            self._transition(EXPERTS, EXPERT_VIEW, verb, verb, model, command, example)

    def _institutions(self) -> None:
        listing(self.router, path="/institutions", resource=INSTITUTION_VIEW)
        reading(self.router, path="/institutions/{id}", resource=INSTITUTION_VIEW)
        body = documented(InstitutionRegistration, INSTITUTION)
        self._post("/institutions", INSTITUTION_VIEW, "create", self._register_institution, body, 201)
        for verb, model, command, example in INSTITUTION_TRANSITIONS:
            self._transition(INSTITUTIONS, INSTITUTION_VIEW, verb, verb, model, command, example)

    def _transition(
        self,
        aggregate: Aggregate[Any],
        resource: Resource,
        verb: str,
        name: str,
        body: type[Change],
        command_of: CommandOf,
        example: Mapping[str, Any],
    ) -> None:
        """One command on one document."""

        async def run(call: Call[Any]) -> Saved[Any]:
            command = command_of(call.body)
            return await self._kernel.execute(
                aggregate, call.id, command, call.cause, expected_version=call.expected_version
            )

        path = f"/{aggregate.name}/{{id}}/{name}"
        transition(self.router, path=path, resource=resource, verb=verb, body=body, run=run, example=example)

    def _post(
        self, path: str, resource: Resource, verb: str, run: Callable[..., Any], body: dict[str, Any], status: int
    ) -> None:
        async def endpoint(request: Request, granted: Granted = Depends(may(resource.name, verb))) -> Response:
            query(request)
            answer: Response = await run(request, granted)
            return answer

        self.router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            status_code=status,
            operation_id=f"{resource.name}_{verb}",
            openapi_extra=body,
            tags=[resource.name],
        )

    async def _publish(self, request: Request, granted: Granted) -> Response:
        sent = await read_body(request, ProgrammePublication)
        definition = definition_of(sent.model.definition, "/definition")
        cause = cause_of(request, granted, sent.digest, sent.model.happened_at)
        command = PublishProgramme(definition.code, definition.as_json())
        saved = await self._kernel.execute(
            PROGRAMMES, definition.code, command, cause, expected_version=expected_version(request)
        )
        return PROGRAMME_VIEW.answer(saved.document, granted.principal, 200 if saved.repeated else 201)

    async def _read_person(
        self, id: str, request: Request, granted: Granted = Depends(may("persons", "read"))
    ) -> Response:
        query(request)
        document = await granted.load(PERSONS.name, id_of(id))
        seen = dict(views.person(document, granted.principal))
        if any(grant.relation == "own" for grant in granted.grants):
            seen |= await self._work.identifiers.names(document["_id"], document["private"])
        return JSONResponse(seen, headers={"ETag": etag(document["version"])})

    async def _correct_profile(self, call: Call[ProfileCorrection]) -> Saved[Any]:
        _not_ahead(call.body.valid_from, self._kernel, "/valid_from")
        return await self._work.correct_profile(call.id, call.body, call.cause, call.expected_version)

    def _screening(self, eligible: bool | None) -> Callable[[Call[Change]], Awaitable[Saved[Any]]]:
        async def screen(call: Call[Change]) -> Saved[Any]:
            return await self._work.screen(call.document, call.cause, call.expected_version, eligible=eligible)

        return screen

    async def _provide_info(self, call: Call[ProvidedInfo]) -> Saved[Any]:
        if call.body.valid_from is not None:
            _not_ahead(call.body.valid_from, self._kernel, "/valid_from")
        return await self._work.provide_info(call.document, call.body, call.cause, call.expected_version)

    async def _register_expert(self, request: Request, granted: Granted) -> Response:
        sent = await read_body(request, ExpertRegistration)
        body = sent.model
        cause = cause_of(request, granted, sent.digest, body.happened_at)
        channel = "self" if granted.principal.role == "expert" else "officer"
        _own_office(granted.principal, body.office)
        _not_ahead(body.person.valid_from, self._kernel, "/person/valid_from")
        definition, _ = await self._work.newest(body.programme)
        if definition.office(body.office) is None:
            raise Refusal("office_unknown", problems=(Problem("office_unknown", "/office"),), status=422)
        # Without a selection nobody could ever be screened, so the case could not go on.
        definition.section(SelectionSection)
        refuse_unlisted((definition,), body.person.attributes, "/person/attributes")
        subject = derived_id(person_of(channel, cause), body.programme)
        stored = body.model_dump(mode="json", exclude_none=True)
        return acknowledged(
            await self._intake.submit(EXPERT_REGISTRATION, subject, stored, cause, office=body.office, channel=channel)
        )

    async def _register_institution(self, request: Request, granted: Granted) -> Response:
        sent = await read_body(request, InstitutionRegistration)
        body = sent.model
        cause = cause_of(request, granted, sent.digest, body.happened_at)
        _own_office(granted.principal, body.office)
        command = institutions.RegisterInstitution(
            self._account(granted.principal, body, cause),
            body.office,
            body.country,
            body.sector,
            body.host_type,
            body.area,
        )
        id = cause.command_id
        expected, private = expected_version(request), {"name": body.name}
        try:
            saved = await self._kernel.execute(
                INSTITUTIONS, id, command, cause, expected_version=expected, private=private
            )
        except UniqueViolated:
            rule = "account_held_elsewhere"
            raise Refusal(rule, problems=(Problem(rule, "/account"),)) from None
        answer = INSTITUTION_VIEW.answer(saved.document, granted.principal, 200 if saved.repeated else 201)
        answer.headers["Location"] = f"/registration/v1/institutions/{id}"
        return answer

    def _account(self, principal: Principal, body: InstitutionRegistration, cause: Cause) -> str | None:
        """A host registers itself; an officer names the subject under which the host will sign in."""
        if principal.role == "host":
            if body.account is not None:
                raise Refusal("account_is_the_callers", problems=(Problem("not_allowed", "/account"),), status=422)
            return cause.account
        return account_of(self._issuer, body.account) if body.account else None


def _own_office(principal: Principal, office: str) -> None:
    """An officer writes for the office of the token alone; who registers itself chooses one."""
    if principal.role == "officer" and principal.office != office:
        raise Refusal("other_office", problems=(Problem("other_office", "/office"),), status=403)


def _not_ahead(day: Any, kernel: Kernel, pointer: str) -> None:
    # Somewhere it is tomorrow already.
    if day > (kernel.runtime.now() + timedelta(days=1)).date():
        raise Refusal("valid_in_the_future", problems=(Problem("valid_in_the_future", pointer),), status=422)


EXPERT_TRANSITIONS: tuple[tuple[str, type[Change], CommandOf, Mapping[str, Any]], ...] = (
    ("request-info", RequestedItems, lambda b: experts.RequestInfo(b.items), {"items": ["diploma"]}),
    ("suspend", Reason, lambda b: experts.SuspendExpert(b.reason), {"reason": "unreachable"}),
    ("reinstate", Change, lambda _: experts.ReinstateExpert(), {}),
)
INSTITUTION_TRANSITIONS: tuple[tuple[str, type[Change], CommandOf, Mapping[str, Any]], ...] = (
    ("assess", Change, lambda _: institutions.AssessInstitution(), {}),
    ("accept-partner", Change, lambda _: institutions.AcceptPartner(), {}),
    ("activate", Change, lambda _: institutions.ActivateInstitution(), {}),
    ("put-on-hold", Reason, lambda b: institutions.PutOnHold(b.reason), {"reason": "relocating"}),
    ("close", Reason, lambda b: institutions.CloseInstitution(b.reason), {"reason": "merged"}),
)
