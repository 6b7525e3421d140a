"""People at their pages in a browser: each journey by one cell of the matrix, and by all of it in the long form.

In the suite axe looks once at each template: the officer's forms are the shortest, so that journey comes first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from services.registration.domain.files import PIECE_BYTES
from shared.web.pages.rendering import SERVICES, TEMPLATES
from tests.e2e.chromium import chromium
from tests.e2e.edge_world import PROGRAMME, People
from tests.e2e.journeys.people import HOST_ACCOUNT, JOURNEYS, LONG, OFFICER
from tests.e2e.journeys.walking import DESK, SCREENSHOTS, TELEPHONE, Cell, Reader, Town, Walk
from tests.e2e.system import System

QUICK = (
    ("morning", Cell("en", DESK, whole=False)),
    ("applying", Cell("fr", TELEPHONE, whole=False)),
    ("hosting", Cell("ar", TELEPHONE, whole=False)),
    ("evaluator", Cell("ar", TELEPHONE, whole=False)),
    ("protection", Cell("en", TELEPHONE, whole=False)),
    # The documents show these pages; the long form lives them in each cell.
    *((("administrator", Cell("en", DESK, whole=False)),) if SCREENSHOTS else ()),
)
MATRIX = tuple(Cell(language, width) for language in ("en", "ar") for width in (TELEPHONE, DESK))
WHOLE = (
    *((name, cell) for name in LONG for cell in MATRIX),
    ("expert", Cell("fr", TELEPHONE)),
    *((name, Cell("en", DESK, use)) for name in ("expert", "host") for use in ("plain", "keys")),
)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with chromium() as browser:
        system = System(tmp_path_factory.mktemp("pages"))
        system.start()
        people = None
        try:
            system.wait_ready()
            people = People(system)
            people.publish()
            people.institution(account=HOST_ACCOUNT)
            yield Town(people, browser)
        finally:
            if people:
                people.close()
            system.stop()


def lived(town: Town, name: str, cell: Cell) -> None:
    with Walk(town, cell).all() as walk:
        for step in JOURNEYS[name]:
            step(walk)


def named(cells: tuple[tuple[str, Cell], ...]) -> list[str]:
    return [f"{name}-{cell.name}" for name, cell in cells]


@pytest.mark.parametrize(("name", "cell"), QUICK, ids=named(QUICK))
def test_a_journey(town: Town, name: str, cell: Cell) -> None:
    lived(town, name, cell)


def focused(text: str) -> Callable[[Page], bool]:
    return lambda page: str(page.evaluate("document.activeElement.innerText || ''")).strip() == text


def test_by_the_keyboard_alone(town: Town) -> None:
    institution = town.people.institution("proposed")
    with Walk(town, Cell("en", DESK, "keys", whole=False)).all() as walk:
        walk.enter(OFFICER)
        page = walk.reader.page
        walk.reader.open(f"/registration/institutions/{institution}", "case")
        page.keyboard.press("Tab")
        assert focused("Skip to the content")(page)
        page.keyboard.press("Enter")
        walk.reader.press(page.locator("a.button[href$='/assess']"))
        page.wait_for_url("**/assess")
        walk.reader.send(303)
        assert town.people.get(f"/registration/v1/institutions/{institution}").json()["state"] == "assessed"


def test_figures_change_while_an_officer_looks_at_them(town: Town) -> None:
    with Walk(town, Cell("en", DESK, whole=False)).all() as walk:
        walk.enter(OFFICER)
        page = walk.reader.page
        walk.reader.open("/monitoring/indicators", "dashboard")
        page.locator("main a", has_text="Experts registered").first.click()
        page.wait_for_function("document.querySelector('.chart').naturalWidth > 300")
        before = page.locator("td.number").first.inner_text()
        town.people.expert()
        page.locator("[data-told]", has_text="have changed").wait_for()
        assert page.locator("td.number").first.inner_text() == str(int(before) + 1)
        walk.reader.look("indicator changed")


def the_files(page: Page, url: str) -> None:
    """The page of the files of an application that is just begun."""
    page.set_default_timeout(10_000)
    page.goto(f"{url}/registration/apply/{PROGRAMME}")
    page.click("form button")
    page.click("a[href='/registration/application/files']")


def test_a_file_goes_on_where_the_line_left_it(town: Town) -> None:
    """Under the pages' own policy, with a line that breaks between pieces, and with a page that is loaded again."""
    content = b"%PDF-1.7\n" + os.urandom(PIECE_BYTES * 4) + b"\n%%EOF\n"
    file: Any = {"name": "scan.pdf", "mimeType": "application/pdf", "buffer": content}
    context = town.browser.new_context()
    page, sent, cut = context.new_page(), list[str](), [3, 4]
    the_files(page, town.url)

    def line(route: Route) -> None:
        if route.request.method != "PATCH":
            route.continue_()
            return
        sent.append(str(route.request.headers["upload-offset"]))
        if len(sent) in cut:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/registration/application/files/*", line)
    page.set_input_files("#file-curriculum-vitae", file)
    page.click("#curriculum-vitae form[data-begin] button")
    page.wait_for_selector("#curriculum-vitae .file .tag:has-text('kept')")
    at = [str(number * PIECE_BYTES) for number in range(5)]
    assert sent == [*at[:2], at[2], at[2], at[2], *at[3:]]

    sent.clear()
    cut[:] = range(3, 100)
    page.set_input_files("#file-diploma", file)
    page.click("#diploma form[data-begin] button")
    page.wait_for_selector("#diploma [role=status]:has-text('broken')")
    page.reload()
    assert "Choose the same file again" in page.inner_text("#diploma")
    cut.clear()
    sent.clear()
    page.set_input_files("#file-diploma", file)
    page.click("#diploma form[data-begin] button")
    page.wait_for_selector("#diploma .file .tag:has-text('kept')")
    assert sent == at[2:]
    with page.expect_download() as kept:
        page.click("#diploma .file form[data-again] button")
    assert kept.value.path().read_bytes() == content
    assert kept.value.suggested_filename.startswith("diploma-")

    empty: Any = {**file, "buffer": b""}
    page.set_input_files("#file-residence-permit", empty)
    page.click("#residence-permit form[data-begin] button")
    assert "This file is empty" in page.inner_text("#residence-permit")
    context.close()


def test_the_files_of_an_application_on_a_telephone_in_arabic(town: Town, tmp_path: Path) -> None:
    """Without the script a form of 30 MB is answered in words."""
    context = town.browser.new_context(
        viewport={"width": TELEPHONE, "height": 800}, java_script_enabled=False, locale="ar"
    )
    page = context.new_page()
    the_files(page, town.url)
    large = tmp_path / "scan.pdf"
    large.write_bytes(b"%PDF-1.7\n" + bytes(30_000_000))
    page.set_input_files("#file-diploma", large)
    page.click("#diploma form[data-begin] button")
    assert "كبير جداً" in page.inner_text(".problem")
    assert page.locator("#file-diploma").count() == 1
    context.close()
    context = town.browser.new_context(viewport={"width": TELEPHONE, "height": 800}, locale="ar", bypass_csp=True)
    page = context.new_page()
    the_files(page, town.url)
    Reader(town, Cell("ar", TELEPHONE, whole=False), context, page).look("application_files")
    context.close()
    with Walk(town, Cell("en", DESK, whole=False)).all() as walk:
        walk.enter(OFFICER)
        expert = town.people.get("/registration/v1/experts").json()["items"][0]["id"]
        town.people.file(expert)
        walk.reader.open(f"/registration/experts/{expert}/files", "case_files")


@pytest.mark.long
@pytest.mark.parametrize(("name", "cell"), WHOLE, ids=named(WHOLE))
def test_a_journey_in_each_cell(town: Town, name: str, cell: Cell) -> None:
    lived(town, name, cell)


@pytest.mark.long
def test_axe_has_looked_at_every_template(town: Town) -> None:
    """The last of the long form: what extends the layout was looked at in it, in English and Arabic at both widths."""
    files = [*TEMPLATES.glob("*.html"), *SERVICES.glob("*/templates/*.html")]
    pages = {one.stem for one in files if '{% extends "layout.html" %}' in one.read_text(encoding="utf-8")}
    for cell in MATRIX:
        end = f"-{cell.language}-{cell.width}"
        looked = {name.removesuffix(end).split()[0] for name in town.seen if name.endswith(end)}
        assert pages - looked == set(), end
