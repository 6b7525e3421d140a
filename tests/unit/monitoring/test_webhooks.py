"""Webhooks' rules: signatures that other libraries verify, addresses that are never asked, pauses that grow."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from services.monitoring.feed import outbound
from services.monitoring.feed.outbound import Answer, Guarded, NotPublic, Outbound, check_address, is_public
from services.monitoring.feed.progress import GIVES_UP_AFTER, PAUSES, RECENT_AT_MOST, Progress, Sent
from services.monitoring.feed.signing import headers_of, new_secret
from shared.errors import Refusal

BODY = b'{"event":{"id":"x"}}'
HOST = "hooks.partner.example"


def secret(seed: int = 1) -> str:
    return new_secret(random.Random(seed))


def test_a_secret_is_standard_base64_with_padding() -> None:
    """Formats, 71."""
    for seed in range(200):
        one = secret(seed)
        assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", one)
        assert len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) == 32


def test_another_library_verifies_what_is_signed() -> None:
    one = secret()
    headers = headers_of("msg", datetime.now(UTC), BODY, [one])
    assert Webhook(one).verify(BODY, dict(headers)) == {"event": {"id": "x"}}
    assert re.fullmatch(r"[0-9]{10}", headers["webhook-timestamp"])
    for wrong in (BODY + b" ", b"{}"):
        with pytest.raises(WebhookVerificationError):
            Webhook(one).verify(wrong, dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret(2)).verify(BODY, dict(headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(one).verify(BODY, {**headers, "webhook-id": "other"})


def test_while_a_secret_rotates_both_verify() -> None:
    old, new = secret(1), secret(2)
    headers = headers_of("msg", datetime.now(UTC), BODY, [new, old])
    assert re.fullmatch(r"v1,\S{44} v1,\S{44}", headers["webhook-signature"])
    for one in (old, new):
        assert Webhook(one).verify(BODY, dict(headers))


def test_an_office_east_of_greenwich_signs_the_same_second() -> None:
    """Formats, 49: by an aware instant, whatever its offset; a naive one is refused."""
    now = datetime.now(UTC)
    there = now.astimezone(timezone(timedelta(hours=3)))
    assert headers_of("m", now, BODY, [secret()]) == headers_of("m", there, BODY, [secret()])
    assert Webhook(secret()).verify(BODY, dict(headers_of("m", there, BODY, [secret()])))
    with pytest.raises(ValueError, match="zone"):
        headers_of("m", datetime(2026, 1, 1), BODY, [secret()])


def test_a_receiver_has_to_catch_what_is_no_json() -> None:
    """Formats, 49 and 71: a rightly signed body that is no JSON raises another error than the library's own."""
    with pytest.raises(json.JSONDecodeError):
        Webhook(secret()).verify(b"no json", dict(headers_of("m", datetime.now(UTC), b"no json", [secret()])))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:0:53aa::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "100::1",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "2001:db8::1",
        "no address",
        "",
    ],
)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_what_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://partner.example.org/x", "address_not_https"),
        ("https://user:word@partner.example.org/x", "address_with_password"),
        ("https://user@partner.example.org/x", "address_with_password"),
        ("https://partner.example.org/x#part", "address_with_password"),
        ("https://localhost/x", "address_not_public"),
        ("https://registration/x", "address_not_public"),
        ("https://127.0.0.1/x", "address_not_public"),
        ("https://2130706433/x", "address_not_public"),
        ("https://0x7f.0.0.1/x", "address_not_public"),
        ("https://[::1]/x", "address_not_public"),
        ("https://[fd00::1]:8443/x", "address_not_public"),
        ("https:///x", "address_not_public"),
        ("https://partner.example.org:99999/x", "string_pattern_mismatch"),
        ("https://[::1/x", "string_pattern_mismatch"),
    ],
)
def test_an_address_that_is_refused_when_it_is_given(url: str, rule: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_address(url, local=False)
    assert (refused.value.rule, refused.value.status) == (rule, 422)


def test_an_address_that_is_taken() -> None:
    check_address("https://partner.example.org:8443/a?b=c", local=False)
    check_address("http://127.0.0.1:9/x", local=True)


def naming(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("93.184.215.14", "10.0.0.1"), ()])
async def test_a_name_is_looked_at_as_the_connection_is_made(addresses: tuple[str, ...]) -> None:
    """One private address of several is enough: which of them a second look-up would give, nobody knows."""
    guarded = Guarded(local=False, resolve=naming(*addresses))
    with pytest.raises(NotPublic):
        await guarded.connect_tcp(HOST, 443)
    answer = await Outbound(resolve=naming(*addresses)).post(f"https://{HOST}/x", {}, BODY)
    assert answer == Answer("address_not_public")


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that says another address at the second look (rebinding) is never asked a second time."""
    asked, connected = list[str](), list[str]()

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["93.184.215.14" if len(asked) == 1 else "127.0.0.1"]

    async def connect_tcp(_self: Any, host: str, *_: Any, **__: Any) -> Any:
        connected.append(host)
        raise httpcore.ConnectError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    answer = await Outbound(resolve=resolve).post(f"https://{HOST}/x", {}, BODY)
    assert (answer.outcome, asked, connected) == ("unreachable", [HOST], ["93.184.215.14"])


async def test_of_several_addresses_one_that_can_be_reached_is_enough() -> None:
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as (port, came):
        out = Outbound(local=True, resolve=naming("127.9.9.9", "127.0.0.1"))
        assert (await out.post(f"http://{HOST}:{port}/x", {}, BODY)).delivered
        assert len(came) == 1


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for that name by its own key, and the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    said = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(said)
        .issuer_name(said)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "made.pem", folder / "made.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    return paths


@asynccontextmanager
async def answering(said: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers everything so, on a port; what it was sent."""
    came: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"content-length: (\d+)", head.lower())
        came.append(head + await reader.readexactly(int(found[1]) if found else 0))
        writer.write(said)
        await writer.drain()
        if said:
            writer.close()
        else:
            await reader.read()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], came


async def test_tls_names_the_host_and_checks_its_certificate(tmp_path: Path) -> None:
    made, key = certificate(tmp_path, HOST)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(made, key)
    trusting = ssl.create_default_context(cafile=str(made))
    async with answering(b"HTTP/1.1 204 No Content\r\n\r\n", serving) as (port, came):
        out = Outbound(local=True, resolve=naming("127.0.0.1"), tls=trusting)
        assert (await out.post(f"https://{HOST}:{port}/x", {"a": "b"}, BODY)) == Answer("delivered", 204)
        assert came[0].startswith(b"POST /x HTTP/1.1\r\nHost: " + HOST.encode())
        assert came[0].endswith(BODY)
        other = await out.post(f"https://other.example:{port}/x", {}, BODY)
        unknown = await Outbound(local=True, resolve=naming("127.0.0.1")).post(f"https://{HOST}:{port}/x", {}, BODY)
        assert other == unknown == Answer("certificate_refused")


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Answer("delivered", 200)),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", Answer("answered", 302)),
        (b"HTTP/1.1 503 No\r\nRetry-After: 120\r\n\r\n", Answer("answered", 503, 120)),
        (b"HTTP/1.1 429 No\r\nRetry-After: soon\r\n\r\n", Answer("answered", 429)),
        (b"HTTP/1.1 410 Gone\r\n\r\n", Answer("answered", 410)),
        (b"no http\r\n\r\n", Answer("unreachable")),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, Answer("unreachable")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 100_000, Answer("delivered", 200)),
        (b"", Answer("timed_out")),
    ],
)
async def test_what_an_answer_counts_as(said: bytes, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is followed, and of a body nothing is read."""
    monkeypatch.setattr(outbound, "SECONDS", 0.3)
    async with answering(said) as (port, came):
        assert await Outbound(local=True).post(f"http://127.0.0.1:{port}/x", {}, BODY) == answer
        assert len(came) == 1


async def test_nobody_there_and_no_such_name() -> None:
    async def unknown(_host: str, _port: int) -> list[str]:
        raise OSError

    assert await Outbound(local=True).post("http://127.0.0.1:1/x", {}, BODY) == Answer("unreachable")
    assert await Outbound(resolve=unknown).post(f"https://{HOST}/x", {}, BODY) == Answer("unreachable")


def test_pauses_grow_to_a_day_and_after_five_days_it_stops() -> None:
    now, known = datetime(2026, 1, 1, tzinfo=UTC), Progress(positions=())
    assert PAUSES[0] == 5
    assert PAUSES[-1] == 86_400
    tries = 0
    while not known.gives_up(now):
        known = known.failed(Sent(id="a", type="b", at=now, outcome="unreachable"))
        now += timedelta(seconds=known.pause_seconds)
        tries += 1
    assert 10 < tries < 20
    assert now - datetime(2026, 1, 1, tzinfo=UTC) >= GIVES_UP_AFTER
    for _ in range(RECENT_AT_MOST):
        known = known.tried(Sent(id="a", type="b", at=now, outcome="unreachable"))
    assert len(known.recent) == RECENT_AT_MOST
    again = known.arrived(Sent(id="a", type="b", at=now, outcome="delivered", status=200), {("t", 0): 3})
    assert (again.failures, again.failing_since, again.place, again.delivered) == (0, None, {("t", 0): 3}, 1)
