"""A mail server by SMTP (RFC 5321): TLS from the first byte or by STARTTLS, and without it only where that is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import aiosmtplib

from services.registration.mailing.channel import AddressRefused, Mail, composed, recipient_of
from shared.errors import SettingsError, Unavailable, UnknownOutcome

Security = Literal["tls", "starttls", "none"]
# What a setting's scheme means, and the port where it names none.
SCHEMES: dict[str, tuple[Security, int]] = {
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("none", 25),
}
# Less than a message is claimed for.
TIMEOUT_SECONDS = 30.0
GONE_FOR_GOOD = range(500, 600)


@dataclass(frozen=True)
class Server:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    security: Security
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def server_of(address: str, user: str | None, password: str | None) -> Server:
    """`smtp://host[:587]` (STARTTLS), `smtps://host[:465]` or `smtp+plain://host[:25]`. SettingsError for another.

    A password stands apart, never in the address: settings are shown.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in SCHEMES or not host or parts.username or parts.path.strip("/") or parts.query:
        raise SettingsError("SANKOFA_MAIL is a folder, off, or an address such as smtp://mail.example.org:587")
    security, usual = SCHEMES[parts.scheme]
    if user and security == "none":
        raise SettingsError("SANKOFA_MAIL_USER would send its password in the clear: use smtp:// or smtps://")
    return Server(host, port or usual, security, user, password)


class Smtp:
    """One connection a mail: there are few, and a server that is away holds none of them up for long."""

    def __init__(self, server: Server, sender: str) -> None:
        self._server = server
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        server, message, recipient = self._server, composed(mail, self._sender), recipient_of(mail)
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.security == "tls",
            start_tls=server.security == "starttls",
            timeout=TIMEOUT_SECONDS,
        )
        # Their messages quote the address, so no cause is kept.
        try:
            async with client:
                await client.sendmail(self._sender, recipient, message)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            raise _of_code(refused.recipients[0].code) from None
        except aiosmtplib.SMTPDataError as refused:
            raise _of_code(refused.code) from None
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPReadTimeoutError):
            raise UnknownOutcome from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"mail: {type(error).__name__}") from None

    async def forget(self, id: str) -> None:
        """What a server has taken is its recipient's."""


def _of_code(code: int) -> AddressRefused | Unavailable:
    return AddressRefused() if code in GONE_FOR_GOOD else Unavailable("mail: refused for now")
