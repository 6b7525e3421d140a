"""The projection that every consumer keeps, and the line of JSON that each says at its end."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BATCH_RECORDS = 500
FETCH = {"fetch_max_bytes": 8_000_000, "max_partition_fetch_bytes": 1_100_000}


@dataclass(frozen=True)
class Task:
    """Where to read, how many events there are, and a folder for what a consumer keeps."""

    servers: str
    topic: str
    group: str
    events: int
    folder: str

    @classmethod
    def from_arguments(cls) -> Task:
        servers, topic, group, events, folder = sys.argv[1:]
        return cls(servers, topic, group, int(events), folder)


def cell(programme: str, office: str, kind: str, happened_at: str) -> str:
    """Programme, office, type and month (of UTC) of an event; `happened_at` is RFC 3339 text."""
    return f"{programme} {office} {kind.rpartition('.')[2]} {happened_at[:7]}"


def cell_of(headers: dict[str, bytes], happened_at: str) -> str:
    """`cell` by an event's headers."""
    programme, office, kind = headers["ce_programme"], headers["ce_office"], headers["ce_type"]
    return cell(programme.decode(), office.decode(), kind.decode(), happened_at)


@dataclass
class Counting:
    """Events and distinct persons by cell; the time from the first event to the last."""

    left: int
    cells: Counter[str] = field(default_factory=Counter)
    persons: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seen: int = 0
    started: float = 0.0
    used: float = 0.0
    seconds: float = 0.0
    processor: float = 0.0

    def event(self, cell: str, person: str | None) -> None:
        self.cells[cell] += 1
        if person is not None:
            self.persons[cell].add(person)

    def begin(self) -> None:
        """Before the first event: what a consumer needs to join its group does not count."""
        if not self.started:
            self.started, self.used = time.perf_counter(), time.process_time()

    def end(self, events: int) -> bool:
        """After some events; whether these were the last."""
        self.seen += events
        self.left -= events
        if self.left <= 0 and not self.seconds:
            self.seconds, self.processor = time.perf_counter() - self.started, time.process_time() - self.used
        return self.left <= 0

    def say(self, found: Mapping[str, Sequence[int]] | None = None) -> None:
        """`found`: events and distinct persons by cell, where they were not counted here."""
        own = {cell: [events, len(self.persons[cell])] for cell, events in self.cells.items()}
        cells = own if found is None else {cell: list(counts) for cell, counts in found.items()}
        said = {"events": self.seen, "seconds": self.seconds, "processor": self.processor, "cells": cells}
        print(json.dumps(said), flush=True)
