"""The histories of these tests with their programmes, and what their steps say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from deploy.replay.expansion import Plan, planned
from deploy.replay.history import History, lint_history, load_history
from deploy.replay.steps import Step
from shared.contracts.registration.persons import Attributes
from shared.programmes.loader import load_definition
from shared.programmes.model import Definition

FOLDER = Path(__file__).parent
EXAMPLE = (FOLDER / "histories/example.yaml").read_text(encoding="utf-8")
PLAIN = (FOLDER / "histories/plain.yaml").read_text(encoding="utf-8")
RETURNS_PROGRAMME = load_definition(FOLDER / "programmes/example-returns.yaml")
PLAIN_PROGRAMME = load_definition(FOLDER / "programmes/example-plain.yaml")


@dataclass(frozen=True)
class Told:
    """A history, its programme and its plan."""

    history: History
    definition: Definition
    plan: Plan

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.plan.steps

    def of(self, verb: str) -> list[Step]:
        """The steps whose path ends with the verb."""
        return [step for step in self.plan.steps if step.path.rsplit("/", 1)[1] == verb]

    def step(self, id: str) -> Step:
        return next(step for step in self.plan.steps if step.id == id)

    def attributes(self, expert: str) -> Attributes:
        """As they are known at the end."""
        person: Any = self.step(f"{expert}/register").body["person"]
        later = [step.body["attributes"] for step in self.plan.steps if step.id == f"{expert}/correct"]
        return Attributes.model_validate([person["attributes"], *later][-1])


@cache
def told(text: str) -> Told:
    definition = RETURNS_PROGRAMME if text.startswith(EXAMPLE[:20]) else PLAIN_PROGRAMME
    history = load_history(text, definition)
    return Told(history, definition, planned(history, definition))


def check_found(text: str, change: tuple[str, str], pointer: str, rule: str) -> None:
    """That the change gives this finding, at its line; `pointer` is within the first chapter, or a figure's."""
    old, new = change
    assert text.count(old) == 1
    findings = lint_history(text.replace(old, new), told(text).definition)
    wanted = pointer if pointer.startswith(("figures", "chapters")) else f"chapters/0/{pointer}"
    (found,) = [one for one in findings if (one.pointer, one.rule) == (f"/{wanted}", rule)]
    first = text[: text.index(old)].count("\n") + 1
    changed = range(first, first + new.count("\n") + 1)
    # A sum is wrong as a whole: its finding stands where its parts begin. What is missing stands where it is asked for.
    assert found.line in changed or (
        rule in ("marginal_sum", "too_many", "required", "literal_error") and found.line <= first
    ), found
