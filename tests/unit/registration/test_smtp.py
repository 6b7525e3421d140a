"""Mail by SMTP to a real server of another library, and what its answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from services.registration.mailing.channel import AddressRefused, Mail
from services.registration.mailing.smtp import Server, Smtp, server_of
from shared.errors import SettingsError, Unavailable, UnknownOutcome
from tests.unit.registration.posting import NOW

MAIL = Mail("one", "somebody@example.org", "fr", "Une offre attend votre réponse", "Jusqu’au 5\n", NOW)


class Taking:
    """Takes what comes; `answers` stand in place of the usual ones, by command."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.taken: list[Any] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if answer := self.answers.get("rcpt"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        if self.answers.get("data") == "hangs up":
            server.transport.abort()
        self.taken.append(envelope)
        return self.answers.get("data", "250 OK")


@asynccontextmanager
async def listening(handler: Taking) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, hostname="test", loop=loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def sent(handler: Taking) -> None:
    async with listening(handler) as port:
        await Smtp(Server("127.0.0.1", port, "none"), "office@example.org").send(MAIL)


async def test_a_server_takes_a_mail_with_one_recipient() -> None:
    handler = Taking()
    await sent(handler)
    (envelope,) = handler.taken
    assert (envelope.mail_from, envelope.rcpt_tos) == ("office@example.org", [MAIL.to])
    read = message_from_bytes(envelope.content, policy=default)
    assert read["Subject"] == MAIL.subject
    assert read.get_content().splitlines() == ["Jusqu’au 5"]
    assert (read["Auto-Submitted"], read["Content-Language"]) == ("auto-generated", "fr")


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"rcpt": "550 5.1.1 no such user somebody@example.org"}, AddressRefused),
        ({"rcpt": "451 4.7.1 greylisted"}, Unavailable),
        ({"data": "554 5.7.1 not here"}, AddressRefused),
        ({"data": "452 4.3.1 full"}, Unavailable),
        ({"data": "hangs up"}, UnknownOutcome),
    ],
)
async def test_what_a_server_answers(answers: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await sent(Taking(**answers))
    assert MAIL.to not in f"{raised.value!r}"


async def test_no_password_and_no_mail_goes_in_the_clear_unless_that_is_asked_for() -> None:
    handler = Taking()
    async with listening(handler) as port:
        with pytest.raises(Unavailable):
            await Smtp(Server("127.0.0.1", port, "starttls"), "office@example.org").send(MAIL)
    assert handler.taken == []


async def test_a_server_that_is_not_there_is_away() -> None:
    async with listening(Taking()) as port:
        pass
    with pytest.raises(Unavailable):
        await Smtp(Server("127.0.0.1", port, "none"), "office@example.org").send(MAIL)


def test_an_address_says_how_it_is_closed() -> None:
    assert server_of("smtp://mail.example.org", "me", "secret") == Server(
        "mail.example.org", 587, "starttls", "me", "secret"
    )
    assert server_of("smtps://mail.example.org", None, None).port == 465
    assert server_of("smtp+plain://127.0.0.1:2525", None, None) == Server("127.0.0.1", 2525, "none")
    assert "secret" not in repr(server_of("smtps://mail.example.org", "me", "secret"))


@pytest.mark.parametrize(
    ("address", "user"),
    [
        ("http://mail.example.org", None),
        ("smtp://", None),
        ("smtp://me:secret@mail.example.org", None),
        ("smtp://mail.example.org:99999", None),
        ("smtp+plain://mail.example.org", "me"),
    ],
)
def test_another_address_is_refused_at_the_start(address: str, user: str | None) -> None:
    with pytest.raises(SettingsError) as raised:
        server_of(address, user, "secret")
    assert "secret" not in str(raised.value)
