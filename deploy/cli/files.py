"""Definition and history files: found by code or path, refused by line and field before anything is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from deploy.replay.history import History, lint_history, load_history
from shared.errors import SettingsError
from shared.programmes.loader import FileRefused, lint, load_definition
from shared.programmes.marked_yaml import Finding, read_marked
from shared.programmes.model import Definition

DEPLOY = Path(__file__).parents[1]
# What a history has and a definition has not.
HISTORY = re.compile(r"^chapters:", re.MULTILINE)


def histories_folder() -> Path:
    return DEPLOY / "histories"


def definition_path(name: str) -> Path:
    """The file of a code, or the path itself."""
    return Path(name) if name.endswith((".yaml", ".yml")) else DEPLOY / "programmes" / f"{name}.yaml"


def read_definition(path: Path) -> Definition:
    """Raises SettingsError with line and field of the first finding."""
    try:
        return load_definition(_existing(path))
    except FileRefused as refused:
        raise SettingsError(first_line(path, refused.findings)) from None


def history_path(name: str) -> Path:
    """The file of a code, or the path itself."""
    return Path(name) if name.endswith((".yaml", ".yml")) else histories_folder() / f"{name}.yaml"


def read_history(path: Path, definition_file: Path | None = None) -> tuple[History, Definition]:
    """The history with its programme's definition. Raises SettingsError with line and field.

    Without a file for it the definition is looked for beside the history, in `programmes` beside its folder, and among
    the project's own.
    """
    text = text_of(path)
    definition = read_definition(definition_file or _definition_of(path, text))
    try:
        return load_history(text, definition), definition
    except FileRefused as refused:
        raise SettingsError(first_line(path, refused.findings)) from None


def history_findings(path: Path, definition_file: Path | None = None) -> list[Finding]:
    """What the linter finds in a history; SettingsError where its definition cannot be used."""
    text = text_of(path)
    return lint_history(text, read_definition(definition_file or _definition_of(path, text)))


def _definition_of(path: Path, text: str) -> Path:
    marked, findings = read_marked(text)
    if findings:
        raise SettingsError(first_line(path, findings))
    programme = marked.data.get("programme") if isinstance(marked.data, dict) else None
    name = f"{programme if isinstance(programme, str) else path.stem}.yaml"
    beside = path.with_name(name)
    if beside.is_file() and not HISTORY.search(text_of(beside)):
        return beside
    near = path.absolute().parent.with_name("programmes") / name
    return near if near.is_file() else DEPLOY / "programmes" / name


def text_of(path: Path) -> str:
    try:
        return _existing(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read ({type(error).__name__})") from None


def findings_of(path: Path) -> list[Finding]:
    """What the linter finds in a definition."""
    return lint(text_of(path))


def said(path: Path, finding: Finding) -> str:
    """One finding as one line: file, line and column, field, rule, sentence."""
    place, warning = f"{path}:{finding.line}:{finding.column}", "warning: " if finding.warning else ""
    return f"{place}: {warning}{finding.pointer or '/'}: {finding.rule}: {finding.detail}"


def first_line(path: Path, findings: Iterable[Finding]) -> str:
    found = list(findings)
    more = f" (and {len(found) - 1} more; `sankofa programme lint`)" if len(found) > 1 else ""
    return said(path, found[0]) + more


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SettingsError(f"there is no file {path}")
    return path


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object. SettingsError for a file that holds none."""
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{file} is not a JSON object")
    return content
