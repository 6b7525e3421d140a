"""Only a declared proxy says where a request comes from."""

from __future__ import annotations

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from shared.errors import SettingsError
from shared.web.origin import PROXIES_AT_MOST, Behind, declared_proxies, origin


async def _told(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(origin(Request(scope)))(scope, receive, send)


async def asked(client: str, forwarded: str | list[str] | None, *proxies: str) -> httpx.Response:
    transport = httpx.ASGITransport(Behind(_told, declared_proxies(",".join(proxies))), client=(client, 4711))
    given = [forwarded] if isinstance(forwarded, str) else forwarded or []
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        return await http.get("/", headers=[("X-Forwarded-For", one) for one in given])


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (None, "10.0.0.7"),
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9:52100", "203.0.113.9"),
        # What the caller wrote himself stands to the left of what the proxy saw.
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        # Two of the operator's proxies, one behind the other.
        ("203.0.113.9, 172.30.0.4", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]:443", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
async def test_a_declared_proxy_is_believed(forwarded: str | list[str] | None, expected: str) -> None:
    answer = await asked("10.0.0.7", forwarded, "10.0.0.7", "172.30.0.0/24")
    assert (answer.status_code, answer.text) == (200, expected)


@pytest.mark.parametrize("proxies", [(), ("10.0.0.8",), ("172.30.0.0/24", "2001:db8::/32")])
async def test_nobody_else_is(proxies: tuple[str, ...]) -> None:
    answer = await asked("10.0.0.7", "203.0.113.9", *proxies)
    assert (answer.status_code, answer.json()["rule"]) == (400, "proxy_undeclared")
    assert "203.0.113.9" not in answer.text
    assert (await asked("10.0.0.7", None, *proxies)).text == "10.0.0.7"


@pytest.mark.parametrize(
    "text", ["proxy", "*", "10.0.0.7/8", "10.0.0.300", ",".join(f"10.0.0.{n}" for n in range(PROXIES_AT_MOST + 1))]
)
def test_what_is_no_list_of_networks_is_refused_at_start(text: str) -> None:
    with pytest.raises(SettingsError, match="SANKOFA_PROXY"):
        declared_proxies(text)
