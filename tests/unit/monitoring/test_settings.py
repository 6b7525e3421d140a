"""What monitoring takes from where it runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.monitoring.settings import Settings, cores, read_settings


def test_the_environment_names_issuer_folder_and_kafka() -> None:
    named = {
        "SANKOFA_ISSUER": "https://login.example",
        "SANKOFA_DATA": "/data",
        "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "SANKOFA_WEBHOOKS_LOCAL": "yes",
    }
    expected = Settings(issuer="https://login.example", data=Path("/data"), kafka="kafka:9092", webhooks_local=True)
    assert read_settings(named) == expected
    # Only that very word opens the own network.
    for text in ("no", "1", "true", "YES"):
        assert not read_settings({"SANKOFA_WEBHOOKS_LOCAL": text}).webhooks_local
    assert read_settings(dict.fromkeys(named, "")) == Settings()


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", 8), ("100000 100000", 1), ("250000 100000", 2), ("50000 100000", 1), ("9900000 100000", 8)],
)
def test_a_container_uses_no_more_cores_than_it_is_given(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    given = tmp_path / "cpu.max"
    given.write_text(f"{quota}\n")
    assert cores(given) == expected
    assert cores(tmp_path / "absent") == 8
