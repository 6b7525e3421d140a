"""I13: the trail of who read what verifies, and whatever was shown stands in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from shared.audit.segments import READINGS, SEGMENTS
from shared.audit.verifying import TOPIC, Report, Said, said_by, with_segment
from shared.identity.keys import Keys
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal


def check_trail(evidence: Evidence, journal: Journal, keys: Keys) -> Iterator[Violation]:
    documents = evidence.documents["registration"]
    stored = defaultdict[str, list[Any]](list)
    for entry in documents[READINGS.name]:
        stored[entry["segment"]].append(entry)
    segments = {one["_id"]: one for one in documents[SEGMENTS.name]}
    said, report = said_by(evidence.records[TOPIC]), Report()
    for segment in sorted({*stored, *segments, *said}):
        of_log = said.get(segment, Said())
        report = with_segment(
            report, keys.audit_key("registration"), segment, stored[segment], segments.get(segment), of_log
        )
    for finding in report.findings:
        yield Violation("I13", finding.segment, str(finding))
    written = Counter(
        (entry["reading"]["account"], person, entry["reading"]["purpose"])
        for entry in documents[READINGS.name]
        for person in entry["reading"]["subjects"]
    )
    for shown, times in Counter(journal.shown).items():
        if written[shown] < times:
            yield Violation("I13", shown[1], f"shown {times} times for {shown[2]}, written down {written[shown]} times")
