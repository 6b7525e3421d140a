"""Somebody at a page in a browser, and what holds for every page that they look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Response

from tests.e2e.edge_periods import STATED, Frozen, frozen, published
from tests.e2e.edge_world import People

# What passed is not told: of a long form it is half a megabyte.
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
DESK, TELEPHONE = 1280, 360
# The narrowest telephone; a desk of 1,280 px at 400 % is as wide and 256 px high (WCAG 2.2, 1.4.10).
NARROWEST = {"width": 320, "height": 256}
HEIGHT = 800
# A folder for pictures of every page that is looked at.
SCREENSHOTS = os.environ.get("SCREENSHOTS")
# The pages at which axe looks in the suite, which has no time for all of them.
LOOKED_AT = frozenset(
    {"front", "today", "list", "case", "act", "act refused", "application_part", "dashboard", "indicator"}
)
SEND = "main form[novalidate] button:not([tabindex], .second, .plain)"
SIGN_IN_COOKIES = ("sankofa-pass", "sankofa-session")
Use = Literal["script", "plain", "keys"]


@dataclass(frozen=True)
class Cell:
    """`use`: with script, without, or by the keyboard alone. `whole`: everything is tried, the suite has no time for
    that."""

    language: str
    width: int
    use: Use = "script"
    whole: bool = True

    @property
    def name(self) -> str:
        return f"{self.language}-{self.width}-{self.use}"


@dataclass
class Town:
    """A running system and a browser. `seen`: the pages at which axe looked, which are all alike after that."""

    people: People
    browser: Browser
    seen: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return self.people.system.url

    @cached_property
    def stated(self) -> Frozen:
        """A period that was published, of a programme of its own."""
        (period,) = frozen(self.people, STATED)
        published(self.people, period)
        return period


@dataclass
class Walk:
    """One cell of a journey. `ids`: what the journey's paths name; `readers`: whoever has come to a page so far."""

    town: Town
    cell: Cell
    ids: dict[str, str] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    who: str = ""

    @property
    def reader(self) -> Reader:
        return self.readers[self.who]

    def path(self, text: str) -> str:
        return text.format_map({**self.ids, "language": self.cell.language})

    def enter(self, who: str) -> None:
        """From now on this one acts; an account of the development system signs in, a name alone has none."""
        self.who = who
        if who in self.readers:
            return
        script = self.cell.use != "plain"
        # axe is put into the page as a script, which the pages' own policy refuses.
        context = self.town.browser.new_context(
            viewport={"width": self.cell.width, "height": HEIGHT}, bypass_csp=script, java_script_enabled=script
        )
        context.set_default_timeout(15_000)
        reader = Reader(self.town, self.cell, context, context.new_page())
        self.readers[who] = reader
        reader.page.on("console", reader.heard)
        reader.page.on("pageerror", lambda error: reader.errors.append(str(error)))
        reader.page.goto(f"{self.town.url}/?lang={self.cell.language}")
        if "@" in who:
            reader.look("front")
            reader.press(reader.page.locator(f"button[value='{who}']"))
            reader.page.wait_for_url("**/today")

    @contextmanager
    def all(self) -> Iterator[Walk]:
        """Closes what was opened, and fails for what stands on a console."""
        try:
            yield self
            assert {who: one.errors for who, one in self.readers.items() if one.errors} == {}
        finally:
            for one in self.readers.values():
                one.context.close()


def in_parts(day: str) -> tuple[tuple[str, str], ...]:
    """A day as people type it, whose parts stand in fields of their own."""
    year, month, number = day.split("-")
    return ("day", str(int(number))), ("month", str(int(month))), ("year", year)


@dataclass
class Reader:
    """Somebody at a page."""

    town: Town
    cell: Cell
    context: BrowserContext
    page: Page
    errors: list[str] = field(default_factory=list)
    # What the console may say: that an answer was an error, and that a line was dead, where the journey wants it so.
    expected: tuple[str, ...] = ()

    def heard(self, one: Any) -> None:
        if one.type in ("error", "warning") and not any(said in one.text for said in self.expected):
            self.errors.append(f"{self.page.url}: {one.text}")

    def open(self, path: str, template: str) -> None:
        self.page.goto(self.town.url + path)
        self.look(template)

    def look(self, template: str) -> None:
        """What holds for every page; axe looks once at each template, in the whole form in each language and width."""
        page, cell = self.page, self.cell
        assert page.get_attribute("html", "lang") == cell.language
        assert page.get_attribute("html", "dir") == ("rtl" if cell.language == "ar" else "ltr")
        assert page.locator("h1").count() == 1, page.url
        name = template
        if cell.whole or SCREENSHOTS:
            name = f"{template}-{cell.language}" + (f"-{cell.width}" if cell.whole else "")
        if name in self.town.seen:
            return
        self.town.seen.add(name)
        for size in ({"width": cell.width, "height": HEIGHT}, NARROWEST):
            page.set_viewport_size(size)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= size["width"], f"{page.url} scrolls at {size}"
        page.set_viewport_size({"width": cell.width, "height": HEIGHT})
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"{name.replace(' ', '-')}.png", full_page=cell.whole)
        if cell.use != "plain" and (cell.whole or template in LOOKED_AT):
            found = Axe().run(page, options=AXE).response["violations"]
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], f"{name} {page.url}"

    def press(self, wanted: Locator) -> None:
        """By the mouse, or by going there with Tab and pressing Enter."""
        if self.cell.use != "keys":
            wanted.click()
            return
        self.go_to(wanted)
        self.page.keyboard.press("Enter")

    def go_to(self, wanted: Locator) -> None:
        """Tab by Tab. In a group of radio buttons only one can be come to so, and arrows lead on."""
        one = wanted.element_handle()
        for _ in range(120):
            if self.page.evaluate("one => document.activeElement === one", one):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"no way by the keyboard to {wanted} on {self.page.url}")

    def fill(self, name: str, value: str) -> None:
        """The field of that name; of a group of choices the one with that value, and of a day each of its parts."""
        if self._is_day(name):
            for part, text in in_parts(value):
                self.fill(f"{name}/{part}", text)
            return
        one = self.page.locator(f"[name='{name}']")
        kind = one.first.evaluate("one => one.type || one.tagName")
        if kind in ("radio", "checkbox"):
            chosen = one.and_(self.page.locator(f"[value='{value}']"))
            self._choose(chosen, one, kind)
        elif kind.startswith("select"):
            self._select(one.first, value)
        elif self.cell.use == "keys":
            self.go_to(one.first)
            self.page.keyboard.type(value)
        else:
            one.first.fill(value)

    def _is_day(self, name: str) -> bool:
        return not self.page.locator(f"[name='{name}']").count() and bool(
            self.page.locator(f"[name='{name}/day']").count()
        )

    def _choose(self, chosen: Locator, group: Locator, kind: str) -> None:
        if self.cell.use != "keys":
            chosen.check()
        elif kind == "checkbox":
            self.go_to(chosen)
            self.page.keyboard.press("Space")
        else:
            self.go_to(group.first)
            self.page.keyboard.press("Space")
            for _ in range(group.count()):
                if chosen.is_checked():
                    return
                self.page.keyboard.press("ArrowDown")
            raise AssertionError(f"{chosen} is not come to by arrows")

    def _select(self, one: Locator, value: str) -> None:
        if self.cell.use != "keys":
            one.select_option(value)
            return
        self.go_to(one)
        # Typing the beginning of an option's words chooses it; the shown one is the last that began so.
        self.page.keyboard.type(one.locator(f"option[value='{value}']").inner_text().strip())
        assert one.input_value() == value, f"{value} is not come to by typing its words"

    def shown(self, name: str, value: str) -> bool:
        """Whether the page holds the value in the field of that name."""
        if self._is_day(name):
            return all(self.shown(f"{name}/{part}", text) for part, text in in_parts(value))
        one = self.page.locator(f"[name='{name}']")
        kind = one.first.evaluate("one => one.type || one.tagName")
        if kind in ("radio", "checkbox"):
            return one.and_(self.page.locator(f"[value='{value}']")).is_checked()
        return one.first.input_value() == value

    def send(self, *statuses: int, button: str = SEND) -> None:
        """The form of the page, which the server answers with one of these."""
        self.expected = (*self.expected, *(f"status of {one}" for one in statuses if one >= 400))
        with self.page.expect_navigation(), self.page.expect_response(_is_post) as answer:
            self.press(self.page.locator(button).last)
        assert answer.value.status in statuses, f"{self.page.url}: {answer.value.status}"

    def refused(self) -> Sequence[str]:
        """The summary is what has the focus, and each of its links leads to its field."""
        page = self.page
        if self.cell.use != "plain":
            assert page.evaluate("document.activeElement.matches('.problem')")
        links = page.locator(".problem a")
        for one in links.all():
            one.click()
            id = (one.get_attribute("href") or "").removeprefix("#")
            assert page.evaluate("id => document.activeElement.closest('[id]').id.startsWith(id)", id), id
        return links.all_inner_texts()

    # What must not lose anything.

    def line_killed(self, said: Mapping[str, str]) -> None:
        """The line is dead while the form is sent. With script the page stays; without, loading it again sends it."""
        self.expected = ("ERR_INTERNET_DISCONNECTED",)
        self.context.set_offline(True)
        self.press(self.page.locator(SEND).last)
        if self.cell.use == "plain":
            self.page.wait_for_url("chrome-error://**")
            self.context.set_offline(False)
            return
        self.page.locator("[data-offline]").wait_for()
        self.context.set_offline(False)
        assert [name for name, value in said.items() if not self.shown(name, value)] == []

    def session_ended(self, said: Mapping[str, str], template: str, cookies: Sequence[str]) -> None:
        """Sent without a session the form comes back with what was typed; then somebody has signed in again."""
        held = self.context.cookies()
        for name in {str(one["name"]) for one in held} & set(cookies):
            self.context.clear_cookies(name=name)
        self.send(401)
        self.look(template)
        assert [name for name, value in said.items() if not self.shown(name, value)] == []
        self.context.add_cookies(held)  # type: ignore[arg-type]


Step = Callable[[Walk], None]


def _is_post(one: Response) -> bool:
    return one.request.method == "POST"
