"""Pages of a programme's definition: what it says, what changed, and a look before one is published."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from services.registration.app import build
from services.registration.definition_pages import _said
from services.registration.domain.examples import DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.programmes.loader import lint
from shared.programmes.marked_yaml import MAX_CHARACTERS
from shared.replica import stored
from shared.web.pages.formatting import Formats
from shared.web.pages.languages import LANGUAGES
from tests.unit.pages.test_cases import Office, held
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
CODE = DEFINITION["code"]
PAGE, CHECK = f"/registration/programmes/{CODE}/definition", "/registration/check-definition"
PUBLISH = "/registration/check-definition/publish"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[Office]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        one = Office(serving)
        yield one
        await one.http.aclose()


async def checked(http: httpx.AsyncClient, definition: Any) -> httpx.Response:
    text = definition if isinstance(definition, str) else yaml.safe_dump(definition, sort_keys=False)
    return await http.post(CHECK, data={**held(await http.get(CHECK)), "text": text})


def to_publish(page: httpx.Response) -> dict[str, str]:
    """What the form holds that publishes what was looked at."""
    first = page.text.partition(f'action="{PUBLISH}"')[2].partition("</form>")[0]
    return {name: unescape(value) for name, value in re.findall(r'name="([^"]*)" value="([^"]*)"', first)}


def changed(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(DEFINITION), **parts}


async def test_a_definition_is_looked_at_and_published_once(office: Office) -> None:
    async with office.browser("administrator", None) as http:
        assert DEFINITION["title"]["en"] in (await http.get(f"{CHECK}?code={CODE}")).text
        herat = {**DEFINITION["offices"][0], "code": "herat", "name": {"en": "Herat"}}
        page = await checked(http, changed(offices=[*DEFINITION["offices"], herat]))
        assert page.status_code == 200, page.text
        assert re.search(r"Offices · <bdi dir=.ltr.>herat</bdi> <span class=.tag.>new", page.text)
        sent = to_publish(page)
        for _ in range(2):
            done = await http.post(PUBLISH, data=sent)
            assert (done.status_code, done.headers["location"].partition("?")[0]) == (
                303,
                f"/registration/programmes/{CODE}",
            )
        await office.serving.follows(CODE, 2)
        page = await http.get(PAGE)
        assert "What changed since version 1" in page.text
        assert "Herat" in page.text
        old = await http.get(f"{PAGE}?version=1")
        assert "Herat" not in old.text
        assert "Asia/Kabul" in old.text
        # What the newest version says already is nothing to publish.
        again = await checked(http, changed(offices=[*DEFINITION["offices"], herat]))
        assert "Nothing is different." in again.text
        assert PUBLISH not in again.text.partition("<h1>")[2].partition("<h2>The definition")[0].replace(
            "Check and publish", ""
        )


async def test_of_two_who_publish_at_once_the_second_sees_both_changes(office: Office) -> None:
    serving, code = office.serving, "of-two-at-once"
    base = changed(code=code)
    await serving.publish(base)
    water = {"code": "water", "name": {"en": "Water and wells"}}
    theirs = {**base, "sectors": [*base["sectors"], water]}
    ours = {**base, "title": {"en": "Another title"}}
    async with office.browser("administrator", None) as http:
        # Both look before either of them publishes.
        pages = [await checked(http, one) for one in (theirs, ours)]
        first, second = (to_publish(page) for page in pages)
        assert (first["code"], first["base"]) == (code, "1")
        assert (await http.post(PUBLISH, data=first)).status_code == 303
        refused = await http.post(PUBLISH, data=second)
        assert refused.status_code == 409
        assert "Another version of this definition has been published meanwhile" in refused.text
        for said in ("What was published meanwhile", "Water and wells", "Another title", "Publish as version 3"):
            assert said in refused.text
        document = await serving.store.load("programmes", code)
        assert document
        assert document["state"]["definition"]["sectors"][-1] == water
        # The same answer under the same key; and after the look at both it may be published all the same.
        assert (await http.post(PUBLISH, data=second)).status_code == 409
        again = to_publish(refused)
        assert again["base"] == "2"
        assert (await http.post(PUBLISH, data=again)).status_code == 303
        await serving.follows(code, 3)
        # Whoever begins from a version that is no longer the newest sees that before anything is sent.
        begun = await http.get(f"{CHECK}?code={code}")
        assert 'name="base" value="3"' in begun.text
        sent = {**held(begun), "base": "2", "text": yaml.safe_dump(theirs)}
        looked = await http.post(CHECK, data=sent)
        assert (looked.status_code, "begun from version 2; version 3 was published" in looked.text) == (200, True)
        for strange in ("", "x", "99", "0", "-1"):
            assert (await http.post(CHECK, data={**sent, "base": strange})).status_code == 200


async def test_a_program_names_the_version_that_it_began_from(office: Office) -> None:
    serving, code = office.serving, "of-a-program"
    base = changed(code=code)

    async def publish(title: str, **how: Any) -> httpx.Response:
        said = {"definition": {**base, "title": {"en": title}}, **how.pop("said", {})}
        return await serving.post("/programmes", "administrator", said, **how)

    assert (await publish("One", said={"base_version": 1})).json()["rule"] == "definition_changed"
    assert (await publish("One", said={"base_version": 0})).status_code == 201
    assert (await publish("Other", said={"base_version": 0})).status_code == 409
    two = await publish("Two", said={"base_version": 1}, key="k")
    assert (two.status_code, two.json()["version"]) == (201, 2)
    again = await publish("Two", said={"base_version": 1}, key="k")
    assert (again.status_code, again.json()["version"]) == (200, 2)
    late = await publish("Three", said={"base_version": 1})
    assert (late.status_code, late.json()["errors"]) == (
        409,
        [{"pointer": "/base_version", "rule": "definition_changed"}],
    )
    # What says the same as what stands changes nothing, whatever it was made from.
    assert (await publish("Two", said={"base_version": 1})).json()["version"] == 2
    # By the version of the document, as of every other one.
    etag = (await serving.get(f"/programmes/{code}", "administrator")).headers["etag"]
    assert (await publish("Three", if_match='"1"')).status_code == 412
    assert (await publish("Three", if_match=etag)).json()["version"] == 3
    for wrong in (-1, "one", 1.5):
        assert (await publish("Four", said={"base_version": wrong})).status_code == 422


async def test_what_is_wrong_is_said_at_its_line_and_what_was_typed_stays(office: Office) -> None:
    async with office.browser("administrator", None) as http:
        wrong = await checked(http, changed(sectors=[{"code": "Not a code", "name": {"en": "X"}}]))
        assert wrong.status_code == 422
        assert "<title>Error:" in wrong.text
        assert re.search(r'<a href="#text">Line \d+</a> · <bdi dir="ltr">/sectors/0/code</bdi>', wrong.text)
        assert "Not a code" in wrong.text
        for broken in ("", "a: [", "code: &x [*x]", "- just a list"):
            page = await checked(http, broken)
            assert (page.status_code, PUBLISH in page.text) == (422, False), broken
        assert (await http.get(f"{PAGE}?version=99")).status_code == 404
        assert (await http.get(f"{PAGE}?version=x")).status_code == 404
        assert (await http.get("/registration/programmes/unheard-of/definition")).status_code == 404


OF_YAML = {
    "too_large": "# " + "x" * MAX_CHARACTERS,
    "yaml_syntax": "a: [",
    "yaml_character": "a: \x01",
    "empty": "# nothing",
    "alias": "a: &x [*x]",
    "tag": "a: !!str b",
    "documents": "a: 1\n---\nb: 1",
    "too_deep": "[" * 30 + "]" * 30,
    "key": "1: a",
    "duplicate_key": "a: 1\na: 2",
    "unknown_field": yaml.safe_dump({**DEFINITION, "colour": "red"}),
}


@pytest.mark.parametrize("rule", OF_YAML)
async def test_what_is_wrong_with_a_file_is_said_in_words(office: Office, rule: str) -> None:
    assert rule in {one.rule for one in lint(OF_YAML[rule])}
    async with office.browser("administrator", None) as http:
        for language in LANGUAGES:
            sent = {**held(await http.get(CHECK)), "text": OF_YAML[rule]}
            page = await http.post(f"{CHECK}?lang={language}", data=sent)
            assert page.status_code in (413, 422), page.text
            assert "rule:" not in page.text
            if rule == "unknown_field" and language == "en":
                assert "A definition knows no such field" in page.text
                assert "This form has a field" not in page.text


async def test_the_check_refuses_what_publishing_refuses_at_its_line(office: Office) -> None:
    serving, code = office.serving, "of-offices"
    herat = {**DEFINITION["offices"][0], "code": "herat", "name": {"en": "Herat"}}
    both = changed(code=code, offices=[*DEFINITION["offices"], herat])
    await serving.publish(both)
    one = changed(code=code)
    text = yaml.safe_dump(one, sort_keys=False)
    line = text.splitlines().index("offices:") + 2
    async with office.browser("administrator", None) as http:
        page = await checked(http, text)
        assert (page.status_code, PUBLISH in page.text, "Publish as version" in page.text) == (422, False, False)
        said = f'Line {line}</a> · <bdi dir="ltr">/offices</bdi> – No office may be left out'
        assert said in page.text
        # Whoever looked before the other office was published is told the same.
        sent = {**to_publish(await checked(http, both | {"title": {"en": "Another"}})), "text": text}
        refused = await http.post(PUBLISH, data=sent)
        assert (refused.status_code, said in refused.text) == (422, True)
        broken = await checked(http, 'a: "\\U00110000"')
        assert (broken.status_code, "Line 1" in broken.text) == (422, True)
    body = {"definition": one}
    answer = (await serving.post("/programmes", "administrator", body)).json()
    assert answer["errors"] == [{"pointer": "/definition/offices", "rule": "office_dropped"}]


async def test_who_may_not_publish_reads_and_is_not_led_there(office: Office) -> None:
    page = await office.http.get(PAGE)
    assert page.status_code == 200
    assert "check-definition" not in page.text
    assert (await office.http.get(CHECK)).status_code == 403
    case = await office.http.get(f"/registration/programmes/{CODE}")
    assert f'href="{PAGE}"' in case.text
    assert "field:" not in case.text
    for language, word in (("fr", "Bureaux"), ("ar", "المكاتب")):
        assert word in (await office.http.get(f"{PAGE}?lang={language}")).text


async def test_every_link_of_a_programme_s_page_leads_somewhere(office: Office) -> None:
    async with office.browser("administrator", None) as http:
        page = await http.get(f"/registration/programmes/{CODE}")
        links = re.findall(r'href="(/registration/[^"]*)"', page.text)
        assert PAGE in links
        assert [one for one in links if (await http.get(one)).status_code != 200] == []


async def test_each_reader_finds_the_texts_in_the_own_language_and_all_of_them_below(office: Office) -> None:
    every = await office.http.get(f"{PAGE}?lang=ar")
    assert f'<bdi lang="en">{DEFINITION["title"]["en"]}</bdi>' in every.text, "a language that is missing is marked"
    text = json.dumps(changed(code="of-two")).replace('{"en": "', '{"fr": "à la française", "en": "')
    await office.serving.publish(json.loads(text))
    page = await office.http.get("/registration/programmes/of-two/definition?lang=fr")
    assert "<h1>à la française</h1>" in page.text
    cells = re.findall(r'<td data-label="[^"]*" lang="(..)" dir="auto">([^<]+)</td>', page.text)
    assert ("en", DEFINITION["offices"][0]["name"]["en"]) in cells
    assert [one for one, _ in cells] == ["en", "fr"] * (len(cells) // 2)
    assert len(cells) == 2 * text.count('{"fr": "')


async def test_an_instant_of_a_definition_is_said_as_people_read_it() -> None:
    said = _said("2026-07-01T00:00:00.000000Z", Formats("en"))
    assert "1 July 2026" in said
    assert "UTC" in said
    assert _said("herat", Formats("en")) == "herat"


async def test_a_text_file_is_spoken_of_in_the_words_of_a_file(office: Office) -> None:
    async with office.browser("administrator", None) as http:
        page = await checked(http, "code: x")
    assert (page.status_code, "This is missing" in page.text, "Answer this question" in page.text) == (422, True, False)
