"""Errors that cross a boundary: what the domain refuses, and what a port cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class SankofaError(Exception):
    """Root of every error of this project."""


@dataclass(frozen=True)
class Problem:
    """One broken rule: the JSON pointer of the field and the rule's name; `detail`: what would be right, in words.

    `last`: when the last entry happened that it may not precede, which pages say in the case's own time zone. It never
    carries a value.
    """

    rule: str
    pointer: str = ""
    detail: str = ""
    last: datetime | None = None

    def shown(self) -> dict[str, str]:
        """As JSON; without words where there are none."""
        said = {"pointer": self.pointer, "rule": self.rule}
        return {**said, "detail": self.detail} if self.detail else said


# An answer that lists more of them helps nobody, and a body of a megabyte can break a rule at every byte.
PROBLEMS_AT_MOST = 50
UNKNOWN_FIELD = "unknown_field"
# Pydantic's names for what has one of our own, the same at every edge and in every file.
_RULES = {"missing": "required", "extra_forbidden": UNKNOWN_FIELD, "model_type": "not_an_object"}


def rule_of(kind: str) -> str:
    """The rule's name for one of Pydantic's types of error."""
    return _RULES.get(kind, kind)


class Refusal(SankofaError):
    """A command that the rules do not allow. Pure `decide` functions raise it.

    `rule` is the machine-readable name (snake_case), `detail` a sentence without personal data, `at` the pointer of
    the field that broke it; `problems` instead where several are broken, the first fifty of them. The HTTP edge
    answers 409, or `status` where a rule belongs to another code (422 for bad input, 403, 404).
    """

    def __init__(
        self, rule: str, detail: str = "", *, at: str = "", problems: tuple[Problem, ...] = (), status: int = 409
    ) -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail
        self.problems = problems[:PROBLEMS_AT_MOST] or (Problem(rule, at),)
        self.status = status


class TooEarly(SankofaError):
    """What the event needs is not known here yet; the record is parked and heals by itself.

    `awaits`: the subjects of which something is to be heard before, where whoever hears of them tries again.
    """

    def __init__(self, reason: str, awaits: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.awaits = awaits


class PortError(SankofaError):
    """A port could not do what was asked."""


class Conflict(PortError):
    """The stored version is not the expected one: nothing was written; load again."""


class UniqueViolated(PortError):
    """A unique key belongs to another document: nothing was written."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Unavailable(PortError):
    """The store or the log cannot be reached; nothing was done."""


class UnknownOutcome(PortError):
    """The effect may or may not have happened; only a later read can tell."""


class CommandReused(SankofaError):
    """A command id came back with another digest (HTTP 422)."""


class PreconditionFailed(SankofaError):
    """`If-Match` names another version than `version`, the one that stands; 0: nothing stands there (HTTP 412)."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


class Overloaded(SankofaError):
    """A bounded queue or outbox is full; try later (HTTP 429 or 503)."""

    def __init__(self, what: str, *, retry_after_seconds: int = 5, status: int = 503) -> None:
        super().__init__(what)
        self.what = what
        self.retry_after_seconds = retry_after_seconds
        self.status = status


class TaskEnded(SankofaError):
    """An unexpected error ended a part that the process cannot be without; whoever runs it starts it again."""


class SettingsError(SankofaError):
    """A setting that cannot be used, said in one line; commands end with exit code 2."""
