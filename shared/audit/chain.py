"""The chain of an audit trail: entries, their links, and what is wrong with them. Pure (decision 0045).

An entry says who read which fields of which persons, why, when and where, by ids and codes alone. Its link is a keyed
hash of the link before it and of all that it says, so that whoever has the store without the keys can write none.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

SUBJECTS_AT_MOST = 200
ENTRIES_AT_MOST = 1_000
NUMBER_DIGITS = 4
Kind = Literal["edited", "deleted", "truncated", "reordered", "hidden"]


@dataclass(frozen=True, slots=True)
class Reading:
    """`at`: RFC 3339; `account`: who read, in that role and for that office; `subjects`: the persons, 200 at most."""

    at: str
    account: str
    role: str
    office: str
    service: str
    purpose: str
    fields: tuple[str, ...]
    subjects: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.subjects) > SUBJECTS_AT_MOST:
            raise ValueError(f"an entry names {SUBJECTS_AT_MOST} persons at most")


NAMES = tuple(one.name for one in fields(Reading))
# Those of them that are lists.
MANY = ("fields", "subjects")


@dataclass(frozen=True, slots=True)
class Entry:
    """`number`: its place in the segment, from 1. `first`, `last`: of the entries that were written in one go with it.

    `before`, `link`: of the entry before it, and its own.
    """

    segment: str
    number: int
    first: int
    last: int
    reading: Reading
    before: str
    link: str

    @property
    def id(self) -> str:
        return entry_id(self.segment, self.number)


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was said elsewhere of a segment: with so many entries its last link was this."""

    count: int
    link: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was done to a segment, and at which place of it; 0 for what is said of it elsewhere.

    `hidden`: an entry stands, and a list that should have it does not; `segment` is the list then.
    """

    kind: Kind
    segment: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind}: segment {self.segment}, entry {self.number}"


@dataclass(frozen=True, slots=True)
class Checked:
    """`whole`: so many entries stand in their order, without a gap, as they were written; `link`: the last one's.

    `torn`: the entries of a last write that a crash cut off; whoever waited for it was answered nothing.
    """

    findings: tuple[Finding, ...]
    whole: int
    link: str
    torn: int = 0


def entry_id(segment: str, number: int) -> str:
    return f"{segment}-{number:0{NUMBER_DIGITS}d}"


def beginning(key: bytes, segment: str) -> str:
    """What the first entry of a segment follows."""
    return _mac(key, ["segment", segment])


def chained(key: bytes, segment: str, after: int, before: str, readings: Sequence[Reading]) -> list[Entry]:
    """The readings as entries that are written in one go, behind the entry `after` with the link `before`."""
    found: list[Entry] = []
    first, last = after + 1, after + len(readings)
    for number, reading in enumerate(readings, first):
        link = _link(key, segment, number, first, last, reading, before)
        found.append(Entry(segment, number, first, last, reading, before, link))
        before = link
    return found


def is_true(key: bytes, entry: Entry) -> bool:
    """Whether the entry says what it said when it was written."""
    said = entry.segment, entry.number, entry.first, entry.last, entry.reading, entry.before
    return hmac.compare_digest(_link(key, *said), entry.link)


def checked(
    key: bytes,
    segment: str,
    stored: Mapping[str, Entry],
    anchors: Iterable[Anchor] = (),
    *,
    after: Anchor | None = None,
) -> Checked:
    """What was done to a segment. `stored`: by the id under which each stands, its entries, or those behind `after`.

    Beyond the highest anchor the last write may lack some of its entries: a store that writes several at a time may be
    cut off between them.
    """
    known, start = dict.fromkeys(anchors), after or Anchor(0, beginning(key, segment))
    highest = max((anchor.count for anchor in known), default=start.count)
    places = {_number_of(id): entry for id, entry in stored.items()}
    torn = _torn(places, highest)
    placed = {number: entry for number, entry in places.items() if number not in torn}
    end = max(placed, default=start.count)
    missing = next((number for number in range(start.count + 1, max(highest, end) + 1) if number not in placed), 0)
    findings = [one for number, entry in sorted(places.items()) if (one := _of_entry(key, segment, number, entry))]
    if missing:
        findings.append(Finding("deleted" if missing < end else "truncated", segment, missing))
    links = {start.count: start.link, **{number: entry.link for number, entry in placed.items()}}
    findings += _broken(segment, placed, links)
    findings += [Finding("edited", segment, one.count) for one in known if links.get(one.count, one.link) != one.link]
    whole = max(start.count, min([end, *(one.number - 1 for one in findings)]))
    return Checked(tuple(findings), whole, links[whole], len(torn))


def _torn(places: Mapping[int, Entry], highest: int) -> frozenset[int]:
    """What stands of the last write, where some of it is missing and no anchor counts any of it."""
    last = places[max(places)] if places else None
    if last is None or last.first <= highest or max(places) > last.last:
        return frozenset()
    there = frozenset(number for number in places if number >= last.first)
    return there if len(there) <= last.last - last.first else frozenset()


def _of_entry(key: bytes, segment: str, number: int, entry: Entry) -> Finding | None:
    if not is_true(key, entry):
        return Finding("edited", segment, number)
    return None if (entry.segment, entry.number) == (segment, number) else Finding("reordered", segment, number)


def _broken(segment: str, placed: Mapping[int, Entry], links: Mapping[int, str]) -> Iterator[Finding]:
    """Where an entry that stands at its place does not follow the one that stands before it."""
    for number, entry in sorted(placed.items()):
        if entry.number == number and entry.before != links.get(number - 1, entry.before):
            yield Finding("reordered", segment, number)


def document_of(entry: Entry) -> dict[str, Any]:
    """The entry as it stands in a store."""
    names = ("segment", "number", "first", "last", "before", "link")
    said = {name: getattr(entry, name) for name in names}
    return {"_id": entry.id, "version": 1, **said, "reading": _said(entry.reading)}


def entry_of(document: Mapping[str, Any]) -> Entry:
    """Raises KeyError, TypeError or ValueError for what is no entry."""
    said = document["reading"]
    many = {name: tuple(said[name]) for name in MANY}
    names = ("segment", "number", "first", "last", "before", "link")
    return Entry(**{name: document[name] for name in names}, reading=Reading(**{**said, **many}))


def _number_of(id: str) -> int:
    return int(id.rpartition("-")[2])


def _said(reading: Reading) -> dict[str, Any]:
    """The reading as JSON types."""
    said = {name: getattr(reading, name) for name in NAMES}
    return said | {name: list(said[name]) for name in MANY}


def _link(key: bytes, segment: str, number: int, first: int, last: int, reading: Reading, before: str) -> str:
    return _mac(key, ["entry", segment, number, first, last, before, _said(reading)])


def _mac(key: bytes, said: list[Any]) -> str:
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.digest(key, text.encode(), "sha256").hex()
