"""Every refusal of registration says in words what would be right, but for those that tell nothing on purpose."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[3] / "services/registration"
# What is not there and what a caller may not see are answered alike; a forged form and a draft that has ended have
# words of their own on pages, and so has what the content of a file is refused by.
SILENT = {"'not_found'", "FORGED", "ENDED", "'role_may_not'", "'invalid'", "state.rule", "kind.rule"}


def wordless() -> Iterator[str]:
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Refusal" and len(node.args) < 2:
                rule = ast.unparse(node.args[0])
                said = any(one.arg == "detail" for one in node.keywords)
                if not said and rule not in SILENT:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {rule}"


def test_every_refusal_says_what_would_be_right() -> None:
    assert list(wordless()) == []
