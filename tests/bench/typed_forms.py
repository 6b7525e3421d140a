"""The forms of a page as a browser has them, and what somebody may type into each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from math import isqrt
from urllib.parse import quote_plus

from shared.web.pages.forms import LINE_CHARACTERS, ROW_NUMBERS
from shared.web.pages.multipart import MULTIPART
from shared.web.pages.sent import FIELDS_AT_MOST, FORM_BYTES_AT_MOST

Sent = list[tuple[str, str]]

# What is repeated: what words, numbers, addresses, other scripts, lists and structures are read by.
TEXTS: Mapping[str, str] = {
    "letters": "x",
    "words": "ab ",
    "digits": "9",
    "marks": "e\u0301\u0323",
    "Arabic": "كابل ",
    "addresses": "a.b@",
    "brackets": "[",
    "lines": "- a\n",
}
# Of a text of several lines whose page says no maximum.
LINES_CHARACTERS = 10_000
# An address has to fit with the other headers into what the server reads of a request before it looks at it.
QUERY_CHARACTERS, QUERY_TOO_LONG = 12_000, 60_000
_NUMBER = re.compile(r"/\d+(?=/|$)")
_TYPED = frozenset({"text", "lines", "email", "tel", "search", "password", "number", "url"})


@dataclass(frozen=True)
class Input:
    """`longest`: the characters that the page lets somebody type."""

    name: str
    kind: str
    value: str = ""
    longest: int = LINE_CHARACTERS


@dataclass
class PageForm:
    """One form, sent to `action`; an empty one is the page's own address."""

    action: str
    method: str
    with_file: bool = False
    inputs: list[Input] = field(default_factory=list)

    @property
    def typed(self) -> list[Input]:
        return [one for one in self.inputs if one.kind in _TYPED]

    @property
    def begun(self) -> Sent:
        """What the form sends before somebody types."""
        return [(one.name, one.value) for one in self.inputs if one.kind not in _TYPED and one.value]


class _Page(HTMLParser):
    """Collects forms and links."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self.links: list[str] = []
        self._form: PageForm | None = None
        self._choice: str | None = None

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a" and (to := said.get("href", "")).startswith("/"):
            self.links.append(to.partition("#")[0])
        elif tag == "form":
            with_file = said.get("enctype") == MULTIPART
            self._form = PageForm(said.get("action", ""), said.get("method", "get").lower(), with_file)
            self.forms.append(self._form)
        elif self._form is not None:
            self._field(tag, said)

    def _field(self, tag: str, said: Mapping[str, str]) -> None:
        name = said.get("name", "")
        if tag == "select":
            self._choice = name
        elif tag == "option" and self._choice and said.get("value"):
            self._add(Input(self._choice, "chosen", said["value"]))
            self._choice = None
        elif tag == "textarea" and name:
            self._add(Input(name, "lines", "", int(said.get("maxlength", LINES_CHARACTERS))))
        elif tag == "input" and name:
            longest = int(said.get("maxlength", LINE_CHARACTERS))
            self._add(Input(name, said.get("type", "text"), said.get("value", ""), longest))

    def _add(self, one: Input) -> None:
        assert self._form is not None
        if one.name not in {other.name for other in self._form.inputs}:
            self._form.inputs.append(one)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._choice = None


def read(page: str) -> tuple[list[PageForm], list[str]]:
    """The forms in which something can be typed, and where links lead on this server."""
    found = _Page()
    found.feed(page)
    return [one for one in found.forms if one.typed], found.links


def filled(form: PageForm) -> Iterator[tuple[str, Sent]]:
    """What is sent, by what it is; the longer first, since a permitted one may be the form's last."""
    for name, text in TEXTS.items():
        yield f"{name}, longer", [*form.begun, *_shared(form, text)]
    if form.method == "get":
        first = form.typed[0].name
        yield "an address that is too long", [*form.begun, (first, "x" * QUERY_TOO_LONG)]
    else:
        first = form.typed[0].name
        yield "a form that is too long", [*form.begun, (first, "x" * FORM_BYTES_AT_MOST)]
        yield "too many fields", [*form.begun, *[(first, "x")] * FIELDS_AT_MOST]
        yield "one field many times", [*form.begun, *[(first, "x")] * (FIELDS_AT_MOST - len(form.begun))]
        yield from _in_rows(form)
    for name, text in TEXTS.items():
        yield f"{name}, as long as may be", [*form.begun, *_permitted(form, text)]


def _shared(form: PageForm, text: str) -> Sent:
    """As much in each field as the form may have in all."""
    whole = QUERY_CHARACTERS if form.method == "get" else FORM_BYTES_AT_MOST
    names = sum(len(quote_plus(name)) + len(quote_plus(value)) + 2 for name, value in form.begun)
    names += sum(len(quote_plus(one.name)) + 2 for one in form.typed)
    share = (whole - names) // len(form.typed) // len(quote_plus(text))
    return [(one.name, text * share) for one in form.typed]


def _permitted(form: PageForm, text: str) -> Sent:
    return [(one.name, (text * one.longest)[: one.longest].strip()) for one in form.typed]


def _in_rows(form: PageForm) -> Iterator[tuple[str, Sent]]:
    """With as many rows of its lists as the form has fields for, and with the last ones alone, which bring along the
    empty ones before them."""
    beside = [(name, value) for name, value in form.begun if not _NUMBER.search(name)]
    rows = [one for one in form.inputs if _NUMBER.search(one.name)]
    if not rows:
        return
    places = dict.fromkeys(_NUMBER.sub("/{}", one.name) for one in rows)
    values = {_NUMBER.sub("/{}", one.name): one.value or "x" for one in rows}
    share = (FIELDS_AT_MOST - len(beside)) // len(places)
    yield "many rows", [*beside, *(row for at in places for row in _numbered(at, values[at], share))]
    yield "the last rows", [*beside, *(row for at in places for row in _last(at, values[at], share))]


def _numbered(place: str, value: str, share: int) -> Sent:
    if place.count("{}") == 1:
        return [(place.format(number), value) for number in range(min(share, ROW_NUMBERS))]
    many = isqrt(share)
    return [(place.format(outer, inner), value) for outer in range(many) for inner in range(many)]


def _last(place: str, value: str, share: int) -> Sent:
    last = ROW_NUMBERS - 1
    if place.count("{}") == 1:
        return [(place.format(last), value)]
    return [(place.format(outer, last), value) for outer in range(min(share, ROW_NUMBERS))]
