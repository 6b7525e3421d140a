"""The projection that every consumer keeps, and the line of JSON that each says at its end."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
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


def cell_of(kind: str, office: str, happened_at: str) -> str:
    """Office, month (of UTC) and type of an event; `happened_at` is RFC 3339 text."""
    return f"{office} {happened_at[:7]} {kind.rpartition('.')[2]}"


@dataclass
class Counting:
    """Events by office, month and type; the time from the first event to the last."""

    left: int
    cells: Counter[str] = field(default_factory=Counter)
    seen: int = 0
    started: float = 0.0
    used: float = 0.0
    seconds: float = 0.0
    processor: float = 0.0

    def event(self, kind: str, office: str, happened_at: str) -> None:
        self.cells[cell_of(kind, office, happened_at)] += 1

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

    def say(self) -> None:
        said = {"events": self.seen, "seconds": self.seconds, "processor": self.processor, "cells": dict(self.cells)}
        print(json.dumps(said), flush=True)
