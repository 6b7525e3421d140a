"""Posting to an address that somebody else named: to public addresses alone, looked at as the connection is made.

A name is resolved once, each of its addresses is looked at, and the connection goes to one of those: a name that says
another address a moment later leads nowhere. Nothing is followed and nothing of an answer is read but its status.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore
import httpx

from shared.errors import Refusal

SECONDS, CONNECT_SECONDS = 15.0, 4.0
AT_ONCE = 8
NOT_PUBLIC = "address_not_public"
# What some versions of Python take for public; and where an address stands for another one, which may be any.
_REFUSED = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",
            "192.88.99.0/24",
            "64:ff9b::/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "fec0::/10",
        ),
    )
)
Resolve = Callable[[str, int], Awaitable[list[str]]]


class NotPublic(Exception):
    """The name leads, also by one of several addresses, to where only our own network is."""


def is_public(text: str) -> bool:
    """Whether the address is one of the public internet, and of one machine."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return is_public(str(address.ipv4_mapped))
    if any(address in network for network in _REFUSED):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_address(url: str, *, local: bool) -> None:
    """Raises Refusal (422) for what no message is ever sent to. `local`: http and the own network are allowed."""
    at = "/url"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise Refusal("string_pattern_mismatch", at=at, status=422) from None
    if parts.scheme != "https" and not local:
        raise Refusal("address_not_https", at=at, status=422)
    if parts.username is not None or parts.password is not None or "#" in url:
        raise Refusal("address_with_password", "an address without a name before an @ and without #", at=at, status=422)
    literal = host.replace(".", "").isdigit() or ":" in host or host.startswith("0x")
    named_inside = "." not in host and ":" not in host
    if not host or (not local and (named_inside or (literal and not is_public(host)))):
        raise Refusal(NOT_PUBLIC, at=at, status=422)


async def resolved(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


class Guarded(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at. TLS names the host, not the address."""

    def __init__(self, *, local: bool, resolve: Resolve = resolved) -> None:
        self._local = local
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(type(error).__name__) from None
        if not addresses or not (self._local or all(map(is_public, addresses))):
            raise NotPublic
        for address in addresses[:-1]:
            # A name often has an address of a kind that this machine cannot reach.
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._backend.connect_tcp(address, port, CONNECT_SECONDS, local_address, socket_options)
        return await self._backend.connect_tcp(addresses[-1], port, CONNECT_SECONDS, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise NotPublic

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


@dataclass(frozen=True)
class Answer:
    """`outcome`: `delivered`, `answered` by another status, or why there was none. `status`, `retry_after` (seconds):
    of an answer."""

    outcome: str
    status: int | None = None
    retry_after: int | None = None

    @property
    def delivered(self) -> bool:
        return self.outcome == "delivered"


class Outbound:
    """`local`: http and private addresses are allowed, for tests and one machine alone."""

    def __init__(self, *, local: bool = False, resolve: Resolve = resolved, tls: ssl.SSLContext | None = None) -> None:
        self.local = local
        self._guarded = Guarded(local=local, resolve=resolve)
        self._tls = tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Never raises: whatever the other end does is an outcome."""
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._tls, network_backend=self._guarded, max_keepalive_connections=0
        )
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            # Over all: a server that sends a byte now and then keeps every shorter limit.
            async with asyncio.timeout(SECONDS), pool, pool.stream("POST", url, headers=given, content=body) as answer:
                return _answer(answer)
        except TimeoutError:
            return Answer("timed_out")
        except NotPublic:
            return Answer(NOT_PUBLIC)
        except ssl.SSLError:
            return Answer("certificate_refused")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError) as error:
            wrapped = isinstance(error.__cause__ or error.__context__, ssl.SSLError)
            return Answer("certificate_refused" if wrapped else "unreachable")


def _answer(answer: httpcore.Response) -> Answer:
    if 200 <= answer.status < 300:
        return Answer("delivered", answer.status)
    said = next((value for name, value in answer.headers if name.lower() == b"retry-after"), b"")
    wait = int(said) if said.isdigit() and len(said) < 7 else None
    return Answer("answered", answer.status, wait)
