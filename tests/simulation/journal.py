"""The client's own record: what it asked for and what was acknowledged to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Acknowledgement:
    """An answer that a client may rely on: which command of which step now stands in which document."""

    step: str
    service: str
    collection: str
    subject: str
    command_id: str


@dataclass
class Journal:
    """`asked`: ids of subjects and submissions that the client ever asked for. `acknowledged`: by step.

    `refused`: by step, the rule that was given; `attempts`: requests sent, first ones and repetitions. `receipts`:
    by submission, every one that was handed out. `answers`: figures as of an instant, as monitoring gave them.
    `files`: by its id, of each that was acknowledged as kept the person and what is in it.
    `shown`: account, person and purpose of each time that identifiers were shown.
    """

    asked: set[str] = field(default_factory=set)
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    receipts: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    answers: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    shown: list[tuple[str, str, str]] = field(default_factory=list)

    def ask(self, *ids: str) -> None:
        self.asked.update(ids)

    def acknowledge(self, entry: Acknowledgement) -> None:
        self.acknowledged[entry.step] = entry

    def receive(self, submission: str, receipt: Mapping[str, Any]) -> None:
        self.receipts.setdefault(submission, []).append(receipt)

    def refuse(self, step: str, rule: str) -> None:
        self.refused[step] = rule
