"""The rows of the policy table: for each resource and its verbs, which role has them under which relation.

Verbs are `list`, `read`, `create` and the transitions of DOMAIN section 3. An officer works on the office's own
cases and records for others what reached the office on paper or by telephone; a host sees what concerns its
institution; an evaluator sees figures and never a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shared.identity.tokens import Role

Relation = Literal["own", "institution", "assigned", "office", "all"]
Rights = tuple[str, str, Mapping[Role, Relation]]

REGISTRATION: tuple[Rights, ...] = (
    (
        "programmes",
        "list read",
        {
            "expert": "all",
            "host": "all",
            "officer": "all",
            "panel": "all",
            "finance": "all",
            "protection": "all",
            "administrator": "all",
        },
    ),
    ("programmes", "publish", {"administrator": "all"}),
    ("persons", "list", {"officer": "office", "protection": "all"}),
    ("persons", "read", {"expert": "own", "officer": "office", "protection": "all"}),
    ("persons", "correct", {"expert": "own", "officer": "office", "protection": "all"}),
    ("persons", "read-identity", {"expert": "own", "officer": "office", "protection": "all"}),
    ("consents", "list read", {"expert": "own", "officer": "office", "protection": "all"}),
    ("consents", "create give withdraw", {"expert": "own", "officer": "office", "protection": "all"}),
    ("experts", "create", {"expert": "own", "officer": "office"}),
    ("experts", "list read", {"expert": "own", "officer": "office", "protection": "all"}),
    ("experts", "submit provide-info withdraw", {"expert": "own", "officer": "office"}),
    ("experts", "screen request-info declare-eligible declare-ineligible", {"officer": "office"}),
    ("experts", "suspend reinstate adopt-version", {"officer": "office"}),
    ("institutions", "create", {"host": "own", "officer": "office"}),
    ("institutions", "list read", {"host": "institution", "officer": "office"}),
    ("institutions", "assess accept-partner activate put-on-hold close", {"officer": "office"}),
    (
        "receipts",
        "read",
        {"expert": "own", "host": "own", "officer": "own", "administrator": "own"},
    ),
    ("receipts", "read", {"officer": "office"}),
)

MATCHING: tuple[Rights, ...] = (
    ("assignments", "list read", {"host": "institution", "officer": "office", "panel": "assigned"}),
    ("assignments", "create submit revise", {"host": "institution", "officer": "office"}),
    ("assignments", "request-edits approve reject publish", {"officer": "office"}),
    ("assignments", "shortlist source allocate reissue adopt-version", {"officer": "office"}),
    ("assignments", "cancel", {"host": "institution", "officer": "office"}),
    # What is published is for everybody who may apply; drafts and reasons stay in `assignments`.
    ("vacancies", "list read", {"expert": "all", "host": "all", "officer": "all"}),
    ("applications", "create", {"expert": "own", "officer": "office"}),
    ("applications", "list read", {"expert": "own", "officer": "office"}),
    ("shortlist", "list read", {"host": "institution", "officer": "office", "panel": "assigned"}),
    (
        "matches",
        "list read",
        {"expert": "own", "host": "institution", "officer": "office", "panel": "assigned"},
    ),
    ("matches", "interview", {"officer": "office", "panel": "assigned"}),
    (
        "matches",
        "check-eligibility check-references longlist shortlist rank allocate reserve not-select offer retract",
        {"officer": "office"},
    ),
    ("matches", "accept decline", {"expert": "own", "officer": "office"}),
)

PLACEMENT: tuple[Rights, ...] = (
    (
        "placements",
        "list read",
        {"expert": "own", "host": "institution", "officer": "office", "finance": "office"},
    ),
    ("placements", "contract complete-step depart extend", {"officer": "office"}),
    ("placements", "suspend resume cancel adopt-version", {"officer": "office"}),
    ("placements", "confirm-arrival complete report-no-show", {"host": "institution", "officer": "office"}),
    ("placements", "end-early", {"expert": "own", "host": "institution", "officer": "office"}),
)

MONITORING: tuple[Rights, ...] = (
    ("indicators", "list read", {"evaluator": "all", "officer": "office", "administrator": "all"}),
    # Until complementary suppression is built, evaluators get no disaggregation (ARCHITECTURE section 3).
    ("indicators", "disaggregate", {"officer": "office", "administrator": "all"}),
    ("periods", "list read", {"evaluator": "all", "officer": "office", "administrator": "all"}),
    ("read-model", "rebuild", {"administrator": "all"}),
)

OPERATION: tuple[Rights, ...] = (
    ("parked", "list read replay", {"administrator": "all"}),
    ("settings", "read", {"administrator": "all"}),
    ("backlog", "read", {"administrator": "all"}),
    ("facts", "record-late", {"officer": "office", "administrator": "all"}),
)

RIGHTS: tuple[Rights, ...] = (*REGISTRATION, *MATCHING, *PLACEMENT, *MONITORING, *OPERATION)
