"""Definition and history files: found by code or path, refused by line and field before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deploy.replay.history import History, load_history
from shared.errors import SettingsError
from shared.programmes.loader import FileRefused, lint, load_definition
from shared.programmes.marked_yaml import Finding
from shared.programmes.model import Definition

DEPLOY = Path(__file__).parents[1]


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


def read_history(path: Path) -> tuple[History, Definition]:
    """The history with its programme's definition. Raises SettingsError with line and field."""
    text = text_of(path)
    programme = next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("programme:")), "")
    definition = read_definition(definition_path(programme or path.stem))
    try:
        return load_history(path, definition), definition
    except FileRefused as refused:
        raise SettingsError(first_line(path, refused.findings)) from None


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
    return f"{path}:{finding.line}:{finding.column}: {finding.pointer or '/'}: {finding.rule}: {finding.detail}"


def first_line(path: Path, findings: Iterable[Finding]) -> str:
    found = list(findings)
    more = f" (and {len(found) - 1} more; `sankofa programme lint`)" if len(found) > 1 else ""
    return said(path, found[0]) + more


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SettingsError(f"there is no file {path}")
    return path
