"""People at a running system: they enter, see what waits, leave everywhere; at an issuer of one's own as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import ECKey

from shared.identity.keys import Keys
from tests.e2e.edge_world import OFFICE, People
from tests.e2e.system import System
from tests.openid import openid_issuer
from tests.store_files import content_of

KEY = ECKey.generate_key("P-256", parameters={"kid": "pages-1"})
SUBJECT = "zqanary-subject@example.org"


def browser(system: System) -> httpx.Client:
    headers = {"Accept": "text/html", "User-Agent": "Mozilla/5.0 (Android) Firefox/150.0"}
    return httpx.Client(base_url=system.url, headers=headers, follow_redirects=True, timeout=30)


def hidden(page: httpx.Response, name: str = "csrf") -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, page.text
    return found[1]


def entered(system: System, who: str) -> httpx.Client:
    client = browser(system)
    page = client.post("/sign-in", data={"csrf": hidden(client.get("/")), "as": who, "to": "/today"})
    assert (page.status_code, page.url.path) == (200, "/today"), page.text
    return client


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with System(tmp_path_factory.mktemp("signing-in")).running() as system:
        people = People(system)
        people.publish()
        yield people
        people.close()


def test_an_officer_sees_what_waits_and_leaves_everywhere(people: People) -> None:
    people.institution("proposed")
    system = people.system
    assert "trqn-1" in browser(system).get("/").text
    with closing(entered(system, f"officer@{OFFICE}")) as one, closing(entered(system, f"officer@{OFFICE}")) as other:
        part = one.get("/registration/today")
        assert 'href="/registration/institutions?status=proposed"' in part.text
        with closing(entered(system, "officer@sarajevo")) as stranger:
            assert "institutions?status=" not in stranger.get("/registration/today").text
        # A pass that is over is given again on the way, and the page is the one that was asked for.
        other.cookies.delete("sankofa-pass", path="/registration")
        assert other.get("/registration/today").url.path == "/registration/today"
        one.post("/sign-out", data={"csrf": hidden(one.get("/today")), "everywhere": "1"})
        other.cookies.delete("sankofa-pass", path="/registration")
        for client in (one, other):
            assert client.get("/registration/today").url.path == "/sign-in"
            assert client.get("/today").url.path == "/sign-in"


def test_nothing_of_a_sign_in_is_logged(people: People) -> None:
    system = people.system
    with closing(entered(system, "protection@")) as client:
        secrets = [cookie.value for cookie in client.cookies.jar if cookie.value]
    said = system.errors.read_text()
    assert len(secrets) >= 5
    assert [one for one in secrets if one in said] == []


def test_an_issuer_signs_in_whom_its_tokens_stand_for(tmp_path: Path) -> None:
    claims = {"sub": SUBJECT, "role": "officer", "office": OFFICE}
    system = System(tmp_path)
    with openid_issuer(KEY, claims=claims) as issuer:
        system.environment |= {"SANKOFA_ISSUER": issuer, "SANKOFA_PAGES_CLIENT_ID": "pages"}
        system.start()
        try:
            system.wait_ready()
            with browser(system) as client:
                asked = client.get("/today")
                assert asked.url.path == "/sign-in"
                assert issuer in asked.text
                assert "Enter as" not in asked.text
                assert client.post("/sign-in", data={"as": "administrator@"}).status_code == 404
                begun = client.get("/sign-in/begin?to=/today", follow_redirects=False)
                back = client.get(begun.headers["location"], follow_redirects=False).headers["location"]
                # Whoever else opens the address that leads back is not signed in, and the code is still good.
                with browser(system) as victim:
                    assert victim.get(back).status_code == 400
                    assert "sankofa" not in victim.cookies
                page = client.get(back)
                assert (page.status_code, page.url.path) == (200, "/today")
                assert client.get(back).status_code == 400
                account = Keys(system.keys).accounts(issuer).of(SUBJECT)
                assert account.encode() in content_of(system.data / "registration.sqlite")
                files = [one for one in system.data.rglob("*") if one.is_file()]
                kept = [one for one in files if SUBJECT.encode() in content_of(one)]
                assert kept == []
                assert SUBJECT not in system.errors.read_text()
        finally:
            system.stop()
