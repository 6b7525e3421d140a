"""Terms of reference as a PDF: who gets them, when there are any, in which language, and what is not in them."""

from __future__ import annotations

import httpx

from shared.identity.issuers import DevelopmentIssuer
from shared.identity.roles import Role
from shared.web.front import Front
from shared.web.pages.languages import LANGUAGES
from tests.unit.matching.world import World
from tests.unit.pages.test_cases import reader
from tests.unit.papers.read_back import text_of


async def get(
    world: World, path: str, role: Role = "officer", office: str | None = "kabul", **how: str
) -> httpx.Response:
    """Through the public edge, as a program."""
    token = DevelopmentIssuer(world.keys, world.clock).issue(role, office if role == "officer" else None, "")
    transport = httpx.ASGITransport(Front({"matching": world.service.app}))
    async with httpx.AsyncClient(transport=transport, base_url="http://sankofa.test") as http:
        return await http.get(f"/matching/v1{path}", headers={"authorization": f"Bearer {token}", **how})


async def test_approved_terms_are_a_paper_in_three_languages() -> None:
    async with World() as world:
        path = f"/assignments/{await world.assignment()}/terms.pdf"
        for language in LANGUAGES:
            answer = await get(world, f"{path}?lang={language}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
            assert answer.headers["content-language"] == language
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-disposition"].startswith('attachment; filename="terms-')
            assert answer.content == (await get(world, f"{path}?lang={language}")).content
        assert "شروط" in text_of((await get(world, path, **{"accept-language": "ar"})).content)


async def test_there_is_none_of_a_draft_and_none_for_another_office_or_a_language_of_no_page() -> None:
    async with World() as world:
        draft, approved = await world.draft(), await world.assignment()
        assert (await get(world, f"/assignments/{draft}/terms.pdf")).status_code == 404
        assert (await get(world, f"/assignments/{approved}/terms.pdf", office="tbilisi")).status_code == 404
        assert (await get(world, f"/assignments/{approved}/terms.pdf", "expert")).status_code == 403
        refused = await get(world, f"/assignments/{approved}/terms.pdf?lang=xx")
        assert (refused.status_code, refused.json()["rule"]) == (422, "code_not_listed")


async def test_the_page_of_the_case_leads_to_it() -> None:
    async with World() as world:
        draft, approved = await world.draft(), await world.assignment()
        http = reader("matching", world.service.app, world.keys, world.clock, language="fr")
        link = f'href="/matching/assignments/{approved}/terms.pdf?lang=ar"'
        assert link in (await http.get(f"/matching/assignments/{approved}")).text
        assert "terms.pdf" not in (await http.get(f"/matching/assignments/{draft}")).text
        answer = await http.get(f"/matching/assignments/{approved}/terms.pdf")
        assert (answer.status_code, answer.headers["content-language"]) == (200, "fr")
        assert "Termes de référence" in text_of(answer.content)
        await http.aclose()
