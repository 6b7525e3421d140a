"""The journal of a history: what was acknowledged is not asked again, and a file that has changed is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.cli.files import histories_folder, read_history
from deploy.cli.runner import Journal
from deploy.replay.expansion import expand
from shared.errors import SettingsError


def test_a_step_that_is_asked_otherwise_than_before_is_told(tmp_path: Path) -> None:
    first, second, *_ = expand(*read_history(histories_folder() / "ipmd.yaml"))
    journal = Journal(tmp_path / "one.jsonl")
    journal.note(first, {})
    journal.close()
    again = Journal(tmp_path / "one.jsonl")
    again.check([first, second])
    with pytest.raises(SettingsError, match="asked otherwise"):
        again.check([replace(first, body={**first.body, "title": "another"}), second])
    again.close()
