"""People at their pages in a browser: on a desk in English, on a telephone in Arabic, and by the keyboard alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Route

from services.registration.domain.files import PIECE_BYTES
from tests.e2e.chromium import chromium
from tests.e2e.edge_world import OFFICE, PROGRAMME, People
from tests.e2e.system import System

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# The subject under which the development system lets a host in.
HOST = "host@all"
DESK, TELEPHONE, NARROWEST = 1280, 360, 320
# A folder for pictures of what axe looks at; `make screenshots` names the documents' own.
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@dataclass
class Town:
    """A running system, a browser, and the ids of cases. `seen`: the templates at which axe looked."""

    people: People
    browser: Browser
    draft: str
    match: str
    seen: set[str] = field(default_factory=set)

    @contextmanager
    def reader(self, who: str, language: str, width: int) -> Iterator[Reader]:
        # axe is put into the page as a script, which the pages' own policy refuses.
        context = self.browser.new_context(viewport={"width": width, "height": 800}, bypass_csp=True)
        page = context.new_page()
        page.set_default_timeout(10_000)
        reader = Reader(self, page, language, width)
        page.on("console", lambda one: reader.errors.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: reader.errors.append(str(error)))
        page.goto(f"{self.people.system.url}/?lang={language}")
        reader.look("front")
        page.click(f"button[value='{who}']")
        yield reader
        context.close()
        assert reader.errors == []


@dataclass
class Reader:
    """Somebody at a page."""

    town: Town
    page: Page
    language: str
    width: int
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.town.people.system.url + path)

    def look(self, template: str) -> None:
        """What holds for every page; axe looks once at each template and language."""
        page = self.page
        assert page.get_attribute("html", "lang") == self.language
        assert page.get_attribute("html", "dir") == ("rtl" if self.language == "ar" else "ltr")
        assert page.locator("h1").count() == 1
        for width in (self.width, *((NARROWEST,) if self.width == TELEPHONE else ())):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} scrolls at {width}"
        page.set_viewport_size({"width": self.width, "height": 800})
        if (name := f"{template} {self.language}") not in self.town.seen:
            self.town.seen.add(name)
            found = Axe().run(page, options={"runOnly": WCAG}).response["violations"]
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], f"{name} {page.url}"
            if SCREENSHOTS:
                page.screenshot(path=Path(SCREENSHOTS) / f"{name.replace(' ', '-')}.png")

    def send(self, status: int) -> None:
        """The form of the page, which the server answers with that status at last."""
        with self.page.expect_response(lambda one: one.request.method == "POST") as answer:
            self.page.click("form[novalidate] > button")
        self.page.wait_for_load_state()
        assert answer.value.status == status
        if status >= 400:
            # Chromium writes on the console that the answer of a form was an error, which this one was to be.
            self.errors[:] = [one for one in self.errors if f"status of {status}" not in one]

    def refused(self) -> list[str]:
        """The summary is what has the focus, and each of its links leads to its field."""
        page = self.page
        assert page.evaluate("document.activeElement.matches('.problem')")
        links = page.locator(".problem a")
        for one in links.all():
            one.click()
            id = (one.get_attribute("href") or "").removeprefix("#")
            assert page.evaluate("id => document.activeElement.closest('[id]').id.startsWith(id)", id), id
        return links.all_inner_texts()

    def tab_to(self, wanted: Callable[[Page], bool]) -> None:
        for _ in range(80):
            self.page.keyboard.press("Tab")
            if wanted(self.page):
                return
        raise AssertionError(f"no way by the keyboard on {self.page.url}")


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
            people.institution("proposed")
            institution = people.institution(account=HOST)
            draft = people.assignment(institution, "draft")
            match = people.match(people.assignment(institution), people.expert())
            yield Town(people, browser, draft, match)
        finally:
            if people:
                people.close()
            system.stop()


def focused(text: str) -> Callable[[Page], bool]:
    return lambda page: str(page.evaluate("document.activeElement.innerText || ''")).strip() == text


def test_an_officer_on_a_desk_in_english(town: Town) -> None:
    with town.reader(f"officer@{OFFICE}", "en", DESK) as officer:
        page = officer.page
        officer.look("today")
        page.frame_locator("iframe[src='/registration/today']").get_by_role("link", name="Proposed").click()
        page.wait_for_url("**/registration/institutions?status=proposed")
        officer.look("list")
        assert page.locator("tbody tr").count() == 1
        page.locator("tbody a").first.click()
        officer.look("case")
        officer.open("/registration/institutions/new/create")
        officer.look("act")
        page.fill("[name='/name']", "Zqanary college")
        officer.send(422)
        officer.look("act refused")
        assert len(officer.refused()) == 4
        assert page.title().startswith("Error: ")
        assert page.input_value("[name='/name']") == "Zqanary college"
        for name, code in (("country", "AF"), ("sector", "education"), ("host_type", "public"), ("office", OFFICE)):
            one = page.locator(f"[name='/{name}']").first
            if one.evaluate("one => one.tagName") == "SELECT":
                one.select_option(code)
            elif one.get_attribute("type") == "radio":
                page.check(f"[name='/{name}'][value='{code}']")
            else:
                one.fill(code)
        officer.send(303)
        assert re.search(r"/registration/institutions/[0-9a-f-]{36}\?done=create$", page.url.partition("#")[0])
        assert page.locator("[role=status]").count() == 1


def test_a_host_on_a_telephone_in_arabic(town: Town) -> None:
    with town.reader("host@", "ar", TELEPHONE) as host:
        page = host.page
        host.look("today")
        for path, template in (("/matching/matches", "list"), (f"/matching/matches/{town.match}", "case")):
            host.open(path)
            host.look(template)
        host.open("/matching/assignments/new/create")
        host.send(422)
        host.look("act refused")
        assert host.refused()
        host.open(f"/matching/assignments/{town.draft}")
        page.locator(".acts a[href$='/submit']").click()
        host.look("act")
        host.send(303)
        page.wait_for_url("**?done=submit")
        host.look("case")


def test_by_the_keyboard_alone(town: Town) -> None:
    institution = town.people.institution("proposed")
    with town.reader(f"officer@{OFFICE}", "en", DESK) as officer:
        page = officer.page
        officer.open(f"/registration/institutions/{institution}")
        page.keyboard.press("Tab")
        assert focused("Skip to the content")(page)
        page.keyboard.press("Enter")
        officer.tab_to(lambda one: str(one.evaluate("document.activeElement.href || ''")).endswith("/assess"))
        page.keyboard.press("Enter")
        page.wait_for_url("**/assess")
        officer.tab_to(lambda one: bool(one.evaluate("document.activeElement.matches('form[novalidate] > button')")))
        page.keyboard.press("Enter")
        page.wait_for_url("**?done=assess")
        assert town.people.get(f"/registration/v1/institutions/{institution}").json()["state"] == "assessed"


def test_figures_change_while_an_officer_looks_at_them(town: Town) -> None:
    with town.reader(f"officer@{OFFICE}", "en", DESK) as officer:
        page = officer.page
        officer.open("/monitoring/indicators")
        officer.look("dashboard")
        page.locator("main a", has_text="Experts registered").first.click()
        officer.look("indicator")
        page.wait_for_function("document.querySelector('.chart').naturalWidth > 300")
        before = page.locator("td.number").first.inner_text()
        town.people.expert()
        page.locator("[data-told]", has_text="have changed").wait_for()
        assert page.locator("td.number").first.inner_text() == str(int(before) + 1)
        officer.look("indicator")
    with town.reader("evaluator@", "ar", TELEPHONE) as evaluator:
        evaluator.open("/monitoring/indicators")
        evaluator.look("dashboard")
        evaluator.page.locator("tbody a").first.click()
        evaluator.look("indicator")


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
    the_files(page, town.people.system.url)

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
    the_files(page, town.people.system.url)
    large = tmp_path / "scan.pdf"
    large.write_bytes(b"%PDF-1.7\n" + bytes(30_000_000))
    page.set_input_files("#file-diploma", large)
    page.click("#diploma form[data-begin] button")
    assert "كبير جداً" in page.inner_text(".problem")
    assert page.locator("#file-diploma").count() == 1
    context.close()
    context = town.browser.new_context(viewport={"width": TELEPHONE, "height": 800}, locale="ar", bypass_csp=True)
    page = context.new_page()
    the_files(page, town.people.system.url)
    Reader(town, page, "ar", TELEPHONE).look("application-files")
    context.close()
    with town.reader(f"officer@{OFFICE}", "en", DESK) as officer:
        expert = town.people.get("/registration/v1/experts").json()["items"][0]["id"]
        town.people.file(expert)
        officer.open(f"/registration/experts/{expert}/files")
        officer.look("case-files")
