"""People at their pages in a browser: each journey by one cell of the matrix, and by all of it in the long form.

In the suite axe looks once at each template: the officer's forms are the shortest, so that journey comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from shared.web.pages.rendering import SERVICES, TEMPLATES
from tests.e2e.chromium import chromium
from tests.e2e.edge_world import People
from tests.e2e.journeys.people import HOST_ACCOUNT, JOURNEYS, LONG, OFFICER
from tests.e2e.journeys.walking import DESK, TELEPHONE, Cell, Town, Walk
from tests.e2e.system import System

QUICK = (
    ("morning", Cell("en", DESK, whole=False)),
    ("applying", Cell("fr", TELEPHONE, whole=False)),
    ("hosting", Cell("ar", TELEPHONE, whole=False)),
    ("evaluator", Cell("ar", TELEPHONE, whole=False)),
    ("protection", Cell("en", TELEPHONE, whole=False)),
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
