"""Pages: a table is chosen and sent, as the JSON edge takes it; how far it is stands on the page of its job."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.domain.files import LARGE, UNCHOSEN
from services.registration.domain.imports import BYTES_AT_MOST, ROWS_AT_MOST, TABLES, ImportAsked
from services.registration.identifiers import SERVICE
from services.registration.imports.api import KIND, PROGRAMME, form_of, imported, kind_in
from services.registration.jobs.importing import CREATE, IMPORTS
from shared.errors import CommandReused, Overloaded, Refusal
from shared.jobs.running import Jobs
from shared.programmes.sections.selection import SelectionSection
from shared.tables.reading import MEDIA_TYPES, Form
from shared.web.conditions import is_key
from shared.web.lists import query
from shared.web.pages.cases import newest_of
from shared.web.pages.kept import KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.multipart import SentFile, is_longer, pass_over, sent_file
from shared.web.pages.readers import FORGED, Admitted, Stale, check_forgery, check_same_site, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import HEADERS, render
from shared.web.pages.words import rule_words, translations
from shared.web.routing import Routes
from shared.web.spreadsheet import CSV, csv_of

PATH = f"/{IMPORTS}"
MEGABYTE = 1_048_576
# By which ending a browser that knows no such type names it.
_ENDINGS: dict[str, Form] = {".csv": "csv", ".xlsx": "xlsx"}


def link(language: str) -> str:
    """What leads here from the page of today."""
    return translations(language).gettext("Import a table")


class ImportPages:
    """`GET`, `POST /imports`; `GET /imports/{kind}.csv`, an empty table to be filled in."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(PATH, self.form, methods=["GET"])
        self.router.add_api_route(PATH, self.send, methods=["POST"])
        self.router.add_api_route(f"{PATH}/{{kind}}.csv", self.empty, methods=["GET"])

    async def form(self, request: Request, admitted: Admitted = Depends(reading_as(IMPORTS, CREATE))) -> Response:
        query(request, PARAMETER)
        return self._page(request, admitted, {})

    async def empty(
        self, kind: str, request: Request, admitted: Admitted = Depends(reading_as(IMPORTS, CREATE))
    ) -> Response:
        query(request, PARAMETER)
        if kind not in TABLES:
            raise Refusal("not_found", status=404)
        names = [one.name for one in TABLES[kind_in(kind)].columns]
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{kind}.csv"'}
        return Response(csv_of([names]), 200, headers, CSV)

    async def send(self, request: Request, admitted: Admitted = Depends(reading_as(IMPORTS, CREATE))) -> Response:
        check_same_site(request)
        fields: dict[str, str] = {}
        try:
            if is_longer(request, BYTES_AT_MOST):
                raise _too_large()
            sent = await sent_file(request)
            fields = sent.fields
            check_forgery(request, fields, admitted.reader)
            document = await self._imported(request, admitted, sent)
        except (Refusal, CommandReused, Overloaded) as error:
            # A file cannot come back in a form: whoever signed in anew meanwhile chooses it again.
            if isinstance(error, Refusal) and error.rule == FORGED and not isinstance(error, Stale):
                raise
            await pass_over(request)
            refused = Refused.by(error)
            said = [rule_words(admitted.reader.language, one.rule, one.pointer) for one in refused.problems]
            return refused.over(self._page(request, admitted, fields, said, refused.status))
        return RedirectResponse(f"/{SERVICE}/jobs/{document['_id']}", 303)

    async def _imported(self, request: Request, admitted: Admitted, sent: SentFile) -> Any:
        key = sent.fields.get(KEY, "")
        if not is_key(key):
            raise Refusal("idempotency_key_malformed", "the key that the form has", status=422)
        if not sent.name:
            raise Refusal(UNCHOSEN, "a file that was chosen", status=422)
        kind, form = kind_in(sent.fields.get(KIND)), _form_of(sent)
        programme = sent.fields.get(PROGRAMME) or None
        if programme is not None and programme not in admitted.edge.definitions.codes():
            raise Refusal("programme_unknown", "the code of a programme", at="/programme", status=422)
        raw = bytearray()
        async for part in sent.parts:
            raw += part
            if len(raw) > BYTES_AT_MOST:
                raise _too_large()
        asked = ImportAsked(form=form, programme=programme, language=admitted.reader.language)
        return await imported(request, admitted, self._jobs, kind, asked, bytes(raw), key)

    def _page(
        self,
        request: Request,
        admitted: Admitted,
        sent: dict[str, str],
        wrong: list[str] | None = None,
        status: int = 200,
    ) -> Response:
        known = [one for one in newest_of(admitted.edge.definitions) if _chooses(one)]
        return render(
            request,
            "imports.html",
            status,
            reader=admitted.reader,
            service=SERVICE,
            tables=TABLES.values(),
            programmes=[(one.code, one.title) for one in known],
            sent=sent,
            accepted=",".join((*MEDIA_TYPES, *_ENDINGS)),
            megabytes=BYTES_AT_MOST // MEGABYTE,
            rows=ROWS_AT_MOST,
            key=admitted.edge.runtime.new_id(),
            key_name=KEY,
            wrong=wrong or [],
            failed=bool(wrong),
        )


def _chooses(definition: Any) -> bool:
    return any(isinstance(part, SelectionSection) for part in definition.sections().values())


def _form_of(sent: SentFile) -> Form:
    """By the ending first: Windows calls a CSV file a workbook of its own. Refusal (415)."""
    ending = sent.name.lower()[sent.name.rfind(".") :] if "." in sent.name else ""
    return _ENDINGS[ending] if ending in _ENDINGS else form_of(sent.media_type)


def _too_large() -> Refusal:
    return Refusal(LARGE, f"a file of at most {BYTES_AT_MOST} bytes", status=422)
