"""One step of a history: a request to a public edge that names what it needs from earlier answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from shared.clock import derived_id
from shared.errors import SankofaError

Phase = Literal["programme", "registration", "delivery"]
PHASES: tuple[Phase, ...] = ("programme", "registration", "delivery")
Answers = Mapping[str, Mapping[str, JsonValue]]

# {step.field} is a field of an earlier answer; match and placement are the ids that follow from two of them.
REFERENCE = re.compile(r"\{(?:(match|placement)\()?([a-z0-9/-]+)\.([a-z_]+)(?:, ([a-z0-9/-]+)\.([a-z_]+)\))?\}")


class NotAnswered(SankofaError):
    """A step was resolved before one that it refers to was answered."""


@dataclass(frozen=True)
class Await:
    """Before the step: GET `path` until it answers 200 and, with `states`, its `state` is one of them.

    A service learns by events what another has done, so this is where the runner waits.
    """

    path: str
    states: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One request. `needs`: ids of the steps that must have been answered; `awaits`: what else must be visible.

    `path`, `body` and `awaits` may hold references; `resolve` replaces them. `role`, `office` and `subject` are
    the claims of the token. `settled`: where the service may have done this by itself, the states in the
    answer of the one `awaits` that say so: then the step is done without a request.
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
    # Experts whom the step is about: what happens to one person is put in the order in which it happened.
    about: tuple[str, ...] = field(default=(), compare=False)

    def key(self, history: str) -> str:
        """The `Idempotency-Key`: the same step of the same history has the same one in every run."""
        return derived_id("history", history, self.id)


def resolve(step: Step, answers: Answers) -> Step:
    """The step with its references replaced by what the earlier steps were answered. Raises NotAnswered."""
    body = _resolved(step.body, answers)
    awaits = tuple(replace(one, path=_text(one.path, answers)) for one in step.awaits)
    return replace(step, path=_text(step.path, answers), body=body if isinstance(body, dict) else {}, awaits=awaits)


def _resolved(value: JsonValue, answers: Answers) -> JsonValue:
    if isinstance(value, str):
        return _text(value, answers)
    if isinstance(value, list):
        return [_resolved(item, answers) for item in value]
    if isinstance(value, dict):
        return {name: _resolved(item, answers) for name, item in value.items()}
    return value


def _text(text: str, answers: Answers) -> str:
    def found(match: re.Match[str]) -> str:
        kind, *parts = match.groups()
        values = [_answer(answers, parts[n], parts[n + 1]) for n in (0, 2) if parts[n]]
        if kind is None:
            return values[0]
        pair = derived_id(*values)
        return pair if kind == "match" else derived_id(pair, "placement")

    return REFERENCE.sub(found, text)


def _answer(answers: Answers, step: str, name: str) -> str:
    if step not in answers or name not in answers[step]:
        raise NotAnswered(f"{step} has not been answered with {name}")
    return str(answers[step][name])
