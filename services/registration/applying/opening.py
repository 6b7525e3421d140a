"""How a browser holds a draft: a cookie with its code, and that this browser has seen what was typed."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from services.registration.domain.drafts import KEPT, read_code
from services.registration.domain.sessions import browser_of
from services.registration.entrance.addresses import TODAY
from services.registration.entrance.cookies import Cookies
from services.registration.identifiers import SERVICE
from services.registration.work.drafting import Drafting
from services.registration.work.drafts import Opened
from services.registration.work.handing_over import HandingOver
from services.registration.work.registering import handed_over
from services.registration.work.sessions import Sessions
from shared.errors import Overloaded
from shared.identity.accounts import Accounts
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.tokens import Principal
from shared.intake.submissions import Intake
from shared.programmes.definitions import Definitions
from shared.programmes.model import Definition
from shared.web.callers import Edge
from shared.web.origin import origin

COOKIE, PATH = "sankofa-draft", f"/{SERVICE}"
# Wrong codes or facts of one address, and new drafts, within ten minutes. Many people share an address, and a code is
# one of 2**60, so this bounds work and no more.
WRONG_AT_MOST, NEW_AT_MOST = 200, 2_000
# Files: three gigabytes of one address.
FILES_AT_MOST = 300
# New links by mail that one address asks for.
LINKS_AT_MOST = 60
WINDOW_SECONDS = 600.0
ADDRESSES_AT_MOST = 10_000


@dataclass
class Tries:
    """Counts by address within a window, of the addresses that came last. It is this process's own."""

    at_most: int
    counted: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)

    def count(self, address: str, now: float) -> None:
        began, number = self._of(address, now)
        self.counted[address] = (began, number + 1)
        self.counted.move_to_end(address)
        while len(self.counted) > ADDRESSES_AT_MOST:
            self.counted.popitem(last=False)

    def check(self, address: str, now: float) -> None:
        """Raises Overloaded (429) for one that tried too often."""
        began, number = self._of(address, now)
        if number >= self.at_most:
            raise Overloaded("tries", retry_after_seconds=int(began + WINDOW_SECONDS - now) + 1, status=429)

    def _of(self, address: str, now: float) -> tuple[float, int]:
        began, number = self.counted.get(address, (now, 0))
        return (began, number) if now - began < WINDOW_SECONDS else (now, 0)


@dataclass(frozen=True)
class Opening:
    """What the pages of an application stand on. `sends`: mail goes out, so there is a way back by it."""

    edge: Edge
    drafting: Drafting
    definitions: Definitions
    intake: Intake
    accounts: Accounts
    handing_over: HandingOver
    sessions: Sessions
    cookies: Cookies
    base_url: str
    sends: bool
    wrong: Tries = field(default_factory=lambda: Tries(WRONG_AT_MOST))
    new: Tries = field(default_factory=lambda: Tries(NEW_AT_MOST))
    files: Tries = field(default_factory=lambda: Tries(FILES_AT_MOST))
    links: Tries = field(default_factory=lambda: Tries(LINKS_AT_MOST))

    async def of(self, request: Request) -> Opened | None:
        """The draft of the browser that has seen it before."""
        code = self.held(request)
        return None if code is None else await self.drafting.find(code)

    def definition_of(self, opened: Opened) -> Definition:
        """The newest: what is sent is a case under that one."""
        return self.definitions.newest(opened.draft.programme)

    def is_known(self, request: Request, opened: Opened) -> bool:
        """Whether this browser has seen the draft before."""
        return self.held(request) == opened.code

    def put(self, response: Response, opened: Opened) -> None:
        value = f"{opened.code}.{self._known(opened.code)}"
        seconds = int(KEPT.total_seconds())
        secure = self.cookies.secure
        response.set_cookie(COOKIE, value, seconds, path=PATH, secure=secure, httponly=True, samesite="lax")

    def principal_of(self, opened: Opened) -> Principal:
        return Principal(self.accounts.of(opened.id), "expert")

    async def person_of(self, account: str) -> str:
        person = await self.handing_over.person_of(account)
        if person is None:
            raise handed_over()
        return person

    async def enter(self, request: Request, principal: Principal) -> Response:
        """A session of the person that the draft stands for."""
        secret = await self.sessions.begin(principal, browser_of(request.headers.get("user-agent", "")))
        answer = RedirectResponse(TODAY, 303)
        self.cookies.end_passes(answer)
        self.cookies.put_session(answer, secret)
        return answer

    def count_new(self, request: Request) -> None:
        """Raises Overloaded (429) for an address that begins too many."""
        self._count(self.new, request)

    def count_file(self, request: Request) -> None:
        """Raises Overloaded (429) for an address that begins too many."""
        self._count(self.files, request)

    def count_link(self, request: Request) -> None:
        """Raises Overloaded (429) for an address that asks for too many, whomever they would be for."""
        self._count(self.links, request)

    def check_tries(self, request: Request) -> None:
        self.wrong.check(origin(request), self.edge.runtime.monotonic())

    def failed(self, request: Request) -> None:
        self.wrong.count(origin(request), self.edge.runtime.monotonic())

    def _count(self, tries: Tries, request: Request) -> None:
        address, now = origin(request), self.edge.runtime.monotonic()
        tries.check(address, now)
        tries.count(address, now)

    def held(self, request: Request) -> str | None:
        """The code in the browser's cookie, if this system put it there."""
        code, _, known = request.cookies.get(COOKIE, "").partition(".")
        right = read_code(code) is not None and hmac.compare_digest(known.encode(), self._known(code).encode())
        return code if right else None

    def _known(self, code: str) -> str:
        return keyed_digest(derived_key(self.edge.cursor_key, "draft"), code)
