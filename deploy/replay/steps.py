"""One step of a history: a request to a public edge that names what it needs from earlier answers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from typing import Literal

from pydantic import JsonValue

from shared.clock import derived_id
from shared.errors import SankofaError

Phase = Literal["programme", "registration", "delivery", "afterwards"]
PHASES: tuple[Phase, ...] = ("programme", "registration", "delivery", "afterwards")
Answers = Mapping[str, Mapping[str, JsonValue]]

# {step.field} is a field of an earlier answer; {a.id + b.id + 'word'} is the id that follows from these, from the left.
_TERM = r"(?:[a-z0-9/-]+\.[a-z_]+|'[a-z]+')"
REFERENCE = re.compile(rf"\{{({_TERM}(?: \+ {_TERM})*)\}}")

# What later steps may refer to; the rest of an answer is not kept.
KEPT = ("id", "subject")


class NotAnswered(SankofaError):
    """A step was resolved before one that it refers to was answered."""


@dataclass(frozen=True)
class Await:
    """Before the step: GET `path` until it answers 200 and, with `states`, its `state` is one of them.

    A service learns by events what another has done, so this is where the runner waits. `receipt`: the path of the
    receipt of the submission that has to be accepted first; once it is refused, nothing is waited for.
    """

    path: str
    states: tuple[str, ...] = ()
    receipt: str | None = None


@dataclass(frozen=True)
class Step:
    """One request. `needs`: ids of the steps that must have been answered; `awaits`: what else must be visible.

    `path`, `body` and `awaits` may hold references; `resolve` replaces them. `role`, `office` and `subject` are
    the claims of the token. `settled`: where the service may have done this by itself, the states in the
    answer of the one `awaits` that say so: then the step is done without a request. `keeps`: the fields of the
    answer to which later steps refer.
    """

    id: str
    phase: Phase
    needs: tuple[str, ...]
    path: str
    body: dict[str, JsonValue]
    happened_at: datetime
    role: str
    office: str
    subject: str
    method: str = "POST"
    awaits: tuple[Await, ...] = ()
    settled: tuple[str, ...] = ()
    keeps: tuple[str, ...] = KEPT
    # Persons whom the step is about: what happens to one person is put in the order in which it happened.
    about: tuple[str, ...] = field(default=(), compare=False)

    def key(self, history: str) -> str:
        """The `Idempotency-Key`: the same step of the same history has the same one in every run."""
        return derived_id("history", history, self.id)


def by_time(steps: Iterable[Step]) -> list[Step]:
    """In the order in which they happened; of one instant by id."""
    return sorted(steps, key=lambda one: (one.happened_at, one.id))


def resolve(step: Step, answers: Answers) -> Step:
    """The step with its references replaced by what the earlier steps were answered. Raises NotAnswered."""
    body = _resolved(step.body, answers)
    awaits = tuple(
        replace(one, path=_text(one.path, answers), receipt=_text(one.receipt, answers) if one.receipt else None)
        for one in step.awaits
    )
    return replace(step, path=_text(step.path, answers), body=body if isinstance(body, dict) else {}, awaits=awaits)


def _resolved(value: JsonValue, answers: Answers) -> JsonValue:
    if isinstance(value, str):
        return _text(value, answers)
    if isinstance(value, list):
        return [_resolved(item, answers) for item in value]
    if isinstance(value, dict):
        return {name: _resolved(item, answers) for name, item in value.items()}
    return value


def referred(value: JsonValue) -> tuple[str, ...]:
    """The ids of the steps that a path or a body refers to, each once."""
    if isinstance(value, str):
        terms = (term for match in REFERENCE.finditer(value) for term in match[1].split(" + "))
        return tuple(dict.fromkeys(term.rsplit(".", 1)[0] for term in terms if not term.startswith("'")))
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return tuple(dict.fromkeys(step for one in inner for step in referred(one)))


def _text(text: str, answers: Answers) -> str:
    def found(match: re.Match[str]) -> str:
        first, *others = (_value(term, answers) for term in match[1].split(" + "))
        return reduce(derived_id, others, first)

    return REFERENCE.sub(found, text)


def _value(term: str, answers: Answers) -> str:
    if term.startswith("'"):
        return term.strip("'")
    step, name = term.rsplit(".", 1)
    if step not in answers or name not in answers[step]:
        raise NotAnswered(f"{step} has not been answered with {name}")
    return str(answers[step][name])
