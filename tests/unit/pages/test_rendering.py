"""A page stands in its layout: language and direction, content policy, style and script under names of their own."""

from __future__ import annotations

import gzip
import re

import httpx
import pytest
from fastapi import Request
from jinja2 import DictLoader, Environment
from starlette.responses import Response

from shared.web.pages.fixed_words import FixedWords
from shared.web.pages.rendering import render
from shared.web.pages.words import translations
from tests.unit.web.service import Small

pytest_plugins = ["tests.unit.web.small"]


@pytest.fixture
def page(small: Small) -> str:
    async def plain(request: Request) -> Response:
        return render(request, "layout.html", title="<Cases>")

    small.app.add_route("/page", plain)
    return "/matching/page"


@pytest.mark.parametrize(
    ("asked", "header", "language", "dir"),
    [
        ("", "", "en", "ltr"),
        ("?lang=ar", "fr", "ar", "rtl"),
        ("?lang=xx", "de, fr-CA;q=0.8, ar;q=0.3", "fr", "ltr"),
        ("", "ar-SY", "ar", "rtl"),
        ("", "fr;q=0, ar;q=0.1", "ar", "rtl"),
        ("", ";;q=,,fr;q=9", "en", "ltr"),
    ],
)
async def test_the_language_is_asked_for_or_preferred(
    http: httpx.AsyncClient, page: str, asked: str, header: str, language: str, dir: str
) -> None:
    answer = await http.get(page + asked, headers={"Accept-Language": header})
    assert f'<html lang="{language}" dir="{dir}">' in answer.text
    assert "&lt;Cases&gt;" in answer.text


async def test_a_language_that_was_chosen_stays(http: httpx.AsyncClient, page: str) -> None:
    await http.get(f"{page}?lang=ar")
    assert 'dir="rtl"' in (await http.get(page)).text
    assert 'href="?state=open&amp;lang=fr"' in (await http.get(f"{page}?state=open&lang=ar")).text


async def test_nothing_inline_and_nothing_from_elsewhere(http: httpx.AsyncClient, page: str) -> None:
    answer = await http.get(page)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert not re.search(r"\sstyle=|<style|\son\w+=|<script(?! src)|https?://", answer.text)


async def test_style_and_script_are_kept_under_the_digest_in_their_names(http: httpx.AsyncClient, page: str) -> None:
    found = re.findall(r'(?:href|src)="(/matching/static/[^"]+)"', (await http.get(page)).text)
    assert len(found) == 3
    for address in found:
        answer = await http.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
    assert (await http.get(re.sub(r"\.[0-9a-f]{12}\.", ".0123456789ab.", found[0]))).status_code == 404


async def test_a_page_with_style_and_script_is_light(http: httpx.AsyncClient, page: str) -> None:
    text = (await http.get(page)).text
    found = re.findall(r'(?:href|src)="(/matching/static/[^"]+)"', text)
    weights = [len(gzip.compress((await http.get(address)).content)) for address in found]
    assert sum(weights) + len(gzip.compress(text.encode())) < 12_000


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_words_that_are_the_same_on_each_page_stand_in_the_template_as_they_would_be_said(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["Sign out", "Number & <name>", "{{ meant }}", "50 %}"]
    template = "".join(f'{{{{ _("{text}") }}}}|' for text in ("Sign out", "&", "curly", "percent"))
    words = {
        "Sign out": translations(language).gettext("Sign out"),
        **dict(zip(("&", "curly", "percent"), texts[1:], strict=True)),
    }
    monkeypatch.setattr(translations(language), "gettext", words.__getitem__)
    pages = []
    for extensions in (["jinja2.ext.i18n"], ["jinja2.ext.i18n", FixedWords]):
        environment = Environment(loader=DictLoader({"page": template}), autoescape=True, extensions=extensions)
        vars(environment)["language"] = language
        vars(environment)["install_gettext_translations"](translations(language), newstyle=False)
        pages.append(environment.get_template("page").render())
    assert pages[0] == pages[1]
    assert pages[1].endswith("|Number &amp; &lt;name&gt;|{{ meant }}|50 %}|")
