"""What a mail says: which case, what kind of thing, until when, where to look. No name, no reason, nobody else."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from services.registration.domain.messages import Message
from shared.web.pages.formatting import Formats
from shared.web.pages.words import code_key, translations

REFERENCE_CHARACTERS = 8
_FROM_LEFT = re.compile(r'<bdi dir="ltr">(.*?)</bdi>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
# Unicode's isolates, which plain text has instead of elements.
_LEFT_TO_RIGHT, _ENDS = "\N{LEFT-TO-RIGHT ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True)
class Words:
    subject: str
    text: str


@dataclass(frozen=True)
class Reader:
    """In which language somebody reads, and in which zone lives, where that is known."""

    language: str
    zone: tzinfo | None = None


def address_of(base_url: str, message: Message) -> str:
    """The page of the case that the message is about."""
    service, _, cases = message.about.partition(".")
    return f"{base_url}/{service}/{cases}/{message.subject}"


def worded(message: Message, reader: Reader, office: tzinfo, base_url: str, *, leads: bool) -> Words:
    """The mail. `office`: the zone in which its instants stand first; `leads`: whether its reader sees the case."""
    lines = _said(message, reader, office, base_url if leads else "")
    return Words(lines[0], "\n".join([*lines, "", closing(reader.language)]) + "\n")


def closing(language: str) -> str:
    words = translations(language)
    return words.gettext("This message says no more than that, so that nobody else who reads it learns anything.")


def _said(message: Message, reader: Reader, office: tzinfo, base_url: str) -> list[str]:
    """`base_url`: empty where it leads to no case."""
    language = reader.language
    _, formats = translations(language).gettext, Formats(language, reader.zone)
    reference = plain(formats.reference(message.subject[:REFERENCE_CHARACTERS]), language)
    lines = [_(code_key("template", message.template)), "", filled(_("Reference: %(reference)s"), reference=reference)]
    if message.until is not None:
        until = plain(formats.instant(message.until, office), language)
        lines.append(filled(_("Until: %(until)s"), until=until))
    if not base_url:
        kind = f"case-one:{message.about.partition('.')[2]}"
        return [*lines, _(kind)]
    return [*lines, _("Sign in to read it and to answer:"), address_of(base_url, message)]


def gathered(messages: Sequence[tuple[Message, bool]], reader: Reader, office: tzinfo, base_url: str) -> Words:
    """One mail for several messages, each as it would stand alone, with whether it leads to its case."""
    words, number = translations(reader.language), len(messages)
    parts = [_said(one, reader, office, base_url if leads else "") for one, leads in messages]
    subject = words.ngettext("%(number)s message for you", "%(number)s messages for you", number)
    text = "\n\n".join("\n".join(part) for part in parts)
    return Words(filled(subject, number=number), f"{text}\n\n{closing(reader.language)}\n")


def plain(markup: str, language: str) -> str:
    """What pages write, as plain text: what runs from left to right stays so within what runs from right to left."""
    kept = _FROM_LEFT.sub(rf"{_LEFT_TO_RIGHT}\1{_ENDS}" if language == "ar" else r"\1", str(markup))
    return html.unescape(_TAG.sub("", kept))


def filled(sentence: str, **values: Any) -> str:
    said: Mapping[str, Any] = values
    return sentence % said
