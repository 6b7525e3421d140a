"""The rows of the policy for what every service serves. A case's rows follow from its table of moves."""

from __future__ import annotations

from collections.abc import Mapping

from shared.identity.roles import ROLES, Relation, Role

# A resource, its verbs, and which role has them under which relation.
Rights = tuple[str, str, Mapping[Role, Relation]]

# For a service that takes submissions.
INTAKE: tuple[Rights, ...] = (
    ("receipts", "read", {"expert": "own", "host": "own", "officer": "own", "administrator": "own"}),
    ("receipts", "read", {"officer": "office"}),
)
OPERATION: tuple[Rights, ...] = (
    ("parked", "list read replay drop", {"administrator": "all"}),
    ("settings", "read", {"administrator": "all"}),
    ("backlog", "read", {"administrator": "all"}),
    ("facts", "record-late", {"officer": "office", "administrator": "all"}),
    # What waits for oneself: each part of it is under the rows of its cases.
    ("today", "read", dict.fromkeys(ROLES, "own")),
)
