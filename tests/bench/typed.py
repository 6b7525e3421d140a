"""What a page takes when as much is typed into it as can be: every form that somebody meets, with texts as long as they
may be, with longer ones, and with more rows than a list may have.

Forms are found as people find them, by the links from each role's first pages, and on the page of each verb. Nothing is
measured but how long the answer takes; a form that is sent with what it permits may be done.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from deploy.generate import GROUPS, built
from shared.clock import derived_id
from shared.identity.issuers import DEVELOPMENT_ISSUER
from shared.identity.keys import Keys
from shared.identity.passes import Pass, sign_pass
from shared.identity.roles import ROLES, Role
from shared.identity.tokens import Principal
from shared.web.pages.sent import FORM
from tests.bench.rows import Result, Row
from tests.bench.typed_forms import PageForm, Sent, filled, read
from tests.e2e import edge_plain
from tests.e2e.edge_examples import Cases
from tests.e2e.edge_world import OFFICE, PROGRAMME, People
from tests.e2e.system import SERVICES, System

AT_MOST_MS = 1_000
# Of each kind of page that a role meets; what differs between two of a kind is whose case it is.
PAGES_AT_MOST, QUICK_FORMS = 400, 12
NAMED = 3
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_OPEN = ("/", "/sign-in", f"/registration/apply/{PROGRAMME}", "/registration/drafts", "/registration/drafts/lost")
PDF = b"%PDF-1.7\n%%EOF\n"
Wait = tuple[float, str, str]


@dataclass
class Typist:
    """Somebody at a browser: a role with an account, or whoever has none, with the cookies of an application."""

    people: People
    role: Role | None
    office: str | None = None
    subject: str = "typist"
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Accept-Encoding": "gzip"}
        self.http = httpx.Client(base_url=self.people.system.url, timeout=60, headers=headers)
        self._keys = Keys(self.people.system.keys)
        self._account = self._keys.accounts(DEVELOPMENT_ISSUER).of(self.subject)
        self._asked = 0

    def headers(self, path: str) -> dict[str, str]:
        """A pass is good for minutes. What an account may do so often an hour is asked by another one each time."""
        service = path.split("/")[1]
        if self.role is None or service not in SERVICES:
            return {}
        self._asked += 1
        account = derived_id(self._account, str(self._asked)) if self.role in ("officer", "protection") else ""
        principal = Principal(account or self._account, self.role, self.office)
        read = Pass(principal, derived_id("session of a typist"), None)
        return {"Cookie": f"sankofa-pass={sign_pass(self._keys, service, read, datetime.now(UTC))}"}

    def page(self, path: str) -> str:
        """The page there; empty where it is none for this reader."""
        answer = self.http.get(path, headers=self.headers(path))
        is_page = answer.is_success and answer.headers.get("content-type", "").startswith("text/html")
        return answer.text if is_page else ""

    def send(self, at: str, form: PageForm, sent: Sent) -> float:
        """Milliseconds until the whole answer is there. AssertionError for one that says that something broke."""
        path = urljoin(at, form.action) if form.action else at
        headers = self.headers(path)
        began = time.perf_counter()
        if form.method == "get":
            answer = self.http.get(f"{path.partition('?')[0]}?{urlencode(sent)}", headers=headers)
        elif form.with_file:
            file = {"file": (max((value for _, value in sent), key=len), PDF, "application/pdf")}
            answer = self.http.post(path, data=dict(sent), files=file, headers=headers)
        else:
            content = {"Content-Type": FORM, **headers}
            answer = self.http.post(path, content=urlencode(sent).encode(), headers=content)
        took = (time.perf_counter() - began) * 1e3
        assert answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code == 503, path
        return took


async def rows(quick: bool) -> list[Result]:
    return await asyncio.to_thread(_rows, quick)


def _rows(quick: bool) -> list[Result]:
    with tempfile.TemporaryDirectory() as folder, System(Path(folder)).running() as system:
        people = People(system)
        people.publish()
        edge_plain.publish(people)
        found = [*_of_verbs(people), *_of_pages(people)]
        took = [
            one
            for typist, at, form in found[:: len(found) // QUICK_FORMS if quick else 1]
            for one in _typed(typist, at, form)
        ]
        people.close()
    return [_row(took, len(found))]


def _typed(typist: Typist, at: str, form: PageForm) -> Iterator[Wait]:
    for what, sent in filled(form):
        yield typist.send(at, form, sent), _kind(at), what


def _of_verbs(people: People) -> Iterator[tuple[Typist, str, PageForm]]:
    """The form of each verb, for a case of which it is open."""
    cases = Cases(people)
    for service in GROUPS:
        for served in built(service).cases:
            for verb in served.case.verbs:
                ready = cases.of(f"{service}:{served.name}_{verb}".replace("-", "_"))()
                typist = Typist(people, ready.role, ready.office, ready.subject or "typist")
                opens = served.case.rows[verb][0].opens
                path = f"/{service}/{served.name}/{'new' if opens else ready.id}/{verb}"
                yield from ((typist, path, form) for form in read(typist.page(path))[0])


def _of_pages(people: People) -> Iterator[tuple[Typist, str, PageForm]]:
    """The forms of the pages to which links lead, each kind of page once a role."""
    met = set[tuple[str, str]]()
    for typist in (
        Typist(people, None),
        *(Typist(people, role, OFFICE if role == "officer" else None) for role in ROLES),
    ):
        if typist.role is None:
            typist.http.post(f"/registration/apply/{PROGRAMME}")
        begun = [*_OPEN, "/registration/application"] if typist.role is None else [f"/{one}/today" for one in SERVICES]
        waiting, seen = list(begun), set[str]()
        while waiting and len(seen) < PAGES_AT_MOST:
            path = waiting.pop(0)
            if _kind(path) in seen or urlsplit(path).path.startswith("/sign-out"):
                continue
            seen.add(_kind(path))
            forms, links = read(typist.page(path))
            waiting += links
            for form in forms:
                of = (_kind(path), _kind(form.action))
                if of not in met:
                    met.add(of)
                    yield typist, path, form


def _kind(path: str) -> str:
    return _ID.sub("{id}", urlsplit(path).path)


def _row(took: list[Wait], forms: int) -> Row:
    slowest = sorted(took, reverse=True)
    named = "; ".join(f"{path} with {what}: {ms:.0f} ms" for ms, path, what in slowest[:NAMED])
    how = (
        f"{len(took):,} requests to {forms} forms of all services: each text as long as its page lets somebody type, "
        "and as long as a form may be in all, in words, digits, other scripts and structures; too many fields; too "
        f"many rows; one after the other on this machine, until the whole answer was there; the slowest: {named}"
    )
    return Row(
        "pages: the longest that is typed, slowest", "ms", slowest[0][0], how, goal=AT_MOST_MS, less_is_better=True
    )
