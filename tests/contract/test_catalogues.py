"""The catalogues beside tables and templates: no text missing, none too many."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts

from deploy.generate import ROOT, built
from deploy.words import brought_up, missing, needed, written
from shared.services import SERVICES
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.words import CATALOGUES, catalogue


@cache
def wanted() -> frozenset[Any]:
    return needed()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_is_whole_and_has_nothing_else(language: str) -> None:
    found = brought_up(language, wanted())
    assert missing(found) == []
    # `python -m deploy.words` mends the order and what nobody needs.
    assert (CATALOGUES / f"{language}.po").read_text(encoding="utf-8") == written(found)


def test_documents_for_people_name_pages_that_exist_in_the_words_that_stand_there() -> None:
    said = {one if isinstance(one, str) else one[0] for one in wanted()}
    said |= {str(one.string) for one in catalogue("en") if one.id}
    paths = [
        re.compile(f"/{service}" + re.sub(r"\{[^}]*\}", "[^/]+", one.path))
        for service in SERVICES
        for one in iter_route_contexts(built(service).app.routes)
        if one.path
    ]
    for file in (ROOT / "README.md", ROOT / "docs/pages.md", *sorted((ROOT / "docs").glob("for-*.md"))):
        text = file.read_text(encoding="utf-8")
        for path in re.findall(rf"`(/(?:{'|'.join(SERVICES)})/[^`\s?]*)", text):
            asked = re.sub("<[^>]*>", "any", path)
            assert any(one.fullmatch(asked) for one in paths), (file.name, path)
        # Of a paper the link's words say what kind of file it is.
        for words in re.findall(r"(?<![*\w])\*([^*]{1,80})\*(?!\*)", text) if file.name.startswith("for-") else ():
            assert re.sub(r" \(PDF\)$", "", " ".join(words.split())) in said, (file.name, words)
