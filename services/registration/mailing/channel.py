"""The port of a channel: what takes a mail to one recipient."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.utils import format_datetime
from typing import Protocol

from shared.errors import SankofaError, SettingsError

# One mail says a dozen lines; what is longer is a mistake of ours.
TEXT_CHARACTERS_AT_MOST = 20_000
# RFC 5322: what a line of a header had better not be longer than, its name and the colon included.
HEADER_CHARACTERS = 78
# What most addresses look like; every other one is read by the library, which takes as long as all the rest of a mail.
_USUAL = re.compile(r"[\w+=-]+(?:\.[\w+=-]+)*@(?:[a-z0-9-]{1,63}\.)+[a-z]{2,63}", re.ASCII | re.IGNORECASE)


class AddressRefused(SankofaError):
    """No mail can go to this address, now or later. It never carries the address."""


@dataclass(frozen=True)
class Mail:
    """`id`: that of the message in the ledger, so that a mail which is sent once more is known as the same one.
    `stop`: an address at which its recipient ends mails of its kind, as mail programs show it (RFC 2369)."""

    id: str
    to: str
    language: str
    subject: str
    text: str
    at: datetime
    stop: str | None = None


class Channel(Protocol):
    async def send(self, mail: Mail) -> None:
        """Returns when the mail is taken: it is the channel's from then on. Sending it again is the same mail.

        Raises AddressRefused for good; Unavailable, UnknownOutcome where it has to be tried again.
        """
        ...

    async def forget(self, id: str) -> None:
        """Removes what the channel itself keeps of a mail, if anything; asked again, it finds nothing more.

        Raises Unavailable.
        """
        ...


def sender_of(address: str) -> str:
    """The address from which mail comes. SettingsError for one that no header can hold."""
    try:
        return Address(addr_spec=address).addr_spec
    except (ValueError, MessageError, IndexError):
        raise SettingsError("SANKOFA_MAIL_FROM is no address such as no-reply@example.org") from None


def composed(mail: Mail, sender: str) -> bytes:
    """The mail by RFC 5322, with one recipient and a `Message-ID` that follows from the ledger's key.

    Raises AddressRefused for an address that no header can hold.
    """
    headers = {
        "To": recipient_of(mail),
        "From": sender,
        "Subject": _one_line(mail.subject),
        "Date": format_datetime(mail.at),
        "Message-ID": f"<{mail.id}@{sender.rpartition('@')[2]}>",
        # RFC 3834: nobody's absence notice answers it.
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Language": mail.language,
        "Content-Transfer-Encoding": "quoted-printable",
    }
    if mail.stop is not None:
        headers["List-Unsubscribe"] = f"<{mail.stop}>"
    head = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    lines = mail.text[:TEXT_CHARACTERS_AT_MOST].splitlines()
    text = "".join(f"{line}\r\n" for line in lines).encode()
    return head.encode() + b"\r\n" + binascii.b2a_qp(text, istext=True)


def recipient_of(mail: Mail) -> str:
    """The address as every mail server takes it, in ASCII. Raises AddressRefused."""
    if _USUAL.fullmatch(mail.to):
        return mail.to
    try:
        return Address(addr_spec=_in_ascii_domain(mail.to)).addr_spec
    except (ValueError, MessageError, IndexError):
        raise AddressRefused from None


def _one_line(subject: str) -> str:
    subject = " ".join(subject.split())
    if subject.isascii() and len(subject) < HEADER_CHARACTERS - len("Subject: "):
        return subject
    return Header(subject, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _in_ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"
