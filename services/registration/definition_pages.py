"""Pages of a programme's definition: what it says, what each version changed, and a look before one is published."""

from __future__ import annotations

import json
from typing import Any

import yaml
from fastapi import APIRouter, Depends, Request
from pydantic import JsonValue
from starlette.responses import Response

from services.registration.domain.programmes import PROGRAMME
from shared.clock import Runtime
from shared.errors import Refusal
from shared.programmes.definitions import Definitions
from shared.programmes.differences import differences
from shared.programmes.loader import examined
from shared.programmes.marked_yaml import Finding
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.programmes.texts import named_in
from shared.web.acting import id_of
from shared.web.lists import query
from shared.web.pages.languages import LANGUAGES, PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.words import translations

DEFINITION, CHECK, VERSION = "definition", "check-definition", "version"
PUBLISH = "publish"
# Of what differs, so much stands in the table; the file below it has the rest.
CHARACTERS, DIFFERENCES, FINDINGS = 160, 200, 50


def link(language: str) -> str:
    """What leads from the page of today to the look before a publication."""
    return translations(language).gettext("Check and publish a definition")


class DefinitionPages:
    """`GET /programmes/{code}/definition`, `GET` and `POST /check-definition`."""

    def __init__(self, definitions: Definitions, runtime: Runtime) -> None:
        self._definitions = definitions
        self._runtime = runtime
        self.router = APIRouter(include_in_schema=False)
        self.router.add_api_route(f"/{PROGRAMME.name}/{{code}}/{DEFINITION}", self._shown(), methods=["GET"])
        self.router.add_api_route(f"/{CHECK}", self._asked(), methods=["GET"])
        self.router.add_api_route(f"/{CHECK}", self._checked(), methods=["POST"])

    def _shown(self) -> Any:
        async def endpoint(
            code: str, request: Request, admitted: Admitted = Depends(reading_as(PROGRAMME.name, "read"))
        ) -> Response:
            asked = query(request, VERSION, PARAMETER).get(VERSION)
            newest = self._definitions.newest_version(id_of(code))
            version = newest if asked is None else _number(asked, newest)
            definition = self._definitions.version(code, version)
            before = self._definitions.version(code, version - 1) if version > 1 else None
            return render(
                request,
                "definition.html",
                reader=admitted.reader,
                definition=definition,
                version=version,
                versions=range(newest, 0, -1),
                criteria=_criteria(definition),
                texts=[*named_in(definition)],
                languages_of_texts=sorted(definition.title, key=_place),
                changed=None if before is None else differences(before, definition)[:DIFFERENCES],
                said=_said,
                text=_text_of(definition),
                may_publish=_may_publish(admitted),
            )

        return endpoint

    def _asked(self) -> Any:
        async def endpoint(
            request: Request, admitted: Admitted = Depends(reading_as(PROGRAMME.name, PUBLISH))
        ) -> Response:
            code = query(request, "code", PARAMETER).get("code")
            text = "" if code is None else _text_of(self._definitions.newest(id_of(code)))
            return self._page(request, admitted, text)

        return endpoint

    def _checked(self) -> Any:
        async def endpoint(
            request: Request, admitted: Admitted = Depends(reading_as(PROGRAMME.name, PUBLISH))
        ) -> Response:
            sent = dict(await sent_form(request))
            check_forgery(request, sent, admitted.reader)
            text = sent.get("text", "")
            definition, findings = await self._runtime.in_pool(lambda: examined(text))
            if any(not one.warning for one in findings):
                return self._page(request, admitted, text, findings, status=422)
            return self._page(request, admitted, text, findings, definition)

        return endpoint

    def _page(
        self,
        request: Request,
        admitted: Admitted,
        text: str,
        findings: list[Finding] | None = None,
        definition: Definition | None = None,
        status: int = 200,
    ) -> Response:
        newest = self._newest(definition)
        return render(
            request,
            "check_definition.html",
            status,
            reader=admitted.reader,
            text=text,
            findings=(findings or [])[:FINDINGS],
            further=max(len(findings or ()) - FINDINGS, 0),
            definition=definition,
            newest=newest,
            version=self._definitions.newest_version(newest.code) + 1 if newest else 1,
            changed=differences(newest, definition)[:DIFFERENCES] if newest and definition else (),
            said=_said,
            content="" if definition is None else json.dumps(definition.as_json(), ensure_ascii=False),
            key=admitted.edge.runtime.new_id(),
        )

    def _newest(self, definition: Definition | None) -> Definition | None:
        """The programme as it stands; None for one that is new."""
        if definition is None or definition.code not in self._definitions.codes():
            return None
        return self._definitions.newest(definition.code)


def _may_publish(admitted: Admitted) -> bool:
    return bool(admitted.edge.policy.allowed(admitted.principal, PROGRAMME.name, PUBLISH))


def _criteria(definition: Definition) -> list[Any]:
    """The names of the criteria; empty for a programme that chooses nobody."""
    sections = definition.sections().values()
    return [one.name for part in sections if isinstance(part, SelectionSection) for one in part.eligibility]


def _place(language: str) -> tuple[int, str]:
    """Languages of pages in their order, then others."""
    ours = [*LANGUAGES]
    return ours.index(language) if language in ours else len(ours), language


def _number(text: str, newest: int) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= newest:
        raise Refusal("not_found", status=404)
    return int(text)


def _said(value: JsonValue) -> str:
    """A value as it stands in the file, cut where it is long; empty where there is none."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}…"


def _text_of(definition: Definition) -> str:
    """As a definition file."""
    return yaml.safe_dump(definition.as_json(), sort_keys=False, allow_unicode=True, width=120)
