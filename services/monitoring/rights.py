"""Who may ask monitoring what."""

from __future__ import annotations

from shared.identity.rights import Rights
from shared.identity.roles import By

SEE_FIGURES: By = {"evaluator": "all", "officer": "office", "administrator": "all"}

RIGHTS: tuple[Rights, ...] = (
    ("indicators", "list read", SEE_FIGURES),
    # Until complementary suppression is built, evaluators get no disaggregation.
    ("indicators", "disaggregate", {"officer": "office", "administrator": "all"}),
    ("periods", "list", SEE_FIGURES),
    ("read-model", "rebuild", {"administrator": "all"}),
)
