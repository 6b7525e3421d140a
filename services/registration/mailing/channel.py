"""The port of a channel: what takes a mail to one recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Protocol

from shared.errors import SankofaError, SettingsError

# One mail says a dozen lines; what is longer is a mistake of ours.
TEXT_CHARACTERS_AT_MOST = 20_000


class AddressRefused(SankofaError):
    """No mail can go to this address, now or later. It never carries the address."""


@dataclass(frozen=True)
class Mail:
    """`id`: that of the message in the ledger, so that a mail which is sent once more is known as the same one."""

    id: str
    to: str
    language: str
    subject: str
    text: str
    at: datetime


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


def composed(mail: Mail, sender: str) -> EmailMessage:
    """The mail by RFC 5322, with one recipient and a `Message-ID` that follows from the ledger's key.

    Raises AddressRefused for an address that no header can hold.
    """
    message = EmailMessage(policy=SMTP)
    try:
        message["To"] = Address(addr_spec=_in_ascii_domain(mail.to))
    except (ValueError, MessageError, IndexError):
        raise AddressRefused from None
    message["From"] = sender
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.at)
    message["Message-ID"] = f"<{mail.id}@{Address(addr_spec=sender).domain}>"
    # RFC 3834: nobody's absence notice answers it.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text[:TEXT_CHARACTERS_AT_MOST], charset="utf-8", cte="quoted-printable")
    # Afterwards: whoever sets a content takes every header of that family away.
    message["Content-Language"] = mail.language
    return message


def _in_ascii_domain(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"
