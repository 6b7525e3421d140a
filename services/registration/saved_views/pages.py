"""Pages: the saved views of all lists, those of one list as a part of its page, and the forms that save and remove."""

from __future__ import annotations

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from services.registration.domain.saved_views import SAVED_VIEWS
from services.registration.saved_views.api import ViewNamed, ViewSaved, address_of
from services.registration.work.saving_views import Offered, SavingViews
from shared.canonical import canonical_json
from shared.errors import Problem
from shared.web import bodies
from shared.web.lists import query
from shared.web.pages.formatting import Formats
from shared.web.pages.kept import KEY
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from shared.web.pages.refused import Refused
from shared.web.pages.rendering import render
from shared.web.pages.sent import sent_form
from shared.web.pages.words import rule_words, translations
from shared.web.problems import ANSWERS
from shared.web.routing import Routes

PATH = f"/{SAVED_VIEWS}"
LIST = "list"


def link(language: str) -> str:
    return translations(language).gettext("Saved views")


class SavedViewPages:
    """`GET` and `POST /saved-views`, `GET /saved-views/part`, `POST /saved-views/stop-sharing` and `/remove`."""

    def __init__(self, views: SavingViews) -> None:
        self._views = views
        self.router = Routes(include_in_schema=False)
        add = self.router.add_api_route
        add(PATH, self.all, methods=["GET"])
        add(PATH, self.save, methods=["POST"])
        add(f"{PATH}/part", self.part, methods=["GET"])
        add(f"{PATH}/stop-sharing", self.stop_sharing, methods=["POST"])
        add(f"{PATH}/remove", self.remove, methods=["POST"])

    async def all(self, request: Request, admitted: Admitted = Depends(reading_as(SAVED_VIEWS, "list"))) -> Response:
        query(request, PARAMETER)
        return await self._shown(request, admitted)

    async def part(self, request: Request, admitted: Admitted = Depends(reading_as(SAVED_VIEWS, "list"))) -> Response:
        """What the page of a list shows in a frame, of whichever service it is."""
        asked = query(request, LIST, PARAMETER).get(LIST, "")
        offered = await self._views.offered(admitted.principal, asked)
        links = [(address_of(one.view), one) for one in offered]
        return render(request, "saved_views_part.html", reader=admitted.reader, links=links)

    async def save(self, request: Request, admitted: Admitted = Depends(reading_as(SAVED_VIEWS, "save"))) -> Response:
        """Back to the list as it was saved; with what was sent where that is refused."""
        sent = dict(await sent_form(request))
        check_forgery(request, sent, admitted.reader)
        said = {name: sent.get(name, "") for name in (LIST, "name", "query")}
        try:
            model = bodies.validated(ViewSaved, canonical_json({**said, "shared": True if "shared" in sent else None}))
            view = await self._views.save(admitted.principal, model.list, model.name, model.query, shared=model.shared)
        except tuple(ANSWERS) as error:
            refused = Refused.by(error)
            # A list that is not narrowed sends no query.
            shown = {**said, **sent}
            return refused.over(await self._shown(request, admitted, shown, refused.problems, refused.status))
        return RedirectResponse(address_of(view.view), 303)

    async def stop_sharing(
        self, request: Request, admitted: Admitted = Depends(reading_as(SAVED_VIEWS, "stop-sharing"))
    ) -> Response:
        id, _ = await _named(request, admitted)
        await self._views.stop_sharing(admitted.principal, id)
        return _back(admitted)

    async def remove(
        self, request: Request, admitted: Admitted = Depends(reading_as(SAVED_VIEWS, "remove"))
    ) -> Response:
        id, key = await _named(request, admitted)
        await self._views.remove(admitted.principal, id, key or None)
        return _back(admitted)

    async def _shown(
        self,
        request: Request,
        admitted: Admitted,
        sent: dict[str, str] | None = None,
        problems: tuple[Problem, ...] = (),
        status: int = 200,
    ) -> Response:
        by_list: dict[str, list[tuple[str, Offered]]] = {}
        for one in await self._views.offered(admitted.principal):
            by_list.setdefault(one.view.list, []).append((address_of(one.view), one))
        return render(
            request,
            "saved_views.html",
            status,
            reader=admitted.reader,
            service=admitted.edge.service,
            lists=by_list,
            sent=sent,
            key=admitted.edge.runtime.new_id(),
            wrong=[_said(admitted.reader.language, problem) for problem in problems],
            failed=bool(problems),
        )


def _said(language: str, problem: Problem) -> tuple[str, str]:
    """The id of the field that it is wrong of, and what is wrong in words; no id where nobody typed that field."""
    if problem.pointer == "/query":
        # Whatever of the address it is, it was chosen on the page of the list.
        words = translations(language)
        return "", words.gettext("The list cannot be asked for this. Open it, choose what it shows, and save that.")
    said = rule_words(language, problem.rule, problem.pointer)
    if problem.pointer != "/name":
        return "", said
    label = translations(language).gettext("Name of the view")
    return "view-name", Formats(language).labelled(label, said).unescape()


async def _named(request: Request, admitted: Admitted) -> tuple[str, str]:
    """The id of the view that a form names, and the key under which it is sent. Raises Refusal 403, 422."""
    sent = dict(await sent_form(request))
    check_forgery(request, sent, admitted.reader)
    return bodies.validated(ViewNamed, canonical_json({"id": sent.get("id", "")})).id, sent.get(KEY, "")


def _back(admitted: Admitted) -> Response:
    return RedirectResponse(f"/{admitted.edge.service}{PATH}", 303)
