"""Definition files: linting at line and field, and loading; bad ones are refused before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from shared.errors import Problem, Refusal, SankofaError
from shared.programmes.checks import check
from shared.programmes.doubts import doubts
from shared.programmes.indicators import Declared
from shared.programmes.marked_yaml import Broken, Finding, broken_rules, escaped, read_marked
from shared.programmes.model import Definition
from shared.texts import CONTROL_CHARACTER, LINE_ENDS_AND_TABS, has_control_character, visible

M = TypeVar("M", bound=Declared)


class FileRefused(SankofaError):
    """A file that cannot be used; `findings` says where and why, its text one line each."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(one) for one in findings))
        self.findings = tuple(findings)


def lint(text: str) -> list[Finding]:
    """What is wrong with the text of a definition file, by line; one that has warnings alone can be published."""
    return examined(text)[1]


def examined(text: str) -> tuple[Definition | None, list[Finding]]:
    """The definition that the text of a file holds, None where its fields do not fit, and what `lint` finds."""
    return linted(text, Definition, _checked)


def load_definition(source: Path | str) -> Definition:
    """The definition in a file (a Path) or in a text. Raises FileRefused, or OSError for a file that cannot be read."""
    return loaded(source, Definition, check)


def _checked(definition: Definition) -> list[Broken]:
    return [*check(definition), *doubts(definition)]


def definition_of(data: Any, pointer: str = "") -> Definition:
    """The definition in JSON data that came over an edge, by the same rules as a file.

    `pointer` is where the data stands in the request. Raises Refusal (422) with a problem for each broken rule.
    """
    definition, broken = _parsed(data, Definition, check)
    if definition is None or broken:
        problems = tuple(Problem(one.rule, pointer + one.pointer) for one in broken)
        raise Refusal("definition_refused", "the definition breaks a rule", problems=problems, status=422)
    return definition


def linted(text: str, model: type[M], check: Callable[[M], list[Broken]]) -> tuple[M | None, list[Finding]]:
    """The model that the YAML text holds and what is wrong with it; None where the fields do not even fit."""
    marked, findings = read_marked(text)
    if findings:
        return None, findings
    value, broken = _parsed(marked.data, model, check)
    return value, sorted(marked.finding(one) for one in broken)


def loaded(source: Path | str, model: type[M], check: Callable[[M], list[Broken]]) -> M:
    """The model in a file or text. Raises FileRefused."""
    try:
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    except UnicodeDecodeError:
        raise FileRefused([Finding(1, 1, "", "encoding", "the file is not UTF-8")]) from None
    value, findings = linted(text, model, check)
    if value is None or findings:
        raise FileRefused(findings)
    return value


def _parsed(said: Any, model: type[M], check: Callable[[M], list[Broken]]) -> tuple[M | None, list[Broken]]:
    data = _seen(said)
    try:
        # Strict JSON: a text never becomes a number, and only JSON mode reads dates from their texts.
        value = model.model_validate_json(json.dumps(data), strict=True, extra="forbid")
    except ValidationError as error:
        return None, broken_rules(error, data)
    return value, [*_control_characters(data, ""), *check(value)]


def _seen(data: Any) -> Any:
    """The data without the marks in its texts that nobody sees: one of direction comes with many an Arabic text."""
    if isinstance(data, str):
        return visible(data)
    if isinstance(data, dict):
        return {key: _seen(inner) for key, inner in data.items()}
    return [_seen(inner) for inner in data] if isinstance(data, list) else data


def _control_characters(data: Any, pointer: str) -> Iterator[Broken]:
    """Texts that pages and exports could not show as they are; several lines and tabs may be."""
    if isinstance(data, str) and has_control_character(data, LINE_ENDS_AND_TABS):
        yield Broken(pointer, CONTROL_CHARACTER, "a control character stands in the text")
    elif isinstance(data, dict):
        for key, inner in data.items():
            yield from _control_characters(inner, f"{pointer}/{escaped(key)}")
    elif isinstance(data, list):
        for number, inner in enumerate(data):
            yield from _control_characters(inner, f"{pointer}/{number}")
