"""`sankofa history lint` says what is wrong by line and field, or that nothing is."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from deploy.cli.files import DEPLOY, histories_folder
from deploy.cli.history import app

DEFINITION = DEPLOY / "programmes/coswa-nar.yaml"


def test_a_clean_history_has_nothing_to_mend() -> None:
    ran = CliRunner().invoke(app, ["lint", "coswa-nar"])
    assert (ran.exit_code, ran.output) == (0, f"{histories_folder() / 'coswa-nar.yaml'}: nothing to mend\n")


def test_a_broken_one_is_refused_at_the_line(tmp_path: Path) -> None:
    text = (histories_folder() / "coswa-nar.yaml").read_text(encoding="utf-8")
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("sector: water", "sector: fire", 1), encoding="utf-8")
    ran = CliRunner().invoke(app, ["lint", str(broken), "--definition", str(DEFINITION)])
    line = text[: text.index("sector: water")].count("\n") + 1
    assert ran.exit_code == 1
    (said,) = ran.output.splitlines()
    assert said.startswith(f"{broken}:{line}:")
    assert said.endswith("/chapters/0/fields/create/sector: unknown_code: the programme does not list this code")
