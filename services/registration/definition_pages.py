"""Pages of a programme's definition: what it says, what each version changed, and a look before one is published."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import yaml
from fastapi import Depends, Request
from markupsafe import Markup
from pydantic import JsonValue
from starlette.responses import RedirectResponse, Response

from services.registration.domain.programmes import PROGRAMME, ProgrammePublication, not_to_follow
from services.registration.identifiers import SERVICE
from services.registration.store import PROGRAMMES
from shared.clock import Runtime, instant_of
from shared.contracts.base import TIME_FORM
from shared.errors import Refusal
from shared.programmes.definitions import Definitions
from shared.programmes.differences import Difference, differences
from shared.programmes.loader import definition_of, examined, linted
from shared.programmes.marked_yaml import Finding
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.programmes.texts import named_in
from shared.store.aggregates import Saved
from shared.web.acting import Served, id_of
from shared.web.bodies import body_of
from shared.web.calling import Asking, call_of
from shared.web.lists import query
from shared.web.pages import cases
from shared.web.pages.formatting import Formats
from shared.web.pages.forms import Posted
from shared.web.pages.languages import LANGUAGES, PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.words import translations
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

DEFINITION, CHECK, VERSION = "definition", "check-definition", "version"
PUBLISH = "publish"
# Of what differs, so much stands in the table; the file below it has the rest.
CHARACTERS, DIFFERENCES, FINDINGS = 160, 200, 50
VERSION_DIGITS = 6
_INSTANT = re.compile(TIME_FORM.pattern).fullmatch


def link(language: str) -> str:
    """What leads from the page of today to the look before a publication."""
    return translations(language).gettext("Check and publish a definition")


@dataclass(frozen=True)
class Text:
    """What somebody typed, and the version of a programme from which they began; version 0 for what was begun from
    none."""

    text: str
    code: str = ""
    base: int = 0

    @staticmethod
    def of(sent: Mapping[str, str]) -> Text:
        base = sent.get("base", "")
        number = int(base) if base.isascii() and base.isdecimal() and len(base) <= VERSION_DIGITS else 0
        return Text(sent.get("text", ""), sent.get("code", ""), number)


@dataclass(frozen=True)
class Looked:
    """A definition beside the version that stands, 0 for a new programme. `meanwhile`: what was published since the
    text was begun, and `ours`: what the text changes of what it was begun from; both empty where nothing was."""

    definition: Definition
    stands: int = 0
    changed: Sequence[Difference] = ()
    base: int = 0
    meanwhile: Sequence[Difference] = ()
    ours: Sequence[Difference] = ()


class DefinitionPages:
    """`GET /programmes/{code}/definition`, `GET` and `POST /check-definition`, `POST /check-definition/publish`.

    `programmes`: the case whose verb is done here, as the JSON edge does it.
    """

    def __init__(self, definitions: Definitions, runtime: Runtime, programmes: Served) -> None:
        self._definitions = definitions
        self._runtime = runtime
        self._programmes = programmes
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(f"/{PROGRAMME.name}/{{code}}/{DEFINITION}", self._shown(), methods=["GET"])
        self.router.add_api_route(f"/{CHECK}", self._asked(), methods=["GET"])
        self.router.add_api_route(f"/{CHECK}", self._checked(), methods=["POST"])
        self.router.add_api_route(f"/{CHECK}/{PUBLISH}", self._published(), methods=["POST"])

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
            if code is None:
                return _page(request, admitted, Text(""))
            base = self._definitions.newest_version(id_of(code))
            return _page(request, admitted, Text(_text_of(self._definitions.version(code, base)), code, base))

        return endpoint

    def _checked(self) -> Any:
        async def endpoint(
            request: Request, admitted: Admitted = Depends(reading_as(PROGRAMME.name, PUBLISH))
        ) -> Response:
            _, text = await _sent(request, admitted)
            definition, findings = await self._examined(admitted, text)
            if definition is None:
                return _page(request, admitted, text, findings, status=422)
            return _page(request, admitted, text, findings, await self._looked_at(admitted, definition, text))

        return endpoint

    def _published(self) -> Any:
        async def endpoint(
            request: Request, admitted: Admitted = Depends(reading_as(PROGRAMME.name, PUBLISH))
        ) -> Response:
            posted, text = await _sent(request, admitted)
            definition, findings = await self._examined(admitted, text)
            if definition is None:
                return _page(request, admitted, text, findings, status=422)
            try:
                await self._publish(request, admitted, definition, text, cases.key_of(posted))
            except tuple(ANSWERS) as error:
                refused = Refused.by(error)
                # As it stands by now, whether or not this replica has heard of it.
                looked = await self._looked_at(admitted, definition, text)
                page = _page(request, admitted, text, findings, looked, refused.status, refused.rule)
                return refused.over(page)
            return RedirectResponse(f"/{SERVICE}/{PROGRAMME.name}/{definition.code}?{cases.DONE}={PUBLISH}", 303)

        return endpoint

    async def _examined(self, admitted: Admitted, text: Text) -> tuple[Definition | None, list[Finding]]:
        """The definition, with what to look at first; None where something is wrong in it, or in it as the next
        version. Raises Unavailable."""
        definition, findings = await self._runtime.in_pool(lambda: examined(text.text))
        if definition is not None:
            standing = PROGRAMMES.read(await admitted.edge.store.load(PROGRAMMES.name, definition.code))
            if broken := not_to_follow(standing, definition.as_json()):
                placed = await self._runtime.in_pool(lambda: linted(text.text, Definition, lambda _: broken)[1])
                findings = sorted({*findings, *placed})
        return (None if any(not one.warning for one in findings) else definition), findings

    async def _publish(
        self, request: Request, admitted: Admitted, definition: Definition, text: Text, key: str
    ) -> Saved[Any]:
        """The same command as at the JSON edge under the same key. Raises as the verb does."""
        said = {"definition": definition.as_json(), "base_version": text.base}
        body = body_of(ProgrammePublication, json.dumps(said).encode())
        call = await call_of(request, admitted, self._programmes, PROGRAMME.rows[PUBLISH][0], body, Asking(key))
        return await self._programmes.works[PUBLISH](call)

    async def _looked_at(self, admitted: Admitted, definition: Definition, text: Text) -> Looked:
        """Raises Unavailable; TooEarly where the version from which the text was begun has not come here."""
        standing = PROGRAMMES.read(await admitted.edge.store.load(PROGRAMMES.name, definition.code))
        if standing is None:
            return Looked(definition)
        newest, stands = definition_of(standing.definition), standing.definition_version
        changed = differences(newest, definition)[:DIFFERENCES]
        if text.code != definition.code or not 1 <= text.base < stands:
            return Looked(definition, stands, changed, stands)
        begun = self._definitions.version(definition.code, text.base)
        meanwhile, ours = differences(begun, newest)[:DIFFERENCES], differences(begun, definition)[:DIFFERENCES]
        return Looked(definition, stands, changed, text.base, meanwhile, ours)


async def _sent(request: Request, admitted: Admitted) -> tuple[Posted, Text]:
    sent = await sent_form(request)
    check_forgery(request, dict(sent), admitted.reader)
    return Posted.of(sent), Text.of(dict(sent))


def _page(
    request: Request,
    admitted: Admitted,
    text: Text,
    findings: Sequence[Finding] = (),
    looked: Looked | None = None,
    status: int = 200,
    rule: str = "",
) -> Response:
    return render(
        request,
        "check_definition.html",
        status,
        reader=admitted.reader,
        text=text,
        findings=findings[:FINDINGS],
        further=max(len(findings) - FINDINGS, 0),
        looked=looked,
        rule=rule,
        said=_said,
        key=admitted.edge.runtime.new_id(),
    )


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
    if not text.isascii() or not text.isdecimal() or len(text) > VERSION_DIGITS or not 1 <= int(text) <= newest:
        raise Refusal("not_found", status=404)
    return int(text)


def _said(value: JsonValue, formats: Formats) -> Markup | str:
    """A value as it stands in the file, cut where it is long, and an instant as people read it; empty where there is
    none."""
    if value is None:
        return ""
    if isinstance(value, str) and _INSTANT(value):
        return formats.instant(instant_of(value), UTC)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]}…"


def _text_of(definition: Definition) -> str:
    """As a definition file."""
    return yaml.safe_dump(definition.as_json(), sort_keys=False, allow_unicode=True, width=120)
