"""How the command line talks to a running system: as somebody, once, and for as long as it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from shared.errors import SettingsError
from shared.services import SERVICES

NOT_YET_SECONDS = 90.0
AWAY_SECONDS = 300.0
REST_SECONDS = 240.0
PAUSE_FIRST_SECONDS = 0.02
PAUSE_LAST_SECONDS = 2.0

# What a step needs may still be on its way between two services; the edge answers these until it is there.
NOT_YET = (404, 409, 412)
AWAY = (429, 500, 502, 503, 504)


class StepFailed(Exception):
    """The system refused a step for good; the rule and the status say why, values are never quoted."""


@dataclass(frozen=True)
class Call:
    """One request: as whom, under which idempotency key."""

    method: str
    path: str
    token: str
    key: str | None = None
    body: Mapping[str, Any] | None = None


class Client:
    """Sends calls and repeats them, under the same key, until they are acknowledged or refused for good."""

    def __init__(
        self, base_url: str, connections: int = 16, timeout_seconds: float = 30.0, app: Any | None = None
    ) -> None:
        """`app`: the system itself, where it is in this process."""
        self._http = httpx.AsyncClient(
            base_url=base_url,
            transport=None if app is None else httpx.ASGITransport(app=app),
            timeout=httpx.Timeout(timeout_seconds, connect=5.0),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def send(self, call: Call) -> httpx.Response:
        """One try. Raises httpx.TransportError where nobody answers."""
        headers = {"Authorization": f"Bearer {call.token}"}
        if call.key:
            headers["Idempotency-Key"] = call.key
        return await self._http.request(call.method, call.path, json=call.body, headers=headers)

    async def send_until_done(
        self,
        call: Call,
        waiting: Callable[[str], None] = lambda _: None,
        arrived: Callable[[Any], bool] = lambda _: True,
    ) -> Any:
        """The answer's JSON, once it is one that has `arrived`.

        Raises StepFailed where the system says no for good, or for too long.
        """
        loop = asyncio.get_running_loop()
        began, pause, reason = loop.time(), PAUSE_FIRST_SECONDS, ""
        while True:
            limit = AWAY_SECONDS
            try:
                answer = await self.send(call)
                if answer.is_success and arrived(content := answer.json()):
                    return content
                reason = "not yet" if answer.is_success else reason_of(answer)
                if answer.is_success or answer.status_code in NOT_YET:
                    limit = NOT_YET_SECONDS
                elif answer.status_code not in AWAY:
                    raise StepFailed(f"{call.method} {call.path}: {reason}")
            except httpx.TransportError as error:
                reason = f"unreachable ({type(error).__name__})"
            if loop.time() - began > limit:
                raise StepFailed(f"{call.method} {call.path}: {reason}")
            waiting(reason)
            await asyncio.sleep(pause)
            pause = min(pause * 1.6, PAUSE_LAST_SECONDS)

    async def backlog(self, service: str) -> dict[str, Any] | None:
        """What a service has not finished; None where it does not answer."""
        try:
            answer = await self._http.get(f"/{service}/health/backlog")
        except httpx.TransportError:
            return None
        return dict(answer.json()) if answer.is_success else None

    async def wait_ready(self, seconds: float = 60.0) -> None:
        """Returns when all four services are ready. Raises SettingsError where they do not become so."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not await self._all_ready():
            if loop.time() > deadline:
                raise SettingsError(f"no running system answers at {self._http.base_url}")
            await asyncio.sleep(0.1)

    async def _all_ready(self) -> bool:
        try:
            answers = [await self._http.get(f"/{service}/health/ready") for service in SERVICES]
        except httpx.TransportError:
            return False
        return all(answer.is_success for answer in answers)

    async def wait_caught_up(self) -> None:
        """Returns when what one service acknowledged is known to all of them.

        What a request that was cut off left held is not waited for: whoever sends it again settles that.
        """
        await self._wait_for("caught_up")

    async def wait_quiet(self) -> None:
        """Returns when nothing moves any more by itself; a crash can put that off by two minutes."""
        await self._wait_for("quiet")

    async def _wait_for(self, state: str) -> None:
        """Until every service's backlog says so twice running. Raises StepFailed after four minutes."""
        loop = asyncio.get_running_loop()
        deadline, running = loop.time() + REST_SECONDS, 0
        while running < 2:
            reports = [await self.backlog(service) for service in SERVICES]
            running = running + 1 if all(report is not None and report[state] for report in reports) else 0
            if loop.time() > deadline:
                raise StepFailed(f"the services did not come to rest: {reports}")
            await asyncio.sleep(0.1)


def reason_of(answer: httpx.Response) -> str:
    """What a problem says: status, rules with their fields, and what would be right; it never carries a value."""
    try:
        problem = answer.json()
        rules = [f"{row.get('pointer', '')} {row['rule']}".strip() for row in problem.get("errors", [])]
        told = f"{answer.status_code} {problem.get('title', '')} {', '.join(rules)}".strip()
        return f"{told}: {problem['detail']}" if problem.get("detail") else told
    except (ValueError, KeyError, AttributeError):
        return str(answer.status_code)
