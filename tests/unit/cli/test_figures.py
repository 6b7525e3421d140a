"""`sankofa figures` refuses in the words of a command."""

from __future__ import annotations

import pytest

from deploy.cli.figures import figures
from shared.errors import SettingsError


@pytest.mark.parametrize("text", ["2026-11-30", "yesterday", "2026-11-30T10:00:00"])
def test_an_instant_is_explained_to_whoever_types_a_command(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        figures("trqn-1", as_of=text)
    assert "--as-of: a time has the form 2008-01-05T09:30:00Z" in str(refused.value)
    assert "%2B" not in str(refused.value)
    assert text not in str(refused.value)
