"""Pages of what is open to applications: the list, one vacancy with what it asks for, and the application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, get_args
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.matching.domain.assignments import EXPERT
from services.matching.domain.knowledge import NO_CONSENT
from services.matching.domain.matches import MATCH
from services.matching.store import ASSIGNMENTS
from services.matching.views import CriterionSeen, VacancySeen
from services.matching.work.vacancies import FILTERS, Application, Own, Vacancies, path_of
from shared.contracts.matching.assignments import Modality
from shared.errors import Problem, Refusal
from shared.programmes.definitions import Definitions
from shared.web import bodies
from shared.web.bodies import Body, documented
from shared.web.commands import cause
from shared.web.doors import entered
from shared.web.lists import OF_EVERY_LIST, page_of, query
from shared.web.pages.cases import HAPPENED_AT, key_of, narrowing, newest_of
from shared.web.pages.choices import Choices
from shared.web.pages.days import on_their_days
from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted, fields_of, json_of
from shared.web.pages.kept import BACK, KEPT, KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.linked import page_for
from shared.web.pages.offices import times_for
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.shown import Shown, parts_of, unanswered
from shared.web.pages.standard_names import Names
from shared.web.pages.words import translations
from shared.web.pages.wrong_filters import is_of_a_filter, wrong_filters
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

PATH = "/vacancies"
WHO = "expert"
# What the page tells in places of its own.
APART = frozenset({"criteria", "standing", "title", "description"})


def link(language: str) -> str:
    """What leads to the list from the page of what waits."""
    return translations(language).gettext("Vacancies")


class VacancyPages:
    """The routes, with the acts of the JSON edge under the same ids."""

    def __init__(self, vacancies: Vacancies, definitions: Definitions) -> None:
        self._vacancies = vacancies
        self._definitions = definitions
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(PATH, self._list(), methods=["GET"])
        self.router.add_api_route(PATH + "/{id}", self._one(), methods=["GET"])
        self.router.add_api_route(PATH + "/{id}", self._applied(), methods=["POST"])

    def _list(self) -> Any:
        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as("vacancies", "list"))) -> Response:
            narrowed, language = narrowing(request), admitted.reader.language
            asked = {name: value for name, value in narrowed.query_params.items() if name in FILTERS}
            problems: Sequence[Problem] = ()
            try:
                query(narrowed, *OF_EVERY_LIST, *FILTERS)
                paged, first = self._vacancies.narrowed(asked)
                documents, following = await page_of(narrowed, ASSIGNMENTS.name, paged, first=first)
            except Refusal as refusal:
                if not is_of_a_filter(refusal):
                    raise
                documents, following, problems = [], None, refusal.problems
            return render(
                request,
                "vacancies.html",
                422 if problems else 200,
                problems=wrong_filters(problems, language),
                failed=bool(problems),
                reader=admitted.reader,
                rows=[await self._vacancies.seen(one, admitted) for one in documents],
                cells=self._cells(admitted),
                asked=asked,
                filters=self._filters(language),
                following=following,
            )

        return endpoint

    def _one(self) -> Any:
        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as("vacancies", "read"))
        ) -> Response:
            query(request, PARAMETER)
            return await self._page(request, id, admitted, Posted({KEY: (admitted.edge.runtime.new_id(),)}))

        return endpoint

    def _applied(self) -> Any:
        async def endpoint(
            id: str, request: Request, admitted: Admitted = Depends(reading_as("applications", "create"))
        ) -> Response:
            sent = await sent_form(request)
            check_forgery(request, dict(sent), admitted.reader)
            posted = Posted.of(sent)
            try:
                return await self._apply(request, id, admitted, posted)
            except tuple(ANSWERS) as error:
                refused = Refused.by(error)
                page = await self._page(request, id, admitted, posted, refused.problems, refused.status)
                return refused.over(page)

        vars(endpoint)[KEPT] = lambda language, posted: Form(language, _fields(officer=WHO in _names(posted)), posted)
        return endpoint

    async def _apply(self, request: Request, id: str, admitted: Admitted, posted: Posted) -> Response:
        """An expert applies for themselves; an officer says for whom."""
        document = await self._vacancies.load(id)
        own = await self._vacancies.own(document, admitted)
        fields = self._fields(admitted)
        if own is not None:
            fields, posted = _fields(officer=True), Posted({**posted.values, f"/{WHO}": (own.expert,)})
        posted = on_their_days(fields, posted, self._zone(admitted), admitted.edge.runtime.now())
        sent: Body[Application] = bodies.body_of(Application, json_of(fields, posted))
        said = cause(request, admitted, path_of(id), key_of(posted), sent.digest, sent.model.happened_at)
        with entered(admitted):
            receipt = await self._vacancies.apply(id, sent.model.expert, said, admitted)
        return RedirectResponse(f"/matching/receipts/{receipt['id']}", 303)

    async def _page(
        self,
        request: Request,
        id: str,
        admitted: Admitted,
        posted: Posted,
        problems: Sequence[Problem] = (),
        status: int = 200,
    ) -> Response:
        document = await self._vacancies.load(id)
        own = await self._vacancies.own(document, admitted)
        seen, language = await self._vacancies.read(document, own), admitted.reader.language
        shown = seen.model_copy(update={**dict.fromkeys(APART), "terms": _without_id(seen, language)})
        may = bool(admitted.edge.policy.allowed(admitted.principal, "applications", "create"))
        consent = _consent(own, problems, admitted, id)
        return render(
            request,
            "vacancy.html",
            status,
            reader=admitted.reader,
            seen=seen,
            cells=self._cells(admitted),
            rows=self._cells(admitted).rows(shown),
            parts=[*parts_of(seen, ("terms.institution",), admitted.principal.role)],
            criteria=[_criterion(one, language) for one in seen.criteria or ()],
            match=own.match if own and own.standing else "",
            may_apply=may and not (own and own.standing),
            matches=MATCH.name,
            consent=consent,
            form=Form(language, self._fields(admitted), posted, () if consent else problems, zone=self._zone(admitted)),
            failed=bool(problems),
            key=posted.text(KEY) or admitted.edge.runtime.new_id(),
        )

    def _zone(self, admitted: Admitted) -> tzinfo:
        return times_for(admitted.edge.definitions, admitted.principal).zone()

    def _fields(self, admitted: Admitted) -> tuple[Field, ...]:
        late = admitted.edge.policy.may_record_late(admitted.principal)
        fields = _fields(officer=admitted.principal.role != WHO)
        return tuple(one for one in fields if late or one.name != HAPPENED_AT)

    def _cells(self, admitted: Admitted) -> Shown:
        return Shown.to(admitted, Choices(newest_of(self._definitions), admitted.reader.language).to_show())

    def _filters(self, language: str) -> list[tuple[str, list[tuple[str, str]]]]:
        """Each filter with what may be chosen: what the programmes list."""
        definitions = newest_of(self._definitions)
        lists, names = Choices(definitions, language).to_show(), Names(language)
        countries = {code for one in definitions for code in one.countries_of_origin}
        found = {
            "programme": list(lists.get("programme", ())),
            "country": sorted(((code, names.country(code)) for code in countries), key=lambda row: row[1]),
            "sector": list(lists.get("sector", ())),
            "modality": [(code, names.code("modality", code)) for code in get_args(Modality)],
        }
        return [(name, found[name]) for name in FILTERS if found[name]]


def _consent(own: Own | None, problems: Sequence[Problem], admitted: Admitted, vacancy: str) -> str:
    """Where an expert who was refused for want of the own consent gives it, and comes back here; empty for others."""
    persons = page_for("person", admitted.principal.role)
    if own is None or not persons or NO_CONSENT not in {one.rule for one in problems}:
        return ""
    back = urlencode({BACK: f"/matching{PATH}/{vacancy}"})
    return f"{persons}/{own.person}/give-consent?{back}"


def _without_id(seen: VacancySeen, language: str) -> Mapping[str, Any]:
    """The terms: of the host its kind, which everybody may read; its name stands in its own part of the page."""
    names = [name for name in type(seen.terms).model_fields if name != "institution"]
    return unanswered(seen.terms, {name: getattr(seen.terms, name) for name in names}, language)


def _names(posted: Posted) -> set[str]:
    return {name.removeprefix("/") for name in posted.values}


def _fields(*, officer: bool) -> tuple[Field, ...]:
    """Of an application's body; an expert is not asked who applies."""
    schema = documented(Application, {WHO: EXPERT})["requestBody"]["content"]["application/json"]["schema"]
    return tuple(one for one in fields_of(schema) if officer or one.name != WHO)


def _criterion(one: CriterionSeen, language: str) -> tuple[str, Any, bool | None]:
    """Its name, what it asks for in words, and whether the reader meets it."""
    return Names(language).code("criteria", one.criterion), Shown(language).worded(one.criterion, one.required), one.met
