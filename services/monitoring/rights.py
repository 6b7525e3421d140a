"""Who may ask monitoring what."""

from __future__ import annotations

from shared.identity.rights import Rights
from shared.identity.roles import By

SEE_FIGURES: By = {"evaluator": "all", "officer": "office", "administrator": "all"}
# What is published is for everybody who sees figures.
SEE_STATEMENTS: By = {"evaluator": "all", "officer": "all", "administrator": "all"}

RIGHTS: tuple[Rights, ...] = (
    ("indicators", "list read", SEE_FIGURES),
    # As they are now; the breakdowns that are published are for everybody who sees figures.
    ("indicators", "disaggregate", {"officer": "office", "administrator": "all"}),
    ("periods", "list", SEE_FIGURES),
    ("series", "list read", SEE_STATEMENTS),
    ("counted", "read", {"administrator": "all"}),
    # Who may follow the log at all, and whose cases they are told of beside what is published.
    ("feed", "read", SEE_FIGURES),
    ("feed", "follow-cases", {"officer": "office", "administrator": "all"}),
    ("read-model", "rebuild", {"administrator": "all"}),
)
