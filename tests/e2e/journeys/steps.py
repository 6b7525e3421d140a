"""The small steps of which journeys are made. A path's `{name}` is what an earlier step put into the walk's ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from tests.e2e.journeys.walking import SIGN_IN_COOKIES, Step, Walk

Said = Mapping[str, str]
_ID = re.compile(r"/([0-9a-f]{8}-[0-9a-f-]{27})\b")


def enters(who: str) -> Step:
    return lambda walk: walk.enter(who)


def opens(path: str, template: str) -> Step:
    def step(walk: Walk) -> None:
        walk.reader.open(walk.path(path), template)

    return step


def follows(selector: str, template: str, *, named: str = "") -> Step:
    """The first link or button that matches. `named`: what the id in its address is called from then on."""

    def step(walk: Walk) -> None:
        page = walk.reader.page
        before = page.url
        walk.reader.press(page.locator(walk.path(selector)).first)
        page.wait_for_url(lambda url: url != before)
        page.wait_for_load_state()
        if named:
            walk.ids[named] = id_in(page.url)
        walk.reader.look(template)

    return step


def says(said: Said, *, faults: bool = True) -> Step:
    """Fills the fields of the form. In the whole form the line dies and the session ends at each of them.

    `faults`: whether sending what there is so far is no act yet, which it is where a field alone is enough.
    """

    def step(walk: Walk) -> None:
        reader, so_far = walk.reader, dict[str, str]()
        for name, value in said.items():
            reader.fill(name, walk.path(value))
            so_far[name] = walk.path(value)
            if not walk.cell.whole or walk.cell.use == "keys":
                continue
            if walk.cell.use == "script":
                reader.line_killed(so_far)
            if faults and len(so_far) < len(said):
                reader.session_ended(so_far, "kept", SIGN_IN_COOKIES)
                reader.send(422)
                assert [one for one, typed in so_far.items() if not reader.shown(one, typed)] == []

    return step


def sends(template: str, *, named: str = "") -> Step:
    """Sends the form, which is accepted; without script over a line that is dead at first."""

    def step(walk: Walk) -> None:
        reader = walk.reader
        if walk.cell.whole and walk.cell.use == "plain":
            reader.line_killed({})
            reader.page.reload()
            reader.page.wait_for_load_state()
        else:
            reader.send(303)
        if named:
            walk.ids[named] = id_in(reader.page.url)
        reader.look(template)

    return step


def creates(kind: str, verb: str, said: Said, named: str) -> Step:
    """Opens a case by its form: sent empty at first, which says what is missing (in the suite for one form alone)."""

    def step(walk: Walk) -> None:
        opens(f"/{kind}", "list")(walk)
        follows(f"a[href='/{kind}/new/{verb}']", "act")(walk)
        if walk.cell.whole or "act refused" not in walk.town.seen:
            walk.reader.send(422)
            walk.reader.look("act refused")
            assert walk.reader.refused()
        says(said)(walk)
        sends("case", named=named)(walk)

    return step


def acts(case: str, verb: str, said: Said | None = None, *, faults: bool = True) -> Step:
    """Does the verb from the case's page."""

    def step(walk: Walk) -> None:
        opens(f"/{case}", "case")(walk)
        follows(f"a.button[href$='/{verb}']", "act")(walk)
        says(said or {}, faults=faults)(walk)
        sends("case")(walk)
        assert walk.reader.page.locator("[role=status]").count() == 1

    return step


def leads(case: str, verb: str) -> Step:
    """The first button of the case, and the only full one, is that verb."""

    def step(walk: Walk) -> None:
        walk.reader.open(f"/{walk.path(case)}", "case")
        full = walk.reader.page.locator(".acts a.button:not(.second)")
        assert [str(one.get_attribute("href")).rpartition("/")[2] for one in full.all()] == [verb]

    return step


def told(path: str, body: Any = None, *, named: str = "", **how: Any) -> Step:
    """Somebody else does it meanwhile, through the JSON edge."""

    def step(walk: Walk) -> None:
        done = walk.town.people.done(walk.path(path), body, **how)
        if named:
            walk.ids[named] = str(done["id"])

    return step


def stands(case: str, state: str, **how: Any) -> Step:
    """In the end the case stands there."""

    def step(walk: Walk) -> None:
        service, _, rest = walk.path(case).partition("/")
        people = walk.town.people
        path = f"/{service}/v1/{rest}"
        people.eventually(lambda: people.get(path, **how).json().get("state") == state, f"{path} {state}")

    return step


def shows(selector: str, number: int = 1) -> Step:
    """So many of these stand on the page, at least."""

    def step(walk: Walk) -> None:
        found = walk.reader.page.locator(walk.path(selector)).count()
        assert found >= number, f"{walk.reader.page.url}: {found} {walk.path(selector)}"

    return step


def without(selector: str) -> Step:
    def step(walk: Walk) -> None:
        assert walk.reader.page.locator(walk.path(selector)).count() == 0, walk.reader.page.url

    return step


def links_lead_somewhere() -> Step:
    """Nothing on the page leads its reader to a refusal."""

    def step(walk: Walk) -> None:
        page, jar = walk.reader.page, {str(one["name"]): str(one["value"]) for one in walk.reader.context.cookies()}
        held = "; ".join(f"{name}={value}" for name, value in jar.items())
        addresses = {str(one.get_attribute("href")) for one in page.locator("main a[href^='/']").all()}
        with httpx.Client(base_url=walk.town.url, headers={"Cookie": held, "Accept": "text/html"}) as http:
            answers = {one: http.get(one, follow_redirects=True).status_code for one in sorted(addresses)}
        assert {one: status for one, status in answers.items() if status >= 400} == {}

    return step


def is_a_file(selector: str, begins: bytes) -> Step:
    """What the link leads to is a file that begins so."""

    def step(walk: Walk) -> None:
        address = walk.reader.page.locator(walk.path(selector)).first.get_attribute("href")
        answer = walk.reader.context.request.get(f"{walk.town.url}{address}")
        assert answer.ok, f"{address}: {answer.status}"
        assert answer.body().startswith(begins)

    return step


def presses(button: str, status: int, template: str) -> Step:
    """A form of the page that has no fields of its own."""

    def step(walk: Walk) -> None:
        walk.reader.send(status, button=walk.path(button))
        walk.reader.look(template)

    return step


def id_in(url: str) -> str:
    """The last id of an address."""
    return _ID.findall(url)[-1]
