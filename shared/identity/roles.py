"""Who there is: the roles of people, and the relations in which they stand to a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Role = Literal["expert", "host", "officer", "panel", "finance", "evaluator", "protection", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)
# Whose a document is: the person's, the institution's, whoever it is assigned to, the office's, the one's that is
# asked to take it over, everybody's.
Relation = Literal["own", "institution", "assigned", "office", "receiving", "all"]
By = Mapping[Role, Relation]
# Who does most of what is done; whoever works for an office records what others told it.
BY_OFFICER: By = {"officer": "office"}
# What only the office does that another one asks to take a case over.
BY_RECEIVING: By = {"officer": "receiving"}
BY_HOST: By = {"host": "institution", "officer": "office"}
BY_EXPERT: By = {"expert": "own", "officer": "office"}
