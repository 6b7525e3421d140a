"""A missing tool is a skip with its reason, and a failure where nothing may be skipped."""

from __future__ import annotations

import pytest

from deploy.local.processes import MissingTool
from tests.tools import skipped_without_tools


@pytest.mark.parametrize(("ci", "ends"), [("true", MissingTool), ("", pytest.skip.Exception)])
def test_a_missing_tool(ci: str, ends: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(ends, match="java"), skipped_without_tools():
        raise MissingTool("java")
