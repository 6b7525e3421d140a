"""Whether a trail is as it was written: the entries in the store beside what the log says of each segment (I13)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.audit.chain import ENTRIES_AT_MOST, Anchor, Checked, Entry, Finding, checked, entry_of
from shared.audit.segments import READINGS, SEGMENTS
from shared.contracts.registration.audit import AuditHeadAnchored, AuditSegmentOpened
from shared.messaging.port import Log, Record
from shared.messaging.reading import Unreadable, parse
from shared.store.port import Document, Store

TOPIC = AuditSegmentOpened.topic
EMITTED = TOPIC.partition(".")[2]
RECORDS_AT_ONCE = 1_000
# The indexes by which people look for entries.
LISTS = ("account", "all", "day", "purpose", "subject")


@dataclass
class Said:
    """What the log says of one segment: its anchors, which of its events there are, how many nobody can read."""

    anchors: list[Anchor] = field(default_factory=list)
    sequences: set[int] = field(default_factory=set)
    unreadable: int = 0


@dataclass(frozen=True)
class Report:
    """`unanchored`: entries behind the last anchor of their segment, whose cutting off nothing would show yet."""

    findings: tuple[Finding, ...] = ()
    segments: int = 0
    entries: int = 0
    torn: int = 0
    unanchored: int = 0

    def plus(self, found: Checked, further: Iterable[Finding], anchored: int) -> Report:
        """With one more segment."""
        return Report(
            (*self.findings, *found.findings, *further),
            self.segments + 1,
            self.entries + found.whole,
            self.torn + found.torn,
            self.unanchored + max(found.whole - anchored, 0),
        )


async def verify(store: Store, log: Log, key: bytes) -> Report:
    """The trail of the service whose store and key these are. Raises Unavailable.

    The log is read first: an entry is stored before the log counts it.
    """
    said = said_by([record async for record in _records(log)])
    segments = {str(document["_id"]): document async for document in store.scan(SEGMENTS.name)}
    named = {str(document["segment"]) async for document in store.scan(READINGS.name)}
    report, listed = Report(), Counter[tuple[str, str]]()
    for segment in sorted({*said, *segments, *named}):
        stored = await store.find(READINGS.name, "segment", segment, limit=ENTRIES_AT_MOST + 1)
        report = with_segment(report, key, segment, stored, segments.get(segment), said.get(segment, Said()))
        listed.update((name, equals) for one in stored for name in LISTS for equals in _texts(one, name))
    for (name, equals), number in sorted(listed.items()):
        if await store.count(READINGS.name, name, equals) != number:
            report = replace(report, findings=(*report.findings, Finding("hidden", f"{name} {equals}", 0)))
    return report


def _texts(document: Document, index: str) -> list[str]:
    try:
        return READINGS.indexes[index].equals(document)
    except (KeyError, TypeError):
        return []


def with_segment(
    report: Report, key: bytes, segment: str, stored: Sequence[Document], document: Document | None, said: Said
) -> Report:
    """The report with what is found of one segment. `document`: as the store has it; None where it has none."""
    entries, findings = dict[str, Entry](), list[Finding]()
    for one in stored:
        try:
            entries[str(one["_id"])] = entry_of(one)
        except (KeyError, TypeError, ValueError):
            findings.append(Finding("edited", segment, 0))
    anchors = list(said.anchors)
    if document is not None:
        state = SEGMENTS.state.model_validate(document["state"])
        anchors += [Anchor(state.count, state.link)] if state.count else []
    findings += _of_log(segment, document, said)
    found = checked(key, segment, entries, anchors)
    return report.plus(found, findings, max((anchor.count for anchor in anchors), default=0))


def _of_log(segment: str, document: Document | None, said: Said) -> Iterable[Finding]:
    """What document and log say of one another: neither is there without the other, and the log lacks nothing."""
    if said.unreadable:
        yield Finding("edited", segment, 0)
    if document is None:
        yield Finding("deleted", segment, 0)
        return
    emitted = document["emitted"].get(EMITTED, {}).get("count", 0)
    last = max(said.sequences, default=0)
    if said.sequences != set(range(1, last + 1)):
        yield Finding("deleted", segment, 0)
    if last < emitted and not document["pending"]:
        yield Finding("truncated", segment, 0)


def said_by(records: Iterable[Record]) -> Mapping[str, Said]:
    """What the log says, by segment."""
    found: dict[str, Said] = {}
    for record in records:
        read = parse(record)
        if isinstance(read, Unreadable):
            found.setdefault(read.subject, Said()).unreadable += 1
            continue
        envelope, event = read
        said = found.setdefault(envelope.subject, Said())
        said.sequences.add(envelope.sequence)
        if isinstance(event, AuditHeadAnchored):
            said.anchors.append(Anchor(event.count, event.link))
    return found


async def _records(log: Log) -> AsyncIterator[Record]:
    for (topic, partition), end in (await log.ends([TOPIC])).items():
        offset = 0
        while offset < end and (records := await log.read(topic, partition, offset, RECORDS_AT_ONCE)):
            offset = records[-1].offset + 1
            for record in records:
                yield record
